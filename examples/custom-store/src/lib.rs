//! A store of one's own: two ordered maps behind a lock, of which every commit makes new ones. `Store` takes some sixty lines,
//! the audit log half as many.
//!
//! What it has to promise stands in `secrethub_core::store`; that it keeps it, the battery in `tests/` says. Nothing about
//! secrets is in here: a store sees ciphertext, and `judge` decides every conflict.

use async_trait::async_trait;
use secrethub_core::{
    audit::{AuditPage, AuditQuery, AuditRow, Cursor, Head},
    id::BootId,
    limits::{AUDIT_PAGE_MAX, SCAN_BYTES_MAX, SCAN_ENTRIES_MAX},
    store::{
        AuditLog, Batch, CommitError, Entry, Key, Limit, Range, SnapshotReader, Store, StoreError,
        judge::{Verdict, check_batch, check_get, judge},
    },
};
use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

/// One instant of everything; whoever holds it sees no later change.
#[derive(Clone, Debug, Default)]
struct Instant {
    entries: BTreeMap<Key, Entry>,
    rows: BTreeMap<(BootId, u64), AuditRow>,
}

/// The store: the newest instant.
#[derive(Debug, Default)]
pub struct Instants(RwLock<Arc<Instant>>);

impl Instants {
    fn now(&self) -> Arc<Instant> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the newest instant by what `change` makes of it, if it does not refuse.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Instant) -> Result<T, CommitError>,
    ) -> Result<T, CommitError> {
        let mut newest = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = Instant::clone(&newest);
        let made = change(&mut next)?;
        *newest = Arc::new(next);
        Ok(made)
    }
}

#[async_trait]
impl Store for Instants {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>, StoreError> {
        check_get(keys)?;
        let now = self.now();
        Ok(keys.iter().map(|key| now.entries.get(key).cloned()).collect())
    }

    async fn scan(&self, range: Range, limit: Limit) -> Result<Vec<Entry>, StoreError> {
        Ok(page(&self.now(), &range, limit))
    }

    async fn commit(&self, batch: &Batch) -> Result<(), CommitError> {
        check_batch(batch)?;
        self.change(|next| {
            match judge(batch, |key| next.entries.get(key).map(|entry| entry.rev)) {
                Verdict::Applied => return Ok(()),
                Verdict::Conflict(keys) => return Err(CommitError::Conflict { keys }),
                Verdict::Apply => {}
            }
            for (key, op) in batch.ops().filter(|(_, op)| op.writes()) {
                match op.value().cloned() {
                    Some(value) => {
                        _ = next
                            .entries
                            .insert(key.clone(), Entry { key: key.clone(), rev: batch.id(), value })
                    }
                    None => _ = next.entries.remove(key),
                }
            }
            let rows = batch
                .records()
                .iter()
                .map(|linked| ((linked.record.chain, linked.record.seq), AuditRow::of(linked)));
            next.rows.extend(rows);
            Ok(())
        })
    }

    async fn snapshot(&self) -> Result<Box<dyn SnapshotReader>, StoreError> {
        Ok(Box::new(Reader { instant: self.now(), range: Range { from: String::new(), to: None } }))
    }

    fn kind(&self) -> &'static str {
        "instants"
    }
}

#[async_trait]
impl AuditLog for Instants {
    async fn search(
        &self,
        query: &AuditQuery,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<AuditPage, StoreError> {
        let wanted =
            |row: &&AuditRow| query.matches(&row.columns) && after.is_none_or(|after| row.cursor() < after);
        let mut rows: Vec<AuditRow> = self.now().rows.values().filter(wanted).cloned().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.cursor()));
        rows.truncate(limit.min(AUDIT_PAGE_MAX));
        Ok(AuditPage::new(rows, limit))
    }

    async fn read(&self, chain: BootId, from: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        let now = self.now();
        let rows = now.rows.range((chain, from)..=(chain, u64::MAX)).map(|(_, row)| row.clone());
        Ok(rows.take(limit.min(AUDIT_PAGE_MAX)).collect())
    }

    async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        let mut heads = BTreeMap::new();
        for &(chain, seq) in self.now().rows.keys() {
            heads.entry(chain).or_insert(Head { chain, first: seq, last: seq }).last = seq;
        }
        Ok(heads.into_values().collect())
    }

    async fn prune(&self, chain: BootId, below: u64, limit: usize) -> Result<u64, StoreError> {
        let pruned = self.change(|next| {
            let old: Vec<_> =
                next.rows.range((chain, 0)..(chain, below)).map(|(at, _)| *at).take(limit).collect();
            old.iter().for_each(|at| drop(next.rows.remove(at)));
            Ok(old.len() as u64)
        });
        pruned.map_err(|error| StoreError::Unavailable { backend: self.kind(), source: error.into() })
    }
}

struct Reader {
    instant: Arc<Instant>,
    range: Range,
}

#[async_trait]
impl SnapshotReader for Reader {
    async fn next_page(&mut self, limit: Limit) -> Result<Vec<Entry>, StoreError> {
        let entries = page(&self.instant, &self.range, limit);
        if let Some(last) = entries.last() {
            self.range = self.range.clone().after(last.key.as_str());
        }
        Ok(entries)
    }
}

/// Entries of a range until a limit is reached, but at least one.
fn page(now: &Instant, range: &Range, limit: Limit) -> Vec<Entry> {
    let (mut bytes, most) = (0, limit.bytes.min(SCAN_BYTES_MAX));
    let inside = now.entries.values().filter(|entry| range.contains(entry.key.as_str()));
    let fits = inside.take(limit.entries.min(SCAN_ENTRIES_MAX)).take_while(|entry| {
        let is_first = bytes == 0;
        bytes += entry.value.as_bytes().len();
        is_first || bytes <= most
    });
    fits.cloned().collect()
}
