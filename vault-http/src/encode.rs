//! From a [`Reply`] or an [`Error`] to an HTTP response. The one file of the product that knows status codes.

use crate::{envelope, health::HealthCodes};
use axum::{body::Body, response::Response};
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, RETRY_AFTER},
};
use secrethub_core::{Error, ErrorKind, Reply, rate::Level, request::Shape};
use serde::Serialize;
use std::time::Duration;

/// Exactly this: a client compares it as a text and loses the message if a charset follows.
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const RATE_LIMIT: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit"),
    HeaderName::from_static("x-ratelimit-remaining"),
    HeaderName::from_static("x-ratelimit-reset"),
];
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Lays out the door's answer by Vault's rules.
pub(crate) fn vault(id: &str, result: Result<Reply, Error>, health: HealthCodes) -> Response {
    let level = result.as_ref().map_or_else(Error::level, |reply| reply.level);
    let body = result.and_then(|reply| Ok((envelope::body(id, &reply)?, reply)));
    let response = match body {
        Ok((body, reply)) => json(success_code(&reply, health, body.is_empty()), body),
        Err(error) => {
            log(id, &error);
            let response = json(error_code(error.kind()), errors(&error));
            with_retry_after(response, error.kind())
        }
    };
    with_id(with_level(response, level), id)
}

/// What is no JSON and may be long.
pub(crate) fn file(id: &str, (body, media_type): (Body, &'static str)) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    with_id(response, id)
}

/// An error in the first seed's words.
pub(crate) fn detail(id: &str, error: &Error, message: &str) -> Response {
    log(id, error);
    let response = detail_of(error_code(error.kind()), &message);
    with_id(with_retry_after(response, error.kind()), id)
}

/// The first seed's 200.
pub(crate) fn plain(id: &str, data: &impl Serialize) -> Response {
    with_id(json(StatusCode::OK, serde_json::to_vec(data).unwrap_or_default()), id)
}

/// The first seed's 422: what is wrong where, never the input.
pub(crate) fn unprocessable(id: &str, problems: &impl Serialize) -> Response {
    with_id(detail_of(StatusCode::UNPROCESSABLE_ENTITY, problems), id)
}

/// The first seed's answer to another method.
pub(crate) fn method_not_allowed(allow: &'static str) -> Response {
    let mut response = detail_of(StatusCode::METHOD_NOT_ALLOWED, &"Method Not Allowed");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// Sends a client elsewhere with the same method and body.
pub(crate) fn redirect(location: &str) -> Response {
    let mut response = json(StatusCode::TEMPORARY_REDIRECT, Vec::new());
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// A page or a file of the documentation.
pub(crate) fn page(content_type: &str, policy: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    let content_type = HeaderValue::from_str(content_type);
    let headers = response.headers_mut();
    headers
        .insert(CONTENT_TYPE, content_type.unwrap_or(HeaderValue::from_static("application/octet-stream")));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

/// Text that a scraper reads.
pub(crate) fn text(body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    let version = HeaderValue::from_static("text/plain; version=0.0.4");
    response.headers_mut().insert(CONTENT_TYPE, version);
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}

fn success_code(reply: &Reply, health: HealthCodes, empty: bool) -> StatusCode {
    match reply.shape {
        Shape::Health(state) => StatusCode::from_u16(health.of(state)).unwrap_or(StatusCode::OK),
        Shape::Gone => StatusCode::NOT_FOUND,
        Shape::Accepted => StatusCode::ACCEPTED,
        _ if empty => StatusCode::NO_CONTENT,
        _ => StatusCode::OK,
    }
}

/// Vault's code for a kind of failure. It knows no 401, and what a client did wrong is never a 5xx: clients would
/// send it again.
fn error_code(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Invalid | ErrorKind::Credentials | ErrorKind::Uninitialized => StatusCode::BAD_REQUEST,
        ErrorKind::Unauthenticated | ErrorKind::Denied => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Unsupported => StatusCode::METHOD_NOT_ALLOWED,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorKind::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Sealed | ErrorKind::Unavailable | ErrorKind::Conflict => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn with_retry_after(mut response: Response, kind: ErrorKind) -> Response {
    let wait = match kind {
        ErrorKind::RateLimited { retry_after } => retry_after,
        // Long enough for a merged commit to end, short enough for a person.
        ErrorKind::Unavailable | ErrorKind::Conflict => Duration::from_secs(1),
        _ => return response,
    };
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds(wait).max(1)));
    response
}

/// How the caller's bucket stands.
fn with_level(mut response: Response, level: Option<Level>) -> Response {
    let Some(level) = level else { return response };
    let numbers = [level.limit, level.remaining, seconds(level.reset)];
    for (name, number) in RATE_LIMIT.into_iter().zip(numbers) {
        response.headers_mut().insert(name, HeaderValue::from(number));
    }
    response
}

/// Whole ones, rounded up.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[derive(Serialize)]
struct Errors<'a> {
    errors: &'a [std::borrow::Cow<'static, str>],
}

fn errors(error: &Error) -> Vec<u8> {
    serde_json::to_vec(&Errors { errors: error.messages() }).unwrap_or_default()
}

#[derive(Serialize)]
struct Detail<'a, T> {
    detail: &'a T,
}

fn detail_of(code: StatusCode, detail: &impl Serialize) -> Response {
    json(code, serde_json::to_vec(&Detail { detail }).unwrap_or_default())
}

fn json(code: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}

fn with_id(mut response: Response, id: &str) -> Response {
    if let Ok(id) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// What the caller may not see, the operator finds under the request id. Sources hold causes, never values.
fn log(id: &str, error: &Error) {
    let source = std::error::Error::source(error).map(|source| source as &(dyn std::error::Error + 'static));
    match error.kind() {
        ErrorKind::Internal => tracing::error!(request_id = id, source, "internal error"),
        ErrorKind::Unavailable => tracing::warn!(request_id = id, source, "unavailable: {error}"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use secrethub_core::request::Health;
    use serde_json::{Value, json};

    async fn read(response: Response) -> (u16, Value) {
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(response.headers()[REQUEST_ID], "id");
        let code = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (code, if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() })
    }

    #[tokio::test]
    async fn codes_of_success() {
        let check = async |reply: Reply, code: u16| {
            let (have, _) = read(vault("id", Ok(reply), HealthCodes::default())).await;
            assert_eq!(have, code);
        };
        check(Reply::data(&1).unwrap(), 200).await;
        check(Reply::empty(), 204).await;
        check(Reply::empty().warn("w"), 200).await;
        check(Reply { shape: Shape::Accepted, ..Reply::empty() }, 202).await;
        check(Reply::shaped(Shape::Gone, &1).unwrap(), 404).await;
        check(Reply::shaped(Shape::Health(Health::Active), &1).unwrap(), 200).await;
        check(Reply::shaped(Shape::Health(Health::Sealed), &1).unwrap(), 503).await;
        check(Reply::shaped(Shape::Health(Health::Uninitialized), &1).unwrap(), 501).await;
    }

    #[tokio::test]
    async fn codes_of_errors() {
        let check = async |error: Error, code: u16, messages: Value| {
            let expect = (code, json!({ "errors": messages }));
            assert_eq!(read(vault("id", Err(error), HealthCodes::default())).await, expect);
        };
        check(Error::invalid("why"), 400, json!(["why"])).await;
        check(Error::new(ErrorKind::Uninitialized, "u"), 400, json!(["u"])).await;
        check(Error::new(ErrorKind::Credentials, "c"), 400, json!(["c"])).await;
        check(Error::unauthenticated(), 403, json!(["permission denied"])).await;
        check(Error::denied().with_message("by rule 1"), 403, json!(["permission denied", "by rule 1"]))
            .await;
        check(Error::not_found(), 404, json!([])).await;
        check(Error::new(ErrorKind::Unsupported, "m"), 405, json!(["m"])).await;
        check(Error::new(ErrorKind::TooLarge, "m"), 413, json!(["m"])).await;
        check(Error::new(ErrorKind::MediaType, "m"), 415, json!(["m"])).await;
        check(Error::sealed(), 503, json!(["Vault is sealed"])).await;
        check(Error::unavailable("m"), 503, json!(["m"])).await;
        let public = "internal error; the server's log has the cause under this request id";
        check(Error::internal("the cause"), 500, json!([public])).await;
    }

    #[test]
    fn retry_after_is_whole_seconds() {
        let check = |error: Error, expect: Option<&str>| {
            let response = vault("id", Err(error), HealthCodes::default());
            let have = response.headers().get(RETRY_AFTER).map(|value| value.to_str().unwrap());
            assert_eq!(have, expect);
        };
        let limited = |millis| ErrorKind::RateLimited { retry_after: Duration::from_millis(millis) };
        check(Error::new(limited(1), ""), Some("1"));
        check(Error::new(limited(2_000), ""), Some("2"));
        check(Error::new(limited(2_001), ""), Some("3"));
        check(Error::unavailable(""), Some("1"));
        check(Error::sealed(), None);
        check(Error::invalid(""), None);
    }

    #[test]
    fn how_a_bucket_stands() {
        let level = Level { limit: 10, remaining: 3, reset: Duration::from_millis(1_500) };
        let limited = ErrorKind::RateLimited { retry_after: Duration::from_secs(1) };
        for result in [
            Ok(Reply { level: Some(level), ..Reply::empty() }),
            Err(Error::not_found().with_level(level)),
            Err(Error::new(limited, "").with_level(level)),
        ] {
            let response = vault("id", result, HealthCodes::default());
            let told = RATE_LIMIT.map(|name| response.headers()[name].to_str().unwrap().to_owned());
            assert_eq!(told, ["10", "3", "2"]);
        }
        let response = vault("id", Ok(Reply::empty()), HealthCodes::default());
        assert!(RATE_LIMIT.iter().all(|name| !response.headers().contains_key(name)));
    }
}
