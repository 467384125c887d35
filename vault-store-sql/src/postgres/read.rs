//! Reading entries: a statement is a snapshot.

use super::{
    BACKEND,
    fault::Fault,
    pool::{Lease, Pool},
    statement::{Statement, Value, number},
};
use async_trait::async_trait;
use secrethub_core::{
    id::Rev,
    limits,
    store::{Entry, Key, Limit, Range, Sealed, SnapshotReader, StoreError},
};
use sqlx::{Row, postgres::PgRow};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// How long the server may take to read a page.
const READ_MAX: Duration = Duration::from_secs(5);

pub(super) async fn get(pool: &Arc<Pool>, keys: &[Key]) -> Result<Vec<Option<Entry>>, StoreError> {
    let statement = Statement::within(READ_MAX)
        .sql("SELECT key, rev, value FROM kv WHERE key = ANY(")
        .array("text[]", keys.iter().map(|key| Value::Text(key.as_str())))
        .sql(")");
    let rows = pool.read(READ_MAX, statement).await.map_err(Fault::into_store)?;
    let entries = rows.iter().map(entry_of).collect::<Result<Vec<_>, _>>()?;
    let found: HashMap<&Key, &Entry> = entries.iter().map(|entry| (&entry.key, entry)).collect();
    Ok(keys.iter().map(|key| found.get(key).map(|entry| (*entry).clone())).collect())
}

pub(super) async fn scan(pool: &Arc<Pool>, range: &Range, limit: Limit) -> Result<Vec<Entry>, StoreError> {
    let statement = page(Statement::within(READ_MAX), range, limit);
    let rows = pool.read(READ_MAX, statement).await.map_err(Fault::into_store)?;
    entries_of(&rows)
}

/// Bytes of the whole database on the server's disk.
pub(super) async fn size(pool: &Arc<Pool>) -> Result<u64, StoreError> {
    let statement = Statement::within(READ_MAX).sql("SELECT pg_database_size(current_database())");
    let rows = pool.read(READ_MAX, statement).await.map_err(Fault::into_store)?;
    let size: Option<i64> = rows.first().and_then(|row| row.try_get(0).ok());
    size.and_then(|size| u64::try_from(size).ok())
        .ok_or_else(|| StoreError::Corrupt { backend: BACKEND, what: "pg_database_size".to_owned() })
}

/// One instant of everything, on a connection of its own, in one transaction.
pub(super) struct Snapshot {
    lease: Lease,
    rest: Range,
}

impl Snapshot {
    pub(super) async fn begin(pool: &Arc<Pool>) -> Result<Self, StoreError> {
        let mut lease = pool.acquire().await.map_err(Fault::into_store)?;
        // The first statement that reads fixes the instant. A standby would refuse to be anything but read-only.
        let text = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ WRITE; SET TRANSACTION READ ONLY;
            SELECT FROM kv LIMIT 1";
        lease.ask(READ_MAX, text.to_owned()).await.map_err(Fault::into_store)?;
        Ok(Self { lease, rest: Range { from: String::new(), to: None } })
    }
}

#[async_trait]
impl SnapshotReader for Snapshot {
    async fn next_page(&mut self, limit: Limit) -> Result<Vec<Entry>, StoreError> {
        let text = page(Statement::inside(), &self.rest, limit).into_text();
        let rows = self.lease.ask(READ_MAX, text).await.map_err(Fault::into_store)?;
        let page = entries_of(&rows)?;
        if let Some(last) = page.last() {
            self.rest = self.rest.clone().after(last.key.as_str());
        }
        Ok(page)
    }
}

/// Of the page's entries, as many as its bytes allow, and one at least; the server counts, so that no more travel.
fn page(statement: Statement, range: &Range, limit: Limit) -> Statement {
    let (from, whole) = bound(&range.from);
    let statement = statement
        .sql("SELECT key, rev, value FROM (SELECT key, rev, value, sum(length(value)) OVER (ORDER BY key) AS bytes,
             row_number() OVER (ORDER BY key) AS at FROM (SELECT key, rev, value FROM kv WHERE key ")
        .sql(if whole { ">= " } else { "> " })
        .value(Value::Text(from));
    let statement = match range.to.as_deref().map(bound) {
        Some((to, whole)) => {
            statement.sql(if whole { " AND key < " } else { " AND key <= " }).value(Value::Text(to))
        }
        None => statement,
    };
    statement
        .sql(" ORDER BY key LIMIT ")
        .value(number(limit.entries.min(limits::SCAN_ENTRIES_MAX)))
        .sql(") AS range) AS counted WHERE at = 1 OR bytes <= ")
        .value(number(limit.bytes.min(limits::SCAN_BYTES_MAX)))
        .sql(" ORDER BY key")
}

/// Text of PostgreSQL holds no NUL, and no key does either: k < "a\0…" says k ≤ "a". Answers the text before the
/// first NUL, and whether that is all of it.
fn bound(text: &str) -> (&str, bool) {
    match text.split_once('\0') {
        Some((before, _)) => (before, false),
        None => (text, true),
    }
}

fn entries_of(rows: &[PgRow]) -> Result<Vec<Entry>, StoreError> {
    rows.iter().map(entry_of).collect()
}

fn entry_of(row: &PgRow) -> Result<Entry, StoreError> {
    let refused = |error| Fault::of(error).into_store();
    let key = Key::new(row.try_get::<&str, _>(0).map_err(refused)?)?;
    let rev = Rev(array(row, 1)?);
    Ok(Entry { key, rev, value: Sealed::from_stored(row.try_get(2).map_err(refused)?) })
}

/// Bytes of a fixed width.
pub(super) fn array<const N: usize>(row: &PgRow, at: usize) -> Result<[u8; N], StoreError> {
    let bytes: Vec<u8> = row.try_get(at).map_err(|error| Fault::of(error).into_store())?;
    let what = format!("column {at} has {} bytes instead of {N}", bytes.len());
    bytes.try_into().map_err(|_| StoreError::Corrupt { backend: BACKEND, what })
}
