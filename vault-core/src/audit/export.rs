//! Records as JSON and as CSV. CSV follows RFC 4180, every field quoted; a field that a spreadsheet would take for
//! a formula is defused with a leading apostrophe.

use super::{AuditRecord, AuditRow, HeaderValue};
use serde_json::{Map, Value, json};

/// The names of [`csv_row`]'s fields, in order.
pub const CSV_COLUMNS: [&str; 18] = [
    "timestamp",
    "operation",
    "secret_id",
    "client_ip",
    "status",
    "actor",
    "accessor",
    "path",
    "mount",
    "user_agent",
    "rule",
    "request_id",
    "lease_id",
    "error",
    "elapsed_us",
    "chain",
    "seq",
    "link",
];

/// One record with every column, its place and its link.
pub fn to_json(row: &AuditRow) -> Value {
    let c = &row.columns;
    let (fields, headers) = told(row);
    json!({
        "timestamp": c.timestamp.to_rfc3339(),
        "operation": c.operation,
        "secret_id": c.secret_id,
        "client_ip": c.client_ip,
        "status": c.status.as_str(),
        "actor": c.actor,
        "accessor": c.accessor,
        "path": c.path,
        "mount": c.mount,
        "user_agent": c.user_agent,
        "rule": c.rule,
        "request_id": c.request_id,
        "lease_id": c.lease_id,
        "error": c.error,
        "elapsed_us": c.elapsed_us,
        "chain": row.chain.to_hex(),
        "seq": row.seq,
        "link": hex::encode(row.link),
        "fields": fields,
        "headers": headers,
    })
}

/// The keyed hash of each field of the request, as `sys/audit-hash` makes it; and each audited header with its values.
fn told(row: &AuditRow) -> (Map<String, Value>, Map<String, Value>) {
    let Some(record) = AuditRecord::parse(&row.canonical) else { return Default::default() };
    let fields = record.fields.into_iter().map(|(name, hash)| (name, written_hash(&hash).into())).collect();
    let mut headers = Map::new();
    for (name, value) in record.headers {
        let text = match value {
            HeaderValue::Plain(text) => text,
            HeaderValue::Hashed(hash) => written_hash(&hash),
        };
        let values = headers.entry(name).or_insert_with(|| json!([]));
        values.as_array_mut().into_iter().for_each(|values| values.push(text.clone().into()));
    }
    (fields, headers)
}

/// How a keyed hash of a value is written.
pub fn written_hash(hash: &[u8; 16]) -> String {
    format!("hmac-sha256:{}", hex::encode(hash))
}

/// The first line of a CSV file.
pub fn csv_header() -> String {
    CSV_COLUMNS.join(",") + "\r\n"
}

/// One line of a CSV file.
pub fn csv_row(row: &AuditRow) -> String {
    let record = to_json(row);
    let text = |name: &&str| match &record[*name] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    CSV_COLUMNS.iter().map(text).map(|text| quote(&text)).collect::<Vec<_>>().join(",") + "\r\n"
}

fn quote(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::Columns,
        id::{BootId, Timestamp},
    };

    #[test]
    fn fields_are_quoted_and_defused() {
        let check = |text: &str, expect: &str| assert_eq!(quote(text), expect);
        check("", r#""""#);
        check("a,b", r#""a,b""#);
        check("say \"x\"", r#""say ""x""""#);
        check("=1+1", r#""'=1+1""#);
        check("@SUM(A1)", r#""'@SUM(A1)""#);
        check("-1", r#""'-1""#);
        check("\tx", "\"'\tx\"");
        check("a=b", r#""a=b""#);
    }

    #[test]
    fn a_line_has_every_column() {
        let columns = Columns { timestamp: Timestamp(0), path: "a\r\nb".into(), ..Columns::default() };
        let row = AuditRow { chain: BootId([1; 16]), seq: 7, columns, canonical: vec![], link: [0; 32] };
        let line = csv_row(&row);
        assert!(line.starts_with("\"1970-01-01T00:00:00.000000Z\",\"\","));
        assert_eq!(line.matches("\",\"").count() + 1, CSV_COLUMNS.len());
        assert_eq!(csv_header().trim().split(',').count(), CSV_COLUMNS.len());
        let json = to_json(&row);
        assert!(CSV_COLUMNS.iter().all(|name| json.get(name).is_some()));
    }
}
