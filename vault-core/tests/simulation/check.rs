//! What must hold after every step of any task:
//!
//! - every chain verifies: links, numbers without gaps, columns as in the canonical bytes, time that never falls;
//! - `lane/<boot>` stands at the last record of its chain;
//! - an entry changes exactly when a record says so, to exactly the bytes that the record names;
//! - no request is on record twice; whoever was told "done" is, whoever was told "refused" never is;
//! - counters hold as many as there are records that counted; of two mutually guarded flags one at most is set.

use crate::callers::{Book, COUNTERS, SKEW, Told, held};
use futures::FutureExt as _;
use secrethub_core::{
    audit::{
        AuditRecord, AuditRow, Checkpoint, LaneKeys as _, Witness,
        chain::{self, GENESIS},
        checkpoint::{FIRST, PREFIX},
    },
    crypto::{CryptoProvider, rustcrypto},
    id::{BootId, Rev, Timestamp},
    store::{AuditLog as _, Entry, Key, Limit, Range, Store as _, memory::Memory},
    testing::PlainKeys,
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

pub(crate) struct Checker {
    memory: Arc<Memory>,
    book: Book,
    crypto: CryptoProvider,
    chains: BTreeMap<BootId, Seen>,
    entries: BTreeMap<Key, Rev>,
    applied: HashSet<String>,
    counted: HashMap<&'static str, u64>,
}

/// A chain as far as it was checked.
struct Seen {
    links: Vec<[u8; 32]>,
    time: Timestamp,
}

/// What new records say became of a key: any of these, if several chains moved in one step.
type Written = HashMap<Key, Vec<Option<[u8; 32]>>>;

fn ensure(good: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if good { Ok(()) } else { Err(what()) }
}

/// The memory store answers at once.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("the memory store answers at once")
}

impl Checker {
    pub(crate) fn new(memory: Arc<Memory>, book: Book) -> Self {
        let (chains, entries) = (BTreeMap::new(), BTreeMap::new());
        let (applied, counted) = (HashSet::new(), HashMap::new());
        Self { memory, book, crypto: rustcrypto::provider(), chains, entries, applied, counted }
    }

    pub(crate) fn expect_chain(&mut self, boot: BootId) {
        self.chains.insert(boot, Seen { links: Vec::new(), time: Timestamp::default() });
    }

    pub(crate) fn records(&self) -> u64 {
        self.chains.values().map(|seen| seen.links.len() as u64).sum()
    }

    pub(crate) fn step(&mut self) -> Result<(), String> {
        let mut written = Written::new();
        let boots: Vec<BootId> = self.chains.keys().copied().collect();
        for boot in boots {
            self.extend(boot, &mut written)?;
        }
        self.compare(&written)?;
        self.promises()?;
        self.invariants()
    }

    /// Checks what a chain has gained, and its witness.
    fn extend(&mut self, boot: BootId, written: &mut Written) -> Result<(), String> {
        let known = self.chains[&boot].links.len() as u64;
        let rows = now(self.memory.read(boot, known + 1, 1_000)).unwrap();
        let mut last = HashMap::new();
        for row in &rows {
            self.row(boot, row, &mut last)?;
        }
        for (key, digest) in last {
            written.entry(key).or_default().push(digest);
        }
        self.witness(boot)
    }

    fn row(
        &mut self,
        boot: BootId,
        row: &AuditRow,
        last: &mut HashMap<Key, Option<[u8; 32]>>,
    ) -> Result<(), String> {
        let at = format!("{boot}:{}", row.seq);
        let record = AuditRecord::parse(&row.canonical).ok_or(format!("{at} cannot be read"))?;
        let seen = self.chains.get_mut(&boot).unwrap();
        let link = chain::link(self.crypto.hash, seen.links.last().unwrap_or(&GENESIS), &row.canonical);
        ensure(row.seq == seen.links.len() as u64 + 1, || format!("{at} comes after {}", seen.links.len()))?;
        ensure(row.link == link, || format!("{at} is not linked to the record before"))?;
        ensure((record.chain, record.seq) == (boot, row.seq), || format!("{at} calls itself another"))?;
        ensure(record.columns == row.columns, || format!("{at} has other columns"))?;
        ensure(row.columns.timestamp >= seen.time, || format!("{at} is earlier than the record before"))?;
        seen.links.push(link);
        seen.time = row.columns.timestamp;
        let fresh = self.applied.insert(record.columns.request_id.clone());
        ensure(fresh, || format!("{} is on record twice", record.columns.request_id))?;
        for (key, digest) in record.writes {
            if let Some(counter) = COUNTERS.into_iter().find(|counter| *counter == key.as_str()) {
                *self.counted.entry(counter).or_default() += 1;
            }
            last.insert(key, digest);
        }
        Ok(())
    }

    fn witness(&self, boot: BootId) -> Result<(), String> {
        let seen = &self.chains[&boot];
        let entry = now(self.memory.get(&[Witness::key(boot).unwrap()])).unwrap().pop().unwrap();
        let Some(entry) = entry else {
            return ensure(seen.links.is_empty(), || format!("{boot} has records and no witness"));
        };
        let bytes = entry.value.as_bytes();
        let witness =
            Witness::parse(&bytes[bytes.len() - Witness::BYTES..]).ok_or("a witness cannot be read")?;
        let expect = (seen.links.len() as u64, *seen.links.last().unwrap_or(&GENESIS));
        ensure((witness.seq, witness.link) == expect, || {
            format!("the witness of {boot} is at {}, its chain at {}", witness.seq, expect.0)
        })
    }

    /// Every entry that is not of the lanes' own making, now.
    fn dump(&self) -> BTreeMap<Key, Entry> {
        let between = |from: &str, to: &str| Range { from: from.into(), to: Some(to.into()) };
        let ranges = [between("", "checkpoint/"), between("checkpoint0", "lane/"), between("lane0", "~")];
        let pages = ranges.map(|range| now(self.memory.scan(range, Limit::entries(1_000))).unwrap());
        pages.into_iter().flatten().map(|entry| (entry.key.clone(), entry)).collect()
    }

    /// Entries changed if and only if new records say so, and to what they say.
    fn compare(&mut self, written: &Written) -> Result<(), String> {
        let dump = self.dump();
        for (key, choices) in written {
            let digest = dump.get(key).map(|entry| self.crypto.hash.sha256(&[entry.value.as_bytes()]));
            ensure(choices.contains(&digest), || format!("{key} is not what its record says"))?;
        }
        let revs: BTreeMap<Key, Rev> = dump.iter().map(|(key, entry)| (key.clone(), entry.rev)).collect();
        for key in self.entries.keys().chain(revs.keys()) {
            let moved = self.entries.get(key) != revs.get(key);
            ensure(!moved || written.contains_key(key), || format!("{key} changed without a record"))?;
        }
        self.entries = revs;
        Ok(())
    }

    /// What callers were told is true.
    fn promises(&self) -> Result<(), String> {
        for (id, told) in &*self.book.lock().unwrap() {
            let there = self.applied.contains(id);
            match told {
                Told::Done => ensure(there, || format!("{id} was acknowledged and is not on record"))?,
                Told::Refused => ensure(!there, || format!("{id} was refused and is on record"))?,
                Told::Lost => return Err(format!("{id} lost its lane to a stranger, but there is none")),
                Told::Nothing | Told::Unknown => {}
            }
        }
        Ok(())
    }

    fn invariants(&self) -> Result<(), String> {
        let keys = COUNTERS.into_iter().chain(SKEW).map(|name| Key::new(name).unwrap()).collect::<Vec<_>>();
        let found = now(self.memory.get(&keys)).unwrap();
        for (counter, entry) in COUNTERS.into_iter().zip(&found) {
            let (held, counted) = (held(entry.as_ref()), self.counted.get(counter).copied().unwrap_or(0));
            ensure(held == counted, || format!("{counter} holds {held}, {counted} records counted"))?;
        }
        let set: u64 = found[COUNTERS.len()..].iter().map(|entry| held(entry.as_ref())).sum();
        ensure(set <= 1, || "both flags are set: write skew".to_owned())
    }

    /// Verifies every checkpoint with the public key alone and against the chains. How many there are.
    pub(crate) fn checkpoints(&self) -> Result<u64, String> {
        let public = PlainKeys::new(&self.crypto, 0).audit_signer().public();
        let (mut previous, mut count) = (FIRST, 0);
        let mut range = Range::prefix(PREFIX);
        loop {
            let page = now(self.memory.scan(range.clone(), Limit::entries(1_000))).unwrap();
            let Some(last) = page.last() else { return Ok(count) };
            range = range.after(last.key.as_str());
            for entry in &page {
                count += 1;
                let bytes = entry.value.as_bytes();
                let point =
                    Checkpoint::verify(self.crypto.signer, &public, bytes).map_err(|e| e.to_string())?;
                ensure((point.number, point.previous) == (count, previous), || {
                    format!("checkpoint {count} gaps")
                })?;
                previous = self.crypto.hash.sha256(&[bytes]);
                for head in point.heads {
                    let links = &self.chains[&head.chain].links;
                    let link = usize::try_from(head.seq).unwrap().checked_sub(1).map(|at| links.get(at));
                    let good = link.is_none_or(|link| link == Some(&head.link));
                    ensure(good, || format!("checkpoint {count} says what the chain does not"))?;
                }
            }
        }
    }
}
