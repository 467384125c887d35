//! From a token's text to who asks: one read of the token and the epoch, one of its ancestors with both again, so
//! that all of them stood at one instant. What the request will ask for first is read along, where that is known.

use super::{Identity, Token};
use crate::{
    barrier::Barrier,
    cx::store_error,
    error::Error,
    id::{Rev, Timestamp},
    store::{Entry, Key, Store},
};
use std::sync::Arc;

/// Where the token with this hash stands.
pub(crate) fn token_key(hash: &str) -> Result<Key, Error> {
    Key::new(format!("ns/0/token/{hash}")).map_err(Error::internal)
}

impl Seen {
    /// Makes a stranger of who holds a token that is ended by what `ends` it or one above it.
    pub(crate) fn forget_if(&mut self, ends: impl Fn(&Token) -> bool) {
        let own = self.identity.as_ref().and_then(|identity| identity.token.as_ref());
        if own.into_iter().chain(&self.ancestors).any(ends) {
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
    pub(crate) watched: Vec<(Key, Option<Rev>)>,
    /// Ancestors whose end would end the token too.
    pub(crate) ancestors: Vec<Token>,
    /// What was read ahead, as it stood at that same instant.
    pub(crate) ahead: Option<(Key, Option<Entry>)>,
}

/// Reads who asks. A token that is unknown, expired, used up or cut off from an ancestor makes a stranger.
pub(crate) async fn read_identity(
    store: &dyn Store,
    barrier: &Barrier,
    epoch: &Key,
    text: Option<&str>,
    target: Option<&Key>,
    now: Timestamp,
) -> Result<Seen, Error> {
    let Some(text) = text else {
        let (found, ahead) = read(store, std::slice::from_ref(epoch), target).await?;
        let watched = vec![(epoch.clone(), found.first().and_then(Option::as_ref).map(|entry| entry.rev))];
        return Ok(Seen { identity: None, token: None, watched, ancestors: Vec::new(), ahead });
    };
    let hash = hex::encode(barrier.token_index(text));
    let mut keys = vec![epoch.clone(), token_key(&hash)?];
    let (mut found, mut ahead) = read(store, &keys, target).await?;
    let mut token = open(barrier, found[1].as_ref())?;
    let ancestors = token.as_ref().map(|token| token.ancestors.as_slice()).unwrap_or_default();
    if !ancestors.is_empty() {
        for ancestor in ancestors {
            keys.push(token_key(ancestor)?);
        }
        (found, ahead) = read(store, &keys, target).await?;
        token = open(barrier, found[1].as_ref())?;
    }
    let (mut standing, mut ancestors) = (true, Vec::new());
    for entry in found.iter().skip(2) {
        match open(barrier, entry.as_ref())? {
            Some(ancestor) if ancestor.husk => {}
            Some(ancestor) if ancestor.is_good(now) => ancestors.push(ancestor),
            _ => standing = false,
        }
    }
    let good = token.filter(|token| standing && token.is_good(now));
    let revs = found.iter().map(|entry| entry.as_ref().map(|entry| entry.rev));
    let watched = keys.iter().cloned().zip(revs).collect();
    let entry = if good.is_some() { found.swap_remove(1) } else { None };
    let identity = good.map(|token| {
        let (policies, display_name) = (token.policies.clone(), token.display_name.clone());
        Arc::new(Identity { token: Some(token), hash, policies, display_name })
    });
    Ok(Seen { identity, token: entry, watched, ancestors, ahead })
}

/// Some keys, and the target with them, at one instant.
async fn read(
    store: &dyn Store,
    keys: &[Key],
    target: Option<&Key>,
) -> Result<(Vec<Option<Entry>>, Option<(Key, Option<Entry>)>), Error> {
    let Some(target) = target else { return Ok((store.get(keys).await.map_err(store_error)?, None)) };
    let mut wanted = keys.to_vec();
    wanted.push(target.clone());
    let mut found = store.get(&wanted).await.map_err(store_error)?;
    let entry = found.pop().flatten();
    Ok((found, Some((target.clone(), entry))))
}

fn open(barrier: &Barrier, entry: Option<&Entry>) -> Result<Option<Token>, Error> {
    let Some(entry) = entry else { return Ok(None) };
    let plain = barrier.open(entry)?;
    // EXPOSE: the token's document, which holds no token text.
    serde_json::from_slice(plain.expose()).map(Some).map_err(Error::internal)
}
