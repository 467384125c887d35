//! `sys/wrapping`: what can be done with a wrapped reply. The wrapping token itself is the right to it, whether it
//! comes in the body or as the caller's own token; it is good once, on whichever node.

use super::row;
use crate::{
    Operation::{Read, Write},
    cx::{Cx, Item},
    engine::{
        Access::{Login, Token as NeedsToken},
        Call, FREE, Field,
        FieldKind::Text,
        Route,
    },
    error::{Error, ErrorKind},
    request::Reply,
    token::{NewWrapping, Token, make_wrapping, open_wrapped, response_name},
};
use serde_json::json;
use std::time::Duration;

const TOKEN: &[Field] = &[Field::new("token", Text, "The wrapping token; the caller's own where absent.")];
const WRAPPED: &str = r#"{"token":"shs.wrapping"}"#;

#[rustfmt::skip]
pub(super) const ROUTES: &[Route] = &[
    Route { example: r#"{"password":"hunter2"}"#, ..row(Write, "wrapping/wrap", NeedsToken,
        "Wrap the fields of the request; needs the wrap TTL header.", FREE, |_, call| Box::pin(wrap(call))) },
    Route { example: WRAPPED, ..row(Write, "wrapping/lookup", Login, "What a wrapping token holds, without using it up.", TOKEN,
        |cx, call| Box::pin(lookup(cx, call))) },
    Route { example: WRAPPED, ..row(Read, "wrapping/lookup", Login, "The same for the caller's own token.", TOKEN,
        |cx, call| Box::pin(lookup(cx, call))) },
    Route { example: WRAPPED, ..row(Write, "wrapping/unwrap", Login, "Take the reply out; works once.", TOKEN,
        |cx, call| Box::pin(unwrap(cx, call))) },
    Route { example: WRAPPED, ..row(Write, "wrapping/rewrap", Login, "Put the reply away under a new token.", TOKEN,
        |cx, call| Box::pin(rewrap(cx, call))) },
];

/// The door wraps the reply, as it does every one.
async fn wrap(call: Call<'_>) -> Result<Reply, Error> {
    if call.request.wrap_ttl.is_none_or(|ttl| ttl.is_zero()) {
        return Err(Error::invalid("endpoint requires response wrapping to be used: set X-Vault-Wrap-TTL"));
    }
    Reply::data(&call.request.fields)
}

/// A wrapping token that is good, with the reply that it holds.
struct Found {
    item: Item,
    token: Token,
    response: Item,
}

async fn find(cx: &mut Cx, call: Call<'_>) -> Result<Found, Error> {
    let bad = || Error::new(ErrorKind::Credentials, "wrapping token is not valid or does not exist");
    let hash = match (call.text("token")?.filter(|text| !text.is_empty()), &call.request.token) {
        (Some(text), _) => cx.token_hash(&text)?,
        // EXPOSE: the token's index is a keyed hash of its text.
        (None, Some(text)) => cx.token_hash(text.expose())?,
        (None, None) => return Err(Error::unauthenticated()),
    };
    let item = cx.root_item(&format!("token/{hash}")).await?.ok_or_else(bad)?;
    let token: Token = item.json()?;
    if !token.is_wrapping() || !token.is_good(cx.now()) || cx.is_revoked(&token) {
        return Err(bad());
    }
    let response = cx.root_item(&response_name(&hash)).await?.ok_or_else(bad)?;
    cx.note_lease(format!("{}/{hash}", token.path));
    Ok(Found { item, token, response })
}

async fn lookup(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let Found { item, token, .. } = find(cx, call).await?;
    // The door sees that this very token was dealt with, and does not count a use.
    cx.guard(&item)?;
    Reply::data(&json!({
        "creation_path": token.path,
        "creation_time": token.created.to_rfc3339(),
        "creation_ttl": token.creation_ttl,
    }))
}

async fn unwrap(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let found = find(cx, call).await?;
    let reply = open_wrapped(found.response.bytes())?;
    remove(cx, &found).await?;
    Ok(reply)
}

async fn rewrap(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let found = find(cx, call).await?;
    let new = NewWrapping {
        path: &found.token.path,
        ttl: Duration::from_secs(found.token.creation_ttl),
        document: found.response.bytes(),
        generation: cx.newest_revocation(),
        wrapped_accessor: open_wrapped(found.response.bytes())?.auth.map(|auth| auth.accessor),
    };
    let wrapping = make_wrapping(cx.barrier()?, new, cx.now())?;
    remove(cx, &found).await?;
    let info = cx.stage_wrapping(wrapping)?;
    Ok(Reply { wrap: Some(info), ..Reply::empty() })
}

/// The token goes with what it holds. Of two who take it one finds it gone: each removes what it has read.
async fn remove(cx: &mut Cx, found: &Found) -> Result<(), Error> {
    cx.remove(&found.item)?;
    cx.remove(&found.response)?;
    match cx.root_item(&format!("accessor/{}", found.token.accessor)).await? {
        Some(accessor) => cx.remove(&accessor),
        None => Ok(()),
    }
}
