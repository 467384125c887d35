//! One batch, one transaction: find, judge, write, commit.

use super::{error::refused, reserve::Reserve, rows};
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use secrethub_core::{
    id::{BootId, Rev},
    store::{
        Batch, CommitError, Key, StoreError,
        judge::{Verdict, judge},
    },
};
use std::collections::HashMap;

/// Applies a batch, an urgent one from the reserve if it must be.
pub(super) fn apply(db: &Connection, batch: &Batch, reserve: &mut Reserve) -> Result<(), CommitError> {
    if !batch.is_urgent() {
        reserve.check(db)?;
    }
    match attempt(db, batch) {
        Err(CommitError::NotApplied(StoreError::Full { .. })) if batch.is_urgent() && reserve.release() => {
            attempt(db, batch)
        }
        answer => answer,
    }
}

/// Removes the oldest rows of a chain below a number, from the reserve if it must be.
pub(super) fn prune(
    db: &Connection,
    (chain, below): (BootId, u64),
    limit: usize,
    reserve: &mut Reserve,
) -> Result<u64, StoreError> {
    match remove(db, chain, below, limit) {
        Err(StoreError::Full { .. }) if reserve.release() => remove(db, chain, below, limit),
        answer => answer,
    }
}

/// Everything before COMMIT is undone by an error, so nothing was applied.
fn attempt(db: &Connection, batch: &Batch) -> Result<(), CommitError> {
    execute(db, "BEGIN IMMEDIATE").map_err(refused)?;
    match stage(db, batch) {
        Ok(Verdict::Apply) => commit(db),
        Ok(verdict) => {
            roll_back(db);
            match verdict {
                Verdict::Conflict(keys) => Err(CommitError::Conflict { keys }),
                _ => Ok(()),
            }
        }
        Err(error) => {
            roll_back(db);
            Err(CommitError::NotApplied(error))
        }
    }
}

fn remove(db: &Connection, chain: BootId, below: u64, limit: usize) -> Result<u64, StoreError> {
    let below = i64::try_from(below).unwrap_or(i64::MAX);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let statement = db.prepare_cached(
        "DELETE FROM audit_logs WHERE chain = ?1 AND seq IN
         (SELECT seq FROM audit_logs WHERE chain = ?1 AND seq < ?2 ORDER BY seq LIMIT ?3)",
    );
    let gone = statement.and_then(|mut delete| delete.execute(params![chain.0, below, limit]));
    Ok(gone.map_err(refused)? as u64)
}

/// Pages that a commit will dirty, in bytes and roughly: what checkpoints are counted by.
pub(super) fn weight(batch: &Batch) -> u64 {
    const COMMIT: usize = 4 * 8_192;
    let ops =
        batch.ops().map(|(key, op)| key.as_str().len() + op.value().map_or(0, |v| v.as_bytes().len()) + 64);
    let records = batch.records().iter().map(|record| 2 * record.canonical.len() + 128);
    (COMMIT + ops.sum::<usize>() + records.sum::<usize>()) as u64
}

fn stage(db: &Connection, batch: &Batch) -> Result<Verdict, StoreError> {
    let found = revisions(db, batch).map_err(refused)?;
    let verdict = judge(batch, |key| found.get(key).copied());
    if verdict == Verdict::Apply {
        write_entries(db, batch).map_err(refused)?;
        rows::append(db, batch.records()).map_err(refused)?;
    }
    Ok(verdict)
}

fn revisions<'a>(db: &Connection, batch: &'a Batch) -> rusqlite::Result<HashMap<&'a Key, Rev>> {
    let mut find = db.prepare_cached("SELECT rev FROM kv WHERE key = ?1")?;
    let mut found = HashMap::with_capacity(batch.ops().len());
    for (key, _) in batch.ops() {
        if let Some(rev) = find.query_row([key.as_str()], |row| row.get(0)).optional()? {
            found.insert(key, Rev(rev));
        }
    }
    Ok(found)
}

fn write_entries(db: &Connection, batch: &Batch) -> rusqlite::Result<()> {
    let mut put = db.prepare_cached(
        "INSERT INTO kv (key, rev, value) VALUES (?1, ?2, ?3)
         ON CONFLICT (key) DO UPDATE SET rev = excluded.rev, value = excluded.value",
    )?;
    let mut remove = db.prepare_cached("DELETE FROM kv WHERE key = ?1")?;
    for (key, op) in batch.ops().filter(|(_, op)| op.writes()) {
        match op.value() {
            Some(value) => put.execute(params![key.as_str(), batch.id().0, value.as_bytes()])?,
            None => remove.execute([key.as_str()])?,
        };
    }
    Ok(())
}

/// An error here leaves open whether the log's last page reached the disk and will be found there after a crash —
/// unless the disk was full: then that page was refused, and what is not whole in the log is nothing.
fn commit(db: &Connection) -> Result<(), CommitError> {
    let Err(error) = execute(db, "COMMIT") else { return Ok(()) };
    roll_back(db);
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Err(CommitError::NotApplied(refused(error))),
        _ => Err(CommitError::Unknown(error.into())),
    }
}

/// SQLite has rolled back by itself after some errors, and then there is nothing to do.
fn roll_back(db: &Connection) {
    if !db.is_autocommit()
        && let Err(error) = execute(db, "ROLLBACK")
    {
        tracing::error!(%error, "rollback failed");
    }
}

fn execute(db: &Connection, sql: &str) -> rusqlite::Result<()> {
    db.prepare_cached(sql)?.execute([]).map(drop)
}
