//! `sys/config/auditing/request-headers`: which headers of requests stand in their records, as they came or as keyed
//! hashes. A header that holds a token or a cookie never does.

use super::row;
use crate::{
    Operation::{Delete, Read, Write},
    cx::Cx,
    engine::{Access::Sudo, Call, Field, FieldKind::Boolean, Route},
    error::Error,
    limits::{AUDIT_HEADER_NAME_BYTES_MAX, AUDIT_HEADERS_MAX},
    request::{Reply, Shape},
    system::{AuditedHeader, Effect, HEADER_PREFIX},
};
use serde_json::{Map, Value, json};

const HEADER: &[Field] = &[Field::new("hmac", Boolean, "Record a keyed hash of its value.")];

#[rustfmt::skip]
pub(super) const ROUTES: &[Route] = &[
    row(Read, "config/auditing/request-headers", Sudo, "Headers that records tell of.", &[],
        |cx, _| Box::pin(all(cx))),
    row(Read, "config/auditing/request-headers/{header}", Sudo, "How records tell of one header.", &[],
        |cx, call| Box::pin(one(cx, call))),
    Route { example: r#"{"hmac":true}"#, ..row(Write, "config/auditing/request-headers/{header}", Sudo,
        "Have records tell of a header.", HEADER, |cx, call| Box::pin(set(cx, call))) },
    row(Delete, "config/auditing/request-headers/{header}", Sudo, "Have records not tell of it any more.", &[],
        |cx, call| Box::pin(remove(cx, call))),
];

/// What gives a right: it stands in no record, not even as a hash.
const FORBIDDEN: &[&str] =
    &["authorization", "proxy-authorization", "cookie", "set-cookie", "x-vault-token", "x-consul-token"];
/// Vault's headers to log in within a request; their names go on.
const FORBIDDEN_PREFIX: &str = "x-vault-inline-auth";

async fn all(cx: &mut Cx) -> Result<Reply, Error> {
    let headers = cx.auditing().into_iter().flat_map(|auditing| &auditing.headers);
    let headers: Map<String, Value> =
        headers.map(|(name, header)| (name.clone(), json!({ "hmac": header.hmac }))).collect();
    Reply::shaped(Shape::Double, &json!({ "headers": headers }))
}

async fn one(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let asked = call.param("header");
    let found = cx.auditing().and_then(|auditing| auditing.headers.get(&asked.to_ascii_lowercase()));
    // Clients know the refusal by Vault's words, and by its being no 404.
    let header = found.ok_or_else(|| Error::invalid("Could not find header in config"))?;
    let named: Map<String, Value> =
        [(asked.to_owned(), json!({ "hmac": header.hmac }))].into_iter().collect();
    Reply::shaped(Shape::Double, &named)
}

async fn set(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let name = parse_name(call.param("header"))?;
    let hmac = call.boolean("hmac")?.unwrap_or(false);
    let (key, header) = (format!("{HEADER_PREFIX}{name}"), AuditedHeader { format: 1, hmac });
    match cx.get(&key).await? {
        Some(item) => cx.replace_json(&item, &header)?,
        None if cx.auditing().is_some_and(|auditing| auditing.headers.len() >= AUDIT_HEADERS_MAX) => {
            return Err(Error::invalid(format!("records may tell of at most {AUDIT_HEADERS_MAX} headers")));
        }
        None => cx.create_json(&key, &header)?,
    }
    changed(cx).await
}

async fn remove(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let Ok(name) = parse_name(call.param("header")) else { return Ok(Reply::empty()) };
    match cx.get(&format!("{HEADER_PREFIX}{name}")).await? {
        Some(item) => cx.remove(&item)?,
        None => return Ok(Reply::empty()),
    }
    changed(cx).await
}

/// Every node's next request knows.
async fn changed(cx: &mut Cx) -> Result<Reply, Error> {
    cx.advance_epochs().await?;
    cx.after_commit(Effect::Refresh);
    Ok(Reply::empty())
}

/// A name in lower case that may stand in a record (RFC 9110 §5.6.2).
fn parse_name(name: &str) -> Result<String, Error> {
    let name = name.to_ascii_lowercase();
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > AUDIT_HEADER_NAME_BYTES_MAX || !name.bytes().all(token) {
        return Err(Error::invalid(format!(
            "that is no name of a header: letters, digits and '-', at most {AUDIT_HEADER_NAME_BYTES_MAX} bytes"
        )));
    }
    if FORBIDDEN.contains(&name.as_str()) || name.starts_with(FORBIDDEN_PREFIX) {
        return Err(Error::invalid(format!("the header {name:?} gives a right, and stands in no record")));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |name: &str, expect: Option<&str>| {
            assert_eq!(parse_name(name).ok().as_deref(), expect, "{name}");
        };
        check("X-Forwarded-For", Some("x-forwarded-for"));
        check("traceparent", Some("traceparent"));
        for bad in ["", "a b", "a:b", "é", "a/b", &"x".repeat(65)] {
            check(bad, None);
        }
        for secret in ["Authorization", "X-Vault-Token", "COOKIE", "x-vault-inline-auth-parameter-1"] {
            check(secret, None);
        }
    }
}
