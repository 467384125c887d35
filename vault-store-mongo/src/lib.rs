//! SecretHub's store on MongoDB. It keeps the contract of [`secrethub_core::store`] in two collections of one database:
//! `kv`, and `audit_logs` whose fields an operator can query with the database's own shell. Those of the first seed,
//! `secrets` and its own documents in `audit_logs`, are never touched.
//!
//! # Why it holds on a replica set
//!
//! **A commit is one transaction** with `w: majority, j: true`. It is written blindly, each condition inside the filter
//! that finds the document, and only when a filter finds nothing does anybody ask who lost (`commit`). Two transactions
//! that change one document never both commit, whatever their snapshots were: the second is aborted with a write
//! conflict. That is why a *guard* writes too, and something new each time: an update that changes nothing takes no
//! lock, and two batches that guard what the other writes would both pass. Changes are made in key order over all kinds,
//! so of two batches that collide the one that holds the least key goes on.
//!
//! **A read is never older than a commit that any process saw finish.** `readConcern: snapshot` alone does not give that.
//! It reads what the *asked* server knows to be committed by a majority, and two servers know less than they should: a
//! primary that was deposed and has not noticed, and a new one that has not yet committed anything of its own term. So a
//! read first passes the `barrier`: a linearizable read of nothing, which a server answers only after a majority has
//! confirmed it as the primary, and whose answer carries the server's time. The read proper then asks for
//! exactly that time (`atClusterTime`), which a deposed primary never reaches and a new one reaches by committing. Readers
//! that come at once share a barrier, so its price is a round trip of latency and nothing in throughput.
//!
//! **A snapshot** is one such time, kept: every page of it carries the same `atClusterTime`, holds no transaction open
//! and survives a failover. The server keeps history for `minSnapshotHistoryWindowInSeconds` (five minutes unless set),
//! which bounds how long a backup may take.
//!
//! **An outcome is unknown** from the moment `commitTransaction` is sent until it answers: every error after it, and
//! every time limit, is [`CommitError::Unknown`]. Before it nothing was applied, whatever went wrong.
//!
//! | module | what it is |
//! |---|---|
//! | `open` | from a URL to a store: settings of the driver, the server's kind, collections and indexes |
//! | `barrier` | the time that a read must not be older than |
//! | `read` | `get`, pages, snapshots |
//! | `commit`, `retry` | one transaction, and how often it starts over |
//! | `document` | entries as documents |
//! | `rows` | the collection `audit_logs` |
//! | `first_seed` | the first seed's collections, to be taken over |
//! | `error` | what an error of the driver means to the caller |

mod barrier;
mod commit;
mod document;
mod error;
mod first_seed;
mod open;
mod read;
mod retry;
mod rows;

pub use first_seed::{Documents, OldRecord, OldSecret, Unreadable};
pub use open::{OpenError, Options};

use async_trait::async_trait;
use barrier::Barrier;
use error::{BACKEND, bounded, refused};
use mongodb::{Client, Collection, Database, bson::Document, bson::doc};
use secrethub_core::{
    audit::{AuditPage, AuditQuery, AuditRow, Cursor, Head},
    id::BootId,
    store::{
        AuditLog, Batch, CommitError, Entry, Key, Limit, Range, Room, SnapshotReader, Store, StoreError,
        judge::{check_batch, check_get},
    },
};
use std::{fmt, sync::Arc};

/// A database on a replica set, shared with other nodes.
pub struct Mongo(Arc<Place>);

/// What every part of the store works on.
struct Place {
    client: Client,
    database: Database,
    kv: Collection<Document>,
    audit: Collection<Document>,
    barrier: Barrier,
    server: open::Server,
    read_only: bool,
}

impl fmt::Debug for Mongo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client's options hold the password.
        f.debug_struct("Mongo").field("database", &self.0.database.name()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for Mongo {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>, StoreError> {
        check_get(keys)?;
        bounded(read::get(&self.0, keys)).await
    }

    async fn scan(&self, range: Range, limit: Limit) -> Result<Vec<Entry>, StoreError> {
        bounded(read::scan(&self.0, range, limit)).await
    }

    async fn commit(&self, batch: &Batch) -> Result<(), CommitError> {
        check_batch(batch)?;
        if self.0.server == open::Server::Standalone {
            return Err(CommitError::NotApplied(error::unavailable(open::STANDALONE)));
        }
        if self.0.read_only {
            return Err(CommitError::NotApplied(error::unavailable("the store was opened to read it only")));
        }
        // On its own task: a transaction whose caller went away would keep its locks until the server's patience is over.
        let (place, batch) = (self.0.clone(), batch.clone());
        let commit = tokio::spawn(async move { commit::apply(&place, &batch).await });
        commit.await.unwrap_or_else(|lost| Err(CommitError::Unknown(lost.into())))
    }

    async fn snapshot(&self) -> Result<Box<dyn SnapshotReader>, StoreError> {
        Ok(Box::new(bounded(read::Snapshot::take(&self.0)).await?))
    }

    async fn room(&self) -> Result<Option<Room>, StoreError> {
        let answer =
            bounded(async { self.0.database.run_command(doc! { "dbStats": 1 }).await.map_err(refused) });
        Ok(room_of(&answer.await?))
    }

    fn kind(&self) -> &'static str {
        BACKEND
    }
}

/// Room on the disk of the server that answered; a service that hides its disk leaves the fields out.
fn room_of(stats: &Document) -> Option<Room> {
    let total = document::number(stats, "fsTotalSize")?;
    let used = document::number(stats, "fsUsedSize")?;
    (total > 0).then_some(Room { free: total.saturating_sub(used), total })
}

#[async_trait]
impl AuditLog for Mongo {
    async fn search(
        &self,
        query: &AuditQuery,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<AuditPage, StoreError> {
        bounded(rows::search(&self.0, query, after, limit)).await
    }

    async fn read(&self, chain: BootId, from: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        bounded(rows::read(&self.0, chain, from, limit)).await
    }

    async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        bounded(rows::heads(&self.0)).await
    }

    async fn prune(&self, chain: BootId, below: u64, limit: usize) -> Result<u64, StoreError> {
        bounded(rows::prune(&self.0, chain, below, limit)).await
    }
}
