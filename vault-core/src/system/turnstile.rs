//! [`Turnstile`]: losers of a conflict try again one at a time per key, so that a hot key makes progress instead of
//! being fought over.

use crate::store::Key;
use futures::lock::{Mutex as AsyncMutex, OwnedMutexGuard};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// One queue a key; a queue exists only while somebody stands in it.
#[derive(Debug, Default)]
pub(crate) struct Turnstile(Mutex<HashMap<Key, Weak<AsyncMutex<()>>>>);

impl Turnstile {
    /// Waits for one's turn on a key; the turn ends when the guard is dropped.
    pub(crate) async fn wait(&self, key: &Key) -> OwnedMutexGuard<()> {
        self.queue(key).lock_owned().await
    }

    fn queue(&self, key: &Key) -> Arc<AsyncMutex<()>> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queues.get(key).and_then(Weak::upgrade) {
            return queue;
        }
        queues.retain(|_, queue| queue.strong_count() > 0);
        let queue = Arc::new(AsyncMutex::new(()));
        queues.insert(key.clone(), Arc::downgrade(&queue));
        queue
    }
}
