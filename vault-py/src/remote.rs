//! [`Remote`]: a client of a server, over the typed client's transport.

use crate::{
    failure::Failure,
    json,
    promise::{promise, promise_by_thread},
    reply::Reply,
    running::{Engine, Running, end, wait},
    secret::Secret,
};
use pyo3::{exceptions::PyValueError, prelude::*, types::PyDict};
use secrecy::SecretString;
use secrethub_client::{Client, Method};
use serde_json::{Map, Value, json};
use std::{path::PathBuf, time::Duration};

/// Threads of a client: who waits does the work.
const THREADS: usize = 1;

/// A client of a server.
#[pyclass(frozen, weakref, module = "secrethub._native")]
#[derive(Debug)]
pub(crate) struct Remote(Running<Client>);

/// One request, made while the GIL is held.
struct Call {
    method: Method,
    path: String,
    fields: Map<String, Value>,
    token: Option<SecretString>,
    seed: bool,
}

impl Call {
    fn new(
        operation: &str,
        path: String,
        fields: Option<&Bound<'_, PyDict>>,
        token: Option<&Secret>,
        seed: bool,
    ) -> PyResult<Self> {
        let method = match operation {
            "read" => Method::Get,
            "list" => Method::List,
            "update" => Method::Put,
            "patch" => Method::Patch,
            "delete" => Method::Delete,
            other => return Err(PyValueError::new_err(format!("{other:?} is no operation"))),
        };
        // EXPOSE: the token goes to the server, which is the purpose of the call.
        let token =
            token.map(Secret::to_text).transpose()?.map(|text| SecretString::from(text.expose().as_str()));
        Ok(Self { method, path, fields: json::fields(fields)?, token, seed })
    }

    async fn send(self, client: &Client) -> Result<Reply, Failure> {
        let client = client.with_token(self.token.as_ref())?;
        if self.seed {
            return first_seed(&client, &self.path, &self.fields).await;
        }
        let has_body = matches!(self.method, Method::Put | Method::Patch);
        let query: Vec<(&str, String)> = match has_body {
            true => Vec::new(),
            false => self.fields.iter().map(|(name, value)| (name.as_str(), plain(value))).collect(),
        };
        let body = has_body.then(|| Value::Object(self.fields.clone()));
        let reply = client.call(self.method, &self.path, &query, body.as_ref()).await?;
        Ok(Reply::new(reply.into_body()))
    }
}

/// A field as it stands in a query.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The first seed's interface has paths and shapes of its own; what comes back is laid out as the door does.
async fn first_seed(client: &Client, path: &str, fields: &Map<String, Value>) -> Result<Reply, Failure> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let data = match path {
        "secret-manager/create" => json!({"secret_id": client.secret_create(text("secret")).await?}),
        _ => json!({"secret": client.secret_fetch(text("secret_id")).await?}),
    };
    Ok(Reply::new(json!({ "data": data })))
}

#[pymethods]
impl Remote {
    /// Sets a client up; nothing is sent yet.
    #[new]
    #[pyo3(signature = (address, namespace, ca_file, verify, timeout, attempts))]
    fn new(
        py: Python<'_>,
        address: &str,
        namespace: Option<String>,
        ca_file: Option<PathBuf>,
        verify: bool,
        timeout: f64,
        attempts: u32,
    ) -> PyResult<Self> {
        let timeout = Duration::try_from_secs_f64(timeout).ok().filter(|timeout| !timeout.is_zero());
        let timeout =
            timeout.ok_or_else(|| PyValueError::new_err("a timeout is a positive number of seconds"))?;
        let make = || -> Result<Self, Failure> {
            let mut builder = Client::builder(address).timeout(timeout).attempts(attempts);
            if let Some(namespace) = namespace {
                builder = builder.namespace(namespace);
            }
            if let Some(file) = ca_file {
                builder = builder.ca_file(&file)?;
            }
            if !verify {
                builder = builder.danger_skip_verify();
            }
            Ok(Self(Running::new(builder.build()?, Engine::start(THREADS)?)))
        };
        make().map_err(|failure| failure.raise(py))
    }

    /// One request to the server.
    #[pyo3(signature = (operation, path, fields, token, seed=false))]
    fn call(
        &self,
        py: Python<'_>,
        operation: &str,
        path: String,
        fields: Option<&Bound<'_, PyDict>>,
        token: Option<&Bound<'_, Secret>>,
        seed: bool,
    ) -> PyResult<Reply> {
        let open = self.0.enter().map_err(|failure| failure.raise(py))?;
        let call = Call::new(operation, path, fields, token.map(|token| token.get()), seed)?;
        wait(py, &open.handle(), call.send(open.what()))
    }

    /// The same, as a future of the running loop.
    #[pyo3(signature = (operation, path, fields, token, seed=false))]
    fn call_async<'py>(
        &self,
        py: Python<'py>,
        operation: &str,
        path: String,
        fields: Option<&Bound<'py, PyDict>>,
        token: Option<&Bound<'py, Secret>>,
        seed: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let open = self.0.enter().map_err(|failure| failure.raise(py))?;
        let call = Call::new(operation, path, fields, token.map(|token| token.get()), seed)?;
        promise(py, &open.handle(), async move { call.send(open.what()).await })
    }

    /// Ends its connections. A second time, and in a forked child, it does nothing.
    fn close(&self, py: Python<'_>) {
        if let Some(open) = self.0.leave() {
            py.detach(|| end(open));
        }
    }

    /// The same, as a future of the running loop.
    fn close_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let open = self.0.leave();
        promise_by_thread(py, move || {
            if let Some(open) = open {
                end(open);
            }
            Ok(())
        })
    }
}
