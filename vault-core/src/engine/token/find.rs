//! Finding tokens and telling what they are.

use crate::{
    cx::{Cx, Item},
    engine::Call,
    error::{Error, ErrorKind},
    id::Timestamp,
    limits::LIST_NAMES_MAX,
    request::Reply,
    token::{BATCH_PREFIX, Token},
};
use serde_json::{Value, json};

/// A token's entry and document, if it is good.
pub(super) async fn by_hash(cx: &mut Cx, hash: &str) -> Result<Option<(Item, Token)>, Error> {
    let Some(item) = cx.get(&format!("token/{hash}")).await? else { return Ok(None) };
    let token: Token = item.json()?;
    if !token.is_good(cx.now()) || cx.is_revoked(&token) {
        return Ok(None);
    }
    Ok(cx.stands(&token).await?.then_some((item, token)))
}

/// A good token by its text, stored or carried.
async fn by_text(cx: &mut Cx, text: &str) -> Result<Option<Token>, Error> {
    if text.starts_with(BATCH_PREFIX) {
        return cx.batch_token(text).await;
    }
    let hash = cx.token_hash(text)?;
    Ok(by_hash(cx, &hash).await?.map(|(_, token)| token))
}

/// Refuses what only a stored token can have done to it.
pub(super) fn check_stored(text: &str, what: &str) -> Result<(), Error> {
    match text.starts_with(BATCH_PREFIX) {
        true => Err(Error::invalid(format!("batch tokens cannot be {what}"))),
        false => Ok(()),
    }
}

/// The same of the token that asks.
pub(super) fn check_stored_self(cx: &Cx, what: &str) -> Result<(), Error> {
    match cx.require_identity()?.require_token()?.is_batch() {
        true => Err(Error::invalid(format!("batch tokens cannot be {what}"))),
        false => Ok(()),
    }
}

/// The hash that an accessor stands for.
pub(super) async fn hash_of_accessor(cx: &mut Cx, accessor: &str) -> Result<Option<String>, Error> {
    if accessor.is_empty() || accessor.contains('/') {
        return Ok(None);
    }
    let item = cx.get(&format!("accessor/{accessor}")).await?;
    Ok(item.and_then(|item| String::from_utf8(item.bytes().to_vec()).ok()))
}

pub(super) async fn lookup_self(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let identity = cx.require_identity()?;
    let token = identity.require_token()?;
    // EXPOSE: the caller brought this very text.
    let text = call.request.token.as_ref().map_or("", |text| text.expose().as_str());
    Reply::data(&describe(token, cx.now(), text))
}

pub(super) async fn lookup(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let Some(text) = call.text("token")?.filter(|text| !text.is_empty()) else {
        return lookup_self(cx, call).await;
    };
    let bad = || Error::new(ErrorKind::Denied, "bad token");
    let token = by_text(cx, &text).await?.ok_or_else(bad)?;
    Reply::data(&describe(&token, cx.now(), &text))
}

pub(super) async fn lookup_accessor(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let accessor = call.required_text("accessor")?;
    let bad = || Error::invalid("invalid accessor");
    let hash = hash_of_accessor(cx, &accessor).await?.ok_or_else(bad)?;
    let (_, token) = by_hash(cx, &hash).await?.ok_or_else(bad)?;
    Reply::data(&describe(&token, cx.now(), ""))
}

pub(super) async fn accessors(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let limit = call.integer("limit")?.filter(|limit| *limit > 0).unwrap_or(u64::MAX);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(LIST_NAMES_MAX);
    let keys = cx.list("accessor/", call.text("after")?.as_deref(), limit).await?;
    if keys.is_empty() {
        return Err(Error::not_found());
    }
    Reply::data(&json!({ "keys": keys }))
}

/// The fields of a lookup (Vault API). The text is shown only to who brought it.
fn describe(token: &Token, now: Timestamp, text: &str) -> Value {
    let mut data = json!({
        "accessor": token.accessor,
        "creation_time": token.created.unix_seconds(),
        "creation_ttl": token.creation_ttl,
        "display_name": token.display_name,
        "entity_id": "",
        "expire_time": token.expires.map(Timestamp::to_rfc3339),
        "explicit_max_ttl": token.explicit_max_ttl,
        "id": text,
        "issue_time": token.created.to_rfc3339(),
        "meta": token.meta,
        "num_uses": token.uses_left.unwrap_or(0),
        "orphan": token.ancestors.is_empty(),
        "path": token.path,
        "policies": token.policies,
        "renewable": token.renewable,
        "ttl": token.ttl(now),
        "type": token.kind.as_str(),
    });
    if !token.role.is_empty() {
        data["role"] = token.role.as_str().into();
    }
    if !token.bound_cidrs.is_empty() {
        data["bound_cidrs"] = json!(token.bound_cidrs);
    }
    if token.period > 0 {
        data["period"] = token.period.into();
    }
    if let Some(at) = token.last_renewal {
        data["last_renewal"] = at.to_rfc3339().into();
        data["last_renewal_time"] = at.unix_seconds().into();
    }
    data
}
