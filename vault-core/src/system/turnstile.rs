//! [`Turnstile`]: losers of a conflict try again one at a time per key, so that a hot key makes progress instead of
//! being fought over.

use crate::{error::Error, store::Key};
use futures::lock::{Mutex as AsyncMutex, OwnedMutexGuard};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

/// One queue a key; a queue exists only while somebody stands in it.
#[derive(Debug, Default)]
pub(crate) struct Turnstile {
    queues: Mutex<HashMap<Key, Weak<AsyncMutex<()>>>>,
    next: AtomicUsize,
}

/// Ends when it is dropped.
pub(crate) type Turn = OwnedMutexGuard<()>;

impl Turnstile {
    /// Waits for one's turn on a key; the turn ends when the guard is dropped.
    pub(crate) async fn wait(&self, key: &Key) -> Turn {
        self.queue(key).lock_owned().await
    }

    /// The same where so many may go at once.
    pub(crate) async fn wait_among(&self, name: &str, lanes: usize) -> Result<Turn, Error> {
        let lane = self.next.fetch_add(1, Ordering::Relaxed) % lanes.max(1);
        let key = Key::new(format!("{name}/{lane}")).map_err(Error::internal)?;
        Ok(self.wait(&key).await)
    }

    fn queue(&self, key: &Key) -> Arc<AsyncMutex<()>> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queues.get(key).and_then(Weak::upgrade) {
            return queue;
        }
        queues.retain(|_, queue| queue.strong_count() > 0);
        let queue = Arc::new(AsyncMutex::new(()));
        queues.insert(key.clone(), Arc::downgrade(&queue));
        queue
    }
}
