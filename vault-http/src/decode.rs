//! From an HTTP request to a core [`Request`]: Vault's wire rules on the way in.
//!
//! It happens in two steps, so that what can be refused without a body is refused before one is read: [`Head`],
//! then [`Head::with_body`].

use crate::{address, json, query};
use http::{HeaderMap, HeaderName, Method, header, request::Parts};
use secrethub_core::{Error, ErrorKind, Operation, Request, Secret, engine::parse_duration};
use serde_json::{Map, Value};
use std::{sync::Arc, time::Duration};

pub(crate) const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
const WRAP_TTL: HeaderName = HeaderName::from_static("x-vault-wrap-ttl");
const WRAP_FORMAT: HeaderName = HeaderName::from_static("x-vault-wrap-format");
const MERGE_PATCH: &str = "application/merge-patch+json";
const FORM: &str = "application/x-www-form-urlencoded";

/// A request without its body.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) operation: Operation,
    /// Percent-decoded, without `/v1/`.
    pub(crate) path: String,
    pub(crate) query: Map<String, Value>,
    /// Fields that an alias adds.
    pub(crate) added: Map<String, Value>,
}

impl Head {
    /// Reads method, path (what follows `/v1/`, still encoded) and query.
    pub(crate) fn new(method: &Method, path: &str, query: &str) -> Result<Self, Error> {
        let query = query::parse(query)?;
        let operation = operation(method, &query)?;
        let mut path = decode_path(path)?;
        if operation == Operation::List && path.ends_with('/') {
            path.pop();
        }
        let mut added = Map::new();
        if method.as_str() == "SCAN" || (operation == Operation::List && query::is_on(&query, "scan")) {
            added.insert("recursive".to_owned(), Value::Bool(true));
        }
        Ok(Self { operation, path, query, added })
    }

    /// Does the operation take a body; others leave theirs unread.
    pub(crate) fn takes_body(&self) -> bool {
        matches!(self.operation, Operation::Write | Operation::Patch)
    }

    /// Asks for the help of a path instead of the path.
    pub(crate) fn asks_for_help(&self) -> bool {
        self.operation == Operation::Read && query::is_on(&self.query, "help")
    }

    /// The whole request.
    pub(crate) fn with_body(self, id: String, parts: &Arc<Parts>, body: &[u8]) -> Result<Request, Error> {
        let mut fields = match self.operation {
            Operation::Write | Operation::Patch => body_fields(parts, self.operation, body)?,
            _ => query_fields(self.query),
        };
        fields.extend(self.added);
        Ok(Request {
            token: token(&parts.headers)?,
            namespace: text(&parts.headers, &NAMESPACE)?.unwrap_or_default().trim_matches('/').to_owned(),
            wrap_ttl: wrap_ttl(&parts.headers)?,
            remote: address::remote(parts)?,
            fields,
            ..Request::new(id, self.operation, self.path)
        })
    }
}

fn operation(method: &Method, query: &Map<String, Value>) -> Result<Operation, Error> {
    let lists = || query::is_on(query, "list") || query::is_on(query, "scan");
    match method.as_str() {
        "GET" if lists() => Ok(Operation::List),
        // A probe of health by HEAD; of all else there is nothing to see without a body.
        "GET" | "HEAD" => Ok(Operation::Read),
        "LIST" | "SCAN" => Ok(Operation::List),
        "POST" | "PUT" => Ok(Operation::Write),
        "PATCH" => Ok(Operation::Patch),
        "DELETE" => Ok(Operation::Delete),
        _ => Err(unsupported()),
    }
}

/// The path exists for other methods, or so we say.
pub(crate) fn unsupported() -> Error {
    Error::new(ErrorKind::Unsupported, "unsupported operation")
}

/// Empty segments are refused as Vault does. A `%2F` becomes a separator like any other.
fn decode_path(path: &str) -> Result<String, Error> {
    let path = query::percent_decode(path)?;
    if path.is_empty() || path.starts_with('/') || path.contains("//") {
        return Err(Error::not_found());
    }
    Ok(path)
}

/// A query's fields, less the switches that were heeded already.
fn query_fields(mut query: Map<String, Value>) -> Map<String, Value> {
    for switch in ["list", "scan", "help"] {
        query.remove(switch);
    }
    query
}

/// JSON whatever the content type says, because curl and Go's client say the wrong one or none; a form only if it
/// is called one and does not look like JSON.
fn body_fields(parts: &Parts, operation: Operation, body: &[u8]) -> Result<Map<String, Value>, Error> {
    let content_type = media_type(&parts.headers);
    if operation == Operation::Patch && !content_type.eq_ignore_ascii_case(MERGE_PATCH) {
        return Err(Error::new(ErrorKind::MediaType, format!("PATCH needs the Content-Type {MERGE_PATCH}")));
    }
    let body = body.trim_ascii();
    match body.first() {
        None => Ok(Map::new()),
        Some(b'{') => json_fields(body),
        Some(_) if content_type.eq_ignore_ascii_case(FORM) => form_fields(body),
        Some(_) if body == b"null" => Ok(Map::new()),
        Some(_) => Err(malformed("it must be a JSON object")),
    }
}

fn form_fields(body: &[u8]) -> Result<Map<String, Value>, Error> {
    let text = std::str::from_utf8(body).map_err(|_| malformed("a form must be UTF-8"))?;
    // The parser's own message speaks of a URL, and says nothing of the body.
    query::parse(text).map_err(|_| malformed("it is not a form"))
}

/// The parser's message may quote the body, and with it a secret: only the place is told.
fn json_fields(body: &[u8]) -> Result<Map<String, Value>, Error> {
    json::check(body)?;
    serde_json::from_slice(body).map_err(|error| {
        malformed(&format!("it is not JSON at line {} column {}", error.line(), error.column()))
    })
}

fn malformed(what: &str) -> Error {
    Error::invalid(format!("failed to parse the request's body: {what}"))
}

fn media_type(headers: &HeaderMap) -> &str {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    value.split(';').next().unwrap_or("").trim()
}

/// `X-Vault-Token`, or `Authorization: Bearer`; other schemes are none of ours.
pub(crate) fn token(headers: &HeaderMap) -> Result<Option<Secret<String>>, Error> {
    let bearer = || {
        let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    };
    let token = text(headers, &TOKEN)?.or_else(bearer).map(str::trim).filter(|token| !token.is_empty());
    Ok(token.map(|token| Secret::new(token.to_owned())))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Error> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes());
    text.map(Some).map_err(|_| Error::invalid(format!("the header {name} is not UTF-8")))
}

fn wrap_ttl(headers: &HeaderMap) -> Result<Option<Duration>, Error> {
    if text(headers, &WRAP_FORMAT)?.is_some_and(|format| !format.trim().is_empty()) {
        return Err(Error::invalid(
            "wrapping tokens have one format: leave out the header X-Vault-Wrap-Format",
        ));
    }
    let Some(text) = text(headers, &WRAP_TTL)?.filter(|text| !text.is_empty()) else { return Ok(None) };
    let bad = || Error::invalid("the header X-Vault-Wrap-TTL must be a duration such as 300, 5m or 1h");
    let ttl = parse_duration(text).ok_or_else(bad)?;
    Ok(Some(ttl).filter(|ttl| !ttl.is_zero()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn decode(method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> Result<Request, Error> {
        let mut request = http::Request::builder().method(method).uri(format!("/v1/{uri}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        address::find_client(&mut parts, &crate::Proxies::default(), false);
        let path = parts.uri.path().strip_prefix("/v1/").unwrap();
        let head = Head::new(&parts.method, path, parts.uri.query().unwrap_or(""))?;
        head.with_body("id".to_owned(), &Arc::new(parts), body.as_bytes())
    }

    fn kind(method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> Option<ErrorKind> {
        decode(method, uri, headers, body).err().map(|error| error.kind())
    }

    #[test]
    fn operations_and_paths() {
        use Operation::{Delete, List, Patch, Read, Write};
        let merge = [("content-type", MERGE_PATCH)];
        let check = |method: &str, uri: &str, operation: Operation, path: &str| {
            let request = decode(method, uri, &merge, "").unwrap();
            assert_eq!((request.operation, request.path.as_str()), (operation, path), "{method} {uri}");
        };
        check("GET", "secret/a", Read, "secret/a");
        check("LIST", "kv1", List, "kv1");
        check("LIST", "kv1/", List, "kv1");
        check("GET", "kv1?list=true", List, "kv1");
        check("GET", "kv1/?list=1", List, "kv1");
        check("GET", "kv1/?list=false", Read, "kv1/");
        check("SCAN", "kv1/", List, "kv1");
        check("GET", "kv1?scan=true", List, "kv1");
        check("PUT", "secret/a", Write, "secret/a");
        check("POST", "secret/a", Write, "secret/a");
        check("PATCH", "secret/a", Patch, "secret/a");
        check("DELETE", "secret/a", Delete, "secret/a");
        check("GET", "secret/a%2Fb%20c", Read, "secret/a/b c");
        check("GET", "secret/%C3%A9", Read, "secret/é");
        check("GET", "secret/a/", Read, "secret/a/");
    }

    #[test]
    fn what_is_refused() {
        let check = |method: &str, uri: &str, headers: &[(&str, &str)], body: &str, expect: ErrorKind| {
            assert_eq!(kind(method, uri, headers, body), Some(expect), "{method} {uri} {body}");
        };
        check("GET", "", &[], "", ErrorKind::NotFound);
        check("GET", "secret//a", &[], "", ErrorKind::NotFound);
        check("GET", "/secret", &[], "", ErrorKind::NotFound);
        check("GET", "secret%2F%2Fa", &[], "", ErrorKind::NotFound);
        check("GET", "secret/%ff", &[], "", ErrorKind::Invalid);
        check("GET", "secret/%4", &[], "", ErrorKind::Invalid);
        check("TRACE", "secret/a", &[], "", ErrorKind::Unsupported);
        check("OPTIONS", "secret/a", &[], "", ErrorKind::Unsupported);
        check("PATCH", "secret/a", &[], "{}", ErrorKind::MediaType);
        check("PATCH", "secret/a", &[("content-type", "application/json")], "{}", ErrorKind::MediaType);
        check("POST", "secret/a", &[], "{\"a\":", ErrorKind::Invalid);
        check("POST", "secret/a", &[], "{} {}", ErrorKind::Invalid);
        check("POST", "secret/a", &[], "[1]", ErrorKind::Invalid);
        check("POST", "secret/a", &[], "a=b", ErrorKind::Invalid);
        check("POST", "secret/a", &[], &format!("{{\"a\":{}", "[".repeat(100_000)), ErrorKind::Invalid);
        check("POST", "secret/a", &[("x-vault-wrap-ttl", "soon")], "{}", ErrorKind::Invalid);
        check("POST", "secret/a", &[("x-vault-wrap-format", "jwt")], "{}", ErrorKind::Invalid);
    }

    #[test]
    fn fields() {
        let form = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        let check = |method: &str, uri: &str, headers: &[(&str, &str)], body: &str, expect: Value| {
            let request = decode(method, uri, headers, body).unwrap();
            assert_eq!(Value::Object(request.fields), expect, "{method} {uri} {body}");
        };
        check("POST", "p", &[], "", json!({}));
        check("POST", "p", &[], " \n", json!({}));
        check("POST", "p", &[], "null", json!({}));
        check("POST", "p", &[], r#" {"a":1}"#, json!({ "a": 1 }));
        check("POST", "p", &form, r#"{"a":1}"#, json!({ "a": 1 }));
        check("POST", "p", &form, "policies=default&ttl=5m", json!({ "policies": "default", "ttl": "5m" }));
        check("POST", "p", &[("content-type", "text/plain")], r#"{"a":1}"#, json!({ "a": 1 }));
        check("POST", "p", &[], r#"{"a":1,"a":2}"#, json!({ "a": 2 }));
        check("POST", "p?version=1", &[], r#"{"a":1}"#, json!({ "a": 1 }));
        check(
            "PATCH",
            "p",
            &[("content-type", "Application/Merge-Patch+JSON; x=y")],
            r#"{"a":1}"#,
            json!({ "a": 1 }),
        );
        check("GET", "p?version=2&help=0", &[], r#"{"ignored":1}"#, json!({ "version": "2" }));
        check("LIST", "p?after=a&limit=5", &[], "", json!({ "after": "a", "limit": "5" }));
        check("GET", "p?list=true&after=a", &[], "", json!({ "after": "a" }));
        check("SCAN", "p", &[], "", json!({ "recursive": true }));
        check("DELETE", "p?sync=false", &[], "", json!({ "sync": "false" }));
    }

    #[test]
    fn headers() {
        let token = |headers: &[(&str, &str)]| {
            let request = decode("GET", "p", headers, "").unwrap();
            request.token.map(|token| token.expose().clone())
        };
        assert_eq!(token(&[]), None);
        assert_eq!(token(&[("x-vault-token", "")]), None);
        assert_eq!(token(&[("x-vault-token", "t")]).as_deref(), Some("t"));
        assert_eq!(token(&[("authorization", "Bearer t")]).as_deref(), Some("t"));
        assert_eq!(token(&[("authorization", "bearer t")]).as_deref(), Some("t"));
        assert_eq!(token(&[("authorization", "Basic dDp0")]), None);
        assert_eq!(token(&[("authorization", "Bearer b"), ("x-vault-token", "t")]).as_deref(), Some("t"));
        let wrap = |text: &str| decode("GET", "p", &[("x-vault-wrap-ttl", text)], "").unwrap().wrap_ttl;
        assert_eq!(wrap("1m0s"), Some(Duration::from_secs(60)));
        assert_eq!(wrap("90"), Some(Duration::from_secs(90)));
        assert_eq!(wrap("0"), None);
        assert_eq!(decode("GET", "p", &[("x-vault-namespace", "/a/b/")], "").unwrap().namespace, "a/b");
    }

    #[test]
    fn errors_never_quote_the_body() {
        for body in [
            r#"{"a":"hunter2"#,
            r#"{"a":hunter2}"#,
            "hunter2",
            r#""hunter2""#,
            r#"{"hunter2" 1}"#,
            "{hunter2}",
        ] {
            let error = decode("POST", "p", &[], body).unwrap_err();
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
