//! The table `audit_logs`.

use super::{
    BACKEND,
    fault::Fault,
    pool::Pool,
    read::array,
    statement::{self, Statement, Value},
};
use crate::columns::unreadable;
use secrethub_core::{
    audit::{AuditPage, AuditQuery, AuditRow, Columns, Cursor, Head, Linked, Status},
    id::{BootId, Timestamp},
    limits,
    store::{Range, StoreError},
};
use sqlx::{Row, postgres::PgRow};
use std::{sync::Arc, time::Duration};

/// How long the server may look through the log for a page.
const SEARCH_MAX: Duration = Duration::from_secs(30);

/// The columns as they are read. The session's time zone and style of dates have no say in how a time is written.
const SELECT: &str = "SELECT (extract(epoch FROM timestamp) * 1000000)::bigint, operation, secret_id, client_ip, status,
    actor, accessor, path, mount, user_agent, rule, request_id, lease_id, error, elapsed_us, chain, seq, canonical, link
    FROM audit_logs WHERE ";

/// Adds the arguments that carry records, in the order in which `secrethub_commit` takes them.
pub(super) fn with_records(statement: Statement, records: &[Linked]) -> Statement {
    type Text = fn(&Columns) -> Option<&str>;
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
    let mut statement = statement.array("timestamptz[]", times.iter().map(|time| Value::Text(time)));
    for text in texts {
        statement = statement.sql(",").array("text[]", all().map(|r| text(&r.record.columns).into()));
    }
    statement
        .sql(",")
        .array("bigint[]", all().map(|r| Value::Int(r.record.columns.elapsed_us.cast_signed())))
        .sql(",")
        .array("bytea[]", all().map(|r| Value::Bytes(&r.record.chain.0)))
        .sql(",")
        .array("bigint[]", all().map(|r| Value::Int(r.record.seq.cast_signed())))
        .sql(",")
        .array("bytea[]", all().map(|r| Value::Bytes(&r.canonical)))
        .sql(",")
        .array("bytea[]", all().map(|r| Value::Bytes(&r.link)))
}

/// Rows of one chain in sequence.
pub(super) async fn read(
    pool: &Arc<Pool>,
    chain: BootId,
    from: u64,
    limit: usize,
) -> Result<Vec<AuditRow>, StoreError> {
    let Ok(from) = i64::try_from(from) else { return Ok(Vec::new()) };
    let statement = Statement::within(SEARCH_MAX)
        .sql(SELECT)
        .sql("chain = ")
        .value(Value::Bytes(&chain.0))
        .sql(" AND seq >= ")
        .value(from.into())
        .sql(" ORDER BY seq LIMIT ")
        .value(count(limit));
    rows(pool, statement).await
}

/// One page of a search, newest first.
pub(super) async fn search(
    pool: &Arc<Pool>,
    query: &AuditQuery,
    after: Option<Cursor>,
    limit: usize,
) -> Result<AuditPage, StoreError> {
    let mut statement = Statement::within(SEARCH_MAX).sql(SELECT).sql("true");
    let (from, to) = (query.from.map(Timestamp::to_rfc3339), query.to.map(Timestamp::to_rfc3339));
    let paths = query.path.as_deref().map(Range::prefix);
    let filters: [(&'static str, Option<&str>); 8] = [
        (" AND timestamp >= ", from.as_deref()),
        (" AND timestamp < ", to.as_deref()),
        (" AND actor = ", query.actor.as_deref()),
        (" AND operation = ", query.operation.as_deref()),
        (" AND status = ", query.status.map(Status::as_str)),
        (" AND secret_id = ", query.secret_id.as_deref()),
        (" AND request_id = ", query.request_id.as_deref()),
        (" AND path >= ", paths.as_ref().map(|paths| paths.from.as_str())),
    ];
    for (sql, value) in filters {
        if let Some(value) = value {
            statement = statement.sql(sql).value(value.into());
        }
    }
    if let Some(to) = paths.as_ref().and_then(|paths| paths.to.as_deref()) {
        statement = statement.sql(" AND path < ").value(to.into());
    }
    if let Some(after) = after {
        statement = statement
            .sql(" AND (timestamp, chain, seq) < (")
            .value(Value::Text(&after.timestamp.to_rfc3339()))
            .sql(",")
            .value(Value::Bytes(&after.chain.0))
            .sql(",")
            .value(after.seq.cast_signed().into())
            .sql(")");
    }
    let statement =
        statement.sql(" ORDER BY timestamp DESC, chain DESC, seq DESC LIMIT ").value(count(limit));
    Ok(AuditPage::new(rows(pool, statement).await?, limit))
}

/// First and last of every chain. Steps from chain to chain through the index: the log may be long, its chains are few.
pub(super) async fn heads(pool: &Arc<Pool>) -> Result<Vec<Head>, StoreError> {
    let statement = Statement::within(SEARCH_MAX).sql(
        "WITH RECURSIVE chains AS (
            (SELECT chain FROM audit_logs ORDER BY chain LIMIT 1)
            UNION ALL
            SELECT (SELECT chain FROM audit_logs WHERE chain > chains.chain ORDER BY chain LIMIT 1)
            FROM chains WHERE chains.chain IS NOT NULL)
        SELECT chain, (SELECT min(seq) FROM audit_logs a WHERE a.chain = chains.chain),
            (SELECT max(seq) FROM audit_logs a WHERE a.chain = chains.chain)
        FROM chains WHERE chain IS NOT NULL ORDER BY chain",
    );
    let rows = pool.read(SEARCH_MAX, statement).await.map_err(Fault::into_store)?;
    let head = |row: &PgRow| {
        Ok(Head { chain: BootId(array(row, 0)?), first: number(row, 1)?, last: number(row, 2)? })
    };
    rows.iter().map(head).collect()
}

/// Removes the oldest rows of a chain below a number. Asked twice, it removes no more than it should: nothing above.
pub(super) async fn prune(
    pool: &Arc<Pool>,
    chain: BootId,
    below: u64,
    limit: usize,
) -> Result<u64, StoreError> {
    let statement = Statement::within(SEARCH_MAX)
        .sql("WITH doomed AS (SELECT seq FROM audit_logs WHERE chain = ")
        .value(Value::Bytes(&chain.0))
        .sql(" AND seq < ")
        .value(statement::number(below))
        .sql(" ORDER BY seq LIMIT ")
        .value(statement::number(limit))
        .sql("), gone AS (DELETE FROM audit_logs USING doomed WHERE audit_logs.seq = doomed.seq AND chain = ")
        .value(Value::Bytes(&chain.0))
        .sql(" RETURNING 1) SELECT count(*) FROM gone");
    let rows = pool.write(SEARCH_MAX, statement).await.map_err(Fault::into_store)?;
    rows.first().map_or(Ok(0), |row| number(row, 0))
}

async fn rows(pool: &Arc<Pool>, statement: Statement) -> Result<Vec<AuditRow>, StoreError> {
    let rows = pool.read(SEARCH_MAX, statement).await.map_err(Fault::into_store)?;
    rows.iter().map(row_of).collect()
}

/// A row in the order of [`SELECT`].
fn row_of(row: &PgRow) -> Result<AuditRow, StoreError> {
    let text = |at: usize| row.try_get::<Option<String>, _>(at).map_err(refused);
    let given = |at: usize| row.try_get::<String, _>(at).map_err(refused);
    let columns = Columns {
        timestamp: Timestamp(number(row, 0)?),
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

fn refused(error: sqlx::Error) -> StoreError {
    Fault::of(error).into_store()
}

fn number(row: &PgRow, at: usize) -> Result<u64, StoreError> {
    row.try_get::<i64, _>(at).map(i64::cast_unsigned).map_err(refused)
}

fn count(limit: usize) -> Value<'static> {
    statement::number(limit.min(limits::AUDIT_PAGE_MAX))
}
