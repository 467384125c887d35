//! What a token may do, asked beforehand: the same evaluator that enforces.

use crate::{
    cx::Cx,
    engine::Call,
    error::Error,
    policy,
    request::{Reply, Shape},
    token::Token,
};
use serde_json::{Map, Value, json};

pub(super) async fn of_self(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let policies = cx.require_identity()?.policies.clone();
    answer(&policies, call)
}

pub(super) async fn of_token(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let hash = cx.token_hash(&call.required_text("token")?)?;
    let policies = policies_of(cx, &hash).await?.ok_or_else(|| Error::invalid("invalid token"))?;
    answer(&policies, call)
}

pub(super) async fn of_accessor(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let accessor = call.required_text("accessor")?;
    let bad = || Error::invalid("invalid accessor");
    let hash = cx.root_document(&format!("accessor/{accessor}")).await?.ok_or_else(bad)?;
    let hash = String::from_utf8(hash).map_err(Error::internal)?;
    answer(&policies_of(cx, &hash).await?.ok_or_else(bad)?, call)
}

pub(super) async fn resultant_acl(cx: &mut Cx) -> Result<Reply, Error> {
    // Who may do everything needs no list of paths (Vault).
    if cx.require_identity()?.is_root() {
        return Reply::data(&json!({ "root": true }));
    }
    Reply::data(&json!({ "root": false, "exact_paths": {}, "glob_paths": {} }))
}

async fn policies_of(cx: &mut Cx, hash: &str) -> Result<Option<Vec<String>>, Error> {
    let Some(document) = cx.root_document(&format!("token/{hash}")).await? else { return Ok(None) };
    let token: Token = serde_json::from_slice(&document).map_err(Error::internal)?;
    let good = token.is_good(cx.now()) && !cx.is_revoked(&token) && cx.stands(&token).await?;
    Ok(good.then_some(token.policies))
}

fn answer(policies: &[String], call: Call<'_>) -> Result<Reply, Error> {
    let paths = match call.list("paths")? {
        Some(paths) => paths,
        None => call.list("path")?.unwrap_or_default(),
    };
    if paths.is_empty() {
        return Err(Error::invalid("paths must be supplied"));
    }
    let mut data: Map<String, Value> =
        paths.iter().map(|path| (path.clone(), json!(policy::capabilities(policies, path)))).collect();
    if let [only] = paths.as_slice() {
        data.insert("capabilities".to_owned(), json!(policy::capabilities(policies, only)));
    }
    Reply::shaped(Shape::Double, &data)
}
