//! [`Background`]: what a job may do: read, and commit with a record of its own, under its lock where it has one.

use super::lock::Lock;
use crate::{
    audit::{Change, Columns, Draft, Status, SubmitError},
    barrier::Barrier,
    crypto::CryptoProvider,
    cx::store_error,
    error::Error,
    id::Timestamp,
    limits::EXPIRE_PAGE,
    store::{Entry, Key, Limit, Op, Range, Sealed},
    system::{System, Unsealed},
};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// One activation on an unsealed vault.
pub(super) struct Background<'s> {
    system: &'s System,
    unsealed: Arc<Unsealed>,
    shard: u8,
    lock: Option<Lock>,
}

impl<'s> Background<'s> {
    /// For what is a node's own, or somebody asked for. `None` on a sealed vault.
    pub(super) fn start(system: &'s System) -> Option<Self> {
        Some(Self { system, unsealed: system.unsealed()?, shard: 0, lock: None })
    }

    /// For a shard of what the nodes share: it changes something only while this node has the lock.
    pub(super) fn share(system: &'s System, shard: u8, lock: Lock) -> Option<Self> {
        Some(Self { shard, lock: Some(lock), ..Self::start(system)? })
    }

    /// Which part of the work this is.
    pub(super) fn shard(&self) -> u8 {
        self.shard
    }

    pub(super) fn system(&self) -> &System {
        self.system
    }

    /// Gives the lock back, if it was taken.
    pub(super) async fn end(self) {
        if let Some(lock) = &self.lock {
            lock.release(self.system).await;
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.system.host().now()
    }

    /// The first entries below a prefix.
    pub(super) async fn page(&self, prefix: &str, limit: usize) -> Result<Vec<Entry>, Error> {
        let range = Range::prefix(prefix);
        self.system.backend().scan(range, Limit::entries(limit.min(EXPIRE_PAGE))).await.map_err(store_error)
    }

    /// The entries below a prefix after a key (empty = from the first).
    pub(super) async fn page_after(
        &self,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Entry>, Error> {
        let range = Range::prefix(prefix);
        let range = if after.is_empty() { range } else { range.after(after) };
        self.system.backend().scan(range, Limit::entries(limit)).await.map_err(store_error)
    }

    pub(super) fn barrier(&self) -> &Barrier {
        self.unsealed.barrier()
    }

    /// The active key term.
    pub(super) fn term(&self) -> u32 {
        self.unsealed.barrier().key_status().term
    }

    pub(super) async fn entry(&self, name: &str) -> Result<Option<Entry>, Error> {
        self.system.entry(name).await
    }

    /// An entry with its JSON document.
    pub(super) async fn document<T: DeserializeOwned>(
        &self,
        name: &str,
    ) -> Result<Option<(Entry, T)>, Error> {
        let Some(entry) = self.entry(name).await? else { return Ok(None) };
        let plain = self.unsealed.barrier().open(&entry)?;
        // EXPOSE: a document of the job's own kind.
        let document = serde_json::from_slice(plain.expose()).map_err(Error::internal)?;
        Ok(Some((entry, document)))
    }

    /// What a sealed entry says.
    pub(super) fn open<T>(&self, entry: &Entry, read: impl FnOnce(&[u8]) -> Option<T>) -> Result<T, Error> {
        let plain = self.unsealed.barrier().open(entry)?;
        // EXPOSE: bookkeeping of the job's own kind.
        read(plain.expose()).ok_or_else(|| Error::internal(format!("{} cannot be read", entry.key)))
    }

    /// Seals a value for a key.
    pub(super) fn seal(&self, key: &Key, plain: &[u8]) -> Result<Sealed, Error> {
        self.unsealed.barrier().seal(key, plain)
    }

    /// The key that verifies checkpoints.
    pub(super) fn audit_public(&self) -> [u8; 32] {
        self.unsealed.barrier().audit_signer().public()
    }

    pub(super) fn crypto(&self) -> CryptoProvider {
        self.system.crypto()
    }

    /// An unconditional, empty entry.
    pub(super) fn mark(&self, name: &str) -> Result<(Key, Op), Error> {
        let key = Key::new(name).map_err(Error::internal)?;
        let sealed = self.unsealed.barrier().seal(&key, &[])?;
        Ok((key, Op::Put(sealed)))
    }

    /// Commits with a record. Somebody else's change in between is no failure, nor is another node at the same work: the
    /// next activation looks again.
    pub(super) async fn submit(&self, operation: &str, path: &str, ops: Vec<(Key, Op)>) -> Result<(), Error> {
        self.try_submit(operation, path, ops).await.map(|_| ())
    }

    /// The same, and says whether it was committed.
    pub(super) async fn try_submit(
        &self,
        operation: &str,
        path: &str,
        mut ops: Vec<(Key, Op)>,
    ) -> Result<bool, Error> {
        if let Some(lock) = &self.lock {
            let node = self.unsealed.lane().boot();
            let guard = lock.guard(self.system, self.unsealed.barrier(), node).await?;
            let Some(guard) = guard else { return Ok(false) };
            ops.push(guard);
        }
        let columns = Columns {
            timestamp: self.now(),
            operation: operation.to_owned(),
            actor: Some("secrethub".to_owned()),
            path: path.to_owned(),
            status: Status::Success,
            ..Columns::default()
        };
        let draft = Draft { columns, fields: Vec::new(), headers: Vec::new() };
        let received = self.system.host().monotonic();
        match self.unsealed.lane().submit(Change { ops, draft, received, deadline: None, urgent: true }).await
        {
            Ok(()) => Ok(true),
            Err(SubmitError::Conflict(_) | SubmitError::Closed) => Ok(false),
            Err(error) => Err(Error::unavailable("background work was not committed").with_source(error)),
        }
    }
}
