//! A snapshot is a private copy of the entries. Reading one for as long as its reader likes would keep a read
//! transaction open, and while one is open the log cannot be written back and grows. So one statement on a thread
//! of its own copies `kv` into a temporary database, which SQLite keeps in `SQLITE_TMPDIR` or the system's temporary
//! folder and deletes when the snapshot is dropped. It holds what the database holds: sealed values.

use super::{
    error::{refused, unavailable},
    read,
};
use async_trait::async_trait;
use futures::channel::oneshot;
use rusqlite::Connection;
use secrethub_core::store::{Entry, Limit, Range, SnapshotReader, StoreError};

/// A copy, and how far it was read.
pub(super) struct Snapshot {
    db: Connection,
    rest: Range,
}

impl Snapshot {
    /// Copies `source.kv` at one instant into `db`, which is [`super::open::Place::scratch`].
    pub(super) async fn take(db: Connection) -> Result<Self, StoreError> {
        let (answer, wait) = oneshot::channel();
        let copy = move || {
            let copied = db.execute_batch(
                "CREATE TABLE main.copy (key TEXT NOT NULL PRIMARY KEY, rev BLOB NOT NULL, value BLOB NOT NULL)
                     STRICT, WITHOUT ROWID;
                 INSERT INTO main.copy SELECT key, rev, value FROM source.kv ORDER BY key;
                 DETACH source;",
            );
            let rest = Range { from: String::new(), to: None };
            // Whoever asked may have gone.
            drop(answer.send(copied.map(|()| Self { db, rest }).map_err(refused)));
        };
        std::thread::Builder::new().name("sqlite-snapshot".to_owned()).spawn(copy).map_err(unavailable)?;
        wait.await.map_err(unavailable)?
    }
}

#[async_trait]
impl SnapshotReader for Snapshot {
    async fn next_page(&mut self, limit: Limit) -> Result<Vec<Entry>, StoreError> {
        let page = read::scan(&self.db, "main.copy", &self.rest, limit)?;
        if let Some(last) = page.last() {
            self.rest = self.rest.clone().after(last.key.as_str());
        }
        Ok(page)
    }
}
