//! Checkpoints: the log's pages go back into the database on a thread of their own, beside the commits. Only what a
//! busy writer added meanwhile is left to the writer, between two commits, for otherwise the log would never be
//! empty and would grow without end.

use super::worker::Worker;
use rusqlite::Connection;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// Bytes of commits after which a checkpoint is due.
const DUE_BYTES: u64 = 4 * 1024 * 1024;
/// Pages in the log beyond which the writer finishes the checkpoint itself.
const FINISH_PAGES: u32 = 4_096;

/// Says when, and does it.
#[derive(Debug)]
pub(super) struct Checkpoints {
    worker: Worker,
    tally: AtomicU64,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    running: AtomicBool,
    finish: AtomicBool,
}

impl Checkpoints {
    pub(super) fn new(worker: Worker) -> Self {
        Self { worker, tally: AtomicU64::new(0), shared: Arc::default() }
    }

    /// Before a commit, on the writer's connection: what the thread could not finish.
    pub(super) fn finish(&self, db: &Connection) {
        if self.shared.finish.swap(false, Ordering::Relaxed) {
            passive(db);
        }
    }

    /// After a commit of so many bytes.
    pub(super) fn count(&self, bytes: u64) {
        let before = self.tally.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes < DUE_BYTES || self.shared.running.swap(true, Ordering::Relaxed) {
            return;
        }
        self.tally.store(0, Ordering::Relaxed);
        let shared = self.shared.clone();
        // Nobody waits for it. If the thread is gone the log only grows, and is written back at the next open.
        drop(self.worker.ask(move |db| {
            let pages = passive(db);
            shared.finish.store(pages > FINISH_PAGES, Ordering::Relaxed);
            shared.running.store(false, Ordering::Relaxed);
        }));
    }
}

/// Writes back what no reader still needs, waiting for nobody. Answers how many pages the log holds.
fn passive(db: &Connection) -> u32 {
    let pages = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(1));
    match pages {
        Ok(pages) => u32::try_from(pages).unwrap_or(0),
        Err(error) => {
            tracing::warn!(%error, "checkpoint failed; the log is kept and nothing is lost");
            0
        }
    }
}
