//! [`Source`]: one instant of a store. Entries come from the store's own snapshot; records are only ever appended, so
//! those up to the witness of each chain at that instant are as good as a snapshot of them.

use super::{
    Tally, Target,
    target::{FILLING_KEY, RESTORED_KEY},
};
use crate::{
    audit::{AuditRow, Head, Witness},
    barrier::Barrier,
    cx::store_error,
    error::Error,
    id::{BootId, Rev},
    limits::{AUDIT_PAGE_MAX, SCAN_ENTRIES_MAX},
    store::{Backend, Entry, Limit, Range, SnapshotReader},
};
use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::Arc,
};

/// Where the witnesses of chains stand.
const WITNESS_PREFIX: &str = "lane/";

/// Some of what a store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// In key order; all entries come before the first record.
    Entries(Vec<Entry>),
    /// Of one chain, in its order.
    Records(Vec<AuditRow>),
}

/// One instant of a store.
pub struct Source {
    backend: Arc<dyn Backend>,
    snapshot: Option<Box<dyn SnapshotReader>>,
    /// Opens the witnesses of a vault that is serving. Where nobody serves, a chain ends where its rows end.
    barrier: Option<Arc<Barrier>>,
    /// Chains that had begun: their witnesses, and their last records if those are known.
    chains: HashMap<BootId, (Rev, Option<u64>)>,
    heads: Option<VecDeque<Head>>,
}

impl Source {
    /// Of a store that nobody writes to meanwhile.
    pub async fn at_rest(backend: Arc<dyn Backend>) -> Result<Self, Error> {
        Self::open(backend, None).await
    }

    /// Of a store whose vault is serving.
    pub(crate) async fn serving(backend: Arc<dyn Backend>, barrier: Arc<Barrier>) -> Result<Self, Error> {
        Self::open(backend, Some(barrier)).await
    }

    async fn open(backend: Arc<dyn Backend>, barrier: Option<Arc<Barrier>>) -> Result<Self, Error> {
        let snapshot = Some(backend.snapshot().await.map_err(store_error)?);
        Ok(Self { backend, snapshot, barrier, chains: HashMap::new(), heads: None })
    }

    /// The store's kind.
    pub fn kind(&self) -> &'static str {
        self.backend.kind()
    }

    /// The next page; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Page>, Error> {
        if let Some(snapshot) = &mut self.snapshot {
            let mut entries =
                snapshot.next_page(Limit::entries(SCAN_ENTRIES_MAX)).await.map_err(store_error)?;
            if !entries.is_empty() {
                self.note_chains(&entries)?;
                entries.retain(|entry| ![FILLING_KEY, RESTORED_KEY].contains(&entry.key.as_str()));
                return Ok(Some(Page::Entries(entries)));
            }
            self.snapshot = None;
        }
        let rows = self.next_records().await?;
        Ok(if rows.is_empty() { None } else { Some(Page::Records(rows)) })
    }

    fn note_chains(&mut self, entries: &[Entry]) -> Result<(), Error> {
        for entry in entries {
            let Some(boot) = chain_of(entry) else { continue };
            let last = match &self.barrier {
                None => None,
                Some(barrier) => {
                    // EXPOSE: a chain's number and link, which every record shows.
                    let witness = Witness::parse(barrier.open(entry)?.expose());
                    Some(
                        witness.ok_or_else(|| Error::internal(format!("{:?} is no witness", entry.key)))?.seq,
                    )
                }
            };
            self.chains.insert(boot, (entry.rev, last));
        }
        Ok(())
    }

    /// The next records; empty when there are no more.
    async fn next_records(&mut self) -> Result<Vec<AuditRow>, Error> {
        loop {
            let heads = match &mut self.heads {
                Some(heads) => heads,
                None => self.heads.insert(self.backend.heads().await.map_err(store_error)?.into()),
            };
            let Some(head) = heads.front_mut() else {
                self.check_rest().await?;
                return Ok(Vec::new());
            };
            let last = match self.chains.get(&head.chain) {
                Some((_, Some(last))) => head.last.min(*last),
                Some((_, None)) => head.last,
                // It began after the instant.
                None => 0,
            };
            if head.first > last {
                heads.pop_front();
                continue;
            }
            let (chain, from) = (head.chain, head.first);
            let mut rows = self.backend.read(chain, from, AUDIT_PAGE_MAX).await.map_err(store_error)?;
            rows.retain(|row| row.seq <= last);
            match rows.first() {
                Some(row) if row.seq == from => {}
                _ => return Err(Error::unavailable("the audit log was pruned meanwhile; try again")),
            }
            head.first = rows.last().map_or(last, |row| row.seq) + 1;
            return Ok(rows);
        }
    }
}

impl Source {
    /// Without the keys nobody can tell how many of a chain's records belong to the instant: so there must have been no
    /// more of them since.
    async fn check_rest(&mut self) -> Result<(), Error> {
        if self.barrier.is_some() {
            return Ok(());
        }
        let mut range = Range::prefix(WITNESS_PREFIX);
        let mut found = 0;
        loop {
            let limit = Limit::entries(SCAN_ENTRIES_MAX);
            let page = self.backend.scan(range.clone(), limit).await.map_err(store_error)?;
            let Some(last) = page.last() else { break };
            range = range.after(last.key.as_str());
            found += page.len();
            if !page.iter().all(|entry| {
                let known = chain_of(entry).and_then(|boot| self.chains.get(&boot));
                known.is_some_and(|(rev, _)| *rev == entry.rev)
            }) {
                return Err(in_use());
            }
        }
        if found == self.chains.len() { Ok(()) } else { Err(in_use()) }
    }
}

fn chain_of(entry: &Entry) -> Option<BootId> {
    BootId::from_hex(entry.key.as_str().strip_prefix(WITNESS_PREFIX)?)
}

fn in_use() -> Error {
    Error::invalid("a server is writing to this store: stop it, or take a snapshot through it")
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("store", &self.kind()).finish_non_exhaustive()
    }
}

/// Copies a store that nobody writes to into an empty one; `progress` hears of each page. What was interrupted goes on
/// when it is done again. Answers what both hold.
pub async fn copy(
    mut source: Source,
    mut target: Target,
    mut progress: impl FnMut(&Tally) + Send,
) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    while let Some(page) = source.next().await? {
        tally.add(target.hash(), &page);
        target.put(page).await?;
        progress(&tally);
    }
    target.finish(&tally, None).await?;
    Ok(tally)
}
