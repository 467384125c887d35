//! From a token's text to who asks: one read of the token and the epoch, one of its ancestors with both again, so
//! that all of them stood at one instant. What the request will ask for first is read along, where that is known.

use super::{Identity, Token};
use crate::{
    cx::{Watched, store_error},
    error::Error,
    id::Timestamp,
    store::{Entry, Key, Store},
    system::Unsealed,
};
use std::sync::Arc;

/// Where the token with this hash stands.
pub(crate) fn token_key(hash: &str) -> Result<Key, Error> {
    Key::new(["ns/0/token/", hash].concat()).map_err(Error::internal)
}

impl Seen {
    /// Makes a stranger of who holds a token that is ended by what `ends` it or one above it.
    pub(crate) fn forget_if(&mut self, ends: impl Fn(&Token) -> bool) {
        let all = self.identity.iter().chain(&self.ancestors);
        if all.filter_map(|identity| identity.token.as_ref()).any(ends) {
            (self.identity, self.token) = (None, None);
        }
    }
}

/// Who asks, and what that rests on.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Who; `None` for a stranger.
    pub(crate) identity: Option<Arc<Identity>>,
    /// The token's own entry.
    pub(crate) token: Option<Entry>,
    /// The token, its ancestors and the epoch, as they stood at one instant.
    pub(crate) watched: Watched,
    /// Ancestors whose end would end the token too.
    pub(crate) ancestors: Vec<Arc<Identity>>,
    /// What was read ahead, as it stood at that same instant.
    pub(crate) ahead: Option<(Key, Option<Entry>)>,
}

/// Reads who asks. A token that is unknown, expired, used up or cut off from an ancestor makes a stranger.
pub(crate) async fn read_identity(
    store: &dyn Store,
    unsealed: &Unsealed,
    text: Option<&str>,
    target: Option<&Key>,
    now: Timestamp,
) -> Result<Seen, Error> {
    let mut keys = Vec::with_capacity(4);
    keys.push(unsealed.lane().epoch_key().clone());
    let Some(text) = text else {
        let (found, ahead) = read(store, &mut keys, target).await?;
        let watched = Watched::new(keys, &found);
        return Ok(Seen { identity: None, token: None, watched, ancestors: Vec::new(), ahead });
    };
    let hash = unsealed.barrier().token_hash(text);
    keys.push(token_key(&hash)?);
    let (mut found, mut ahead) = read(store, &mut keys, target).await?;
    let mut identity = open(unsealed, &hash, found[1].as_ref())?;
    let ancestors = identity.as_deref().map(Identity::ancestors).unwrap_or_default();
    if !ancestors.is_empty() {
        for ancestor in ancestors {
            keys.push(token_key(ancestor)?);
        }
        (found, ahead) = read(store, &mut keys, target).await?;
        identity = open(unsealed, &hash, found[1].as_ref())?;
    }
    let (standing, ancestors) = standing(unsealed, identity.as_deref(), &found[2..], now)?;
    let identity = identity.filter(|identity| standing && identity.is_good(now));
    let watched = Watched::new(keys, &found);
    let token = if identity.is_some() { found.swap_remove(1) } else { None };
    Ok(Seen { identity, token, watched, ancestors, ahead })
}

/// Does every ancestor stand, and those whose end would end the token.
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
    Ok((standing && hashes.len() == found.len(), ancestors))
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
