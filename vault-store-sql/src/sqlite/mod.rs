//! The store in one SQLite file, for one process.
//!
//! | promise | how it is kept |
//! |---|---|
//! | a commit that was answered outlives the power | WAL with `synchronous=FULL`, asserted at open: an fsync of the log a commit |
//! | one batch at one instant | `BEGIN IMMEDIATE` on the one thread that writes |
//! | a read is one instant | one statement or one read transaction on a connection that only reads |
//! | what was deleted is gone from the file | `secure_delete=ON` |
//! | readers never stop the log from being written back | no read transaction outlives its call; searches go by steps |
//! | one process | a lock file that names its holder |
//! | a full disk can be pruned | a reserve beside the database, for urgent batches |

mod checkpoint;
mod error;
mod open;
mod read;
mod recent;
mod reserve;
mod rows;
mod snapshot;
mod worker;
mod write;

pub use error::OpenError;
#[doc(hidden)]
pub use open::Tuning;

use async_trait::async_trait;
use checkpoint::Checkpoints;
use error::{BACKEND, stopped, unavailable};
use open::Place;
use read::Readers;
use recent::Recent;
use reserve::Reserve;
use rusqlite::Connection;
use secrethub_core::{
    audit::{AuditPage, AuditQuery, AuditRow, Cursor, Head},
    id::BootId,
    store::{
        AuditLog, Batch, CommitError, Entry, Key, Limit, Range, Room, SnapshotReader, Store, StoreError,
        judge::{check_batch, check_get},
    },
};
use snapshot::Snapshot;
use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use worker::Worker;

/// A database file that this process owns, or only looks at.
pub struct Sqlite {
    // Fields drop in this order: the writer last of the connections, so that its close writes the log back, and the
    // lock in `place` after everything.
    readers: Readers,
    audit: Worker,
    writer: Option<Writer>,
    place: Place,
}

struct Writer {
    worker: Worker,
    checkpoints: Arc<Checkpoints>,
    recent: Arc<Recent>,
    /// Used on the writer's thread alone.
    reserve: Arc<Mutex<Reserve>>,
}

impl Sqlite {
    /// Opens a database, and makes it (with its folder, both for this user alone) if there is none. A file that is
    /// not ours, damaged, read-only or in use is an error and stays as it was.
    pub fn open(path: &Path) -> Result<Arc<Self>, OpenError> {
        Self::open_with(path, Tuning::default())
    }

    /// Opens a database that is there, to read it beside the process that owns it: for `audit verify`.
    /// Commits are refused.
    pub fn open_read_only(path: &Path) -> Result<Arc<Self>, OpenError> {
        let place = Place::visit(path)?;
        let db = place.reader()?;
        place.check_schema(&db)?;
        let audit = start(&place, "sqlite-audit", db)?;
        Ok(Arc::new(Self { readers: Readers::default(), audit, writer: None, place }))
    }

    /// [`Sqlite::open`] with a promise broken, for tests that must see it broken.
    #[doc(hidden)]
    pub fn open_with(path: &Path, tuning: Tuning) -> Result<Arc<Self>, OpenError> {
        let place = Place::own(path, tuning)?;
        let worker = start(&place, "sqlite-writer", place.writer()?)?;
        let checkpoints = start(&place, "sqlite-checkpoint", place.checkpointer()?)?;
        let audit = start(&place, "sqlite-audit", place.reader()?)?;
        let checkpoints = Arc::new(Checkpoints::new(checkpoints));
        let reserve = Arc::new(Mutex::new(Reserve::of(path)));
        let writer = Writer { worker, checkpoints, recent: Arc::new(Recent::new()), reserve };
        Ok(Arc::new(Self { readers: Readers::default(), audit, writer: Some(writer), place }))
    }

    fn writer(&self) -> Result<&Writer, StoreError> {
        self.writer.as_ref().ok_or_else(|| unavailable("it was opened to be read only"))
    }

    async fn ask_audit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.audit.ask(work)?.await.map_err(|_| stopped())?
    }
}

/// It says what is on the disk, whatever became of the thread that held it.
fn lock(reserve: &Mutex<Reserve>) -> MutexGuard<'_, Reserve> {
    reserve.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start(place: &Place, name: &str, db: Connection) -> Result<Worker, OpenError> {
    Worker::start(name, db).map_err(|source| OpenError::Io { path: place.path.clone(), source })
}

#[async_trait]
impl Store for Sqlite {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>, StoreError> {
        check_get(keys)?;
        let read = || self.readers.with(&self.place, |db| read::get(db, keys));
        // Whoever only looks on hears nothing of the owner's commits.
        let Some(Writer { recent, .. }) = &self.writer else { return read() };
        match recent.find(keys) {
            Ok(found) => Ok(found),
            Err(moment) => read().inspect(|found| recent.keep(moment, found)),
        }
    }

    async fn scan(&self, range: Range, limit: Limit) -> Result<Vec<Entry>, StoreError> {
        self.readers.with(&self.place, |db| read::scan(db, "kv", &range, limit))
    }

    /// Queued before the first await: a caller that stops waiting does not stop the commit.
    async fn commit(&self, batch: &Batch) -> Result<(), CommitError> {
        check_batch(batch)?;
        let writer = self.writer()?;
        let (checkpoints, recent) = (writer.checkpoints.clone(), writer.recent.clone());
        let (reserve, batch) = (writer.reserve.clone(), batch.clone());
        let wait = writer.worker.ask(move |db| {
            checkpoints.finish(db);
            let answer = recent.during(&batch, || write::apply(db, &batch, &mut lock(&reserve)));
            checkpoints.count(write::weight(&batch));
            answer
        })?;
        // The thread died in the middle of it.
        wait.await.map_err(|gone| CommitError::Unknown(gone.into()))?
    }

    async fn snapshot(&self) -> Result<Box<dyn SnapshotReader>, StoreError> {
        let db = self.place.scratch().map_err(unavailable)?;
        Ok(Box::new(Snapshot::take(db).await?))
    }

    async fn room(&self) -> Result<Option<Room>, StoreError> {
        let path = self.place.path.clone();
        self.ask_audit(move |db| Ok(reserve::room(db, &path))).await
    }

    fn kind(&self) -> &'static str {
        BACKEND
    }
}

#[async_trait]
impl AuditLog for Sqlite {
    async fn search(
        &self,
        query: &AuditQuery,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<AuditPage, StoreError> {
        let query = query.clone();
        self.ask_audit(move |db| rows::search(db, &query, after, limit)).await
    }

    async fn read(&self, chain: BootId, from: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        self.ask_audit(move |db| rows::read(db, chain, from, limit)).await
    }

    async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        self.ask_audit(rows::heads).await
    }

    async fn prune(&self, chain: BootId, below: u64, limit: usize) -> Result<u64, StoreError> {
        let writer = self.writer()?;
        let reserve = writer.reserve.clone();
        let prune = move |db: &Connection| write::prune(db, (chain, below), limit, &mut lock(&reserve));
        let wait = writer.worker.ask(prune)?;
        wait.await.map_err(|_| stopped())?
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sqlite").field(&self.place.path).finish()
    }
}
