//! The reference model: one mutex over two ordered maps. Every other store is compared with it.

use super::{
    AuditLog, Batch, CommitError, Entry, Key, Limit, Range, SnapshotReader, Store, StoreError,
    judge::{Verdict, check_batch, check_get, judge},
};
use crate::{
    audit::{AuditPage, AuditQuery, AuditRow, Cursor, Head},
    id::BootId,
    limits,
};
use async_trait::async_trait;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A store that forgets everything when dropped.
#[derive(Debug, Default)]
pub struct Memory(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<Key, Entry>,
    rows: BTreeMap<(BootId, u64), AuditRow>,
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held cannot leave half a batch: all checks come before the first change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for Memory {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>, StoreError> {
        check_get(keys)?;
        let state = self.state();
        Ok(keys.iter().map(|key| state.entries.get(key).cloned()).collect())
    }

    async fn scan(&self, range: Range, limit: Limit) -> Result<Vec<Entry>, StoreError> {
        Ok(page(self.state().entries.values(), &range, limit))
    }

    async fn commit(&self, batch: &Batch) -> Result<(), CommitError> {
        check_batch(batch)?;
        let mut state = self.state();
        match judge(batch, |key| state.entries.get(key).map(|entry| entry.rev)) {
            Verdict::Applied => return Ok(()),
            Verdict::Conflict(keys) => return Err(CommitError::Conflict { keys }),
            Verdict::Apply => {}
        }
        for (key, op) in batch.ops().filter(|(_, op)| op.writes()) {
            match op.value() {
                Some(value) => {
                    let entry = Entry { key: key.clone(), rev: batch.id(), value: value.clone() };
                    state.entries.insert(key.clone(), entry);
                }
                None => {
                    state.entries.remove(key);
                }
            }
        }
        for record in batch.records() {
            state.rows.insert((record.record.chain, record.record.seq), AuditRow::of(record));
        }
        Ok(())
    }

    async fn snapshot(&self) -> Result<Box<dyn SnapshotReader>, StoreError> {
        let entries = self.state().entries.values().cloned().collect();
        Ok(Box::new(MemorySnapshot { entries, next: 0 }))
    }

    fn kind(&self) -> &'static str {
        "memory"
    }
}

#[async_trait]
impl AuditLog for Memory {
    async fn search(
        &self,
        query: &AuditQuery,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<AuditPage, StoreError> {
        let state = self.state();
        let mut rows: Vec<&AuditRow> =
            state.rows.values().filter(|row| query.matches(&row.columns)).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.cursor()));
        let rows = rows.into_iter().filter(|row| after.is_none_or(|after| row.cursor() < after));
        Ok(AuditPage::new(rows.take(limit.min(limits::AUDIT_PAGE_MAX)).cloned().collect(), limit))
    }

    async fn read(&self, chain: BootId, from: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        let state = self.state();
        let rows = state.rows.range((chain, from)..=(chain, u64::MAX)).map(|(_, row)| row.clone());
        Ok(rows.take(limit.min(limits::AUDIT_PAGE_MAX)).collect())
    }

    async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        let mut heads: Vec<Head> = Vec::new();
        for &(chain, seq) in self.state().rows.keys() {
            match heads.last_mut() {
                Some(head) if head.chain == chain => head.last = seq,
                _ => heads.push(Head { chain, first: seq, last: seq }),
            }
        }
        Ok(heads)
    }

    async fn prune(&self, chain: BootId, below: u64, limit: usize) -> Result<u64, StoreError> {
        let mut state = self.state();
        let doomed: Vec<(BootId, u64)> =
            state.rows.range((chain, 0)..(chain, below)).map(|(&at, _)| at).take(limit).collect();
        for at in &doomed {
            state.rows.remove(at);
        }
        Ok(doomed.len() as u64)
    }
}

struct MemorySnapshot {
    entries: Vec<Entry>,
    next: usize,
}

#[async_trait]
impl SnapshotReader for MemorySnapshot {
    async fn next_page(&mut self, limit: Limit) -> Result<Vec<Entry>, StoreError> {
        let all = Range { from: String::new(), to: None };
        let entries = page(self.entries.iter().skip(self.next), &all, limit);
        self.next += entries.len();
        Ok(entries)
    }
}

fn page<'a>(entries: impl Iterator<Item = &'a Entry>, range: &Range, limit: Limit) -> Vec<Entry> {
    let (mut taken, mut bytes) = (Vec::new(), 0);
    let (entries_max, bytes_max) =
        (limit.entries.min(limits::SCAN_ENTRIES_MAX), limit.bytes.min(limits::SCAN_BYTES_MAX));
    for entry in entries.filter(|entry| range.contains(entry.key.as_str())) {
        bytes += entry.value.as_bytes().len();
        if taken.len() == entries_max || (bytes > bytes_max && !taken.is_empty()) {
            break;
        }
        taken.push(entry.clone());
    }
    taken
}
