//! The collection `audit_logs`. A row's `_id` is its chain and number, which makes them unique and is the index that a
//! chain is read by; `timestamp` is a real date, which holds milliseconds, and `micros` what is left of the microsecond.
//!
//! The first seed's documents in the same collection have other `_id`s and no `chain`: every filter here leaves them
//! out, and so do the indexes, which are partial.

use crate::{
    Place,
    document::{binary, bytes, number},
    error::{DUPLICATE_KEY, code, refused, unreadable},
    read::instant,
    retry::Stop,
};
use mongodb::{
    ClientSession,
    bson::{Bson, DateTime, Document, doc},
};
use secrethub_core::{
    audit::{AuditPage, AuditQuery, AuditRow, Columns, Cursor, Head, Linked, Status},
    id::{BootId, Timestamp},
    limits::{AUDIT_PAGE_MAX, REQUEST_DEADLINE},
    store::{Range, StoreError},
};

/// Its name, which the first seed uses too.
pub(crate) const COLLECTION: &str = "audit_logs";

/// Appends records within a batch's transaction.
pub(crate) async fn append(
    store: &Place,
    session: &mut ClientSession,
    records: &[Linked],
) -> Result<(), Stop> {
    if records.is_empty() {
        return Ok(());
    }
    let sent = store.audit.insert_many(records.iter().map(document_of)).session(session).await;
    sent.map(drop).map_err(|error| match code(&error) {
        Some(DUPLICATE_KEY) => Stop::RowsAreThere,
        _ => Stop::before_commit(error),
    })
}

/// Rows of one chain in sequence.
pub(crate) async fn read(
    store: &Place,
    chain: BootId,
    from: u64,
    limit: usize,
) -> Result<Vec<AuditRow>, StoreError> {
    let filter = doc! { "_id": { "$gte": place(chain, from), "$lte": place(chain, u64::MAX) } };
    find(store, filter, doc! { "_id": 1 }, limit).await
}

/// One page of a search, newest first.
pub(crate) async fn search(
    store: &Place,
    query: &AuditQuery,
    after: Option<Cursor>,
    limit: usize,
) -> Result<AuditPage, StoreError> {
    let rows = find(store, filter_of(query, after), newest_first(), limit).await?;
    Ok(AuditPage::new(rows, limit))
}

/// The order of a search, and the index that has it.
pub(crate) fn newest_first() -> Document {
    doc! { "timestamp": -1, "micros": -1, "_id": -1 }
}

/// What tells our rows from the first seed's.
pub(crate) fn ours() -> Document {
    doc! { "chain": { "$exists": true } }
}

/// What tells the first seed's rows from ours.
pub(crate) fn theirs() -> Document {
    doc! { "chain": { "$exists": false } }
}

/// First and last of every chain, found by jumping from chain to chain and not by walking all rows.
pub(crate) async fn heads(store: &Place) -> Result<Vec<Head>, StoreError> {
    let mut session = instant(store).await?;
    let (mut heads, mut from) = (Vec::new(), place(BootId([0; 16]), 0));
    while let Some((chain, first)) = end(store, &mut session, doc! { "$gte": from }, 1).await? {
        let last = end(store, &mut session, doc! { "$lte": place(chain, u64::MAX) }, -1).await?;
        let last = last.map_or(first, |(_, seq)| seq);
        heads.push(Head { chain, first, last });
        match next(chain) {
            Some(chain) => from = place(chain, 0),
            None => break,
        }
    }
    Ok(heads)
}

/// The row with the least or the greatest `_id` within bounds.
async fn end(
    store: &Place,
    session: &mut ClientSession,
    bounds: Document,
    direction: i32,
) -> Result<Option<(BootId, u64)>, StoreError> {
    let find = store.audit.find_one(doc! { "_id": bounds }).sort(doc! { "_id": direction });
    let find = find.projection(doc! { "_id": 1 }).max_time(REQUEST_DEADLINE);
    find.session(session).await.map_err(refused)?.as_ref().map(place_of).transpose()
}

/// The chain that follows in order, be it there or not.
fn next(chain: BootId) -> Option<BootId> {
    u128::from_be_bytes(chain.0).checked_add(1).map(|next| BootId(next.to_be_bytes()))
}

/// Removes the oldest rows of a chain below a number.
pub(crate) async fn prune(store: &Place, chain: BootId, below: u64, limit: usize) -> Result<u64, StoreError> {
    let Some(skipped) = limit.checked_sub(1) else { return Ok(0) };
    let first = place(chain, 0);
    let mut session = instant(store).await?;
    let beyond = store
        .audit
        .find_one(doc! { "_id": { "$gte": &first, "$lt": place(chain, below) } })
        .sort(doc! { "_id": 1 })
        .skip(skipped as u64)
        .projection(doc! { "_id": 1 })
        .max_time(REQUEST_DEADLINE);
    let beyond = beyond.session(&mut session).await.map_err(refused)?.as_ref().map(place_of).transpose()?;
    let bound = match beyond {
        Some((_, last)) => doc! { "$gte": first, "$lte": place(chain, last) },
        None => doc! { "$gte": first, "$lt": place(chain, below) },
    };
    let done = store.audit.delete_many(doc! { "_id": bound }).await.map_err(refused)?;
    Ok(done.deleted_count)
}

async fn find(
    store: &Place,
    filter: Document,
    sort: Document,
    limit: usize,
) -> Result<Vec<AuditRow>, StoreError> {
    let limit = limit.min(AUDIT_PAGE_MAX);
    if limit == 0 {
        return Ok(Vec::new());
    }
    let mut session = instant(store).await?;
    let size = u32::try_from(limit + 1).unwrap_or(u32::MAX);
    let find = store.audit.find(filter).sort(sort).batch_size(size).max_time(REQUEST_DEADLINE);
    let find = find.limit(i64::try_from(limit).unwrap_or(i64::MAX));
    let mut cursor = find.session(&mut session).await.map_err(refused)?;
    let mut rows = Vec::new();
    while let Some(document) = cursor.next(&mut session).await.transpose().map_err(refused)? {
        rows.push(row_of(&document)?);
    }
    Ok(rows)
}

/// Every filter that is set, as conditions that must all hold.
fn filter_of(query: &AuditQuery, after: Option<Cursor>) -> Document {
    let mut all = vec![ours()];
    if let Some(from) = query.from {
        all.extend(not_before(from));
    }
    if let Some(to) = query.to {
        all.extend(before(to));
    }
    if let Some(after) = after {
        all.extend(older(after));
    }
    if let Some(path) = &query.path {
        let Range { from, to } = Range::prefix(path);
        all.push(doc! { "path": { "$gte": from } });
        all.extend(to.map(|to| doc! { "path": { "$lt": to } }));
    }
    let exact = [
        ("actor", query.actor.as_deref()),
        ("operation", query.operation.as_deref()),
        ("status", query.status.map(Status::as_str)),
        ("secret_id", query.secret_id.as_deref()),
        ("request_id", query.request_id.as_deref()),
    ];
    // `$eq`, so that no value is read as an operator.
    all.extend(exact.into_iter().filter_map(|(name, value)| Some(doc! { name: { "$eq": value? } })));
    doc! { "$and": all }
}

/// The first condition of each pair is what the index is walked by, the second what decides.
fn not_before(from: Timestamp) -> [Document; 2] {
    let (date, micros) = split(from);
    let exact = doc! { "$or": [{ "timestamp": { "$gt": date } }, { "micros": { "$gte": micros } }] };
    [doc! { "timestamp": { "$gte": date } }, exact]
}

fn before(to: Timestamp) -> [Document; 2] {
    let (date, micros) = split(to);
    let exact = doc! { "$or": [{ "timestamp": { "$lt": date } }, { "micros": { "$lt": micros } }] };
    [doc! { "timestamp": { "$lte": date } }, exact]
}

fn older(after: Cursor) -> [Document; 2] {
    let (date, micros) = split(after.timestamp);
    let id = place(after.chain, after.seq);
    let exact = doc! { "$or": [
        { "timestamp": { "$lt": date } },
        { "micros": { "$lt": micros } },
        { "micros": micros, "_id": { "$lt": id } },
    ] };
    [doc! { "timestamp": { "$lte": date } }, exact]
}

/// Milliseconds as a date, and the microseconds that a date cannot hold.
fn split(at: Timestamp) -> (DateTime, i32) {
    let millis = i64::try_from(at.0 / 1_000).unwrap_or(i64::MAX);
    (DateTime::from_millis(millis), i32::try_from(at.0 % 1_000).unwrap_or(0))
}

/// Chain and number as an `_id`: of one width, so that bytes order as the two do.
fn place(chain: BootId, seq: u64) -> Bson {
    let mut id = [0; 24];
    id[..16].copy_from_slice(&chain.0);
    id[16..].copy_from_slice(&seq.to_be_bytes());
    binary(&id)
}

fn place_of(document: &Document) -> Result<(BootId, u64), StoreError> {
    let id: [u8; 24] = bytes(document, "_id").ok_or_else(|| unreadable("audit_logs._id"))?;
    let (mut chain, mut seq) = ([0; 16], [0; 8]);
    chain.copy_from_slice(&id[..16]);
    seq.copy_from_slice(&id[16..]);
    Ok((BootId(chain), u64::from_be_bytes(seq)))
}

fn document_of(linked: &Linked) -> Document {
    let Linked { record, canonical, link } = linked;
    let c = &record.columns;
    let (date, micros) = split(c.timestamp);
    let mut row = doc! {
        "_id": place(record.chain, record.seq),
        "timestamp": date,
        "micros": micros,
        "operation": &c.operation,
        "status": c.status.as_str(),
        "path": &c.path,
        "request_id": &c.request_id,
        "elapsed_us": c.elapsed_us.cast_signed(),
        "chain": record.chain.to_hex(),
        "seq": record.seq.cast_signed(),
        "canonical": binary(canonical),
        "link": binary(link),
    };
    let given = |text: &Option<String>| text.clone().map(Bson::String);
    let optional = [
        ("secret_id", &c.secret_id),
        ("client_ip", &c.client_ip),
        ("actor", &c.actor),
        ("accessor", &c.accessor),
        ("mount", &c.mount),
        ("user_agent", &c.user_agent),
        ("rule", &c.rule),
        ("lease_id", &c.lease_id),
        ("error", &c.error),
    ];
    row.extend(optional.into_iter().filter_map(|(name, text)| Some((name.to_owned(), given(text)?))));
    row
}

fn row_of(document: &Document) -> Result<AuditRow, StoreError> {
    let missing = |field: &str| unreadable(&format!("audit_logs.{field}"));
    let text = |field: &str| document.get_str(field).map(str::to_owned).map_err(|_| missing(field));
    let optional = |field: &str| match document.get(field) {
        None | Some(Bson::Null) => Ok(None),
        Some(Bson::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(missing(field)),
    };
    let (chain, seq) = place_of(document)?;
    // Where a row stands is told twice; an operator reads the one, an index the other.
    let told = (text("chain")?, number(document, "seq"));
    if told != (chain.to_hex(), Some(seq)) {
        return Err(missing("_id"));
    }
    let columns = Columns {
        timestamp: timestamp_of(document).ok_or_else(|| missing("timestamp"))?,
        operation: text("operation")?,
        secret_id: optional("secret_id")?,
        client_ip: optional("client_ip")?,
        status: Status::parse(&text("status")?).ok_or_else(|| missing("status"))?,
        actor: optional("actor")?,
        accessor: optional("accessor")?,
        path: text("path")?,
        mount: optional("mount")?,
        user_agent: optional("user_agent")?,
        rule: optional("rule")?,
        request_id: text("request_id")?,
        lease_id: optional("lease_id")?,
        error: optional("error")?,
        elapsed_us: document.get_i64("elapsed_us").map_err(|_| missing("elapsed_us"))?.cast_unsigned(),
    };
    let canonical = document.get_binary_generic("canonical").map_err(|_| missing("canonical"))?.clone();
    Ok(AuditRow {
        chain,
        seq,
        columns,
        canonical,
        link: bytes(document, "link").ok_or_else(|| missing("link"))?,
    })
}

fn timestamp_of(document: &Document) -> Option<Timestamp> {
    let millis = u64::try_from(document.get_datetime("timestamp").ok()?.timestamp_millis()).ok()?;
    Some(Timestamp(millis.checked_mul(1_000)?.checked_add(number(document, "micros")?)?))
}
