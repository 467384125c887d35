//! PostgreSQL: as much as it takes to know that the contract can be kept there. Isolation is READ COMMITTED; what
//! makes a batch one instant are its locks, held until COMMIT: rows that are there are locked in key order, keys that
//! are not are claimed by an insert in key order.
//!
//! Still to come: migrations, TLS settings, partitions of `audit_logs`, the warning about a missing standby.

mod address;
mod open;
mod rows;
mod write;

use async_trait::async_trait;
use futures::TryStreamExt;
use secrethub_core::{
    audit::{AuditPage, AuditQuery, AuditRow, Cursor, Head},
    error::BoxError,
    id::{BootId, Rev},
    limits,
    store::{
        AuditLog, Batch, CommitError, Entry, Key, Limit, Range, Sealed, SnapshotReader, Store, StoreError,
        judge::{check_batch, check_get},
    },
};
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Row, postgres::PgRow};
use std::collections::HashMap;

pub use open::{OpenError, Options};

/// The name of this backend in errors, logs and `seal-status`.
const BACKEND: &str = "postgresql";
/// Serialises the making of tables between nodes that start together ("SeHu").
const SCHEMA_LOCK: i64 = 0x5365_4875;

const SCHEMA: &str = r#"
    CREATE TABLE IF NOT EXISTS kv (key TEXT COLLATE "C" PRIMARY KEY, rev BYTEA NOT NULL, value BYTEA NOT NULL);
    CREATE TABLE IF NOT EXISTS audit_logs (
        timestamp TEXT COLLATE "C" NOT NULL, operation TEXT NOT NULL, secret_id TEXT, client_ip TEXT,
        status TEXT NOT NULL, actor TEXT, accessor TEXT, path TEXT COLLATE "C" NOT NULL, mount TEXT,
        user_agent TEXT, rule TEXT, request_id TEXT NOT NULL, lease_id TEXT, error TEXT,
        elapsed_us BIGINT NOT NULL, chain BYTEA NOT NULL, seq BIGINT NOT NULL, canonical BYTEA NOT NULL,
        link BYTEA NOT NULL
    );
    CREATE INDEX IF NOT EXISTS audit_logs_chain ON audit_logs (chain, seq);
    CREATE INDEX IF NOT EXISTS audit_logs_timestamp ON audit_logs (timestamp, chain, seq);
"#;

/// A database on a PostgreSQL server, shared with other nodes.
#[derive(Debug)]
pub struct Postgres {
    pool: PgPool,
    read_only: bool,
}

async fn make_tables(pool: &PgPool) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(SCHEMA_LOCK).execute(&mut *tx).await?;
    sqlx::raw_sql(SCHEMA).execute(&mut *tx).await?;
    tx.commit().await
}

fn refused(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::ColumnDecode { index, .. } => {
            StoreError::Corrupt { backend: BACKEND, what: format!("column {index}") }
        }
        other => unavailable(other),
    }
}

fn unavailable(source: impl Into<BoxError>) -> StoreError {
    StoreError::Unavailable { backend: BACKEND, source: source.into() }
}

#[async_trait]
impl Store for Postgres {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>, StoreError> {
        check_get(keys)?;
        let names: Vec<&str> = keys.iter().map(Key::as_str).collect();
        // One statement is one snapshot.
        let rows = sqlx::query("SELECT key, rev, value FROM kv WHERE key = ANY($1)")
            .bind(&names)
            .fetch_all(&self.pool)
            .await
            .map_err(refused)?;
        let entries = rows.iter().map(entry_of).collect::<Result<Vec<_>, _>>()?;
        let found: HashMap<&Key, &Entry> = entries.iter().map(|entry| (&entry.key, entry)).collect();
        Ok(keys.iter().map(|key| found.get(key).map(|entry| (*entry).clone())).collect())
    }

    async fn scan(&self, range: Range, limit: Limit) -> Result<Vec<Entry>, StoreError> {
        let mut db = self.pool.acquire().await.map_err(refused)?;
        page(&mut db, &range, limit).await
    }

    async fn commit(&self, batch: &Batch) -> Result<(), CommitError> {
        check_batch(batch)?;
        if self.read_only {
            return Err(unavailable("opened to read only").into());
        }
        write::apply(&self.pool, batch).await
    }

    async fn snapshot(&self) -> Result<Box<dyn SnapshotReader>, StoreError> {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
        let mut tx = self.pool.begin_with(begin).await.map_err(refused)?;
        // The first statement fixes the instant.
        sqlx::query("SELECT 1 FROM kv LIMIT 1").execute(&mut *tx).await.map_err(refused)?;
        Ok(Box::new(Snapshot { tx, rest: Range { from: String::new(), to: None } }))
    }

    fn kind(&self) -> &'static str {
        BACKEND
    }
}

#[async_trait]
impl AuditLog for Postgres {
    async fn search(
        &self,
        query: &AuditQuery,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<AuditPage, StoreError> {
        rows::search(&self.pool, query, after, limit).await
    }

    async fn read(&self, chain: BootId, from: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        rows::read(&self.pool, chain, from, limit).await
    }

    async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        rows::heads(&self.pool).await
    }

    async fn prune(&self, chain: BootId, below: u64, limit: usize) -> Result<u64, StoreError> {
        rows::prune(&self.pool, chain, below, limit).await
    }
}

struct Snapshot {
    tx: sqlx::Transaction<'static, sqlx::Postgres>,
    rest: Range,
}

#[async_trait]
impl SnapshotReader for Snapshot {
    async fn next_page(&mut self, limit: Limit) -> Result<Vec<Entry>, StoreError> {
        let page = page(&mut self.tx, &self.rest, limit).await?;
        if let Some(last) = page.last() {
            self.rest = self.rest.clone().after(last.key.as_str());
        }
        Ok(page)
    }
}

async fn page(db: &mut PgConnection, range: &Range, limit: Limit) -> Result<Vec<Entry>, StoreError> {
    let (from, above) = bound(&range.from);
    let (to, below) = range.to.as_deref().map_or(("", None), |to| {
        let (to, whole) = bound(to);
        (to, Some(whole))
    });
    let above = if above { "key >= $1" } else { "key > $1" };
    let below = match below {
        None => "$2 = ''",
        Some(true) => "key < $2",
        Some(false) => "key <= $2",
    };
    let sql = format!("SELECT key, rev, value FROM kv WHERE {above} AND {below} ORDER BY key LIMIT $3");
    let entries_max = i64::try_from(limit.entries.min(limits::SCAN_ENTRIES_MAX)).unwrap_or(i64::MAX);
    // Only two of six texts are chosen between; every value is bound.
    let query = sqlx::query(AssertSqlSafe(sql)).bind(from).bind(to).bind(entries_max);
    let mut rows = query.fetch(db);
    let (mut page, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.try_next().await.map_err(refused)? {
        let entry = entry_of(&row)?;
        bytes += entry.value.as_bytes().len();
        if bytes > limit.bytes.min(limits::SCAN_BYTES_MAX) && !page.is_empty() {
            break;
        }
        page.push(entry);
    }
    Ok(page)
}

/// Text of PostgreSQL holds no NUL, and no key does either: k < "a\0…" says k ≤ "a". Answers the text before the
/// first NUL, and whether that is all of it.
fn bound(text: &str) -> (&str, bool) {
    match text.split_once('\0') {
        Some((before, _)) => (before, false),
        None => (text, true),
    }
}

fn entry_of(row: &PgRow) -> Result<Entry, StoreError> {
    let key = Key::new(row.try_get::<&str, _>(0).map_err(refused)?)?;
    let rev = Rev(array(row, 1)?);
    Ok(Entry { key, rev, value: Sealed::from_stored(row.try_get(2).map_err(refused)?) })
}

/// Bytes of a fixed width.
fn array<const N: usize>(row: &PgRow, at: usize) -> Result<[u8; N], StoreError> {
    let bytes: &[u8] = row.try_get(at).map_err(refused)?;
    let what = || format!("column {at} has {} bytes instead of {N}", bytes.len());
    bytes.try_into().map_err(|_| StoreError::Corrupt { backend: BACKEND, what: what() })
}
