//! [`Failure`]: what went wrong, on its way to the exception of the same name in `secrethub.errors`. It is made where
//! there is no GIL.

use crate::reply::Reply;
use pyo3::prelude::*;
use secrethub::{OpenError, core};
use secrethub_client as client;
use serde_json::Value;
use std::error::Error;

/// A failure, small enough to be handed on.
#[derive(Debug)]
pub(crate) struct Failure(Box<Told>);

/// What its exception is made of.
#[derive(Debug, Default)]
struct Told {
    /// The exception.
    name: String,
    messages: Vec<String>,
    request_id: Option<String>,
    status: Option<u16>,
    retry_after: Option<f64>,
    /// What was answered beside it: KV shows what is known of a deleted version.
    body: Option<Value>,
    /// The cause, for whoever runs this process.
    note: Option<String>,
}

impl Failure {
    pub(crate) fn new(name: &str, message: impl Into<String>) -> Self {
        Told { name: name.to_owned(), messages: vec![message.into()], ..Told::default() }.into()
    }

    /// A vault or client that was made before the process was forked.
    pub(crate) fn forked() -> Self {
        Self::new(
            "Forked",
            "it was opened before this process was forked, and belongs to the parent: open it again here, in the child",
        )
    }

    /// One that was closed.
    pub(crate) fn closed() -> Self {
        Self::new("Closed", "it is closed: open it again")
    }

    /// An answer that shows only what is known of the thing that is gone.
    pub(crate) fn gone(body: Value) -> Self {
        Told { name: "NotFound".to_owned(), body: Some(body), ..Told::default() }.into()
    }

    /// The same of the request with this id.
    #[must_use]
    pub(crate) fn of_request(mut self, id: &str) -> Self {
        self.0.request_id = Some(id.to_owned());
        self
    }

    /// The same with its causes.
    fn because(mut self, error: &dyn Error) -> Self {
        self.0.note = causes(error);
        self
    }

    /// As an exception.
    pub(crate) fn raise(self, py: Python<'_>) -> PyErr {
        let told = *self.0;
        let made = || -> PyResult<Bound<'_, PyAny>> {
            let make = py.import("secrethub.errors")?.getattr("_make")?;
            let reply = told.body.map(|body| Py::new(py, Reply::new(body))).transpose()?;
            make.call1((
                told.name,
                told.messages,
                told.request_id,
                told.status,
                told.retry_after,
                reply,
                told.note,
            ))
        };
        made().map_or_else(|error| error, PyErr::from_value)
    }
}

/// Causes hold no secrets; whoever runs an embedded vault is its operator.
fn causes(error: &dyn Error) -> Option<String> {
    let mut texts = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        texts.push(cause.to_string());
        source = cause.source();
    }
    (!texts.is_empty()).then(|| format!("cause: {}", texts.join(": ")))
}

/// The kinds are named as the exceptions are; a test holds them together.
fn name_of(kind: core::ErrorKind) -> String {
    format!("{kind:?}").split(' ').next().unwrap_or_default().to_owned()
}

impl From<Told> for Failure {
    fn from(told: Told) -> Self {
        Self(Box::new(told))
    }
}

impl From<core::Error> for Failure {
    fn from(error: core::Error) -> Self {
        let name = name_of(error.kind());
        let retry_after = match error.kind() {
            core::ErrorKind::RateLimited { retry_after } => Some(retry_after.as_secs_f64()),
            _ => None,
        };
        let messages = error.messages().iter().map(|message| message.to_string()).collect();
        Told { name, messages, retry_after, note: causes(&error), ..Told::default() }.into()
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let name = match &error {
            OpenError::Unreachable { .. } => "Unreachable",
            OpenError::InUse { source, .. } => {
                let what = format!(
                    "{source}. From Python: secrethub.Client(\"http://127.0.0.1:8200\"), with the address it serves on"
                );
                return Self::new("InUse", what);
            }
            OpenError::Store { source, .. } => match source.downcast_ref::<core::Error>() {
                // The vault on it said no: a wrong master key, say.
                Some(inner) => return Self::new(&name_of(inner.kind()), error.to_string()).because(&error),
                None => "Unavailable",
            },
            _ => "Invalid",
        };
        Self::new(name, error.to_string()).because(&error)
    }
}

impl From<client::Error> for Failure {
    fn from(error: client::Error) -> Self {
        let name = match &error {
            client::Error::Setup(_) => "Invalid",
            client::Error::Connect { .. } => "Unreachable",
            client::Error::Timeout { .. } => "TimedOut",
            client::Error::Broken { .. } => "Broken",
            client::Error::Refused(_) => "Refused",
            _ => "Foreign",
        };
        match error {
            client::Error::Refused(refusal) => refused(*refusal),
            error => Self::new(name, error.to_string()).because(&error),
        }
    }
}

fn refused(refusal: client::Refusal) -> Failure {
    let name = match refusal.kind {
        client::Kind::Unexpected => "Foreign".to_owned(),
        kind => format!("{kind:?}"),
    };
    let body = Some(refusal.body).filter(|body| !body["data"].is_null());
    let (messages, request_id, status) = (refusal.messages, refusal.request_id, Some(refusal.status));
    Told { name, messages, request_id, status, body, ..Told::default() }.into()
}
