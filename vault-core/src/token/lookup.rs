//! From a token's text to who asks: one read of the token and the epoch, one of its ancestors and holders with both
//! again, so that all of them stood at one instant. A batch token says itself what it rests on: one read. What the request will ask for first is read along, where that is known.

use super::{Identity, Token};
use crate::{
    cx::{Watched, store_error},
    error::Error,
    id::Timestamp,
    store::{Entry, Key, Store},
    system::Unsealed,
};
use std::{net::IpAddr, sync::Arc};

/// Where the token with this hash stands.
pub(crate) fn token_key(hash: &str) -> Result<Key, Error> {
    Key::join(&["ns/0/token/", hash]).map_err(Error::internal)
}

/// Where an entry stands that a token rests on.
pub(crate) fn holder_key(holder: &str) -> Result<Key, Error> {
    Key::join(&["ns/0/", holder]).map_err(Error::internal)
}

/// What a request shows of who asks.
#[derive(Debug)]
pub(crate) enum Shown<'a> {
    /// No token.
    Nothing,
    /// The text of a token that may be stored.
    Text(&'a str),
    /// A batch token that was opened, with the keyed hash of its text.
    Batch(Arc<Identity>),
}

impl Seen {
    /// Makes a stranger of who holds a token that is ended by what `ends` it or one above it.
    pub(crate) fn forget_if(&mut self, ends: impl Fn(&Token) -> bool) {
        if self.tokens().any(ends) {
            (self.identity, self.token) = (None, None);
        }
    }

    /// Makes a stranger of who comes from an address that the token, or one above it, is not bound to. Such a use does
    /// not count as one.
    pub(crate) fn bind(&mut self, address: Option<IpAddr>) {
        if self.tokens().any(|token| !token.admits(address)) {
            (self.elsewhere, self.token) = (self.identity.take(), None);
        }
    }

    fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.identity.iter().chain(&self.ancestors).filter_map(|identity| identity.token.as_ref())
    }
}

/// Who asks, and what that rests on.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Who; `None` for a stranger.
    pub(crate) identity: Option<Arc<Identity>>,
    /// Who it would be, if it had come from an address that its token may be used from.
    pub(crate) elsewhere: Option<Arc<Identity>>,
    /// The token's own entry; a batch token has none.
    pub(crate) token: Option<Entry>,
    /// The token, its ancestors and holders and the epoch, as they stood at one instant.
    pub(crate) watched: Watched,
    /// Ancestors whose end would end the token too.
    pub(crate) ancestors: Vec<Arc<Identity>>,
    /// What was read ahead, as it stood at that same instant.
    pub(crate) ahead: Option<(Key, Option<Entry>)>,
}

/// Reads who asks. A token that is unknown, expired, used up or cut off from what it rests on makes a stranger.
pub(crate) async fn read_identity(
    store: &dyn Store,
    unsealed: &Unsealed,
    shown: &Shown<'_>,
    target: Option<&Key>,
    now: Timestamp,
) -> Result<Seen, Error> {
    let mut keys = Vec::with_capacity(4);
    keys.push(unsealed.lane().epoch_key().clone());
    let (own, mut identity) = match shown {
        Shown::Nothing => (None, None),
        Shown::Text(text) => (Some(unsealed.barrier().token_hash(text)), None),
        Shown::Batch(identity) => (None, Some(Arc::clone(identity))),
    };
    match &own {
        Some(hash) => keys.push(token_key(hash)?),
        None => rest_keys(identity.as_deref(), &mut keys)?,
    }
    let first_rest = if own.is_some() { 2 } else { 1 };
    let (mut found, mut ahead) = read(store, &mut keys, target).await?;
    if let Some(hash) = &own {
        identity = open(unsealed, hash, found[1].as_ref())?;
        rest_keys(identity.as_deref(), &mut keys)?;
        if keys.len() > first_rest {
            (found, ahead) = read(store, &mut keys, target).await?;
            identity = open(unsealed, hash, found[1].as_ref())?;
        }
    }
    let (standing, ancestors) = standing(unsealed, identity.as_deref(), &found[first_rest..], now)?;
    let identity = identity.filter(|identity| standing && identity.is_good(now));
    let watched = Watched::new(keys, &found);
    let token = if identity.is_some() && own.is_some() { found.swap_remove(1) } else { None };
    Ok(Seen { identity, elsewhere: None, token, watched, ancestors, ahead })
}

/// What must stand beside the token itself: the tokens above it, then its holders.
fn rest_keys(identity: Option<&Identity>, keys: &mut Vec<Key>) -> Result<(), Error> {
    let Some(identity) = identity else { return Ok(()) };
    for ancestor in identity.ancestors() {
        keys.push(token_key(ancestor)?);
    }
    for holder in identity.holders() {
        keys.push(holder_key(holder)?);
    }
    Ok(())
}

/// Does everything stand that the token rests on, and the ancestors whose end would end it.
fn standing(
    unsealed: &Unsealed,
    identity: Option<&Identity>,
    found: &[Option<Entry>],
    now: Timestamp,
) -> Result<(bool, Vec<Arc<Identity>>), Error> {
    let (mut standing, mut ancestors) = (true, Vec::new());
    let hashes = identity.map(Identity::ancestors).unwrap_or_default();
    for (hash, entry) in hashes.iter().zip(found) {
        match open(unsealed, hash, entry.as_ref())? {
            Some(ancestor) if ancestor.token.as_ref().is_some_and(|token| token.husk) => {}
            Some(ancestor) if ancestor.is_good(now) => ancestors.push(ancestor),
            _ => standing = false,
        }
    }
    let holders = identity.map(Identity::holders).unwrap_or_default();
    for entry in found.iter().skip(hashes.len()) {
        // What only looks like a holder was not put there by this vault.
        match entry {
            Some(entry) => drop(unsealed.document(entry, |_| Ok(()))?),
            None => standing = false,
        }
    }
    Ok((standing && hashes.len() + holders.len() == found.len(), ancestors))
}

/// Some keys, and the target with them, at one instant.
async fn read(
    store: &dyn Store,
    keys: &mut Vec<Key>,
    target: Option<&Key>,
) -> Result<(Vec<Option<Entry>>, Option<(Key, Option<Entry>)>), Error> {
    keys.extend(target.cloned());
    let mut found = store.get(keys).await.map_err(store_error)?;
    let ahead = match target {
        Some(_) => keys.pop().zip(found.pop()),
        None => None,
    };
    Ok((found, ahead))
}

fn open(unsealed: &Unsealed, hash: &str, entry: Option<&Entry>) -> Result<Option<Arc<Identity>>, Error> {
    let parse = |bytes: &[u8]| {
        let token: Token = serde_json::from_slice(bytes).map_err(Error::internal)?;
        Ok(Identity::of(token, hash))
    };
    entry.map(|entry| unsealed.document(entry, parse)).transpose()
}
