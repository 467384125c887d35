//! A store that stops answering: not even with an error.

use crate::fixture::change;
use async_trait::async_trait;
use futures::{FutureExt as _, future::pending};
use secrethub_core::{
    audit::{AuditPage, AuditQuery, AuditRow, Cursor, Head, Lane, LaneParts},
    crypto::rustcrypto,
    host::Host as _,
    id::BootId,
    limits::LANE_CLOSE_GRACE,
    store::{
        AuditLog, Batch, CommitError, Entry, Key, Limit, Range, SnapshotReader, Store, StoreError,
        memory::Memory,
    },
    testing::{PlainKeys, World},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

#[derive(Debug, Default)]
struct Mute {
    memory: Memory,
    silent: AtomicBool,
}

impl Mute {
    async fn answer<T>(&self, answer: impl Future<Output = T> + Send) -> T {
        if self.silent.load(Relaxed) { pending().await } else { answer.await }
    }
}

#[async_trait]
impl Store for Mute {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>, StoreError> {
        self.answer(self.memory.get(keys)).await
    }
    async fn scan(&self, range: Range, limit: Limit) -> Result<Vec<Entry>, StoreError> {
        self.answer(self.memory.scan(range, limit)).await
    }
    async fn commit(&self, batch: &Batch) -> Result<(), CommitError> {
        self.answer(self.memory.commit(batch)).await
    }
    async fn snapshot(&self) -> Result<Box<dyn SnapshotReader>, StoreError> {
        self.answer(self.memory.snapshot()).await
    }
    fn kind(&self) -> &'static str {
        "mute"
    }
}

#[async_trait]
impl AuditLog for Mute {
    async fn search(&self, _: &AuditQuery, _: Option<Cursor>, _: usize) -> Result<AuditPage, StoreError> {
        pending().await
    }
    async fn read(&self, _: BootId, _: u64, _: usize) -> Result<Vec<AuditRow>, StoreError> {
        pending().await
    }
    async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        pending().await
    }
    async fn prune(&self, _: BootId, _: u64, _: usize) -> Result<u64, StoreError> {
        pending().await
    }
}

#[test]
fn close_ends_though_the_store_is_mute() {
    let (world, store, crypto) = (World::new(1), Arc::new(Mute::default()), rustcrypto::provider());
    let host = world.node();
    let parts = LaneParts {
        backend: Arc::clone(&store) as _,
        host: Arc::clone(&host) as _,
        crypto,
        barrier: Arc::new(PlainKeys::new(&crypto, 1)),
        boot: BootId([1; 16]),
        audit_enabled: true,
    };
    let lane = world.run(Lane::start(parts)).unwrap().unwrap();
    store.silent.store(true, Relaxed);
    let caller = lane.clone();
    host.spawn("caller", async move { drop(caller.submit(change("r", [])).await) }.boxed());
    let closed = world.run(async move { lane.close().await });
    assert!(closed.expect("it ends").is_err());
    assert!(host.monotonic() <= 4 * LANE_CLOSE_GRACE);
}
