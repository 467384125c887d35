//! A door that remembers what it was asked and answers by path, and calls of a router without a socket.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use axum::{Router, body::Body};
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use secrethub_core::{
    Error, ErrorKind, Operation, Reply,
    request::{Health, Origin, Shape},
};
use secrethub_http::{Answer, Door, Peer, Settings, router};
use serde_json::{Value, json};
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};
use tower::ServiceExt;

/// One request as the door saw it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) id: String,
    pub(crate) operation: Operation,
    pub(crate) path: String,
    pub(crate) token: Option<String>,
    pub(crate) namespace: String,
    pub(crate) fields: Value,
    pub(crate) wrap_ttl: Option<Duration>,
    pub(crate) origin: Origin,
    pub(crate) address: Option<IpAddr>,
    pub(crate) certificate: bool,
}

#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) seen: Mutex<Vec<Seen>>,
}

impl Door for Fake {
    fn figures(&self) -> secrethub_core::system::Figures {
        secrethub_core::system::Figures::default()
    }

    fn restore(self: Arc<Self>) -> secrethub_http::Restoring {
        Box::pin(async { Err(Error::vault_stands()) })
    }

    fn count_turned_away(&self, _: Option<IpAddr>) {}

    fn handle(self: Arc<Self>, request: secrethub_core::Request) -> Answer {
        let seen = Seen {
            id: request.id.clone(),
            operation: request.operation,
            path: request.path.clone(),
            token: request.token.as_ref().map(|token| token.expose().clone()),
            namespace: request.namespace.clone(),
            fields: Value::Object(request.fields),
            wrap_ttl: request.wrap_ttl,
            origin: request.origin,
            address: request.remote.address,
            certificate: request.remote.client_certificate,
        };
        let answer = answer(&seen);
        self.seen.lock().unwrap().push(seen);
        let path = request.path;
        Box::pin(async move {
            match path.as_str() {
                "slow" => tokio::time::sleep(Duration::from_millis(300)).await,
                "stuck" => std::future::pending().await,
                _ => {}
            }
            answer
        })
    }
}

fn answer(seen: &Seen) -> Result<Reply, Error> {
    let limited = ErrorKind::RateLimited { retry_after: Duration::from_secs(7) };
    match seen.path.as_str() {
        "sys/health" => Reply::shaped(Shape::Health(Health::Sealed), &json!({ "sealed": true })),
        "bare" => Reply::shaped(Shape::Bare, &json!({ "a": 1 })),
        "double" => Reply::shaped(Shape::Double, &json!({ "a": 1 })),
        "gone" => Reply::shaped(Shape::Gone, &json!({ "data": null })),
        "accepted" => Ok(Reply { shape: Shape::Accepted, ..Reply::empty() }),
        "empty" => Ok(Reply::empty()),
        "missing" => Err(Error::not_found()),
        "denied" => Err(Error::denied()),
        "stranger" => Err(Error::unauthenticated()),
        "ceremony" => Err(Error::new(ErrorKind::Unsupported, "needs a token")),
        "limited" => Err(Error::new(limited, "slow down")),
        "broken" => Err(Error::internal("the cause")),
        "panic" => panic!("as told"),
        "secret-manager/create" => match seen.fields["secret"].as_str() {
            Some("sealed") => Err(Error::sealed()),
            Some("broken") => Err(Error::internal("the cause")),
            Some("bad") => Err(Error::invalid("invalid base64: why")),
            _ => Reply::data(&json!({ "secret_id": "00000000-0000-4000-8000-000000000000" })),
        },
        "secret-manager/fetch" if seen.fields["secret_id"] == "00000000-0000-4000-8000-000000000000" => {
            Reply::data(&json!({ "secret": "aGk=" }))
        }
        "secret-manager/fetch" => Err(Error::not_found()),
        "sys/metrics" if seen.token.as_deref() != Some("good") => Err(Error::unauthenticated()),
        _ => Reply::data(&json!({ "path": seen.path })),
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) code: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Who connected.
pub(crate) fn peer(address: &str) -> Peer {
    Peer::from(address.parse::<SocketAddr>().unwrap())
}

pub(crate) fn fake(settings: Settings) -> (Arc<Fake>, Router) {
    let door = Arc::new(Fake::default());
    (Arc::clone(&door), router(door, settings))
}

pub(crate) async fn call(
    router: &Router,
    method: &str,
    uri: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Got {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let text = String::from_utf8_lossy(&body.collect().await.unwrap().to_bytes()).into_owned();
    Got { code: parts.status.as_u16(), headers: parts.headers, text }
}
