//! Renewing tokens, within their bounds.

use super::find;
use crate::{
    Secret,
    cx::{Cx, Item},
    engine::Call,
    error::{Error, ErrorKind},
    request::Reply,
    token::{Token, auth_of, due_key},
};

pub(super) async fn renew_self(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    find::check_stored_self(cx, "renewed")?;
    let hash = cx.require_identity()?.hash.clone();
    let (item, token) = find::by_hash(cx, &hash).await?.ok_or_else(Error::unauthenticated)?;
    // EXPOSE: the caller brought this very text.
    let text = call.request.token.as_ref().map(|text| text.expose().clone()).unwrap_or_default();
    let uses_left = token.uses_left.map(|uses| uses.saturating_sub(1));
    extend(cx, call, &hash, &item, Token { uses_left, ..token }, text)
}

pub(super) async fn renew(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let Some(text) = call.text("token")?.filter(|text| !text.is_empty()) else {
        return renew_self(cx, call).await;
    };
    find::check_stored(&text, "renewed")?;
    let hash = cx.token_hash(&text)?;
    if cx.require_identity()?.hash == hash {
        return renew_self(cx, call).await;
    }
    let bad = || Error::new(ErrorKind::Denied, "bad token");
    let (item, token) = find::by_hash(cx, &hash).await?.ok_or_else(bad)?;
    extend(cx, call, &hash, &item, token, text)
}

pub(super) async fn renew_accessor(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let accessor = call.required_text("accessor")?;
    let bad = || Error::invalid("invalid accessor");
    let hash = find::hash_of_accessor(cx, &accessor).await?.ok_or_else(bad)?;
    let (item, token) = find::by_hash(cx, &hash).await?.ok_or_else(bad)?;
    extend(cx, call, &hash, &item, token, String::new())
}

fn extend(
    cx: &mut Cx,
    call: Call<'_>,
    hash: &str,
    item: &Item,
    token: Token,
    text: String,
) -> Result<Reply, Error> {
    if token.expires.is_none() {
        return Err(Error::invalid("invalid lease ID"));
    }
    if !token.renewable {
        return Err(Error::invalid("lease is not renewable"));
    }
    let increment = call.duration("increment")?;
    let now = cx.now();
    let until = token.renewed_until(now, increment, cx.longest_below(&token.path));
    let renewed = Token { expires: Some(until), last_renewal: Some(now), ..token };
    cx.replace_json(item, &renewed)?;
    cx.put(&due_key(hash, until), &[])?;
    let reply = Reply::auth(auth_of(&renewed, Secret::new(text), now));
    match increment.filter(|increment| renewed.period == 0 && now.plus(*increment) > until) {
        Some(asked) => Ok(reply.warn(format!(
            "TTL of {}s exceeded the effective max_ttl; TTL value is capped accordingly",
            asked.as_secs()
        ))),
        None => Ok(reply),
    }
}
