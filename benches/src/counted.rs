//! [`Counted`]: a store that counts commits and the records in them, so that a run can say how far it merged.

use async_trait::async_trait;
use secrethub_core::{
    audit::{AuditPage, AuditQuery, AuditRow, Cursor, Head},
    id::BootId,
    store::{
        AuditLog, Backend, Batch, CommitError, Entry, Key, Limit, Range, SnapshotReader, Store, StoreError,
    },
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Passes everything on.
#[derive(Debug)]
pub struct Counted {
    inner: Arc<dyn Backend>,
    commits: AtomicU64,
    records: AtomicU64,
}

impl Counted {
    /// Counts what `inner` is asked from now on.
    pub fn new(inner: Arc<dyn Backend>) -> Arc<Self> {
        Arc::new(Self { inner, commits: AtomicU64::new(0), records: AtomicU64::new(0) })
    }

    /// Records a commit since the last call.
    pub fn merged(&self) -> f64 {
        let (records, commits) = (self.records.swap(0, Relaxed), self.commits.swap(0, Relaxed));
        records as f64 / commits.max(1) as f64
    }
}

#[async_trait]
impl Store for Counted {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>, StoreError> {
        self.inner.get(keys).await
    }

    async fn scan(&self, range: Range, limit: Limit) -> Result<Vec<Entry>, StoreError> {
        self.inner.scan(range, limit).await
    }

    async fn commit(&self, batch: &Batch) -> Result<(), CommitError> {
        self.commits.fetch_add(1, Relaxed);
        self.records.fetch_add(batch.records().len() as u64, Relaxed);
        self.inner.commit(batch).await
    }

    async fn snapshot(&self) -> Result<Box<dyn SnapshotReader>, StoreError> {
        self.inner.snapshot().await
    }

    fn kind(&self) -> &'static str {
        self.inner.kind()
    }
}

#[async_trait]
impl AuditLog for Counted {
    async fn search(
        &self,
        query: &AuditQuery,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<AuditPage, StoreError> {
        self.inner.search(query, after, limit).await
    }

    async fn read(&self, chain: BootId, from: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        self.inner.read(chain, from, limit).await
    }

    async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        self.inner.heads().await
    }

    async fn prune(&self, chain: BootId, below: u64, limit: usize) -> Result<u64, StoreError> {
        self.inner.prune(chain, below, limit).await
    }
}
