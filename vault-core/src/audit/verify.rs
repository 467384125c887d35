//! Verifying the log with the public key alone: no vault, no other key, no trust in the store.
//!
//! Found: any record changed, removed, added or put elsewhere before the newest checkpoint that is held outside the
//! store; any column that does not say what the record says. Not found: what a hostile store did after that
//! checkpoint.

use super::{
    AuditRow, Checkpoint,
    chain::{GENESIS, link},
    checkpoint::{Mark, PREFIX},
    record::AuditRecord,
};
use crate::{
    crypto::CryptoProvider,
    id::{BootId, Timestamp},
    limits::{AUDIT_PAGE_MAX, SCAN_ENTRIES_MAX},
    store::{Backend, Limit, Range, StoreError},
};
use std::collections::{BTreeMap, BTreeSet};

/// Something that is not as it was written, named by the first place where it shows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A record is not what was linked.
    #[error("chain {chain}: record {seq} {what}")]
    Record {
        /// The chain.
        chain: BootId,
        /// The first bad record.
        seq: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A checkpoint is not what was signed, or contradicts its neighbours.
    #[error("checkpoint {number}: {what}")]
    Checkpoint {
        /// Its number.
        number: u64,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// What was found in one chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainReport {
    /// The chain.
    pub chain: BootId,
    /// Its last record.
    pub last: u64,
    /// Records checked.
    pub records: u64,
    /// Records under a checkpoint; those after are linked, but nothing signed covers them yet.
    pub covered: u64,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Chains, in the order of their ids.
    pub chains: Vec<ChainReport>,
    /// Checkpoints checked.
    pub checkpoints: u64,
    /// Number of the newest.
    pub newest: u64,
    /// Everything that is wrong; empty = verified.
    pub faults: Vec<Fault>,
}

impl Report {
    /// Is everything as it was written.
    pub fn is_good(&self) -> bool {
        self.faults.is_empty()
    }

    /// Records checked in all chains.
    pub fn records(&self) -> u64 {
        self.chains.iter().map(|chain| chain.records).sum()
    }
}

/// Verifies everything that a store holds. `trusted` is the newest checkpoint held outside the store; without it
/// a store that was rolled back as a whole looks whole.
pub async fn verify(
    backend: &dyn Backend,
    crypto: &CryptoProvider,
    public: &[u8; 32],
    trusted: Option<&[u8]>,
) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let stated = read_checkpoints(backend, crypto, public, trusted, &mut report).await?;
    let mut chains: BTreeSet<BootId> = backend.heads().await?.iter().map(|head| head.chain).collect();
    chains.extend(stated.marks.keys().copied());
    for chain in chains {
        let found = verify_chain(backend, crypto, &stated, chain).await?;
        match found {
            Ok(chain) => report.chains.push(chain),
            Err(fault) => report.faults.push(fault),
        }
    }
    Ok(report)
}

/// What the checkpoints say.
#[derive(Default)]
struct Stated {
    /// By chain: number of a record → its link.
    marks: BTreeMap<BootId, BTreeMap<u64, [u8; 32]>>,
    /// By chain: the last record that retention removed.
    floors: BTreeMap<BootId, Mark>,
}

impl Stated {
    fn take(&mut self, checkpoint: &Checkpoint) {
        for mark in checkpoint.heads.iter().filter(|mark| mark.seq > 0) {
            self.marks.entry(mark.chain).or_default().insert(mark.seq, mark.link);
        }
        for floor in &checkpoint.floors {
            self.floors.insert(floor.chain, *floor);
        }
    }
}

async fn read_checkpoints(
    backend: &dyn Backend,
    crypto: &CryptoProvider,
    public: &[u8; 32],
    trusted: Option<&[u8]>,
    report: &mut Report,
) -> Result<Stated, StoreError> {
    let (mut stated, mut previous) = (Stated::default(), None);
    let trusted_number = trusted.map(|bytes| trust(crypto, public, bytes, &mut stated, report));
    let mut range = Range::prefix(PREFIX);
    loop {
        let page = backend.scan(range.clone(), Limit::entries(SCAN_ENTRIES_MAX)).await?;
        let Some(last) = page.last() else { break };
        range = range.after(last.key.as_str());
        for entry in &page {
            let number = Checkpoint::number_of(&entry.key).unwrap_or(0);
            let bytes = entry.value.as_bytes();
            let mut fault = |what| report.faults.push(Fault::Checkpoint { number, what });
            match Checkpoint::verify(crypto.signer, public, bytes) {
                Ok(read) if read.number != number => fault("stands under another number"),
                Ok(read) => {
                    let expected = previous.map(|(number, hash)| (number + 1, hash));
                    if expected.is_some_and(|expected| expected != (read.number, read.previous)) {
                        fault("does not follow the one before");
                    }
                    stated.take(&read);
                }
                Err(_) => fault("is not signed by this key"),
            }
            if trusted_number == Some(Some(number)) && trusted != Some(bytes) {
                fault("differs from the one held outside");
            }
            previous = Some((number, crypto.hash.sha256(&[bytes])));
            report.checkpoints += 1;
            report.newest = number;
        }
    }
    if let Some(Some(number)) =
        trusted_number.filter(|number| number.is_some_and(|number| number > report.newest))
    {
        report.faults.push(Fault::Checkpoint {
            number,
            what: "is held outside, but missing here: the store was rolled back",
        });
    }
    Ok(stated)
}

/// Takes the checkpoint that is held outside; its number if it is good.
fn trust(
    crypto: &CryptoProvider,
    public: &[u8; 32],
    bytes: &[u8],
    stated: &mut Stated,
    report: &mut Report,
) -> Option<u64> {
    match Checkpoint::verify(crypto.signer, public, bytes) {
        Ok(checkpoint) => {
            stated.take(&checkpoint);
            Some(checkpoint.number)
        }
        Err(_) => {
            report
                .faults
                .push(Fault::Checkpoint { number: 0, what: "held outside is not signed by this key" });
            None
        }
    }
}

/// Where a walk along a chain has come to.
struct Walk {
    seq: u64,
    link: [u8; 32],
    time: Timestamp,
}

async fn verify_chain(
    backend: &dyn Backend,
    crypto: &CryptoProvider,
    stated: &Stated,
    chain: BootId,
) -> Result<Result<ChainReport, Fault>, StoreError> {
    let nothing = BTreeMap::new();
    let marks = stated.marks.get(&chain).unwrap_or(&nothing);
    let (seq, start) = stated.floors.get(&chain).map_or((0, GENESIS), |floor| (floor.seq, floor.link));
    let mut walk = Walk { seq, link: start, time: Timestamp::default() };
    let mut records = 0;
    loop {
        // Rows at or below the floor are being removed: they may be there or not.
        let rows = backend.read(chain, walk.seq + 1, AUDIT_PAGE_MAX).await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            if let Err(what) = step(&mut walk, crypto, row, marks) {
                return Ok(Err(Fault::Record { chain, seq: walk.seq + 1, what }));
            }
            records += 1;
        }
    }
    let covered = marks.keys().next_back().copied().unwrap_or(0);
    if covered > walk.seq {
        return Ok(Err(Fault::Record {
            chain,
            seq: walk.seq + 1,
            what: "is missing: a checkpoint covers more than is here",
        }));
    }
    Ok(Ok(ChainReport { chain, last: walk.seq, records, covered: covered.max(seq) }))
}

/// One record on. On a fault the walk stays where it was, so that the bad record is the next one.
fn step(
    walk: &mut Walk,
    crypto: &CryptoProvider,
    row: &AuditRow,
    marks: &BTreeMap<u64, [u8; 32]>,
) -> Result<(), &'static str> {
    let seq = walk.seq + 1;
    if row.seq != seq {
        return Err("is missing");
    }
    let record = AuditRecord::parse(&row.canonical).ok_or("cannot be read")?;
    if (record.chain, record.seq) != (row.chain, row.seq) {
        return Err("stands in the wrong place");
    }
    if link(crypto.hash, &walk.link, &row.canonical) != row.link {
        return Err("does not match its link");
    }
    if record.columns != row.columns {
        return Err("has columns that say something else than the record");
    }
    if record.columns.timestamp < walk.time {
        return Err("is earlier than the one before");
    }
    if marks.get(&seq).is_some_and(|mark| *mark != row.link) {
        return Err("is not the one that a checkpoint signed");
    }
    *walk = Walk { seq, link: row.link, time: record.columns.timestamp };
    Ok(())
}
