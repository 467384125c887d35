//! One batch, one transaction: lock, judge, write, commit. A deadlock or a lost race for an absent key starts over.

use super::{refused, rows, unavailable};
use secrethub_core::{
    id::Rev,
    store::{
        Batch, CommitError, Key, Op, StoreError,
        judge::{Verdict, judge},
    },
};
use sqlx::{PgConnection, PgPool, Row};
use std::collections::HashMap;

/// Times a batch starts over. Each time somebody else got on.
const ATTEMPTS: usize = 64;

/// How one attempt ended without an answer of its own.
enum Stop {
    /// Nothing was done; somebody was faster with an absent key, or the server broke a deadlock.
    Again,
    Answer(CommitError),
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        // 40001 serialization_failure, 40P01 deadlock_detected: https://www.postgresql.org/docs/current/errcodes-appendix.html
        let code = error.as_database_error().and_then(|error| error.code());
        match code.as_deref() {
            Some("40001" | "40P01") => Self::Again,
            _ => Self::Answer(CommitError::NotApplied(refused(error))),
        }
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Answer(CommitError::NotApplied(error))
    }
}

pub(super) async fn apply(pool: &PgPool, batch: &Batch) -> Result<(), CommitError> {
    for _ in 0..ATTEMPTS {
        match attempt(pool, batch).await {
            Ok(()) => return Ok(()),
            Err(Stop::Answer(error)) => return Err(error),
            Err(Stop::Again) => {}
        }
    }
    Err(CommitError::NotApplied(unavailable("others were faster every time")))
}

async fn attempt(pool: &PgPool, batch: &Batch) -> Result<(), Stop> {
    let mut tx = pool.begin().await?;
    let found = lock(&mut tx, batch).await?;
    match judge(batch, |key| found.get(key.as_str()).copied()) {
        Verdict::Applied => return Ok(tx.rollback().await?),
        Verdict::Conflict(keys) => {
            tx.rollback().await?;
            return Err(Stop::Answer(CommitError::Conflict { keys }));
        }
        Verdict::Apply => {}
    }
    write(&mut tx, batch, &found).await?;
    rows::append(&mut tx, batch.records()).await?;
    tx.commit().await.map_err(|error| Stop::Answer(CommitError::Unknown(error.into())))
}

/// Locks every row that is there, in key order, and answers their revisions. Neighbours that need the same lock share
/// a statement; guards share their rows with other guards.
async fn lock(db: &mut PgConnection, batch: &Batch) -> Result<HashMap<String, Rev>, Stop> {
    const UPDATE: &str = "SELECT key, rev FROM kv WHERE key = ANY($1) ORDER BY key FOR UPDATE";
    const SHARE: &str = "SELECT key, rev FROM kv WHERE key = ANY($1) ORDER BY key FOR SHARE";
    let ops: Vec<(&Key, &Op)> = batch.ops().collect();
    let mut found = HashMap::with_capacity(ops.len());
    for run in ops.chunk_by(|(_, a), (_, b)| a.writes() == b.writes()) {
        let sql = if run[0].1.writes() { UPDATE } else { SHARE };
        let names: Vec<&str> = run.iter().map(|(key, _)| key.as_str()).collect();
        for row in sqlx::query(sql).bind(&names).fetch_all(&mut *db).await? {
            found.insert(row.try_get(0)?, Rev(super::array(&row, 1)?));
        }
    }
    Ok(found)
}

async fn write(db: &mut PgConnection, batch: &Batch, found: &HashMap<String, Rev>) -> Result<(), Stop> {
    let (mut new, mut old, mut gone) = (Columns::default(), Columns::default(), Vec::new());
    for (key, op) in batch.ops().filter(|(_, op)| op.writes()) {
        match op.value() {
            Some(value) if found.contains_key(key.as_str()) => old.push(key, value.as_bytes()),
            Some(value) => new.push(key, value.as_bytes()),
            None => gone.push(key.as_str()),
        }
    }
    let rev = batch.id().0.to_vec();
    if !new.keys.is_empty() && new.insert(db, &rev).await? != new.keys.len() as u64 {
        return Err(Stop::Again);
    }
    if !old.keys.is_empty() {
        old.update(db, &rev).await?;
    }
    if !gone.is_empty() {
        sqlx::query("DELETE FROM kv WHERE key = ANY($1)").bind(&gone).execute(db).await?;
    }
    Ok(())
}

/// Keys and values side by side, as `unnest` takes them.
#[derive(Default)]
struct Columns<'a> {
    keys: Vec<&'a str>,
    values: Vec<&'a [u8]>,
}

impl<'a> Columns<'a> {
    fn push(&mut self, key: &'a Key, value: &'a [u8]) {
        self.keys.push(key.as_str());
        self.values.push(value);
    }

    /// Claims absent keys, in key order. Fewer rows than keys: somebody was faster.
    async fn insert(&self, db: &mut PgConnection, rev: &[u8]) -> Result<u64, sqlx::Error> {
        let sql = r#"INSERT INTO kv (key, rev, value)
            SELECT k, $1, v FROM unnest($2::text[], $3::bytea[]) AS t (k, v) ORDER BY k COLLATE "C"
            ON CONFLICT (key) DO NOTHING"#;
        let done = sqlx::query(sql).bind(rev).bind(&self.keys).bind(&self.values).execute(db).await?;
        Ok(done.rows_affected())
    }

    /// Changes rows that are locked already.
    async fn update(&self, db: &mut PgConnection, rev: &[u8]) -> Result<(), sqlx::Error> {
        let sql = "UPDATE kv SET rev = $1, value = t.v
            FROM unnest($2::text[], $3::bytea[]) AS t (k, v) WHERE kv.key = t.k";
        sqlx::query(sql).bind(rev).bind(&self.keys).bind(&self.values).execute(db).await.map(drop)
    }
}
