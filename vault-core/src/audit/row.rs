//! Rows as a store keeps them, and the questions that can be asked of them.

use super::record::{AuditRecord, Columns, Status};
use crate::id::{BootId, Timestamp};

/// A record with its canonical bytes and its link: what a batch carries into the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// The record.
    pub record: AuditRecord,
    /// Its canonical bytes.
    pub canonical: Vec<u8>,
    /// SHA-256(domain ‖ previous link ‖ canonical).
    pub link: [u8; 32],
}

/// A record as a store gives it back. `columns` are what the table holds: `verify` derives them again from
/// `canonical` and compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// The chain.
    pub chain: BootId,
    /// Its place there.
    pub seq: u64,
    /// The columns as stored.
    pub columns: Columns,
    /// The canonical bytes as stored.
    pub canonical: Vec<u8>,
    /// The link as stored.
    pub link: [u8; 32],
}

impl AuditRow {
    /// What a store keeps of a linked record.
    pub fn of(linked: &Linked) -> Self {
        Self {
            chain: linked.record.chain,
            seq: linked.record.seq,
            columns: linked.record.columns.clone(),
            canonical: linked.canonical.clone(),
            link: linked.link,
        }
    }

    /// Where it stands in the order of a search.
    pub fn cursor(&self) -> Cursor {
        Cursor { timestamp: self.columns.timestamp, chain: self.chain, seq: self.seq }
    }
}

/// A place in the order of a search: by time, then chain, then sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// Time of the last row seen.
    pub timestamp: Timestamp,
    /// Its chain.
    pub chain: BootId,
    /// Its sequence number.
    pub seq: u64,
}

/// A page of rows, newest first, and where the next one starts.
#[derive(Clone, Debug, Default)]
pub struct AuditPage {
    /// The rows.
    pub rows: Vec<AuditRow>,
    /// Pass it to get the next page; `None` at the end.
    pub next: Option<Cursor>,
}

impl AuditPage {
    /// A page that was asked for with `limit`.
    pub fn new(rows: Vec<AuditRow>, limit: usize) -> Self {
        let full = rows.len() >= limit.min(crate::limits::AUDIT_PAGE_MAX);
        let next = if full { rows.last().map(AuditRow::cursor) } else { None };
        Self { rows, next }
    }
}

/// Which rows to find. Every field that is set must match.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
    /// Exact actor.
    pub actor: Option<String>,
    /// Paths that start so.
    pub path: Option<String>,
    /// Exact operation.
    pub operation: Option<String>,
    /// Exact status.
    pub status: Option<Status>,
    /// Exact secret id.
    pub secret_id: Option<String>,
    /// Exact request id.
    pub request_id: Option<String>,
}

impl AuditQuery {
    /// Does a row's columns match.
    pub fn matches(&self, columns: &Columns) -> bool {
        let same = |want: &Option<String>, have: Option<&str>| want.is_none() || want.as_deref() == have;
        self.from.is_none_or(|from| columns.timestamp >= from)
            && self.to.is_none_or(|to| columns.timestamp < to)
            && same(&self.actor, columns.actor.as_deref())
            && self.path.as_ref().is_none_or(|path| columns.path.starts_with(path.as_str()))
            && same(&self.operation, Some(&columns.operation))
            && self.status.is_none_or(|status| columns.status == status)
            && same(&self.secret_id, columns.secret_id.as_deref())
            && same(&self.request_id, Some(&columns.request_id))
    }
}

/// What is left of one chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The chain.
    pub chain: BootId,
    /// Lowest sequence number.
    pub first: u64,
    /// Highest sequence number.
    pub last: u64,
}
