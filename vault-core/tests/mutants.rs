//! Every case of the store battery goes red when its promise is broken: a store with one switch a broken promise,
//! and the cases that each switch must turn red. A case that no switch turns red fails this test.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use async_trait::async_trait;
use futures::FutureExt;
use secrethub_core::{
    audit::{AuditPage, AuditQuery, AuditRow, Cursor, Head},
    id::{BootId, Rev},
    store::{
        AuditLog, Batch, CommitError, Entry, Key, Limit, Op, Range, Sealed, SnapshotReader, Store,
        StoreError, memory::Memory,
    },
    testing::{
        pause,
        store::{CASES, Case, Shared, rev},
    },
};
use std::{
    collections::BTreeSet,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Broken {
    Nothing,
    // Conditions.
    CreateOverwrites,
    ReplaceIsBlind,
    RemoveIsBlind,
    GuardsAreDropped,
    GuardsWrite,
    PutNeedsAbsence,
    OneLoserIsNamed,
    AllAreNamed,
    RevisionsAreFresh,
    // One instant.
    BatchIsSplit,
    LastIsLost,
    AnswerComesFirst,
    EmptyIsRefused,
    GetTears,
    ScanTears,
    SnapshotIsLive,
    SnapshotLosesOne,
    // Bytes.
    GetSorts,
    OrderIsUtf16,
    PagesSkipOne,
    EndIsIgnored,
    BytesAreIgnored,
    PagesAreSmall,
    KeysAreShort,
    KeysAreFolded,
    ValuesEndAtNul,
    ValuesAreShort,
    BatchIsShort,
    // Locks.
    LocksByKind,
    LocksAnyhow,
    // Rows.
    RowsAreForgotten,
    RowsComeFirst,
    RowsComeLate,
    RowsStopAtSeven,
    ColumnsAreCut,
    ReadStartsAnywhere,
    OldestComesFirst,
    CursorIsTime,
    FiltersAreIgnored,
    HeadsStartAtOne,
    PruneTakesAll,
}

/// What each broken promise must turn red.
const RED: &[(Broken, &[&str])] = &[
    (
        Broken::CreateOverwrites,
        &["create_needs_absence", "creation_has_one_winner", "lost_batch_leaves_nothing"],
    ),
    (
        Broken::ReplaceIsBlind,
        &[
            "replace_needs_the_revision_read",
            "recreated_is_another",
            "equal_bytes_are_another_revision",
            "counter_sums_up",
        ],
    ),
    (Broken::RemoveIsBlind, &["remove_needs_the_revision_read", "recreated_is_another"]),
    (
        Broken::GuardsAreDropped,
        &[
            "guard_needs_the_revision_read",
            "guard_of_nothing_conflicts",
            "no_write_skew",
            "recreated_is_another",
        ],
    ),
    (Broken::GuardsWrite, &["guard_changes_nothing", "equal_guards_merge"]),
    (Broken::PutNeedsAbsence, &["put_needs_nothing"]),
    (Broken::OneLoserIsNamed, &["conflict_names_every_loser"]),
    (Broken::AllAreNamed, &["conflict_spares_the_rest"]),
    (
        Broken::RevisionsAreFresh,
        &[
            "revision_is_the_batch",
            "resent_batch_is_fine",
            "resent_after_others_moved_on",
            "resent_removal_is_fine",
            "resent_batch_appends_no_second_row",
        ],
    ),
    (
        Broken::BatchIsSplit,
        &[
            "lost_batch_leaves_nothing",
            "get_never_tears",
            "scan_never_tears",
            "dropped_commit_is_whole",
            "snapshot_is_one_instant",
        ],
    ),
    (Broken::LastIsLost, &["batch_lands_whole"]),
    (Broken::AnswerComesFirst, &["reads_follow_commits"]),
    (Broken::EmptyIsRefused, &["empty_batch_is_fine"]),
    (Broken::GetTears, &["get_never_tears"]),
    (Broken::ScanTears, &["scan_never_tears"]),
    (Broken::SnapshotIsLive, &["snapshot_is_one_instant"]),
    (Broken::SnapshotLosesOne, &["snapshot_holds_everything"]),
    (Broken::GetSorts, &["get_answers_as_asked"]),
    (Broken::OrderIsUtf16, &["scan_is_in_byte_order"]),
    (Broken::PagesSkipOne, &["pages_meet"]),
    (Broken::EndIsIgnored, &["scan_keeps_to_its_range"]),
    (Broken::BytesAreIgnored, &["page_ends_at_its_bytes"]),
    (Broken::PagesAreSmall, &["page_ends_at_the_cap"]),
    (Broken::KeysAreShort, &["long_keys_work"]),
    (Broken::KeysAreFolded, &["keys_are_bytes_not_words"]),
    (Broken::ValuesEndAtNul, &["values_are_bytes"]),
    (Broken::ValuesAreShort, &["big_values_work", "excess_is_refused"]),
    (Broken::BatchIsShort, &["largest_batch_lands", "excess_is_refused"]),
    (Broken::LocksByKind, &["crossed_create_and_put_finish"]),
    (Broken::LocksAnyhow, &["overlapping_batches_finish"]),
    (
        Broken::RowsAreForgotten,
        &["batch_lands_whole", "rows_come_with_entries", "rows_and_entries_are_never_apart"],
    ),
    (Broken::RowsComeFirst, &["rows_of_a_lost_batch_never_come", "lost_batch_leaves_nothing"]),
    (Broken::RowsComeLate, &["rows_and_entries_are_never_apart"]),
    (Broken::RowsStopAtSeven, &["rows_of_a_large_batch_are_each_kept"]),
    (Broken::ColumnsAreCut, &["rows_keep_every_column"]),
    (Broken::ReadStartsAnywhere, &["read_walks_one_chain"]),
    (Broken::OldestComesFirst, &["search_is_newest_first", "search_breaks_ties"]),
    (Broken::CursorIsTime, &["search_breaks_ties"]),
    (Broken::FiltersAreIgnored, &["search_filters"]),
    (Broken::HeadsStartAtOne, &["heads_name_first_and_last"]),
    (Broken::PruneTakesAll, &["prune_takes_the_oldest"]),
];

#[derive(Debug)]
struct Mutant {
    inner: Arc<Memory>,
    broken: Broken,
    locks: Mutex<BTreeSet<Key>>,
    late: Mutex<Vec<Batch>>,
}

impl Mutant {
    fn new(broken: Broken) -> Self {
        Self { inner: Arc::default(), broken, locks: Mutex::default(), late: Mutex::default() }
    }

    async fn current(&self, key: &Key) -> Option<Entry> {
        self.inner.get(std::slice::from_ref(key)).await.unwrap().remove(0)
    }

    fn key(&self, key: &Key) -> Key {
        let name = key.as_str();
        match self.broken {
            Broken::KeysAreShort => Key::new(&name[..name.len().min(511)]).unwrap(),
            Broken::KeysAreFolded => Key::new(name.to_lowercase()).unwrap(),
            _ => key.clone(),
        }
    }

    fn value(&self, value: &Sealed) -> Sealed {
        let bytes = value.as_bytes();
        let end = match self.broken {
            Broken::ValuesEndAtNul => bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()),
            Broken::ValuesAreShort => bytes.len().min(1 << 20),
            _ => bytes.len(),
        };
        Sealed::from_stored(bytes[..end].to_vec())
    }

    async fn op(&self, key: &Key, op: &Op) -> Option<Op> {
        Some(match (self.broken, op) {
            (Broken::CreateOverwrites, Op::Create(value))
            | (Broken::ReplaceIsBlind, Op::Replace(_, value)) => Op::Put(value.clone()),
            (Broken::RemoveIsBlind, Op::Remove(_)) => Op::Remove(self.current(key).await?.rev),
            (Broken::GuardsAreDropped, Op::Guard(_)) => return None,
            (Broken::GuardsWrite, Op::Guard(rev)) => match self.current(key).await {
                Some(entry) => Op::Replace(*rev, entry.value),
                None => op.clone(),
            },
            (Broken::PutNeedsAbsence, Op::Put(value)) => Op::Create(value.clone()),
            (_, Op::Create(value)) => Op::Create(self.value(value)),
            (_, Op::Replace(rev, value)) => Op::Replace(*rev, self.value(value)),
            (_, Op::Put(value)) => Op::Put(self.value(value)),
            (_, other) => other.clone(),
        })
    }

    /// The batch as the broken store understands it.
    async fn understood(&self, batch: &Batch) -> Batch {
        let mut out = Batch::new(if self.broken == Broken::RevisionsAreFresh { rev() } else { batch.id() });
        let taken = match self.broken {
            Broken::LastIsLost if batch.ops().len() > 1 => batch.ops().len() - 1,
            Broken::BatchIsShort => 1_000,
            _ => usize::MAX,
        };
        for (key, op) in batch.ops().take(taken) {
            if let Some(op) = self.op(key, op).await {
                drop(out.stage(self.key(key), op));
            }
        }
        let rows = match self.broken {
            Broken::RowsAreForgotten => 0,
            Broken::RowsStopAtSeven => 7,
            _ => usize::MAX,
        };
        batch.records().iter().take(rows).for_each(|record| out.audit(record.clone()));
        out
    }

    /// Each operation, and then the records, in commits of their own.
    async fn commit_split(&self, batch: &Batch) -> Result<(), CommitError> {
        for (key, op) in batch.ops() {
            let mut one = Batch::new(batch.id());
            one.stage(key.clone(), op.clone()).unwrap();
            self.inner.commit(&one).await?;
            pause().await;
        }
        self.inner.commit(&rows_of(batch)).await
    }

    /// Takes a lock a key in a wrong order, and keeps all of them to the end.
    async fn commit_locking(&self, batch: &Batch) -> Result<(), CommitError> {
        let mut keys: Vec<(u64, Key)> =
            batch.ops().map(|(key, op)| (self.turn(batch.id(), key, op), key.clone())).collect();
        keys.sort();
        for (_, key) in &keys {
            while !self.locks.lock().unwrap().insert(key.clone()) {
                pause().await;
            }
            pause().await;
        }
        let answer = self.inner.commit(batch).await;
        self.locks.lock().unwrap().retain(|held| !keys.iter().any(|(_, key)| key == held));
        answer
    }

    fn turn(&self, id: Rev, key: &Key, op: &Op) -> u64 {
        match (self.broken, op) {
            (Broken::LocksByKind, Op::Create(_)) => 0,
            (Broken::LocksByKind, _) => 1,
            // Any order that differs from batch to batch.
            _ => u64::from(id.0[15] ^ key.as_str().as_bytes().last().unwrap()).wrapping_mul(0x9E37_79B9) % 97,
        }
    }

    fn name(&self, batch: &Batch, answer: Result<(), CommitError>) -> Result<(), CommitError> {
        answer.map_err(|error| match (self.broken, error) {
            (Broken::OneLoserIsNamed, CommitError::Conflict { keys }) => {
                CommitError::Conflict { keys: keys[..1].to_vec() }
            }
            (Broken::AllAreNamed, CommitError::Conflict { .. }) => {
                CommitError::Conflict { keys: batch.ops().map(|(key, _)| key.clone()).collect() }
            }
            (_, error) => error,
        })
    }
}

fn rows_of(batch: &Batch) -> Batch {
    let mut rows = Batch::new(batch.id());
    batch.records().iter().for_each(|record| rows.audit(record.clone()));
    rows
}

fn entries_of(batch: &Batch) -> Batch {
    let mut entries = Batch::new(batch.id());
    batch.ops().for_each(|(key, op)| entries.stage(key.clone(), op.clone()).unwrap());
    entries
}

#[async_trait]
impl Store for Mutant {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>, StoreError> {
        let mut keys: Vec<Key> = keys.iter().map(|key| self.key(key)).collect();
        let late = std::mem::take(&mut *self.late.lock().unwrap());
        let found = match self.broken {
            Broken::GetSorts => {
                keys.sort();
                self.inner.get(&keys).await
            }
            Broken::GetTears => {
                let mut found = Vec::new();
                for key in &keys {
                    found.push(self.current(key).await);
                    pause().await;
                }
                Ok(found)
            }
            _ => self.inner.get(&keys).await,
        };
        for batch in late {
            self.inner.commit(&batch).await.unwrap();
        }
        found
    }

    async fn scan(&self, mut range: Range, mut limit: Limit) -> Result<Vec<Entry>, StoreError> {
        match self.broken {
            Broken::EndIsIgnored => range.to = None,
            Broken::BytesAreIgnored => limit = Limit::entries(limit.entries),
            Broken::PagesAreSmall => limit.entries = limit.entries.min(10),
            _ => {}
        }
        let mut page = self.inner.scan(range.clone(), limit).await?;
        match self.broken {
            Broken::PagesSkipOne if range.from.ends_with('\0') => drop(page.drain(..page.len().min(1))),
            Broken::OrderIsUtf16 => {
                page.sort_by_key(|entry| entry.key.as_str().encode_utf16().collect::<Vec<_>>());
            }
            Broken::ScanTears => {
                for entry in &mut page {
                    *entry = self.current(&entry.key).await.unwrap();
                    pause().await;
                }
            }
            _ => {}
        }
        Ok(page)
    }

    async fn commit(&self, batch: &Batch) -> Result<(), CommitError> {
        match self.broken {
            Broken::EmptyIsRefused if batch.is_empty() => {
                Err(StoreError::TooLarge { what: "nothing", limit: 0 }.into())
            }
            Broken::BatchIsSplit => self.commit_split(batch).await,
            Broken::LocksByKind | Broken::LocksAnyhow => self.commit_locking(batch).await,
            Broken::AnswerComesFirst if batch.ops().any(|(_, op)| matches!(op, Op::Replace(..))) => {
                self.late.lock().unwrap().push(batch.clone());
                Ok(())
            }
            Broken::RowsComeFirst => {
                self.inner.commit(&rows_of(batch)).await?;
                self.inner.commit(&entries_of(batch)).await
            }
            Broken::RowsComeLate => {
                self.inner.commit(&entries_of(batch)).await?;
                pause().await;
                self.inner.commit(&rows_of(batch)).await
            }
            _ => {
                let answer = self.inner.commit(&self.understood(batch).await).await;
                self.name(batch, answer)
            }
        }
    }

    async fn snapshot(&self) -> Result<Box<dyn SnapshotReader>, StoreError> {
        match self.broken {
            Broken::SnapshotIsLive => {
                Ok(Box::new(Live { store: self.inner.clone(), rest: Range::prefix("") }))
            }
            Broken::SnapshotLosesOne => {
                let mut snapshot = self.inner.snapshot().await?;
                snapshot.next_page(Limit::entries(1)).await?;
                Ok(snapshot)
            }
            _ => self.inner.snapshot().await,
        }
    }

    fn kind(&self) -> &'static str {
        "mutant"
    }
}

struct Live {
    store: Arc<Memory>,
    rest: Range,
}

#[async_trait]
impl SnapshotReader for Live {
    async fn next_page(&mut self, limit: Limit) -> Result<Vec<Entry>, StoreError> {
        let page = self.store.scan(self.rest.clone(), limit).await?;
        if let Some(last) = page.last() {
            self.rest = self.rest.clone().after(last.key.as_str());
        }
        Ok(page)
    }
}

#[async_trait]
impl AuditLog for Mutant {
    async fn search(
        &self,
        query: &AuditQuery,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<AuditPage, StoreError> {
        let everything = AuditQuery::default();
        let query = if self.broken == Broken::FiltersAreIgnored { &everything } else { query };
        let mut page = self.inner.search(query, after, limit).await?;
        match (self.broken, after) {
            (Broken::OldestComesFirst, _) => page.rows.reverse(),
            (Broken::CursorIsTime, Some(after)) => {
                page.rows.retain(|row| row.columns.timestamp < after.timestamp);
            }
            _ => {}
        }
        Ok(page)
    }

    async fn read(&self, chain: BootId, from: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        let from = if self.broken == Broken::ReadStartsAnywhere { 0 } else { from };
        let mut rows = self.inner.read(chain, from, limit).await?;
        if self.broken == Broken::ColumnsAreCut {
            rows.iter_mut()
                .filter_map(|row| row.columns.user_agent.as_mut())
                .for_each(|text| text.truncate(255));
        }
        Ok(rows)
    }

    async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        let mut heads = self.inner.heads().await?;
        if self.broken == Broken::HeadsStartAtOne {
            heads.iter_mut().for_each(|head| head.first = 1);
        }
        Ok(heads)
    }

    async fn prune(&self, chain: BootId, below: u64, limit: usize) -> Result<u64, StoreError> {
        let limit = if self.broken == Broken::PruneTakesAll { usize::MAX } else { limit };
        self.inner.prune(chain, below, limit).await
    }
}

/// A case that has not ended after so many polls never ends: the model has nothing to wait for.
const POLLS: usize = 100_000;

fn is_green(broken: Broken, case: Case) -> bool {
    let store: Shared = Arc::new(Mutant::new(broken));
    let run = || {
        let mut running = case(&store);
        (0..POLLS).any(|_| (&mut running).now_or_never().is_some())
    };
    std::panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or(false)
}

fn find(name: &str) -> Case {
    CASES.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no case {name}")).1
}

#[test]
fn every_broken_promise_turns_its_cases_red() {
    let survivors: Vec<String> = RED
        .iter()
        .flat_map(|(broken, names)| names.iter().map(move |name| (*broken, *name)))
        .filter(|(broken, name)| is_green(*broken, find(name)))
        .map(|(broken, name)| format!("{broken:?} passes {name}"))
        .collect();
    assert_eq!(survivors, [""; 0]);
}

#[test]
fn every_case_has_a_mutant() {
    let killed: BTreeSet<&str> = RED.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    let never: Vec<&str> =
        CASES.iter().map(|(name, _)| *name).filter(|name| !killed.contains(name)).collect();
    assert_eq!(never, [""; 0]);
}

#[test]
fn nothing_broken_is_green() {
    for (name, case) in CASES {
        assert!(is_green(Broken::Nothing, *case), "{name}");
    }
}
