//! [`Cx`]: all that an engine may touch during one request: its own mount's keys, the clock, randomness, who asks,
//! and the batch that is being staged. Core commits the batch together with the request's audit record.

mod first_seed;
mod later;
mod login;
mod operate;
mod password;
mod visible;

pub(crate) use visible::{Filter, folder_of, touches};

pub(crate) use later::{DUE_PREFIX, Due, SWEEP_PREFIX, Sweep, due_name};
pub use login::Login;
pub use password::Password;

use crate::{
    Secret,
    barrier::Barrier,
    engine::Mount,
    error::{Error, ErrorKind},
    id::{Rev, Timestamp},
    limits,
    policy::Facts,
    store::{Backend, Entry, Key, Limit, Op, Range},
    system::{Effect, MountTable, System, Unsealed},
    token::Identity,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt, ops::Deref, sync::Arc};

/// An entry as it was read: what a change of it must find unchanged.
#[derive(Clone, Debug)]
pub struct Held {
    key: Key,
    rev: Rev,
}

/// A decrypted entry of the mount.
pub struct Item {
    held: Held,
    scope: usize,
    value: Secret<Vec<u8>>,
}

impl Deref for Item {
    type Target = Held;

    fn deref(&self) -> &Held {
        &self.held
    }
}

impl Item {
    /// Its key below the mount.
    pub fn key(&self) -> &str {
        &self.held.key.as_str()[self.scope..]
    }

    /// The entry as it was read.
    pub fn held(&self) -> &Held {
        &self.held
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        // EXPOSE: engines work on what they stored.
        self.value.expose()
    }

    /// Are these its bytes, compared in constant time.
    pub fn holds(&self, bytes: &[u8]) -> bool {
        self.value.same_bytes(bytes)
    }

    /// Its bytes as a JSON document.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(self.bytes()).map_err(Error::internal)
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item").field("key", &self.held.key).finish_non_exhaustive()
    }
}

/// What a request rests on: keys, and the revisions at which they were seen at one instant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched {
    keys: Vec<Key>,
    revs: Vec<Option<Rev>>,
}

impl Watched {
    /// The keys as they were found, in their order.
    pub(crate) fn new(keys: Vec<Key>, found: &[Option<Entry>]) -> Self {
        let revs = found.iter().map(|entry| entry.as_ref().map(|entry| entry.rev)).collect();
        Self { keys, revs }
    }

    /// Each key with its revision; `None` = it was absent.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key, Option<Rev>)> {
        self.keys.iter().zip(self.revs.iter().copied())
    }
}

/// What the audit record says beyond what the door knows by itself.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) operation: Option<&'static str>,
    pub(crate) secret_id: Option<String>,
    pub(crate) lease_id: Option<String>,
    /// What decided, where the engine knows better than the door.
    pub(crate) rule: Option<&'static str>,
    /// Who a login has turned out to be: name, and accessor of the token.
    pub(crate) came: Option<(String, String)>,
    pub(crate) urgent: bool,
}

/// One request's context.
pub struct Cx {
    system: System,
    backend: Arc<dyn Backend>,
    unsealed: Option<Arc<Unsealed>>,
    mount: Arc<Mount>,
    identity: Option<Arc<Identity>>,
    now: Timestamp,
    /// What gives the right to answer: read again in the same instant as the data.
    pub(crate) watched: Watched,
    /// Read together with what gives the right to answer, in one instant.
    pub(crate) ahead: Option<(Key, Option<Entry>)>,
    /// What a list shows, where it does not show everything.
    pub(crate) filter: Option<Filter>,
    /// What is known of where and when the request comes from.
    pub(crate) facts: Facts,
    /// Has who asks `sudo` on this path.
    pub(crate) sudo: bool,
    /// The mounts and revocations that the request is served by; a sealed vault has none.
    pub(crate) table: Option<Arc<MountTable>>,
    pub(crate) staged: Vec<(Key, Op)>,
    pub(crate) effects: Vec<Effect>,
    /// What is staged is committed even if the answer is a refusal.
    pub(crate) stands: bool,
    pub(crate) notes: Notes,
}

impl Cx {
    pub(crate) fn new(
        system: System,
        unsealed: Option<Arc<Unsealed>>,
        mount: Arc<Mount>,
        identity: Option<Arc<Identity>>,
        watched: Watched,
        now: Timestamp,
    ) -> Self {
        let backend = system.backend();
        let (staged, effects, notes) = (Vec::new(), Vec::new(), Notes::default());
        Self {
            system,
            backend,
            unsealed,
            mount,
            identity,
            now,
            watched,
            ahead: None,
            filter: None,
            facts: Facts::default(),
            sudo: false,
            table: None,
            staged,
            effects,
            stands: false,
            notes,
        }
    }

    /// The vault itself, for the engines that operate it.
    pub(crate) fn system(&self) -> &System {
        &self.system
    }

    /// Has something done after the commit, and only then.
    pub(crate) fn after_commit(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(crate) fn barrier(&self) -> Result<&Barrier, Error> {
        self.unsealed.as_deref().map(Unsealed::barrier).ok_or_else(Error::sealed)
    }

    /// The keyed hash under which a token's text is stored, in hex.
    pub(crate) fn token_hash(&self, text: &str) -> Result<String, Error> {
        Ok(self.barrier()?.token_hash(text))
    }

    /// When the request was received; the only clock an engine has.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Who asks; a stranger is nobody.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_deref()
    }

    /// Who asks; an error for a stranger.
    pub fn require_identity(&self) -> Result<&Identity, Error> {
        self.identity().ok_or_else(Error::unauthenticated)
    }

    /// May who asks do here what is reserved to operators: root, or a policy that grants `sudo` on this path.
    pub fn is_sudo(&self) -> bool {
        self.sudo
    }

    /// Where we are.
    pub fn mount(&self) -> &Mount {
        &self.mount
    }

    /// 32 random hex digits, for immutable ids.
    pub fn make_id(&self) -> Result<String, Error> {
        let mut bytes = [0; 16];
        self.make_bytes(&mut bytes)?;
        Ok(hex::encode(bytes))
    }

    /// A random UUID (version 4).
    pub fn make_uuid(&self) -> Result<String, Error> {
        let mut bytes = [0; 16];
        self.make_bytes(&mut bytes)?;
        Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
    }

    /// Fills bytes with randomness fit for keys.
    pub fn make_bytes(&self, bytes: &mut [u8]) -> Result<(), Error> {
        self.barrier()?.make_bytes(bytes);
        Ok(())
    }

    /// Names the secret in the audit record.
    pub fn note_secret(&mut self, id: impl Into<String>) {
        self.notes.secret_id = Some(id.into());
    }

    /// Lets the request's commit use the store's reserve, since it makes room.
    pub(crate) fn hurry(&mut self) {
        self.notes.urgent = true;
    }

    /// Names the operation in the audit record, where the engine has a better word than the door.
    pub fn note_operation(&mut self, operation: &'static str) {
        self.notes.operation = Some(operation);
    }

    /// Says in the audit record why the answer is what it is, where the caller is not told.
    pub fn note_rule(&mut self, rule: &'static str) {
        self.notes.rule = Some(rule);
    }

    /// Names the lease in the audit record.
    pub fn note_lease(&mut self, id: impl Into<String>) {
        self.notes.lease_id = Some(id.into());
    }

    /// One key.
    pub async fn get(&mut self, key: &str) -> Result<Option<Item>, Error> {
        let entry = self.find(key).await?;
        entry.map(|entry| self.open(entry)).transpose()
    }

    /// Several keys at one instant, in the order asked.
    pub async fn get_many(&mut self, keys: &[&str]) -> Result<Vec<Option<Item>>, Error> {
        let keys: Vec<Key> = keys.iter().map(|key| self.full(key)).collect::<Result<_, _>>()?;
        let found = self.read(keys).await?;
        found.into_iter().map(|entry| entry.map(|entry| self.open(entry)).transpose()).collect()
    }

    /// One key's document. What was parsed lately is not opened and parsed again while it stands; so this is for
    /// documents that hold no secret.
    pub async fn document<T: Send + Sync + 'static>(
        &mut self,
        key: &str,
        parse: fn(&[u8]) -> Result<T, Error>,
    ) -> Result<Option<(Held, Arc<T>)>, Error> {
        let Some(entry) = self.find(key).await? else { return Ok(None) };
        let document = self.unsealed.as_ref().ok_or_else(Error::sealed)?.document(&entry, parse)?;
        Ok(Some((Held { key: entry.key, rev: entry.rev }, document)))
    }

    /// One key's entry, as it was read ahead or as it stands now.
    async fn find(&mut self, key: &str) -> Result<Option<Entry>, Error> {
        match self.ahead.take() {
            Some((ahead, entry)) if self.is_at(&ahead, key) => Ok(entry),
            _ => Ok(self.read([self.full(key)?]).await?.pop().flatten()),
        }
    }

    /// Entries in the order asked, at one instant at which the right to them still stands.
    async fn read(&mut self, keys: impl IntoIterator<Item = Key>) -> Result<Vec<Option<Entry>>, Error> {
        let watched = self.watched.keys.len();
        // For as long as it takes to ask, so that nothing is copied for it.
        self.watched.keys.extend(keys);
        let found = self.backend.get(&self.watched.keys).await;
        self.watched.keys.truncate(watched);
        let mut found = found.map_err(store_error)?;
        let asked = found.split_off(watched);
        self.check_watched(&found)?;
        Ok(asked)
    }

    /// One page of the entries whose keys start with `prefix`, ascending, strictly after `after` (a key as given by
    /// [`Item::key`]).
    pub async fn scan(
        &mut self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Item>, Error> {
        let entries = self.page(prefix, after, limit).await?;
        self.recheck().await?;
        entries.into_iter().map(|entry| self.open(entry)).collect()
    }

    /// The names directly below `prefix` (which ends with `/` or is empty), ascending: `name` for an entry, `name/`
    /// for what has more below it. Strictly after `after`, at most `limit`.
    pub async fn list(
        &mut self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        let scope = self.scope_bytes();
        let mut names: Vec<String> = Vec::new();
        let mut from = after.map(|after| skip(prefix, after));
        let mut seen = String::new();
        while names.len() < limit {
            let entries = self.page(prefix, from.as_deref(), limits::SCAN_ENTRIES_MAX).await?;
            let Some(last) = entries.last() else { break };
            from = Some(last.key.as_str()[scope..].to_owned());
            for entry in &entries {
                let name = child(&entry.key.as_str()[scope + prefix.len()..]);
                if seen != name && names.len() < limit {
                    name.clone_into(&mut seen);
                    if self.shows(name) {
                        names.push(name.to_owned());
                    }
                }
            }
            if seen.ends_with('/') {
                from = from.max(Some(skip(prefix, &seen)));
            }
        }
        self.recheck().await?;
        Ok(names)
    }

    async fn page(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>, Error> {
        let scope = self.mount.scope();
        let mut range = Range::prefix(&format!("{scope}{prefix}"));
        if let Some(after) = after {
            range = range.after(&format!("{scope}{after}"));
        }
        self.backend.scan(range, Limit::entries(limit)).await.map_err(store_error)
    }

    /// Creates a key; the commit conflicts if it is there.
    pub fn create(&mut self, key: &str, value: &[u8]) -> Result<(), Error> {
        let key = self.full(key)?;
        let sealed = self.barrier()?.seal(&key, value)?;
        self.stage(key, Op::Create(sealed))
    }

    /// Overwrites what was read; the commit conflicts if it moved since.
    pub fn replace(&mut self, read: &Held, value: &[u8]) -> Result<(), Error> {
        let sealed = self.barrier()?.seal(&read.key, value)?;
        self.stage(read.key.clone(), Op::Replace(read.rev, sealed))
    }

    /// Removes what was read; the commit conflicts if it moved since.
    pub fn remove(&mut self, read: &Held) -> Result<(), Error> {
        self.stage(read.key.clone(), Op::Remove(read.rev))
    }

    /// Holds the commit to what was read, without changing it.
    pub fn guard(&mut self, read: &Held) -> Result<(), Error> {
        self.stage(read.key.clone(), Op::Guard(read.rev))
    }

    /// Writes whatever stands there: derived indexes only.
    pub fn put(&mut self, key: &str, value: &[u8]) -> Result<(), Error> {
        let key = self.full(key)?;
        let sealed = self.barrier()?.seal(&key, value)?;
        self.stage(key, Op::Put(sealed))
    }

    /// [`Cx::create`] with a JSON document.
    pub fn create_json(&mut self, key: &str, value: &impl Serialize) -> Result<(), Error> {
        self.create(key, &json_bytes(value)?)
    }

    /// [`Cx::replace`] with a JSON document.
    pub fn replace_json(&mut self, read: &Held, value: &impl Serialize) -> Result<(), Error> {
        self.replace(read, &json_bytes(value)?)
    }

    fn stage(&mut self, key: Key, op: Op) -> Result<(), Error> {
        if self.staged.len() >= limits::REQUEST_OPS_MAX {
            return Err(Error::invalid(format!(
                "one request may change at most {} entries",
                limits::REQUEST_OPS_MAX
            )));
        }
        self.staged.push((key, op));
        Ok(())
    }

    fn full(&self, key: &str) -> Result<Key, Error> {
        let [namespace, id, slash] = self.mount.scope_parts();
        Key::join(&[namespace, id, slash, key]).map_err(|source| {
            Error::invalid("path is too long, has an empty segment, or holds a control character")
                .with_source(source)
        })
    }

    /// Is that the full form of this key.
    fn is_at(&self, full: &Key, key: &str) -> bool {
        let below = self.mount.scope_parts().into_iter().try_fold(full.as_str(), str::strip_prefix);
        below == Some(key)
    }

    fn scope_bytes(&self) -> usize {
        self.mount.scope_parts().into_iter().map(str::len).sum()
    }

    fn open(&self, entry: Entry) -> Result<Item, Error> {
        self.open_at(entry, self.scope_bytes())
    }

    fn open_at(&self, entry: Entry, scope: usize) -> Result<Item, Error> {
        let value = self.barrier()?.open(&entry)?;
        Ok(Item { held: Held { key: entry.key, rev: entry.rev }, scope, value })
    }

    /// After a scan: the right to what was read must still stand.
    async fn recheck(&self) -> Result<(), Error> {
        self.check_watched(&self.backend.get(&self.watched.keys).await.map_err(store_error)?)
    }

    fn check_watched(&self, found: &[Option<Entry>]) -> Result<(), Error> {
        let now = found.iter().map(|entry| entry.as_ref().map(|entry| entry.rev));
        if self.watched.revs.iter().copied().eq(now) {
            Ok(())
        } else {
            Err(Error::new(ErrorKind::Conflict, "the token or the mounts changed meanwhile"))
        }
    }
}

impl fmt::Debug for Cx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cx").field("mount", &self.mount.path).finish_non_exhaustive()
    }
}

/// The last key that a child's subtree can hold.
fn skip(prefix: &str, name: &str) -> String {
    if name.ends_with('/') { format!("{prefix}{name}\u{10FFFF}") } else { format!("{prefix}{name}") }
}

/// The first segment, with its slash if there is more.
fn child(rest: &str) -> &str {
    rest.find('/').map_or(rest, |at| &rest[..=at])
}

fn json_bytes(value: &impl Serialize) -> Result<zeroize::Zeroizing<Vec<u8>>, Error> {
    serde_json::to_vec(value).map(zeroize::Zeroizing::new).map_err(Error::internal)
}

/// What a caller is told when the store does not do its part.
pub(crate) fn store_error(source: crate::store::StoreError) -> Error {
    use crate::store::StoreError;
    match source {
        StoreError::Unavailable { .. } => {
            Error::unavailable("the store does not answer; try again").with_source(source)
        }
        StoreError::Full { .. } => Error::full(),
        StoreError::TooLarge { what, limit } => {
            Error::new(ErrorKind::TooLarge, format!("too much at once: {what} may be at most {limit}"))
        }
        other => Error::internal(other),
    }
}
