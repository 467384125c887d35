//! The table `audit_logs`.

use super::{BACKEND, array, refused};
use crate::columns::{AUDIT_COLUMNS, unreadable};
use secrethub_core::{
    audit::{AuditPage, AuditQuery, AuditRow, Columns, Cursor, Head, Linked, Status},
    id::{BootId, Timestamp},
    limits,
    store::{Range, StoreError},
};
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Row, postgres::PgRow};

/// Appends records in one statement.
pub(super) async fn append(db: &mut PgConnection, records: &[Linked]) -> Result<(), sqlx::Error> {
    if records.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "INSERT INTO audit_logs ({AUDIT_COLUMNS}) SELECT * FROM unnest($1::text[], $2::text[], $3::text[],
         $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
         $12::text[], $13::text[], $14::text[], $15::bigint[], $16::bytea[], $17::bigint[], $18::bytea[],
         $19::bytea[])"
    );
    type Text = fn(&Columns) -> Option<&str>;
    // In the order of AUDIT_COLUMNS, after the timestamp and up to the numbers.
    let texts: [Text; 13] = [
        |c| Some(&c.operation),
        |c| c.secret_id.as_deref(),
        |c| c.client_ip.as_deref(),
        |c| Some(c.status.as_str()),
        |c| c.actor.as_deref(),
        |c| c.accessor.as_deref(),
        |c| Some(&c.path),
        |c| c.mount.as_deref(),
        |c| c.user_agent.as_deref(),
        |c| c.rule.as_deref(),
        |c| Some(&c.request_id),
        |c| c.lease_id.as_deref(),
        |c| c.error.as_deref(),
    ];
    let all = || records.iter();
    let times: Vec<String> = all().map(|r| r.record.columns.timestamp.to_rfc3339()).collect();
    let mut query = sqlx::query(AssertSqlSafe(sql)).bind(times);
    for text in texts {
        query = query.bind(all().map(|r| text(&r.record.columns)).collect::<Vec<_>>());
    }
    query
        .bind(all().map(|r| r.record.columns.elapsed_us.cast_signed()).collect::<Vec<_>>())
        .bind(all().map(|r| r.record.chain.0.as_slice()).collect::<Vec<_>>())
        .bind(all().map(|r| r.record.seq.cast_signed()).collect::<Vec<_>>())
        .bind(all().map(|r| r.canonical.as_slice()).collect::<Vec<_>>())
        .bind(all().map(|r| r.link.as_slice()).collect::<Vec<_>>())
        .execute(db)
        .await
        .map(drop)
}

/// Rows of one chain in sequence.
pub(super) async fn read(
    pool: &PgPool,
    chain: BootId,
    from: u64,
    limit: usize,
) -> Result<Vec<AuditRow>, StoreError> {
    let Ok(from) = i64::try_from(from) else { return Ok(Vec::new()) };
    let sql = format!(
        "SELECT {AUDIT_COLUMNS} FROM audit_logs WHERE chain = $1 AND seq >= $2 ORDER BY seq LIMIT $3"
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(chain.0.to_vec()).bind(from).bind(count(limit));
    let rows = query.fetch_all(pool).await.map_err(refused)?;
    rows.iter().map(row_of).collect()
}

/// One page of a search, newest first. A filter that is not set is NULL and holds for every row.
pub(super) async fn search(
    pool: &PgPool,
    query: &AuditQuery,
    after: Option<Cursor>,
    limit: usize,
) -> Result<AuditPage, StoreError> {
    let sql = format!(
        "SELECT {AUDIT_COLUMNS} FROM audit_logs
         WHERE ($1::text IS NULL OR timestamp >= $1) AND ($2::text IS NULL OR timestamp < $2)
         AND ($3::text IS NULL OR (timestamp, chain, seq) < ($3, $4::bytea, $5::bigint))
         AND ($6::text IS NULL OR actor = $6) AND ($7::text IS NULL OR operation = $7)
         AND ($8::text IS NULL OR status = $8) AND ($9::text IS NULL OR secret_id = $9)
         AND ($10::text IS NULL OR request_id = $10)
         AND ($11::text IS NULL OR path >= $11) AND ($12::text IS NULL OR path < $12)
         ORDER BY timestamp DESC, chain DESC, seq DESC LIMIT $13"
    );
    let paths = query.path.as_deref().map(Range::prefix);
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(query.from.map(Timestamp::to_rfc3339))
        .bind(query.to.map(Timestamp::to_rfc3339))
        .bind(after.map(|after| after.timestamp.to_rfc3339()))
        .bind(after.map(|after| after.chain.0.to_vec()))
        .bind(after.map(|after| after.seq.cast_signed()))
        .bind(&query.actor)
        .bind(&query.operation)
        .bind(query.status.map(Status::as_str))
        .bind(&query.secret_id)
        .bind(&query.request_id)
        .bind(paths.as_ref().map(|paths| paths.from.clone()))
        .bind(paths.and_then(|paths| paths.to))
        .bind(count(limit))
        .fetch_all(pool)
        .await
        .map_err(refused)?;
    Ok(AuditPage::new(rows.iter().map(row_of).collect::<Result<_, _>>()?, limit))
}

/// First and last of every chain.
pub(super) async fn heads(pool: &PgPool) -> Result<Vec<Head>, StoreError> {
    let sql = "SELECT chain, min(seq), max(seq) FROM audit_logs GROUP BY chain ORDER BY chain";
    let rows = sqlx::query(sql).fetch_all(pool).await.map_err(refused)?;
    let head = |row: &PgRow| {
        Ok(Head { chain: BootId(array(row, 0)?), first: number(row, 1)?, last: number(row, 2)? })
    };
    rows.iter().map(head).collect()
}

/// Removes the oldest rows of a chain below a number.
pub(super) async fn prune(pool: &PgPool, chain: BootId, below: u64, limit: usize) -> Result<u64, StoreError> {
    let sql = "DELETE FROM audit_logs WHERE chain = $1 AND seq IN
        (SELECT seq FROM audit_logs WHERE chain = $1 AND seq < $2 ORDER BY seq LIMIT $3)";
    let done = sqlx::query(sql)
        .bind(chain.0.to_vec())
        .bind(i64::try_from(below).unwrap_or(i64::MAX))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .execute(pool)
        .await
        .map_err(refused)?;
    Ok(done.rows_affected())
}

/// A row by the order of [`AUDIT_COLUMNS`].
fn row_of(row: &PgRow) -> Result<AuditRow, StoreError> {
    let text = |at: usize| row.try_get::<Option<String>, _>(at).map_err(refused);
    let given = |at: usize| row.try_get::<String, _>(at).map_err(refused);
    let columns = Columns {
        timestamp: Timestamp::from_rfc3339(&given(0)?).ok_or_else(|| unreadable(BACKEND, "timestamp"))?,
        operation: given(1)?,
        secret_id: text(2)?,
        client_ip: text(3)?,
        status: Status::parse(&given(4)?).ok_or_else(|| unreadable(BACKEND, "status"))?,
        actor: text(5)?,
        accessor: text(6)?,
        path: given(7)?,
        mount: text(8)?,
        user_agent: text(9)?,
        rule: text(10)?,
        request_id: given(11)?,
        lease_id: text(12)?,
        error: text(13)?,
        elapsed_us: number(row, 14)?,
    };
    let (chain, seq) = (BootId(array(row, 15)?), number(row, 16)?);
    let canonical = row.try_get(17).map_err(refused)?;
    Ok(AuditRow { chain, seq, columns, canonical, link: array(row, 18)? })
}

fn number(row: &PgRow, at: usize) -> Result<u64, StoreError> {
    row.try_get::<i64, _>(at).map(i64::cast_unsigned).map_err(refused)
}

fn count(limit: usize) -> i64 {
    i64::try_from(limit.min(limits::AUDIT_PAGE_MAX)).unwrap_or(i64::MAX)
}
