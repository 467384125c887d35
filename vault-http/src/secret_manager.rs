//! The first seed's interface, `POST /vault/secret/create/` and `POST /vault/secret/fetch`, on its own terms:
//! its paths and redirects, its statuses, its `{"detail": …}`. Validation answers name the problem and the place,
//! and never the input: it is the secret.

use crate::{
    address,
    body::{self, Loaded},
    decode, encode,
    limits::SECRET_MANAGER_BODY_MAX,
    metrics::Label,
    router::{App, make_request_id},
};
use axum::{Router, body::Body, extract::State, response::Response, routing::any};
use http::{Method, Uri, header::CONTENT_TYPE, request::Parts};
use secrethub_core::{Error, ErrorKind, Operation, Request, request::Origin};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use tokio::time::Instant;

/// One of the two operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Act {
    field: &'static str,
    core_path: &'static str,
    failed: &'static str,
}

const CREATE: Act = Act { field: "secret", core_path: "secret-manager/create", failed: "create failed" };
const FETCH: Act = Act { field: "secret_id", core_path: "secret-manager/fetch", failed: "fetch failed" };

/// Its four paths: two that serve, two that send the client there.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/vault/secret/create/", any(|app, request| serve(app, request, CREATE)))
        .route("/vault/secret/fetch", any(|app, request| serve(app, request, FETCH)))
        .route("/vault/secret/create", any(async |uri: Uri| redirect(&uri, "/vault/secret/create/")))
        .route("/vault/secret/fetch/", any(async |uri: Uri| redirect(&uri, "/vault/secret/fetch")))
}

fn redirect(from: &Uri, to: &str) -> Response {
    match from.query() {
        Some(query) => encode::redirect(&format!("{to}?{query}")),
        None => encode::redirect(to),
    }
}

async fn serve(State(app): State<Arc<App>>, request: axum::extract::Request, act: Act) -> Response {
    if request.method() != Method::POST {
        return encode::method_not_allowed("POST");
    }
    let (started, id) = (Instant::now(), make_request_id());
    let (mut parts, body) = request.into_parts();
    address::find_client(&mut parts, &app.settings.proxies, false);
    let parts = Arc::new(parts);
    let _stays = app.settings.metrics.requests().enter(&id, &parts);
    let response = match answer(&app, &id, &parts, body, act).await {
        Ok(data) => encode::plain(&id, &data),
        Err(Refusal::Problem(problem)) => encode::unprocessable(&id, &[problem]),
        Err(Refusal::Error(error)) => encode::detail(&id, &error, &message(&error, act)),
    };
    let label = Label { mount_type: "secret-manager", operation: "update", pattern: act.core_path };
    app.settings.metrics.observe(label, response.status().as_u16(), started.elapsed());
    response
}

/// The seed's words where it has some, and the core's public ones elsewhere.
fn message(error: &Error, act: Act) -> String {
    match error.kind() {
        ErrorKind::Internal => act.failed.to_owned(),
        ErrorKind::NotFound => "Secret not found".to_owned(),
        ErrorKind::TooLarge => "a secret may have at most 1 MiB".to_owned(),
        _ => error.to_string(),
    }
}

enum Refusal {
    /// A 422.
    Problem(Problem),
    Error(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// One item of a validation answer, as pydantic words it, without its `input`.
#[derive(Debug, PartialEq, Serialize)]
struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    loc: Vec<Value>,
    msg: &'static str,
}

fn problem(kind: &'static str, below: &[Value], msg: &'static str) -> Problem {
    let loc = std::iter::once(json!("body")).chain(below.iter().cloned()).collect();
    Problem { kind, loc, msg }
}

async fn answer(app: &App, id: &str, parts: &Arc<Parts>, body: Body, act: Act) -> Result<Value, Refusal> {
    let remote = address::remote(parts)?;
    app.secret_manager.admit(remote.address).map_err(|wait| app.turn_away(remote.address, wait))?;
    let Loaded { bytes, held: _until_the_reply } =
        body::read(body, SECRET_MANAGER_BODY_MAX, &app.settings.limits, &app.bodies).await?;
    let mut request = Request::new(id, Operation::Write, act.core_path);
    let text = field(parts, &bytes, act).map_err(Refusal::Problem)?;
    request.fields.insert(act.field.to_owned(), Value::String(text));
    request.token = decode::token(&parts.headers)?;
    request.origin = Origin::SecretManager;
    request.remote = remote;
    drop(bytes);
    Ok(app.ask(request).await?.to_value())
}

/// The one field of the body, checked as far as the seed's schema does. The rest is the engine's.
fn field(parts: &Parts, body: &[u8], act: Act) -> Result<String, Problem> {
    if body.is_empty() {
        return Err(problem("missing", &[], "Field required"));
    }
    if !is_json(parts) {
        return Err(not_an_object());
    }
    let mut fields = match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) => return Err(not_an_object()),
        Err(error) => return Err(problem("json_invalid", &[json!(error.column())], "JSON decode error")),
    };
    let text = text(&mut fields, act)?;
    if act != FETCH {
        return Ok(text);
    }
    // Any notation the seed took is the same id: hyphenless, in braces, as a URN, in capitals.
    let id = uuid::Uuid::try_parse(&text);
    id.map(|id| id.to_string())
        .map_err(|_| problem("uuid_parsing", &[json!(act.field)], "Input should be a valid UUID"))
}

fn text(fields: &mut Map<String, Value>, act: Act) -> Result<String, Problem> {
    let at = [json!(act.field)];
    match fields.remove(act.field) {
        Some(Value::String(text)) => Ok(text),
        None => Err(problem("missing", &at, "Field required")),
        Some(_) if act == FETCH => {
            Err(problem("uuid_type", &at, "UUID input should be a string, bytes or UUID object"))
        }
        Some(_) => Err(problem("string_type", &at, "Input should be a valid string")),
    }
}

fn not_an_object() -> Problem {
    let message = "Input should be a valid dictionary or object to extract fields from";
    problem("model_attributes_type", &[], message)
}

/// As the seed has it, which also keeps a web page from posting here: a browser sends JSON to strangers only after
/// asking, and is not answered. No content type at all is taken for JSON.
fn is_json(parts: &Parts) -> bool {
    let Some(value) = parts.headers.get(CONTENT_TYPE) else { return true };
    let text = value.to_str().unwrap_or("").to_ascii_lowercase();
    let media = text.split(';').next().unwrap_or("").trim();
    media == "application/json" || (media.starts_with("application/") && media.ends_with("+json"))
}
