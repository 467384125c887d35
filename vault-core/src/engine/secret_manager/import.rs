//! `secret-manager/import`: takes in what the first seed kept, in pages, from whoever reads it there and opens it. Every id
//! stays. What is there already is compared and never overwritten, so that an import can be repeated.

use super::imported::{Imported, key_of};
use crate::{
    cx::{Cx, Item},
    engine::{Call, Field, FieldKind},
    error::Error,
    id::Timestamp,
    limits::{IMPORT_ITEMS_MAX, SECRET_MANAGER_BYTES_MAX},
    request::Reply,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use zeroize::Zeroizing;

pub(super) const FIELDS: &[Field] = &[
    Field::new(
        "secrets",
        FieldKind::Any,
        "List of `id` (a UUID), `secret` (standard base64), `created` (RFC 3339, optional); secrets and records \
         together at most 100.",
    ),
    Field::new(
        "records",
        FieldKind::Any,
        "List of old audit records: `id`, `timestamp` (RFC 3339), `operation`, `status`, and optionally `secret_id`, \
         `client_ip`, `user_agent`, `error`, `extra`.",
    ),
    Field::new("dry_run", FieldKind::Boolean, "Only compare with what is there."),
];

/// A secret as it is sent.
#[derive(Deserialize)]
struct Sent<'a> {
    id: &'a str,
    secret: &'a str,
    created: Option<&'a str>,
}

/// What is to be written under one key.
struct Piece {
    key: String,
    bytes: Zeroizing<Vec<u8>>,
    of: Of,
}

/// What a piece is counted as.
#[derive(Clone, Copy, PartialEq)]
enum Of {
    Secret,
    Record,
    /// When a secret was made: comes and goes with it, and is not counted.
    Birth,
}

/// What came of it: counts of secrets and of records, and the ids whose bytes are others here.
#[derive(Default)]
struct Tally {
    created: [u64; 2],
    present: [u64; 2],
    differ: Vec<String>,
}

pub(super) async fn import(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    cx.note_operation("import");
    let dry_run = call.boolean("dry_run")?.unwrap_or(false);
    let pieces = pieces(call)?;
    let keys: Vec<&str> = pieces.iter().map(|piece| piece.key.as_str()).collect();
    let found = cx.get_many(&keys).await?;
    let mut tally = Tally::default();
    for (piece, there) in pieces.iter().zip(&found) {
        tally.count(piece, there.as_ref());
        if there.is_none() && !dry_run {
            cx.create(&piece.key, &piece.bytes)?;
        }
    }
    let told = |[secrets, records]: [u64; 2]| json!({ "secrets": secrets, "records": records });
    Reply::data(&json!({
        "created": told(tally.created),
        "present": told(tally.present),
        "differ": tally.differ,
        "dry_run": dry_run,
    }))
}

impl Tally {
    fn count(&mut self, piece: &Piece, there: Option<&Item>) {
        let column = match piece.of {
            Of::Secret => 0,
            Of::Record => 1,
            Of::Birth => return,
        };
        match there {
            None => self.created[column] += 1,
            Some(item) if item.holds(&piece.bytes) => self.present[column] += 1,
            Some(_) => self.differ.push(piece.key.clone()),
        }
    }
}

/// All that the request brings, each key once.
fn pieces(call: Call<'_>) -> Result<Vec<Piece>, Error> {
    let (secrets, records) = (list(call, "secrets")?, list(call, "records")?);
    if secrets.len() + records.len() > IMPORT_ITEMS_MAX {
        return Err(Error::invalid(format!("one request imports at most {IMPORT_ITEMS_MAX} items")));
    }
    let mut pieces = Vec::with_capacity(2 * secrets.len() + records.len());
    for (at, value) in secrets.iter().enumerate() {
        secret(value, &mut pieces).map_err(|what| wrong("secrets", at, what))?;
    }
    for (at, value) in records.iter().enumerate() {
        pieces.push(record(value).map_err(|what| wrong("records", at, what))?);
    }
    let keys: BTreeSet<&str> = pieces.iter().map(|piece| piece.key.as_str()).collect();
    if keys.len() < pieces.len() {
        return Err(Error::invalid("the same id stands twice in one request"));
    }
    Ok(pieces)
}

fn list<'a>(call: Call<'a>, name: &str) -> Result<&'a [Value], Error> {
    match call.value(name) {
        None => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(Error::invalid(format!("field {name:?} must be a list of objects"))),
    }
}

/// Names the place and what is wanted there, never what stands there.
fn wrong(list: &str, at: usize, what: &str) -> Error {
    Error::invalid(format!("{list}[{at}]: {what}"))
}

fn secret(value: &Value, into: &mut Vec<Piece>) -> Result<(), &'static str> {
    let sent = Sent::deserialize(value).map_err(|_| "wants the texts `id` and `secret`")?;
    let bytes = STANDARD.decode(sent.secret).map(Zeroizing::new);
    let bytes = bytes.map_err(|_| "`secret` is no standard base64 with padding")?;
    if bytes.len() > SECRET_MANAGER_BYTES_MAX {
        return Err("a secret may have at most 1 MiB");
    }
    let id = uuid::Uuid::try_parse(sent.id).map_err(|_| "`id` is no UUID")?.to_string();
    if let Some(created) = sent.created {
        let created = Timestamp::from_rfc3339(created).ok_or("`created` is no time in RFC 3339")?;
        let birth = Imported::birth(created, &id);
        into.push(Piece {
            key: key_of(created, &format!("created_at {id}")),
            bytes: birth.to_bytes(),
            of: Of::Birth,
        });
    }
    into.push(Piece { key: id, bytes, of: Of::Secret });
    Ok(())
}

fn record(value: &Value) -> Result<Piece, &'static str> {
    let (id, record) = Imported::from_sent(value)?;
    Ok(Piece { key: key_of(record.timestamp, &id), bytes: record.to_bytes(), of: Of::Record })
}
