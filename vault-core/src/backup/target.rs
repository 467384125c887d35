//! [`Target`]: a store that is being filled. Until it is whole it has neither seal nor keyring, so nothing can mistake
//! it for a vault, and `sys/init` refuses it because it is not empty. Every batch replaces one marker, which is the
//! witness that makes sending it again harmless.

use super::{Page, Source, Tally};
use crate::{
    audit::{AuditRecord, AuditRow, Linked},
    barrier::{KEYRING_KEY, SEAL_KEY},
    crypto::{CryptoProvider, Hash},
    cx::store_error,
    error::Error,
    host::Host,
    id::{BootId, Rev},
    limits::{RESTORE_BATCH_BYTES, RESTORE_BATCH_OPS, RESTORE_SENDINGS},
    store::{Backend, Batch, CommitError, Entry, Key, Limit, Op, Range, Sealed},
};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

/// Says that a store is being filled, and with what.
pub(super) const FILLING_KEY: &str = "restore/filling";
/// Says what a restored store came from, until its first record does.
pub const RESTORED_KEY: &str = "restore/done";

/// What is written of a restoring (format 1). It is public: nobody has a key while it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// Version of this document.
    pub format: u8,
    /// Id of the snapshot.
    pub snapshot: String,
    /// When it was taken (RFC 3339).
    pub taken: String,
    /// What it held.
    pub tally: Tally,
}

#[derive(Serialize, Deserialize, PartialEq, Eq)]
struct Filling {
    format: u8,
    /// What it is filled with; going on with anything else would mix two vaults.
    from: String,
}

/// A store that is being filled.
pub struct Target {
    backend: Arc<dyn Backend>,
    host: Arc<dyn Host>,
    crypto: CryptoProvider,
    marker: Entry,
    /// Written last: with these it is a vault.
    held: Vec<Entry>,
    /// Last records that are there already, by chain.
    heads: HashMap<BootId, u64>,
}

impl Target {
    /// Takes an empty store, or one whose filling `from` the same was interrupted.
    pub async fn begin(
        backend: Arc<dyn Backend>,
        host: Arc<dyn Host>,
        crypto: CryptoProvider,
        from: &str,
    ) -> Result<Self, Error> {
        let name = Key::new(FILLING_KEY).map_err(Error::internal)?;
        let document = serde_json::to_vec(&Filling { format: 1, from: from.to_owned() });
        let value = Sealed::public(document.map_err(Error::internal)?);
        let found = backend.get(std::slice::from_ref(&name)).await.map_err(store_error)?.pop().flatten();
        let heads = backend.heads().await.map_err(store_error)?;
        let marker = match found {
            Some(marker) if marker.value == value => marker,
            Some(_) => {
                return Err(Error::invalid("the store is half filled with something else; empty it first"));
            }
            None => {
                let all = Range { from: String::new(), to: None };
                let any = backend.scan(all, Limit::entries(1)).await.map_err(store_error)?;
                if !any.is_empty() || !heads.is_empty() {
                    return Err(Error::invalid("the store is not empty; name one that is"));
                }
                let mut batch = Batch::new(Rev::make(&*host));
                batch.create(name.clone(), value.clone()).map_err(Error::internal)?;
                send(&*backend, &*host, &batch).await?.map_err(|keys| taken(&keys))?;
                Entry { key: name, rev: batch.id(), value }
            }
        };
        let heads = heads.into_iter().map(|head| (head.chain, head.last)).collect();
        Ok(Self { backend, host, crypto, marker, held: Vec::new(), heads })
    }

    pub(super) fn hash(&self) -> &'static dyn Hash {
        self.crypto.hash
    }

    /// Writes a page; what is there already from an earlier attempt must be the same.
    pub async fn put(&mut self, page: Page) -> Result<(), Error> {
        match page {
            Page::Entries(entries) => {
                let (last, now) = entries
                    .into_iter()
                    .partition::<Vec<_>, _>(|entry| [SEAL_KEY, KEYRING_KEY].contains(&entry.key.as_str()));
                self.held.extend(last);
                for part in parts(now, |entry| entry.key.as_str().len() + entry.value.as_bytes().len()) {
                    self.put_entries(part).await?;
                }
            }
            Page::Records(rows) => {
                let mut rows = rows;
                rows.retain(|row| self.heads.get(&row.chain).is_none_or(|last| row.seq > *last));
                for part in parts(rows, |row| 2 * row.canonical.len()) {
                    self.put_records(part).await?;
                }
            }
        }
        Ok(())
    }

    async fn put_entries(&mut self, mut entries: Vec<Entry>) -> Result<(), Error> {
        while !entries.is_empty() {
            let mut batch = self.batch()?;
            for Entry { key, value, .. } in &entries {
                batch.create(key.clone(), value.clone()).map_err(Error::internal)?;
            }
            let Err(there) = self.send(&batch).await? else { return Ok(()) };
            let found = self.backend.get(&there).await.map_err(store_error)?;
            let is_same = |entry: &Entry| {
                let other = found.iter().flatten().find(|found| found.key == entry.key);
                other.is_some_and(|other| other.value == entry.value)
            };
            let before = entries.len();
            entries.retain(|entry| !is_same(entry));
            if entries.len() == before {
                return Err(taken(&there));
            }
        }
        Ok(())
    }

    async fn put_records(&mut self, rows: Vec<AuditRow>) -> Result<(), Error> {
        let mut batch = self.batch()?;
        for row in rows {
            let unreadable =
                || Error::invalid(format!("record {} of chain {} cannot be read", row.seq, row.chain));
            let record = AuditRecord::parse(&row.canonical).ok_or_else(unreadable)?;
            self.heads.insert(row.chain, row.seq);
            batch.audit(Linked { record, canonical: row.canonical, link: row.link });
        }
        self.send(&batch).await?.map_err(|keys| taken(&keys))
    }

    /// Compares what is there with what was put, and only then makes a vault of it.
    pub async fn finish(mut self, tally: &Tally, restored: Option<&Restored>) -> Result<(), Error> {
        let found = self.tally().await?;
        if found != *tally {
            let (wanted, found) = (shown(tally), shown(&found));
            return Err(Error::invalid(format!(
                "the store does not hold what was put there ({found} instead of {wanted}); empty it and start again"
            )));
        }
        let mut batch = Batch::new(Rev::make(&*self.host));
        for Entry { key, value, .. } in std::mem::take(&mut self.held) {
            batch.create(key, value).map_err(Error::internal)?;
        }
        batch.remove(&self.marker).map_err(Error::internal)?;
        if let Some(restored) = restored {
            let document = serde_json::to_vec(restored).map_err(Error::internal)?;
            let key = Key::new(RESTORED_KEY).map_err(Error::internal)?;
            batch.create(key, Sealed::public(document)).map_err(Error::internal)?;
        }
        send(&*self.backend, &*self.host, &batch).await?.map_err(|keys| taken(&keys))
    }

    /// What the store holds, with what is still held back in its place.
    async fn tally(&self) -> Result<Tally, Error> {
        let mut source = Source::at_rest(Arc::clone(&self.backend)).await?;
        let (mut tally, mut held) = (Tally::default(), self.held.iter().peekable());
        while let Some(page) = source.next().await? {
            let page = match page {
                Page::Entries(entries) => {
                    let mut merged = Vec::with_capacity(entries.len() + self.held.len());
                    for entry in entries {
                        while let Some(before) = held.next_if(|held| held.key < entry.key) {
                            merged.push(before.clone());
                        }
                        merged.push(entry);
                    }
                    Page::Entries(merged)
                }
                records @ Page::Records(_) => {
                    tally.add(self.crypto.hash, &Page::Entries(held.by_ref().cloned().collect()));
                    records
                }
            };
            tally.add(self.crypto.hash, &page);
        }
        tally.add(self.crypto.hash, &Page::Entries(held.cloned().collect()));
        Ok(tally)
    }

    fn batch(&self) -> Result<Batch, Error> {
        let mut batch = Batch::new(Rev::make(&*self.host));
        let (key, op) = (self.marker.key.clone(), Op::Replace(self.marker.rev, self.marker.value.clone()));
        batch.stage(key, op).map_err(Error::internal)?;
        Ok(batch)
    }

    /// `Err`: nothing was applied, and these keys are there already.
    async fn send(&mut self, batch: &Batch) -> Result<Result<(), Vec<Key>>, Error> {
        let sent = send(&*self.backend, &*self.host, batch).await?;
        match &sent {
            Ok(()) => self.marker.rev = batch.id(),
            Err(keys) if keys.contains(&self.marker.key) => {
                return Err(Error::unavailable("somebody else is filling the same store"));
            }
            Err(_) => {}
        }
        Ok(sent)
    }
}

/// Sends a batch until it is known what became of it.
async fn send(backend: &dyn Backend, host: &dyn Host, batch: &Batch) -> Result<Result<(), Vec<Key>>, Error> {
    for sending in 0..RESTORE_SENDINGS {
        match backend.commit(batch).await {
            Ok(()) => return Ok(Ok(())),
            Err(CommitError::Conflict { keys }) => return Ok(Err(keys)),
            // It speaks of one sending only, and an earlier one may be on its way still.
            Err(CommitError::NotApplied(source)) if sending == 0 => return Err(store_error(source)),
            Err(_) => host.sleep(Duration::from_millis(200)).await,
        }
    }
    Err(Error::unavailable("the store does not say what became of a batch; run it again to go on"))
}

fn taken(keys: &[Key]) -> Error {
    let key = keys.first().map(Key::as_str).unwrap_or_default();
    Error::invalid(format!("the store already holds another {key:?}; empty it and start again"))
}

fn shown(tally: &Tally) -> String {
    let digest = tally.digest.get(..16).unwrap_or_default();
    format!("{} entries, {} records, digest {digest}…", tally.entries, tally.records)
}

/// Splits into batches that every store takes.
fn parts<T>(items: Vec<T>, weight: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let (mut parts, mut bytes) = (Vec::<Vec<T>>::new(), 0);
    for item in items {
        bytes += weight(&item);
        match parts.last_mut() {
            Some(part) if part.len() < RESTORE_BATCH_OPS && bytes <= RESTORE_BATCH_BYTES => part.push(item),
            _ => {
                bytes = weight(&item);
                parts.push(vec![item]);
            }
        }
    }
    parts
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("store", &self.backend.kind()).finish_non_exhaustive()
    }
}
