//! Stores that break the contract, to show that the checks can fail.

use async_trait::async_trait;
use secrethub_core::{
    audit::{AuditPage, AuditQuery, AuditRow, Cursor, Head},
    id::BootId,
    store::{
        AuditLog, Batch, CommitError, Entry, Key, Limit, Op, Range, SnapshotReader, Store, StoreError,
        memory::Memory,
    },
    testing::Unreliable,
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// How a store breaks the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// Not at all.
    None,
    /// Every 40th commit is acknowledged and not applied.
    Forgets,
    /// Every 40th commit is applied without its records.
    LosesRecords,
    /// Guards are not checked.
    IgnoresGuards,
    /// What is replaced may be at any revision.
    IgnoresRevisions,
    /// Every 40th commit is applied without its last operation but the lane's own.
    AppliesHalf,
    /// An unknown outcome is passed off as "nothing applied".
    CallsUnknownNotApplied,
    /// Every 10th conflict is applied all the same, records and all.
    AppliesAfterConflict,
}

/// A node's way to the shared store: faults that the contract allows, and perhaps a lie.
#[derive(Debug)]
pub(crate) struct Link {
    lie: Lie,
    commits: AtomicU64,
    pub(crate) honest: Unreliable<Memory>,
}

impl Link {
    pub(crate) fn new(memory: Arc<Memory>, seed: u64, lie: Lie) -> Self {
        Self { lie, commits: AtomicU64::new(0), honest: Unreliable::new(memory, seed) }
    }

    fn every(&self, nth: u64) -> bool {
        self.commits.fetch_add(1, Relaxed) % nth == nth - 1
    }

    async fn force(&self, batch: &Batch, keys: Vec<Key>) -> Result<(), CommitError> {
        let found = self.honest.inner().get(&keys).await?;
        let absent = |key: &Key| found.iter().flatten().all(|entry| entry.key != *key);
        let honest = self.honest.inner();
        let edited = edit(batch, |key, op| match op {
            Op::Create(value) | Op::Replace(_, value) if keys.contains(key) => Some(Op::Put(value)),
            Op::Guard(_) if keys.contains(key) => None,
            Op::Remove(_) if keys.contains(key) && absent(key) => None,
            Op::Remove(_) if keys.contains(key) => {
                found.iter().flatten().find(|entry| entry.key == *key).map(|entry| Op::Remove(entry.rev))
            }
            other => Some(other),
        });
        honest.commit(&edited).await?;
        Err(CommitError::Conflict { keys })
    }
}

/// The same batch with other operations.
fn edit(batch: &Batch, change: impl Fn(&Key, Op) -> Option<Op>) -> Batch {
    let mut edited = Batch::new(batch.id());
    for (key, op) in batch.ops() {
        if let Some(op) = change(key, op.clone()) {
            edited.stage(key.clone(), op).unwrap();
        }
    }
    batch.records().iter().for_each(|record| edited.audit(record.clone()));
    edited
}

fn without_records(batch: &Batch) -> Batch {
    let mut edited = Batch::new(batch.id());
    batch.ops().for_each(|(key, op)| edited.stage(key.clone(), op.clone()).unwrap());
    edited
}

fn own(key: &Key) -> bool {
    key.as_str().starts_with("lane/")
}

#[async_trait]
impl Store for Link {
    async fn commit(&self, batch: &Batch) -> Result<(), CommitError> {
        let honest = &self.honest;
        let has_records = !batch.records().is_empty();
        match self.lie {
            Lie::Forgets if has_records && self.every(40) => Ok(()),
            Lie::LosesRecords if has_records && self.every(40) => {
                honest.commit(&without_records(batch)).await
            }
            Lie::IgnoresGuards => honest.commit(&edit(batch, |_, op| op.writes().then_some(op))).await,
            Lie::IgnoresRevisions => {
                let blind = |key: &Key, op| match op {
                    Op::Replace(_, value) if !own(key) => Some(Op::Put(value)),
                    other => Some(other),
                };
                honest.commit(&edit(batch, blind)).await
            }
            Lie::AppliesHalf if has_records && self.every(40) => {
                let last = batch.ops().map(|(key, _)| key).filter(|key| !own(key)).last().cloned();
                honest.commit(&edit(batch, |key, op| (last.as_ref() != Some(key)).then_some(op))).await
            }
            Lie::CallsUnknownNotApplied => match honest.commit(batch).await {
                Err(CommitError::Unknown(source)) => {
                    Err(CommitError::NotApplied(StoreError::Unavailable { backend: "liar", source }))
                }
                other => other,
            },
            Lie::AppliesAfterConflict => match honest.commit(batch).await {
                Err(CommitError::Conflict { keys })
                    if has_records && self.every(10) && !keys.iter().any(own) =>
                {
                    self.force(batch, keys).await
                }
                other => other,
            },
            _ => honest.commit(batch).await,
        }
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>, StoreError> {
        self.honest.get(keys).await
    }

    async fn scan(&self, range: Range, limit: Limit) -> Result<Vec<Entry>, StoreError> {
        self.honest.scan(range, limit).await
    }

    async fn snapshot(&self) -> Result<Box<dyn SnapshotReader>, StoreError> {
        self.honest.snapshot().await
    }

    fn kind(&self) -> &'static str {
        "liar"
    }
}

#[async_trait]
impl AuditLog for Link {
    async fn search(
        &self,
        query: &AuditQuery,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<AuditPage, StoreError> {
        self.honest.search(query, after, limit).await
    }

    async fn read(&self, chain: BootId, from: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        self.honest.read(chain, from, limit).await
    }

    async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        self.honest.heads().await
    }

    async fn prune(&self, chain: BootId, below: u64, limit: usize) -> Result<u64, StoreError> {
        self.honest.prune(chain, below, limit).await
    }
}
