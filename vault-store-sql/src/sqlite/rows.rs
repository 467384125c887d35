//! The table `audit_logs`: appended by the writer, read and searched by a thread of its own.

use super::error::{BACKEND, refused};
use super::read::instant;
use crate::columns::{AUDIT_COLUMNS, unreadable};
use rusqlite::{Connection, OptionalExtension, Row, Statement, ToSql, params, params_from_iter};
use secrethub_core::{
    audit::{AuditPage, AuditQuery, AuditRow, Columns, Cursor, Head, Linked, Status},
    id::{BootId, Timestamp},
    limits,
    store::{Range, StoreError},
};
use std::sync::LazyLock;

/// Rows of the index that one step of a search walks: some ten milliseconds, so that no read holds up the checkpoints.
const STEP: usize = 20_000;

/// Rows that one statement inserts. A statement costs something by itself and finds its place in each index anew: a quarter
/// of a row's work, with these; with more it does not become less.
const ROWS: usize = 8;

/// Appends records in their order.
pub(super) fn append(db: &Connection, records: &[Linked]) -> rusqlite::Result<()> {
    static MANY: LazyLock<String> = LazyLock::new(|| insert_of(ROWS));
    static ONE: LazyLock<String> = LazyLock::new(|| insert_of(1));
    let (many, few) = records.as_chunks::<ROWS>();
    insert(db, &MANY, many.iter().map(<[Linked; ROWS]>::as_slice))?;
    insert(db, &ONE, few.chunks(1))
}

/// What fails half-way need not be undone by the statement, for the transaction is: so SQLite keeps nothing to undo it with.
fn insert_of(rows: usize) -> String {
    let row = format!("({})", vec!["?"; AUDIT_COLUMNS.split(',').count()].join(","));
    format!("INSERT OR FAIL INTO audit_logs ({AUDIT_COLUMNS}) VALUES {}", vec![row; rows].join(","))
}

fn insert<'a>(
    db: &Connection,
    sql: &str,
    statements: impl ExactSizeIterator<Item = &'a [Linked]>,
) -> rusqlite::Result<()> {
    if statements.len() == 0 {
        return Ok(());
    }
    let mut insert = db.prepare_cached(sql)?;
    for rows in statements {
        for (at, linked) in rows.iter().enumerate() {
            bind(&mut insert, at, linked)?;
        }
        insert.raw_execute()?;
    }
    Ok(())
}

/// Binds the row at this place of the statement, by the order of [`AUDIT_COLUMNS`].
fn bind(insert: &mut Statement<'_>, at: usize, linked: &Linked) -> rusqlite::Result<()> {
    let Linked { record, canonical, link } = linked;
    let c = &record.columns;
    let values = params![
        c.timestamp.to_rfc3339(),
        c.operation,
        c.secret_id,
        c.client_ip,
        c.status.as_str(),
        c.actor,
        c.accessor,
        c.path,
        c.mount,
        c.user_agent,
        c.rule,
        c.request_id,
        c.lease_id,
        c.error,
        c.elapsed_us.cast_signed(),
        record.chain.0,
        record.seq.cast_signed(),
        canonical,
        link,
    ];
    let first = at * values.len() + 1;
    (first..).zip(values).try_for_each(|(place, value)| insert.raw_bind_parameter(place, value))
}

/// Rows of one chain in sequence.
pub(super) fn read(
    db: &Connection,
    chain: BootId,
    from: u64,
    limit: usize,
) -> Result<Vec<AuditRow>, StoreError> {
    let Ok(from) = i64::try_from(from) else { return Ok(Vec::new()) };
    let sql = format!(
        "SELECT {AUDIT_COLUMNS} FROM audit_logs WHERE chain = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3"
    );
    collect(db, &sql, &[&chain.0, &from, &page_size(limit)])
}

/// First and last of every chain, found by jumping from chain to chain and not by walking all rows.
pub(super) fn heads(db: &Connection) -> Result<Vec<Head>, StoreError> {
    instant(db, || {
        let sql = "SELECT chain, seq FROM audit_logs WHERE chain > ?1 ORDER BY chain, seq LIMIT 1";
        let mut first = db.prepare_cached(sql).map_err(refused)?;
        let mut last =
            db.prepare_cached("SELECT max(seq) FROM audit_logs WHERE chain = ?1").map_err(refused)?;
        let (mut heads, mut after) = (Vec::new(), Vec::new());
        while let Some((chain, lowest)) = first
            .query_row([&after], |row| Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, i64>(1)?)))
            .optional()
            .map_err(refused)?
        {
            let highest: i64 = last.query_row([chain], |row| row.get(0)).map_err(refused)?;
            let (first, last) = (lowest.cast_unsigned(), highest.cast_unsigned());
            heads.push(Head { chain: BootId(chain), first, last });
            after = chain.to_vec();
        }
        Ok(heads)
    })
}

/// One page of a search, newest first. It walks the index by steps, each its own short read, until the page is full.
pub(super) fn search(
    db: &Connection,
    query: &AuditQuery,
    after: Option<Cursor>,
    limit: usize,
) -> Result<AuditPage, StoreError> {
    let wanted = limit.min(limits::AUDIT_PAGE_MAX);
    let (mut found, mut from) = (Vec::new(), after);
    while found.len() < wanted {
        let until = step_end(db, query, from)?;
        found.extend(step(db, query, from, until, wanted - found.len())?);
        match until {
            Some(_) => from = until,
            None => break,
        }
    }
    Ok(AuditPage::new(found, limit))
}

/// The last place of the step that starts after `from`; `None` if it reaches the oldest row.
fn step_end(db: &Connection, query: &AuditQuery, from: Option<Cursor>) -> Result<Option<Cursor>, StoreError> {
    let clauses = Clauses::default().time(query).before(from);
    let sql = format!(
        "SELECT timestamp, chain, seq FROM audit_logs {} {NEWEST} LIMIT 1 OFFSET {}",
        clauses.sql(),
        STEP - 1
    );
    let mut statement = db.prepare_cached(&sql).map_err(refused)?;
    let place = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get::<_, i64>(2)?));
    let found = statement.query_row(params_from_iter(clauses.values), place).optional().map_err(refused)?;
    found
        .map(|(time, chain, seq)| {
            let timestamp = timestamp(&time)?;
            Ok(Cursor { timestamp, chain: BootId(chain), seq: seq.cast_unsigned() })
        })
        .transpose()
}

fn step(
    db: &Connection,
    query: &AuditQuery,
    from: Option<Cursor>,
    until: Option<Cursor>,
    limit: usize,
) -> Result<Vec<AuditRow>, StoreError> {
    let clauses = Clauses::default().time(query).before(from).not_before(until).fields(query);
    let sql = format!("SELECT {AUDIT_COLUMNS} FROM audit_logs {} {NEWEST} LIMIT {limit}", clauses.sql());
    let values: Vec<&dyn ToSql> = clauses.values.iter().map(|value| &**value as &dyn ToSql).collect();
    collect(db, &sql, &values)
}

const NEWEST: &str = "ORDER BY timestamp DESC, chain DESC, seq DESC";

/// Conditions and their values. Every value is bound, none stands in the text.
#[derive(Default)]
struct Clauses {
    conditions: Vec<&'static str>,
    values: Vec<Box<dyn ToSql>>,
}

impl Clauses {
    fn add<T: ToSql + 'static>(mut self, condition: &'static str, value: Option<T>) -> Self {
        if let Some(value) = value {
            self.conditions.push(condition);
            self.values.push(Box::new(value));
        }
        self
    }

    fn time(self, query: &AuditQuery) -> Self {
        self.add("timestamp >= ?", query.from.map(Timestamp::to_rfc3339))
            .add("timestamp < ?", query.to.map(Timestamp::to_rfc3339))
    }

    fn before(self, place: Option<Cursor>) -> Self {
        self.place("(timestamp, chain, seq) < (?, ?, ?)", place)
    }

    fn not_before(self, place: Option<Cursor>) -> Self {
        self.place("(timestamp, chain, seq) >= (?, ?, ?)", place)
    }

    fn place(mut self, condition: &'static str, place: Option<Cursor>) -> Self {
        if let Some(Cursor { timestamp, chain, seq }) = place {
            self.conditions.push(condition);
            self.values.extend([
                Box::new(timestamp.to_rfc3339()) as Box<dyn ToSql>,
                Box::new(chain.0),
                Box::new(seq.cast_signed()),
            ]);
        }
        self
    }

    fn fields(self, query: &AuditQuery) -> Self {
        let paths = query.path.as_deref().map(Range::prefix);
        self.add("actor = ?", query.actor.clone())
            .add("operation = ?", query.operation.clone())
            .add("status = ?", query.status.map(Status::as_str))
            .add("secret_id = ?", query.secret_id.clone())
            .add("request_id = ?", query.request_id.clone())
            .add("path >= ?", paths.as_ref().map(|paths| paths.from.clone()))
            .add("path < ?", paths.and_then(|paths| paths.to))
    }

    fn sql(&self) -> String {
        if self.conditions.is_empty() {
            String::new()
        } else {
            format!("WHERE {}", self.conditions.join(" AND "))
        }
    }
}

fn collect(db: &Connection, sql: &str, values: &[&dyn ToSql]) -> Result<Vec<AuditRow>, StoreError> {
    let mut statement = db.prepare_cached(sql).map_err(refused)?;
    let mut rows = statement.query(values).map_err(refused)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(refused)? {
        found.push(row_of(row)?);
    }
    Ok(found)
}

/// A row by the order of [`AUDIT_COLUMNS`].
fn row_of(row: &Row<'_>) -> Result<AuditRow, StoreError> {
    let text = |at: usize| row.get::<_, Option<String>>(at).map_err(refused);
    let number = |at: usize| row.get::<_, i64>(at).map(i64::cast_unsigned).map_err(refused);
    let given = |at: usize| row.get::<_, String>(at).map_err(refused);
    let columns = Columns {
        timestamp: timestamp(&given(0)?)?,
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
        elapsed_us: number(14)?,
    };
    let chain = BootId(row.get(15).map_err(refused)?);
    let seq = number(16)?;
    let canonical = row.get(17).map_err(refused)?;
    Ok(AuditRow { chain, seq, columns, canonical, link: row.get(18).map_err(refused)? })
}

fn timestamp(text: &str) -> Result<Timestamp, StoreError> {
    Timestamp::from_rfc3339(text).ok_or_else(|| unreadable(BACKEND, "timestamp"))
}

fn page_size(limit: usize) -> i64 {
    i64::try_from(limit.min(limits::AUDIT_PAGE_MAX)).unwrap_or(i64::MAX)
}
