//! Revoking tokens. Removing the token ends its tree at once, since a token stands only with its ancestors; a
//! tombstone tells the sweep what is left to clear away.

use super::find;
use crate::{
    cx::{Cx, Item},
    engine::Call,
    error::Error,
    request::{Reply, Shape},
    token::Token,
};

pub(super) async fn revoke_self(cx: &mut Cx) -> Result<Reply, Error> {
    find::check_stored_self(cx, "revoked")?;
    let hash = cx.require_identity()?.hash.clone();
    remove(cx, &hash).await
}

pub(super) async fn revoke(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let text = call.required_text("token")?;
    find::check_stored(&text, "revoked")?;
    let hash = cx.token_hash(&text)?;
    remove(cx, &hash).await
}

pub(super) async fn revoke_accessor(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let accessor = call.required_text("accessor")?;
    match find::hash_of_accessor(cx, &accessor).await? {
        Some(hash) => remove(cx, &hash).await,
        None => Ok(Reply::empty().warn("No token found with this accessor")),
    }
}

pub(super) async fn revoke_orphan(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let text = call.required_text("token")?;
    find::check_stored(&text, "revoked")?;
    let hash = cx.token_hash(&text)?;
    let Some((item, token)) = stored(cx, &hash).await? else {
        return Err(Error::invalid("token to revoke not found"));
    };
    remove_accessor(cx, &token).await?;
    // The husk lets its children stand; it can do nothing itself.
    cx.replace_json(&item, &Token { husk: true, ..token })?;
    Ok(Reply::empty())
}

pub(super) async fn tidy() -> Result<Reply, Error> {
    let reply = Reply { shape: Shape::Accepted, ..Reply::empty() };
    Ok(reply.warn("Dead tokens are swept continuously; there is nothing to start."))
}

async fn remove(cx: &mut Cx, hash: &str) -> Result<Reply, Error> {
    let Some((item, token)) = stored(cx, hash).await? else { return Ok(Reply::empty()) };
    remove_accessor(cx, &token).await?;
    cx.remove(&item)?;
    cx.put(&format!("token-sweep/{hash}"), &[])?;
    Ok(Reply::empty())
}

async fn stored(cx: &mut Cx, hash: &str) -> Result<Option<(Item, Token)>, Error> {
    let Some(item) = cx.get(&format!("token/{hash}")).await? else { return Ok(None) };
    let token = item.json()?;
    Ok(Some((item, token)))
}

async fn remove_accessor(cx: &mut Cx, token: &Token) -> Result<(), Error> {
    match cx.get(&format!("accessor/{}", token.accessor)).await? {
        Some(item) => cx.remove(&item),
        None => Ok(()),
    }
}
