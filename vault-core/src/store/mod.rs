//! The store contract: an ordered map of sealed bytes with one atomic, conditional commit, and the audit log that
//! is appended in the same transaction. Stores know bytes: no policy, keyring or JSON.
//!
//! What is promised by every implementation, and checked by `testing::store` (feature `testing`):
//!
//! - A [`Store::get`] and each page of a [`Store::scan`] show one instant, never older than a commit that *any*
//!   process saw finish.
//! - [`Store::commit`] happens whole or not at all, at one instant at which every condition held. A conflict names
//!   **every** key whose condition did not hold.
//! - The same batch may be sent again (see [`Batch`]); after [`CommitError::Unknown`] the *same bytes* are re-sent
//!   until `Ok` or `Conflict`. A negative `get` in between proves nothing.
//! - Records of a batch become visible with its entries, never without, and (chain, seq) is unique because the
//!   batch that brings them replaces the chain's witness `lane/<boot>`.
//! - Absence cannot be guarded: hang it on a parent entry that both sides touch.

mod batch;
pub mod judge;
mod key;
pub mod memory;

pub use batch::{Batch, Clash, Op};
pub use key::{Key, Range};

use crate::{
    audit::{AuditPage, AuditQuery, AuditRow, Cursor, Head},
    error::BoxError,
    id::{BootId, Rev},
};
use async_trait::async_trait;
use std::fmt;

/// Ciphertext. Only the barrier makes one, so a store cannot be handed plaintext by mistake.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// For stores, which read back what the barrier once made, and for their tests.
    pub fn from_stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// For the few values that are public by design and must be readable without any key (signed checkpoints).
    /// Nothing secret ever goes through here.
    pub fn public(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The ciphertext.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// A key as it stood at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub key: Key,
    /// The batch that wrote it.
    pub rev: Rev,
    /// Its value.
    pub value: Sealed,
}

/// How much a page may hold: whichever limit is reached first ends it, but never before one entry.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Entries; at most [`crate::limits::SCAN_ENTRIES_MAX`] are honoured.
    pub entries: usize,
    /// Bytes of values; at most [`crate::limits::SCAN_BYTES_MAX`] are honoured.
    pub bytes: usize,
}

impl Limit {
    /// So many entries, as many bytes as the product allows.
    pub fn entries(entries: usize) -> Self {
        Self { entries, bytes: crate::limits::SCAN_BYTES_MAX }
    }
}

/// Room on a store's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that can still be written.
    pub free: u64,
    /// Bytes of the whole disk.
    pub total: u64,
}

/// A store that could not do what was asked; nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Not a key: empty, too long, an empty segment or a control character.
    #[error("invalid key {0:?}")]
    InvalidKey(String),
    /// More keys, operations or bytes than the contract's limits allow.
    #[error("{what} exceeds the limit of {limit}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: usize,
    },
    /// The backend's disk is full. Somebody must make room.
    #[error("{backend} has no room left")]
    Full {
        /// Which one.
        backend: &'static str,
    },
    /// The backend does not answer. Try again later.
    #[error("{backend} is unavailable")]
    Unavailable {
        /// Which one.
        backend: &'static str,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// The backend holds what no version of this product wrote. An operator must look.
    #[error("{backend} holds data that cannot be read: {what}")]
    Corrupt {
        /// Which one.
        backend: &'static str,
        /// What and where.
        what: String,
    },
}

/// Why a commit did not answer `Ok`. What the caller must do differs in each.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// Nothing was applied: the conditions on these keys (all of them that failed) did not hold. Read and decide again.
    #[error("conflict on {keys:?}")]
    Conflict {
        /// Every key whose condition did not hold, ascending.
        keys: Vec<Key>,
    },
    /// Nothing was applied.
    #[error("not applied")]
    NotApplied(#[from] StoreError),
    /// It may have been applied, or may still be. Send the same batch again until another answer comes.
    #[error("outcome unknown")]
    Unknown(#[source] BoxError),
}

/// One instant of everything, read page by page.
#[async_trait]
pub trait SnapshotReader: Send {
    /// The next entries in key order; empty at the end.
    async fn next_page(&mut self, limit: Limit) -> Result<Vec<Entry>, StoreError>;
}

/// Where sealed bytes rest. See the module's promises.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Reads up to [`crate::limits::GET_KEYS_MAX`] keys at one instant, answered in the order asked.
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>, StoreError>;

    /// Reads one page of a range, ascending, at one instant. A page shorter than the limit is the last only if empty
    /// or if the following call from its last key is empty.
    async fn scan(&self, range: Range, limit: Limit) -> Result<Vec<Entry>, StoreError>;

    /// Applies the batch whole, at one instant at which every condition holds, and durably. A store that can run full
    /// keeps a reserve for urgent batches and for pruning.
    async fn commit(&self, batch: &Batch) -> Result<(), CommitError>;

    /// One instant of all entries, for backups.
    async fn snapshot(&self) -> Result<Box<dyn SnapshotReader>, StoreError>;

    /// How much room there is, its own free space included; `None` where the store cannot tell.
    async fn room(&self) -> Result<Option<Room>, StoreError> {
        Ok(None)
    }

    /// What it is, for `seal-status` and logs: `sqlite`, `memory`, `postgresql` …
    fn kind(&self) -> &'static str;
}

/// Where audit records rest: appended only through [`Batch::audit`], removed only by the prune job.
#[async_trait]
pub trait AuditLog: fmt::Debug + Send + Sync + 'static {
    /// One page of matching rows, newest first, from `after` on.
    async fn search(
        &self,
        query: &AuditQuery,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<AuditPage, StoreError>;

    /// Rows of one chain in sequence from `from` on, at most `limit`.
    async fn read(&self, chain: BootId, from: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError>;

    /// Every chain with its first and last sequence number that is still there.
    async fn heads(&self) -> Result<Vec<Head>, StoreError>;

    /// Removes rows of a chain below `below`, at most `limit` of the oldest. Returns how many went.
    async fn prune(&self, chain: BootId, below: u64, limit: usize) -> Result<u64, StoreError>;
}

/// What a vault is opened on: both halves in one database, so that one transaction covers them.
pub trait Backend: Store + AuditLog {}
impl<T: Store + AuditLog> Backend for T {}
