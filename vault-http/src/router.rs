//! [`router`]: every path of the server. `/v1/{*path}` is one handler for all engines; what a path does is the
//! core's business.

use crate::{
    address,
    admission::{Admission, Place},
    alias,
    body::{self, Budget, Loaded},
    decode::{self, Head},
    docs,
    door::Door,
    encode,
    health::HealthCodes,
    help,
    metrics::{self, Label},
    openapi, query,
    rate::Limiter,
    secret_manager,
    settings::Settings,
    snapshot,
};
use axum::{
    Router,
    body::Body,
    extract::State,
    response::Response,
    routing::{any, get},
};
use bytes::Bytes;
use http::request::Parts;
use secrethub_core::{Error, ErrorKind, Operation, Reply, Request as CoreRequest};
use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
};
use tokio::time::Instant;
use tracing::Instrument;

/// Asked by proxies themselves, which then ask for nobody.
const PROBES: &[&str] = &["sys/health", "sys/health/ready", "sys/health/live"];

/// What all handlers share.
pub(crate) struct App {
    pub(crate) door: Arc<dyn Door>,
    pub(crate) settings: Settings,
    pub(crate) bodies: Budget,
    pub(crate) admission: Admission,
    /// Strangers that were refused: each cost an audit record.
    pub(crate) refusals: Limiter,
    pub(crate) secret_manager: Limiter,
    /// The document, made when first asked for.
    pub(crate) openapi: OnceLock<Bytes>,
}

/// Every path of the server, around a door. Pure: it opens nothing and starts nothing.
pub fn router(door: Arc<dyn Door>, settings: Settings) -> Router {
    let mut router = Router::new()
        .route("/v1/{*path}", any(v1))
        .route("/health", any(health))
        .route("/metrics", get(metrics::serve))
        .route("/openapi.json", get(openapi::serve))
        .merge(docs::routes());
    if settings.secret_manager_api {
        router = router.merge(secret_manager::routes());
    }
    let limits = &settings.limits;
    let bodies = Budget::new(limits.bodies_bytes);
    let admission = Admission::new(limits.requests);
    let (refusals, secret_manager) = (Limiter::new(limits.refusals), Limiter::new(limits.secret_manager));
    settings.metrics.watch(&door);
    let openapi = OnceLock::new();
    let app = App { door, bodies, admission, refusals, secret_manager, openapi, settings };
    router.fallback(nowhere).with_state(Arc::new(app))
}

impl App {
    /// Asks the door in a task of its own: a client that leaves does not cut its request in half.
    pub(crate) async fn ask(&self, request: CoreRequest) -> Result<Reply, Error> {
        let address = request.remote.address;
        let stranger = request.token.is_none();
        // A probe asks whether there is a vault, not whether it has time.
        let place = match PROBES.contains(&request.path.as_str()) {
            true => None,
            false => Some(self.admission.enter(request.token.as_ref(), address)?),
        };
        let span = tracing::info_span!("request", id = request.id, operation = request.operation.as_str());
        let door = Arc::clone(&self.door);
        let result = match tokio::spawn(handle(door, request, place).instrument(span)).await {
            Ok(result) => result,
            // A panic's text may hold anything: the hook has printed where it was.
            Err(_) => Err(Error::internal("the request's task ended without an answer")),
        };
        // A stranger at a ceremony is told that it is not served without a token.
        let refused = |kind| {
            matches!(kind, ErrorKind::Unauthenticated | ErrorKind::Credentials)
                || stranger && matches!(kind, ErrorKind::Unsupported | ErrorKind::RateLimited { .. })
        };
        if result.as_ref().is_err_and(|error| refused(error.kind())) {
            self.refusals.take(address);
        }
        result
    }

    /// Refuses who was refused too often, before anything is read, decided or recorded.
    pub(crate) fn check_refusals(&self, address: Option<IpAddr>) -> Result<(), Error> {
        self.refusals.wait(address).map_or(Ok(()), |wait| Err(self.turn_away(address, wait)))
    }

    /// One request too many: counted, and recorded with the others of its kind.
    pub(crate) fn turn_away(&self, address: Option<IpAddr>, wait: std::time::Duration) -> Error {
        self.door.count_turned_away(address);
        rate_limited(wait)
    }
}

/// The place is held until the door has answered, whether or not somebody waits.
async fn handle(door: Arc<dyn Door>, request: CoreRequest, place: Option<Place>) -> Result<Reply, Error> {
    let answer = door.handle(request).await;
    drop(place);
    answer
}

fn rate_limited(retry_after: std::time::Duration) -> Error {
    Error::new(
        ErrorKind::RateLimited { retry_after },
        "too many requests from this address; wait, then try again",
    )
}

/// A UUID (version 4), for the reply, the log and the audit record alike.
pub(crate) fn make_request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

async fn v1(State(app): State<Arc<App>>, request: axum::extract::Request) -> Response {
    let path = request.uri().path().strip_prefix("/v1/").unwrap_or("").to_owned();
    serve(&app, &path, request).await
}

/// The second seed's short path of `sys/health`.
async fn health(State(app): State<Arc<App>>, request: axum::extract::Request) -> Response {
    serve(&app, "sys/health", request).await
}

async fn nowhere() -> Response {
    encode::vault(&make_request_id(), Err(Error::not_found()), HealthCodes::default())
}

/// One request under `/v1`, counted and timed.
async fn serve(app: &App, path: &str, request: axum::extract::Request) -> Response {
    let (started, id) = (Instant::now(), make_request_id());
    let (mut parts, body) = request.into_parts();
    address::find_client(&mut parts, &app.settings.proxies, PROBES.contains(&path));
    let parts = Arc::new(parts);
    let _stays = app.settings.metrics.requests().enter(&id, &parts);
    let mut label = Label::default();
    let mut codes = HealthCodes::default();
    let result = answer(app, &id, path, (&parts, body), &mut label, &mut codes).await;
    if let Ok(reply) = &result {
        (label.mount_type, label.pattern) = (reply.mount_type, reply.pattern);
    }
    let response = match result {
        // The core says who may; what there is to see is here.
        Ok(reply) if path == "sys/metrics" => metrics::answer(&app.settings.metrics, &id, &parts, &reply),
        Ok(Reply { bytes: Some(bytes), .. }) => encode::file(&id, snapshot::stream(bytes, &parts.headers)),
        result => encode::vault(&id, result, codes),
    };
    let (code, elapsed) = (response.status().as_u16(), started.elapsed());
    app.settings.metrics.observe(label, code, elapsed);
    let Label { mount_type, pattern, operation } = label;
    tracing::debug!(request_id = id, mount_type, pattern, operation, code, ?elapsed, "answered");
    response
}

async fn answer(
    app: &App,
    id: &str,
    path: &str,
    (parts, body): (&Arc<Parts>, Body),
    label: &mut Label,
    codes: &mut HealthCodes,
) -> Result<Reply, Error> {
    let mut head = Head::new(&parts.method, path, parts.uri.query().unwrap_or(""))?;
    label.operation = head.operation.as_str();
    if head.path == "sys/health" {
        *codes = HealthCodes::parse(&head.query)?;
    } else {
        // Probes of health are never refused for what others at that address did.
        app.check_refusals(address::client_address(parts)?)?;
        if parts.method == http::Method::HEAD {
            return Err(decode::unsupported());
        }
    }
    alias::resolve(&mut head);
    if head.asks_for_help() {
        return help::answer(app, id, head, parts).await;
    }
    let limits = &app.settings.limits;
    let (restoring, body) = snapshot::begin(app, &head, body).await?;
    if let Some(restore) = restoring {
        return snapshot::take(restore, body, limits).await;
    }
    let max = if head.takes_body() { limits.body_bytes } else { 0 };
    let body = if head.takes_body() { body } else { Body::empty() };
    let Loaded { bytes, held: _until_the_reply } = body::read(body, max, limits, &app.bodies).await?;
    let request = head.with_body(id.to_owned(), parts, &bytes)?;
    drop(bytes);
    app.ask(request).await
}

/// A read of a path with the caller's token, for what this crate answers itself but may not decide.
pub(crate) async fn ask_as_caller(
    app: &App,
    id: &str,
    path: String,
    parts: &Arc<Parts>,
) -> Result<Reply, Error> {
    app.check_refusals(address::client_address(parts)?)?;
    let query = query::parse("")?;
    let head = Head { operation: Operation::Read, path, query, added: serde_json::Map::new() };
    app.ask(head.with_body(id.to_owned(), parts, &[])?).await
}
