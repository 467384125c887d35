//! `get`, pages and snapshots: all of them are finds at one time, which the barrier gave.

use crate::{
    Place,
    document::{entry_of, filter_of},
    error::{bounded, refused},
    open::Server,
};
use async_trait::async_trait;
use mongodb::{
    Client, ClientSession, Collection, SessionCursor,
    bson::{Document, Timestamp, doc},
    options::FindOptions,
};
use secrethub_core::{
    limits::{GET_KEYS_MAX, REQUEST_DEADLINE, SCAN_BYTES_MAX, SCAN_ENTRIES_MAX},
    store::{Entry, Key, Limit, Range, SnapshotReader, StoreError},
};
use std::collections::HashMap;

/// A session whose every read shows the same instant: one that nothing acknowledged before this call is missing from.
/// A standalone keeps no history to read in; nobody commits to it through us.
pub(crate) async fn instant(store: &Place) -> Result<ClientSession, StoreError> {
    if store.server == Server::Standalone {
        return store.client.start_session().await.map_err(refused);
    }
    let at = store.barrier.pass(&store.client, &store.kv).await?;
    session_at(&store.client, at).await
}

async fn session_at(client: &Client, at: Timestamp) -> Result<ClientSession, StoreError> {
    client.start_session().snapshot(true).snapshot_time(at).await.map_err(refused)
}

pub(crate) async fn get(store: &Place, keys: &[Key]) -> Result<Vec<Option<Entry>>, StoreError> {
    let names: Vec<&str> = keys.iter().map(Key::as_str).collect();
    let mut session = instant(store).await?;
    // One more than there can be: a full first batch would be followed by a request for the next.
    let batch = u32::try_from(GET_KEYS_MAX + 1).unwrap_or(u32::MAX);
    let find = store.kv.find(doc! { "_id": { "$in": names } }).batch_size(batch).max_time(REQUEST_DEADLINE);
    let mut cursor = find.session(&mut session).await.map_err(refused)?;
    let mut found = HashMap::with_capacity(keys.len());
    while let Some(document) = cursor.next(&mut session).await.transpose().map_err(refused)? {
        let entry = entry_of(document)?;
        found.insert(entry.key.clone(), entry);
    }
    Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
}

pub(crate) async fn scan(store: &Place, range: Range, limit: Limit) -> Result<Vec<Entry>, StoreError> {
    let mut session = instant(store).await?;
    let options = options(limit.entries.min(SCAN_ENTRIES_MAX));
    let find = store.kv.find(filter_of(&range)).with_options(options).limit(most(limit));
    let mut cursor = find.session(&mut session).await.map_err(refused)?;
    let mut page = Page::new(limit);
    while page.has_room() {
        let Some(document) = cursor.next(&mut session).await.transpose().map_err(refused)? else { break };
        if page.add(entry_of(document)?).is_some() {
            break;
        }
    }
    Ok(page.entries)
}

/// In key order, and so many a reply that a page takes one.
fn options(page: usize) -> FindOptions {
    let batch = u32::try_from(page.saturating_add(1)).unwrap_or(u32::MAX);
    FindOptions::builder().sort(doc! { "_id": 1 }).batch_size(batch).max_time(REQUEST_DEADLINE).build()
}

/// A limit of 0 would mean none to the server.
fn most(limit: Limit) -> i64 {
    i64::try_from(limit.entries.clamp(1, SCAN_ENTRIES_MAX)).unwrap_or(i64::MAX)
}

/// One page as the contract cuts it: whichever limit is reached first ends it, but never before one entry.
struct Page {
    limit: Limit,
    entries: Vec<Entry>,
    bytes: usize,
}

impl Page {
    fn new(limit: Limit) -> Self {
        let limit =
            Limit { entries: limit.entries.min(SCAN_ENTRIES_MAX), bytes: limit.bytes.min(SCAN_BYTES_MAX) };
        Self { limit, entries: Vec::new(), bytes: 0 }
    }

    fn has_room(&self) -> bool {
        self.entries.len() < self.limit.entries
    }

    /// Gives the entry back that no longer fits.
    fn add(&mut self, entry: Entry) -> Option<Entry> {
        self.bytes += entry.value.as_bytes().len();
        if self.bytes > self.limit.bytes && !self.entries.is_empty() {
            return Some(entry);
        }
        self.entries.push(entry);
        None
    }
}

/// One instant of everything: a cursor at one time. A cursor that is lost (a failover, an idle client) is opened again
/// at the same time, after the last key that was read.
pub(crate) struct Snapshot {
    kv: Collection<Document>,
    session: ClientSession,
    cursor: Option<SessionCursor<Document>>,
    rest: Range,
    /// Read already, for the next page.
    held: Option<Entry>,
}

impl Snapshot {
    pub(crate) async fn take(store: &Place) -> Result<Self, StoreError> {
        let rest = Range { from: String::new(), to: None };
        let session = instant(store).await?;
        let mut snapshot = Self { kv: store.kv.clone(), session, cursor: None, rest, held: None };
        snapshot.open().await?;
        Ok(snapshot)
    }

    async fn open(&mut self) -> Result<(), StoreError> {
        let find = self.kv.find(filter_of(&self.rest)).with_options(options(SCAN_ENTRIES_MAX));
        self.cursor = Some(find.session(&mut self.session).await.map_err(refused)?);
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<Entry>, StoreError> {
        let lost = match &mut self.cursor {
            Some(cursor) => match cursor.next(&mut self.session).await.transpose() {
                Ok(document) => return document.map(entry_of).transpose(),
                Err(error) => error,
            },
            None => return Ok(None),
        };
        tracing::debug!(error = %lost, "a snapshot's cursor was lost: opening it again at the same time");
        self.open().await?;
        let Some(cursor) = &mut self.cursor else { return Ok(None) };
        let document = cursor.next(&mut self.session).await.transpose().map_err(refused)?;
        document.map(entry_of).transpose()
    }

    async fn page(&mut self, limit: Limit) -> Result<Vec<Entry>, StoreError> {
        let mut page = Page::new(limit);
        while page.has_room() {
            let next = match self.held.take() {
                Some(held) => Some(held),
                None => self.next().await?,
            };
            let Some(entry) = next else { break };
            self.rest = Range { from: String::new(), to: None }.after(entry.key.as_str());
            if let Some(entry) = page.add(entry) {
                self.held = Some(entry);
                break;
            }
        }
        Ok(page.entries)
    }
}

#[async_trait]
impl SnapshotReader for Snapshot {
    async fn next_page(&mut self, limit: Limit) -> Result<Vec<Entry>, StoreError> {
        bounded(self.page(limit)).await
    }
}
