//! Reads of entries, each in one read transaction, on a small pool of connections.

use super::{
    error::{OpenError, refused, unavailable},
    open::Place,
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use secrethub_core::{
    id::Rev,
    limits,
    store::{Entry, Key, Limit, Range, Sealed, StoreError},
};
use std::sync::{Mutex, PoisonError};

/// Connections kept for the next reader; more are opened under load and closed after it.
const KEPT: usize = 8;

/// Idle connections. Reads run on the caller's thread: a page that SQLite or the system has in memory is read in a few
/// microseconds, less than handing the work to another thread would cost.
#[derive(Debug, Default)]
pub(super) struct Readers(Mutex<Vec<Connection>>);

impl Readers {
    /// Lends a connection.
    pub(super) fn with<T>(
        &self,
        place: &Place,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let db = match idle {
            Some(db) => db,
            None => place.reader().map_err(down)?,
        };
        let answer = read(&db);
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A connection that is still in a transaction would show old data for ever.
        if idle.len() < KEPT && db.is_autocommit() {
            idle.push(db);
        }
        answer
    }
}

fn down(error: OpenError) -> StoreError {
    match error {
        OpenError::Corrupt { what, .. } => StoreError::Corrupt { backend: super::error::BACKEND, what },
        other => unavailable(other),
    }
}

/// Runs `read` at one instant.
pub(super) fn instant<T>(
    db: &Connection,
    read: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let step = |sql| db.prepare_cached(sql).and_then(|mut step| step.execute([])).map_err(refused);
    step("BEGIN")?;
    let answer = read();
    step("COMMIT")?;
    answer
}

/// Entries in the order asked, at one instant.
pub(super) fn get(db: &Connection, keys: &[Key]) -> Result<Vec<Option<Entry>>, StoreError> {
    let read = || {
        let mut find = db.prepare_cached("SELECT rev, value FROM kv WHERE key = ?1").map_err(refused)?;
        let mut one = |key: &Key| {
            let found = find.query_row([key.as_str()], |row| Ok((row.get(0)?, row.get(1)?))).optional();
            let found = found.map_err(refused)?;
            Ok(found.map(|(rev, value)| Entry {
                key: key.clone(),
                rev: Rev(rev),
                value: Sealed::from_stored(value),
            }))
        };
        keys.iter().map(&mut one).collect()
    };
    // A single statement is an instant by itself.
    if keys.len() < 2 { read() } else { instant(db, read) }
}

/// One page of a table shaped like `kv`. A single statement is an instant by itself.
pub(super) fn scan(
    db: &Connection,
    table: &str,
    range: &Range,
    limit: Limit,
) -> Result<Vec<Entry>, StoreError> {
    let entries_max = limit.entries.min(limits::SCAN_ENTRIES_MAX);
    let bytes_max = limit.bytes.min(limits::SCAN_BYTES_MAX);
    let above = if range.to.is_some() { "AND key < ?2" } else { "AND ?2 IS NULL" };
    let sql = format!("SELECT key, rev, value FROM {table} WHERE key >= ?1 {above} ORDER BY key LIMIT ?3");
    let mut statement = db.prepare_cached(&sql).map_err(refused)?;
    let entries_max = i64::try_from(entries_max).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![range.from, range.to, entries_max]).map_err(refused)?;
    let (mut page, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next().map_err(refused)? {
        let entry = entry_of(row)?;
        bytes += entry.value.as_bytes().len();
        if bytes > bytes_max && !page.is_empty() {
            break;
        }
        page.push(entry);
    }
    Ok(page)
}

fn entry_of(row: &Row<'_>) -> Result<Entry, StoreError> {
    let fields = || Ok((row.get_ref(0)?.as_str()?, row.get(1)?, row.get(2)?));
    let (key, rev, value) = fields().map_err(|error: rusqlite::Error| refused(error))?;
    Ok(Entry { key: Key::new(key)?, rev: Rev(rev), value: Sealed::from_stored(value) })
}
