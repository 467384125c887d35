//! `secret-manager/imported`: what the first seed's own audit log said. It is kept apart from ours, since nobody vouches for it:
//! the chain shows since when it has stood here unchanged, by the record of its import, and nothing of before.

use crate::{
    cx::Cx,
    engine::{Call, Field, FieldKind},
    error::Error,
    id::Timestamp,
    limits::{AUDIT_PAGE_MAX, IMPORTED_PAGES, IMPORTED_TEXT_BYTES_MAX, SCAN_ENTRIES_MAX},
    request::Reply,
};
use FieldKind::{Integer, Text};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

const FORMAT: u8 = 1;
/// Where they stand below the mount, by time.
const PREFIX: &str = "imported/";
/// The longest id of a document that is kept as it is.
const ID_BYTES_MAX: usize = 128;

pub(super) const FIELDS: &[Field] = &[
    Field::new("from", Text, "Not before this time (RFC 3339)."),
    Field::new("to", Text, "Before this time (RFC 3339)."),
    Field::new("secret_id", Text, "Exact secret id."),
    Field::new("cursor", Text, "`next` of the page before."),
    Field::new("limit", Integer, "Records a page; 100 where absent, at most 1000."),
];

/// A record of the first seed as it is stored here.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Imported {
    format: u8,
    /// When it happened, as the first seed says.
    pub(super) timestamp: Timestamp,
    operation: String,
    status: String,
    #[serde(flatten)]
    rest: Rest,
}

/// What may be missing.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Rest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_ip: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Whatever else the document held, as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    extra: Option<String>,
}

/// As it is sent.
#[derive(Deserialize)]
struct Sent {
    id: String,
    timestamp: String,
    operation: String,
    status: String,
    #[serde(flatten)]
    rest: Rest,
}

impl Imported {
    pub(super) fn from_sent(value: &Value) -> Result<(String, Self), &'static str> {
        let wants = "wants the texts `id`, `timestamp`, `operation`, `status`; all else is a text or absent";
        let Sent { id, timestamp, operation, status, rest } = Sent::deserialize(value).map_err(|_| wants)?;
        let timestamp = Timestamp::from_rfc3339(&timestamp).ok_or("`timestamp` is no time in RFC 3339")?;
        if id.is_empty() || id.len() > ID_BYTES_MAX {
            return Err("`id` must have between 1 and 128 bytes");
        }
        let record = Self { format: FORMAT, timestamp, operation, status, rest };
        if record.to_bytes().len() > IMPORTED_TEXT_BYTES_MAX {
            return Err("a record may have at most 64 KiB");
        }
        Ok((id, record))
    }

    /// What `secrets.created_at` says, which no interface of a vault shows otherwise.
    pub(super) fn birth(created: Timestamp, id: &str) -> Self {
        let rest = Rest { secret_id: Some(id.to_owned()), ..Rest::default() };
        let (operation, status) = ("created_at".to_owned(), "success".to_owned());
        Self { format: FORMAT, timestamp: created, operation, status, rest }
    }

    pub(super) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // Never: texts and numbers always serialise.
        Zeroizing::new(serde_json::to_vec(self).unwrap_or_default())
    }

    fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let record: Self = serde_json::from_slice(bytes).map_err(Error::internal)?;
        match record.format {
            FORMAT => Ok(record),
            other => Err(Error::internal(format!("an imported record of format {other}"))),
        }
    }

    fn told(&self) -> Value {
        let Rest { secret_id, client_ip, user_agent, error, extra } = &self.rest;
        json!({
            "timestamp": self.timestamp.to_rfc3339(),
            "operation": self.operation,
            "status": self.status,
            "secret_id": secret_id,
            "client_ip": client_ip,
            "user_agent": user_agent,
            "error": error,
            "extra": extra,
        })
    }
}

/// Time, then the id in hex: whatever it is, it makes a key.
pub(super) fn key_of(at: Timestamp, id: &str) -> String {
    format!("{PREFIX}{:016x}/{}", at.0, hex::encode(id))
}

/// One page, oldest first. Where many are looked through and few are found, a page is short and has a `next`.
pub(super) async fn imported(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let (from, to, secret_id) = (time(call, "from")?, time(call, "to")?, call.text("secret_id")?);
    let secret_id = secret_id.filter(|id| !id.is_empty());
    let limit = call.integer("limit")?.filter(|limit| *limit > 0).unwrap_or(100);
    let limit = usize::try_from(limit).unwrap_or(AUDIT_PAGE_MAX).min(AUDIT_PAGE_MAX);
    let mut after = match cursor(call)? {
        Some(cursor) => Some(format!("{PREFIX}{cursor}")),
        None => from.map(|from| format!("{PREFIX}{:016x}", from.0)),
    };
    let mut records = Vec::new();
    for _ in 0..IMPORTED_PAGES {
        let page = cx.scan(PREFIX, after.as_deref(), SCAN_ENTRIES_MAX).await?;
        if page.is_empty() {
            return answer(&records, None);
        }
        for item in page {
            let record = Imported::parse(item.bytes())?;
            if to.is_some_and(|to| record.timestamp >= to) {
                return answer(&records, None);
            }
            after = Some(item.key().to_owned());
            if secret_id.is_none() || record.rest.secret_id == secret_id {
                records.push(record.told());
            }
            if records.len() == limit {
                return answer(&records, after.as_deref());
            }
        }
    }
    answer(&records, after.as_deref())
}

fn answer(records: &[Value], after: Option<&str>) -> Result<Reply, Error> {
    let next = after.and_then(|key| key.strip_prefix(PREFIX));
    Reply::data(&json!({ "records": records, "next": next }))
}

fn time(call: Call<'_>, name: &str) -> Result<Option<Timestamp>, Error> {
    let Some(text) = call.text(name)?.filter(|text| !text.is_empty()) else { return Ok(None) };
    let wrong = || Error::invalid(format!("field {name:?} must be a time such as 2026-01-31T00:00:00Z"));
    Timestamp::from_rfc3339(&text).map(Some).ok_or_else(wrong)
}

/// A place in the order of keys, so whatever is of their alphabet is one.
fn cursor(call: Call<'_>) -> Result<Option<String>, Error> {
    let Some(text) = call.text("cursor")?.filter(|text| !text.is_empty()) else { return Ok(None) };
    let is_key = text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'/');
    if is_key && text.len() <= 17 + 2 * ID_BYTES_MAX {
        return Ok(Some(text));
    }
    Err(Error::invalid("field \"cursor\" must be the \"next\" of the page before"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Golden: format 1.
    #[test]
    fn records_are_stored_so() {
        let sent = json!({
            "id": "65a1", "timestamp": "2024-01-02T03:04:05.678Z", "operation": "fetch", "status": "success",
            "secret_id": "550e8400-e29b-41d4-a716-446655440000", "client_ip": "10.0.0.7", "user_agent": "curl/8",
            "error": null, "ignored": 1,
        });
        let (id, record) = Imported::from_sent(&sent).unwrap();
        assert_eq!(key_of(record.timestamp, &id), "imported/00060dedc0582bb0/36356131");
        let stored = concat!(
            r#"{"format":1,"timestamp":1704164645678000,"operation":"fetch","status":"success","#,
            r#""secret_id":"550e8400-e29b-41d4-a716-446655440000","client_ip":"10.0.0.7","user_agent":"curl/8"}"#
        );
        assert_eq!(std::str::from_utf8(&record.to_bytes()).unwrap(), stored);
        assert_eq!(Imported::parse(stored.as_bytes()).unwrap(), record);
        assert!(Imported::parse(stored.replace(":1,", ":2,").as_bytes()).is_err());
    }

    #[test]
    fn what_is_no_record_is_refused() {
        let check = |field: &str, value: Value| {
            let mut sent =
                json!({"id": "1", "timestamp": "2024-01-02T03:04:05Z", "operation": "o", "status": "s"});
            assert!(Imported::from_sent(&sent).is_ok());
            sent[field] = value;
            assert!(Imported::from_sent(&sent).is_err(), "{sent}");
        };
        check("id", json!(""));
        check("id", json!("x".repeat(129)));
        check("timestamp", json!("yesterday"));
        check("timestamp", json!(1_704_164_645));
        check("operation", Value::Null);
        check("status", json!(["s"]));
        check("secret_id", json!(7));
        check("extra", json!("x".repeat(64 * 1024)));
    }
}
