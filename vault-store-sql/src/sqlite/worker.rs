//! [`Worker`]: a thread that owns one connection and does one thing after another. Whoever asks may stop waiting;
//! what was asked is done all the same.

use super::error::stopped;
use futures::channel::oneshot;
use rusqlite::Connection;
use secrethub_core::store::StoreError;
use std::{io, sync::mpsc, thread::JoinHandle};

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// A thread with a connection. Its queue needs no bound of its own: a lane has one commit under way, a search one page.
#[derive(Debug)]
pub(super) struct Worker {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread.
    pub(super) fn start(name: &str, db: Connection) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            for job in queue {
                job(&db);
            }
        })?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Queues work and answers where its answer will be. `Err`: it was not queued. The receiver's `Err`: the thread
    /// died under it.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>, StoreError> {
        let (answer, wait) = oneshot::channel();
        let job: Job = Box::new(move |db| drop(answer.send(work(db))));
        self.jobs.as_ref().and_then(|jobs| jobs.send(job).ok()).ok_or_else(stopped)?;
        Ok(wait)
    }
}

impl Drop for Worker {
    /// What is queued is done before the connection closes.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
