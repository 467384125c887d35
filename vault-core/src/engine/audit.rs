//! `audit/`: the log as those see it who must prove who did what: search, export, archive, verify.

use super::{Access, Call, Engine, Field, FieldKind, Place, Route};
use crate::{
    Operation::{Read, Write},
    audit::{AuditPage, AuditQuery, Cursor, Segment, Status, chain::GENESIS, export, verify},
    cx::Cx,
    error::Error,
    id::{BootId, Timestamp},
    limits::AUDIT_PAGE_MAX,
    request::Reply,
};
use FieldKind::{Integer, Text};
use serde_json::{Value, json};

/// The engine of `audit/`.
pub(super) const ENGINE: Engine = Engine {
    kind: "audit",
    variant: "",
    place: Place::BuiltIn,
    target: None,
    exists: None,
    secrets: None,
    summary: "The audit log: search, export, archive, verify.",
    routes: ROUTES,
};

const SEARCH: &[Field] = &[
    Field::new("from", Text, "Not before this time (RFC 3339)."),
    Field::new("to", Text, "Before this time (RFC 3339)."),
    Field::new("actor", Text, "Exact display name of who asked."),
    Field::new("path", Text, "Paths that start so."),
    Field::new("operation", Text, "Exact operation."),
    Field::new("status", Text, "`success` or `failure`."),
    Field::new("secret_id", Text, "Exact secret id."),
    Field::new("request_id", Text, "Exact request id."),
    Field::new("cursor", Text, "`next` of the page before."),
    Field::new("limit", Integer, "Records a page; 100 where absent, at most 1000."),
    Field::new("format", Text, "Of an export: `json` (default) or `csv`."),
];
const SEGMENT: &[Field] = &[
    Field::new("chain", Text, "The chain, 32 hex digits."),
    Field::new("first", Integer, "Number of its first record; 1 where absent."),
];
const VERIFY: &[Field] =
    &[Field::new("checkpoint", Text, "The newest checkpoint that is held outside, in hex.")];

const ROUTES: &[Route] = &[
    Route {
        operation: Read,
        pattern: "records",
        access: Access::Token,
        summary: "Search records, newest first.",
        fields: SEARCH,
        example: r#"{"operation":"update","limit":10}"#,
        handler: |cx, call| Box::pin(records(cx, call)),
    },
    Route {
        operation: Read,
        pattern: "export",
        access: Access::Token,
        summary: "Records as text, a page at a time: JSON lines or CSV.",
        fields: SEARCH,
        example: r#"{"format":"csv"}"#,
        handler: |cx, call| Box::pin(exported(cx, call)),
    },
    Route {
        operation: Read,
        pattern: "chains",
        access: Access::Token,
        summary: "Every chain with its first and last record.",
        fields: &[],
        example: "{}",
        handler: |cx, _| Box::pin(chains(cx)),
    },
    Route {
        operation: Read,
        pattern: "segment",
        access: Access::Token,
        summary: "A signed stretch of a chain, for an archive.",
        fields: SEGMENT,
        example: r#"{"chain":"00000000000000000000000000000000","first":1}"#,
        handler: |cx, call| Box::pin(segment(cx, call)),
    },
    Route {
        operation: Read,
        pattern: "public-key",
        access: Access::Token,
        summary: "The key that verifies checkpoints and archives.",
        fields: &[],
        example: "{}",
        handler: |cx, _| Box::pin(public_key(cx)),
    },
    Route {
        operation: Read,
        pattern: "checkpoint",
        access: Access::Token,
        summary: "The newest checkpoint, to be held outside the store.",
        fields: &[],
        example: "{}",
        handler: |cx, _| Box::pin(checkpoint(cx)),
    },
    Route {
        operation: Write,
        pattern: "verify",
        access: Access::Token,
        summary: "Verify all chains and checkpoints.",
        fields: VERIFY,
        example: "{}",
        handler: |cx, call| Box::pin(verified(cx, call)),
    },
    Route {
        operation: Write,
        pattern: "prune",
        access: Access::Sudo,
        summary: "Remove records beyond the retention now, as the job does by itself.",
        fields: &[],
        example: "{}",
        handler: |cx, _| Box::pin(prune(cx)),
    },
];

async fn page(cx: &mut Cx, call: Call<'_>) -> Result<AuditPage, Error> {
    let query = query(call)?;
    let cursor = call.text("cursor")?.map(|text| parse_cursor(&text)).transpose()?;
    let limit = call.integer("limit")?.filter(|limit| *limit > 0).unwrap_or(100);
    let limit = usize::try_from(limit).unwrap_or(AUDIT_PAGE_MAX).min(AUDIT_PAGE_MAX);
    cx.search_audit(&query, cursor, limit).await
}

async fn records(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let page = page(cx, call).await?;
    let records: Vec<Value> = page.rows.iter().map(export::to_json).collect();
    Reply::data(&json!({ "records": records, "next": page.next.map(write_cursor) }))
}

async fn exported(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let page = page(cx, call).await?;
    let text: String = match call.text("format")?.as_deref().unwrap_or("json") {
        "json" => page.rows.iter().map(|row| format!("{}\n", export::to_json(row))).collect(),
        "csv" => {
            let header = if call.value("cursor").is_none() { export::csv_header() } else { String::new() };
            header + &page.rows.iter().map(export::csv_row).collect::<String>()
        }
        other => return Err(Error::invalid(format!("unknown format {other:?}; use \"json\" or \"csv\""))),
    };
    Reply::data(&json!({ "text": text, "next": page.next.map(write_cursor) }))
}

async fn chains(cx: &mut Cx) -> Result<Reply, Error> {
    let heads = cx.audit_heads().await?;
    let chains: Vec<Value> = heads
        .iter()
        .map(|head| json!({ "chain": head.chain.to_hex(), "first": head.first, "last": head.last }))
        .collect();
    Reply::data(&json!({ "chains": chains }))
}

async fn segment(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let chain = BootId::from_hex(&call.required_text("chain")?);
    let chain = chain.ok_or_else(|| Error::invalid("field \"chain\" must be 32 hex digits"))?;
    let first = call.integer("first")?.unwrap_or(1).max(1);
    // One row more in front tells the link before the first.
    let mut rows = cx.read_audit(chain, (first - 1).max(1), AUDIT_PAGE_MAX).await?;
    let previous = match rows.first() {
        Some(row) if row.seq < first => rows.remove(0).link,
        Some(row) if row.seq == 1 => GENESIS,
        Some(_) => return Err(Error::invalid("the record before it is gone; start at a later one")),
        None => return Err(Error::not_found()),
    };
    let segment =
        Segment::sign(&rows, &previous, cx.barrier()?.audit_signer()).ok_or_else(Error::not_found)?;
    Reply::data(&segment)
}

async fn public_key(cx: &mut Cx) -> Result<Reply, Error> {
    Reply::data(
        &json!({ "public_key": hex::encode(cx.barrier()?.audit_signer().public()), "algorithm": "ed25519" }),
    )
}

async fn checkpoint(cx: &mut Cx) -> Result<Reply, Error> {
    let (number, bytes) = cx.newest_checkpoint().await?.ok_or_else(Error::not_found)?;
    Reply::data(&json!({ "number": number, "checkpoint": hex::encode(bytes) }))
}

async fn verified(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let trusted = call.text("checkpoint")?.map(hex::decode).transpose();
    let trusted = trusted.map_err(|_| Error::invalid("field \"checkpoint\" must be hex"))?;
    let public = cx.barrier()?.audit_signer().public();
    let (backend, crypto) = (cx.system().backend(), cx.system().crypto());
    let report =
        verify(&*backend, &crypto, &public, trusted.as_deref()).await.map_err(crate::cx::store_error)?;
    let chains: Vec<Value> = report
        .chains
        .iter()
        .map(|one| json!({ "chain": one.chain.to_hex(), "records": one.records, "last": one.last, "covered": one.covered }))
        .collect();
    let faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
    Reply::data(&json!({
        "verified": report.is_good(),
        "records": report.records(),
        "checkpoints": report.checkpoints,
        "newest_checkpoint": report.newest,
        "chains": chains,
        "faults": faults,
    }))
}

async fn prune(cx: &mut Cx) -> Result<Reply, Error> {
    let days = cx.system().settings().audit_ttl_days;
    if days == 0 {
        return Err(Error::invalid("records are kept for ever; set AUDIT_TTL_DAYS to prune"));
    }
    cx.hurry();
    let removed = crate::job::prune_audit_once(cx.system()).await?;
    Reply::data(&json!({ "removed": removed, "ttl_days": days }))
}

fn query(call: Call<'_>) -> Result<AuditQuery, Error> {
    let time = |name: &str| -> Result<Option<Timestamp>, Error> {
        let Some(text) = call.text(name)?.filter(|text| !text.is_empty()) else { return Ok(None) };
        let wrong = || Error::invalid(format!("field {name:?} must be a time such as 2026-01-31T00:00:00Z"));
        Timestamp::from_rfc3339(&text).map(Some).ok_or_else(wrong)
    };
    let status = call.text("status")?.filter(|text| !text.is_empty());
    let wrong = || Error::invalid("field \"status\" must be \"success\" or \"failure\"");
    Ok(AuditQuery {
        from: time("from")?,
        to: time("to")?,
        actor: call.text("actor")?,
        path: call.text("path")?,
        operation: call.text("operation")?,
        status: status.map(|text| Status::parse(&text).ok_or_else(wrong)).transpose()?,
        secret_id: call.text("secret_id")?,
        request_id: call.text("request_id")?,
    })
}

/// A place in a search, as text: time, chain and number.
fn write_cursor(cursor: Cursor) -> String {
    format!("{:016x}.{}.{:016x}", cursor.timestamp.0, cursor.chain, cursor.seq)
}

fn parse_cursor(text: &str) -> Result<Cursor, Error> {
    let parse = || {
        let mut parts = text.split('.');
        let timestamp = Timestamp(u64::from_str_radix(parts.next()?, 16).ok()?);
        let chain = BootId::from_hex(parts.next()?)?;
        let seq = u64::from_str_radix(parts.next()?, 16).ok()?;
        parts.next().is_none().then_some(Cursor { timestamp, chain, seq })
    };
    parse().ok_or_else(|| Error::invalid("field \"cursor\" must be the \"next\" of the page before"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_round_trip() {
        let cursor = Cursor { timestamp: Timestamp(7), chain: BootId([9; 16]), seq: u64::MAX };
        assert_eq!(parse_cursor(&write_cursor(cursor)).ok(), Some(cursor));
        for bad in ["", ".", "0.0.0", "zz.00.1", "0.09090909090909090909090909090909.1.2"] {
            assert!(parse_cursor(bad).is_err(), "{bad}");
        }
    }
}
