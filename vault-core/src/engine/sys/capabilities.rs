//! What a token may do, asked beforehand: the same evaluator that enforces.

use crate::{
    cx::Cx,
    engine::Call,
    error::Error,
    policy::Grants,
    request::{Reply, Shape},
    token::{BATCH_PREFIX, Identity, ROOT, Token},
};
use serde_json::{Map, Value, json};

pub(super) async fn of_self(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let identity = cx.require_identity()?.clone();
    // The `bao` command asks here about another token too.
    match call.text("token")?.filter(|token| !token.is_empty()) {
        Some(token) if cx.token_hash(&token)? != identity.hash => {
            Err(Error::invalid("ask sys/capabilities about another token"))
        }
        _ => answer(cx, &identity, call),
    }
}

pub(super) async fn of_token(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let text = call.required_text("token")?;
    let hash = cx.token_hash(&text)?;
    let identity = match text.starts_with(BATCH_PREFIX) {
        true => cx.batch_token(&text).await?.map(|token| Identity::of(token, &hash)),
        false => holder_of(cx, &hash).await?,
    };
    answer(cx, &identity.ok_or_else(|| Error::invalid("invalid token"))?, call)
}

pub(super) async fn of_accessor(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let accessor = call.required_text("accessor")?;
    let bad = || Error::invalid("invalid accessor");
    let hash = cx.root_document(&format!("accessor/{accessor}")).await?.ok_or_else(bad)?;
    let hash = String::from_utf8(hash).map_err(Error::internal)?;
    let identity = holder_of(cx, &hash).await?.ok_or_else(bad)?;
    answer(cx, &identity, call)
}

/// The paths of a token's policies, for interfaces that show what can be reached.
pub(super) async fn resultant_acl(cx: &mut Cx) -> Result<Reply, Error> {
    let identity = cx.require_identity()?;
    // Who may do everything needs no list of paths (Vault).
    if identity.is_root() {
        return Reply::data(&json!({ "root": true }));
    }
    let (mut exact, mut globs): (Map<String, Value>, Map<String, Value>) = (Map::new(), Map::new());
    for (path, rights) in cx.policies()?.patterns(identity) {
        let shown = json!({ "capabilities": words(rights) });
        match path.strip_suffix('*') {
            Some(stem) => globs.insert(stem.to_owned(), shown),
            None => exact.insert(path.to_owned(), shown),
        };
    }
    Reply::data(&json!({ "root": false, "exact_paths": exact, "glob_paths": globs }))
}

/// Who holds the token, if it is good.
pub(super) async fn holder_of(cx: &mut Cx, hash: &str) -> Result<Option<Identity>, Error> {
    let Some(document) = cx.root_document(&format!("token/{hash}")).await? else { return Ok(None) };
    let token: Token = serde_json::from_slice(&document).map_err(Error::internal)?;
    let good = token.is_good(cx.now()) && !cx.is_revoked(&token) && cx.stands(&token).await?;
    Ok(good.then(|| Identity::of(token, hash)))
}

fn words(rights: Grants) -> Vec<&'static str> {
    rights.words()
}

fn answer(cx: &Cx, identity: &Identity, call: Call<'_>) -> Result<Reply, Error> {
    let paths = match call.list("paths")? {
        Some(paths) => paths,
        None => call.list("path")?.unwrap_or_default(),
    };
    if paths.is_empty() {
        return Err(Error::invalid("paths must be supplied"));
    }
    let of = |path: &String| match identity.is_root() {
        true => Ok(json!([ROOT])),
        false => Ok(json!(words(cx.rights(identity, path)?))),
    };
    let mut data: Map<String, Value> =
        paths.iter().map(|path| Ok((path.clone(), of(path)?))).collect::<Result<_, Error>>()?;
    if let [only] = paths.as_slice() {
        data.insert("capabilities".to_owned(), of(only)?);
    }
    Reply::shaped(Shape::Double, &data)
}
