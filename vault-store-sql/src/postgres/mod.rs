//! PostgreSQL: one database, any number of nodes. Isolation is READ COMMITTED; what makes a batch one instant are its
//! locks, held until its commit: rows that are there are locked in key order, keys that are not are claimed by an insert
//! in key order.
//!
//! | module | what it is |
//! |---|---|
//! | `address` | from a URL to options |
//! | `open` | is it there, and of our time |
//! | `trust` | may the server be trusted with what is acknowledged |
//! | `migrate` | versions of the tables |
//! | `pool` | connections, each with one conversation at a time |
//! | `statement` | one message, one transaction, one round trip; why nothing is prepared |
//! | `fault` | what went wrong, by what is known of the transaction |
//! | `read`, `write` | entries; the commit, a function of the server's |
//! | `rows`, `upkeep` | the table `audit_logs` and its partitions |
//!
//! A `get`, a page and a commit are one round trip each.

mod address;
mod fault;
mod migrate;
mod open;
mod pool;
mod read;
mod rows;
mod statement;
mod trust;
mod upkeep;
mod write;

pub use open::{OpenError, Options};

use async_trait::async_trait;
use pool::Pool;
use secrethub_core::{
    audit::{AuditPage, AuditQuery, AuditRow, Cursor, Head},
    id::BootId,
    store::{
        AuditLog, Batch, CommitError, Entry, Key, Limit, Range, Room, SnapshotReader, Store, StoreError,
        judge::{check_batch, check_get},
    },
};
use std::sync::Arc;

/// The name of this backend in errors, logs and `seal-status`.
const BACKEND: &str = "postgresql";

/// A database on a PostgreSQL server, shared with other nodes.
#[derive(Debug)]
pub struct Postgres {
    pool: Arc<Pool>,
    read_only: bool,
    room: Option<u64>,
}

impl Postgres {
    fn check_writable(&self) -> Result<(), StoreError> {
        if self.read_only { Err(fault::unavailable("it was opened to read only")) } else { Ok(()) }
    }
}

#[async_trait]
impl Store for Postgres {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>, StoreError> {
        check_get(keys)?;
        read::get(&self.pool, keys).await
    }

    async fn scan(&self, range: Range, limit: Limit) -> Result<Vec<Entry>, StoreError> {
        read::scan(&self.pool, &range, limit).await
    }

    async fn commit(&self, batch: &Batch) -> Result<(), CommitError> {
        check_batch(batch)?;
        self.check_writable()?;
        write::apply(&self.pool, batch).await
    }

    async fn snapshot(&self) -> Result<Box<dyn SnapshotReader>, StoreError> {
        Ok(Box::new(read::Snapshot::begin(&self.pool).await?))
    }

    async fn room(&self) -> Result<Option<Room>, StoreError> {
        let Some(total) = self.room else { return Ok(None) };
        let free = total.saturating_sub(read::size(&self.pool).await?);
        Ok(Some(Room { free, total }))
    }

    fn kind(&self) -> &'static str {
        BACKEND
    }
}

#[async_trait]
impl AuditLog for Postgres {
    async fn search(
        &self,
        query: &AuditQuery,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<AuditPage, StoreError> {
        rows::search(&self.pool, query, after, limit).await
    }

    async fn read(&self, chain: BootId, from: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        rows::read(&self.pool, chain, from, limit).await
    }

    async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        rows::heads(&self.pool).await
    }

    async fn prune(&self, chain: BootId, below: u64, limit: usize) -> Result<u64, StoreError> {
        self.check_writable()?;
        rows::prune(&self.pool, chain, below, limit).await
    }
}
