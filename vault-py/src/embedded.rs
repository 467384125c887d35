//! [`Embedded`]: a vault in this process, behind its door.

use crate::{
    failure::Failure,
    json,
    promise::{promise, promise_by_thread},
    reply::Reply,
    running::{Engine, Running, end, wait},
    secret::Secret,
};
use pyo3::{prelude::*, types::PyDict};
use secrethub::{
    StoreOptions,
    core::{
        Operation, Request, Vault,
        barrier::{MasterKey, Passphrase},
        request::{Envelope, Origin, Remote, Shape},
        system::{DefaultMount, Guardian, SecretManagerApi, Settings},
    },
    open_with,
};
use serde_json::Value;
use std::sync::Arc;
use tokio::task::AbortHandle;

/// Threads of a vault: one serves while the other waits for the store.
const THREADS: usize = 2;

/// A vault and its background work.
#[derive(Debug)]
struct Held {
    vault: Arc<Vault>,
    jobs: AbortHandle,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.jobs.abort();
    }
}

/// A vault in this process.
#[pyclass(frozen, weakref, module = "secrethub._native")]
#[derive(Debug)]
pub(crate) struct Embedded(Running<Held>);

/// What to open, and how.
struct Plan {
    url: String,
    options: StoreOptions,
    settings: Settings,
}

impl Plan {
    fn new(
        url: String,
        (seal, key): (&str, Option<&Secret>),
        mounts: Vec<String>,
        audit_ttl_days: u32,
        connections: Option<u32>,
        secret_manager: &str,
    ) -> PyResult<Result<Self, Failure>> {
        let key = key.map(Secret::to_text).transpose()?;
        let read = move || -> Result<Settings, Failure> {
            let guardian = match (seal, &key) {
                ("static", Some(key)) => Guardian::MasterKey(MasterKey::parse(key)?),
                ("passphrase", Some(key)) => Guardian::Passphrase(Some(Passphrase::parse(key)?)),
                ("passphrase", None) => Guardian::Passphrase(None),
                _ => Guardian::Shares,
            };
            let secret_manager = match secret_manager {
                "open" => SecretManagerApi::Open,
                "off" => SecretManagerApi::Off,
                "token" => SecretManagerApi::TokenRequired,
                _ => return Err(Failure::new("Invalid", "secret_manager is \"token\", \"open\" or \"off\"")),
            };
            Ok(Settings {
                guardian,
                secret_manager,
                audit_ttl_days,
                default_mounts: DefaultMount::parse_list(&mounts)?,
                // Nobody reaches this door but the program, which holds whatever guards the vault.
                unauthenticated_ceremonies: true,
                ..Settings::default()
            })
        };
        let options = StoreOptions::default().connections(connections);
        Ok(read().map(|settings| Self { url, options, settings }))
    }

    async fn open(self, engine: Engine) -> Result<Embedded, Failure> {
        let vault = open_with(&self.url, self.options, self.settings).await?;
        let worker = Arc::clone(&vault);
        let jobs = engine
            .handle()
            .spawn(async move { worker.run_jobs(std::future::pending()).await })
            .abort_handle();
        Ok(Embedded(Running::new(Held { vault, jobs }, engine)))
    }
}

/// One request, made while the GIL is held.
fn request(
    operation: &str,
    path: String,
    fields: Option<&Bound<'_, PyDict>>,
    token: Option<&Secret>,
    seed: bool,
) -> PyResult<Request> {
    let mut request = Request::new(uuid::Uuid::new_v4().to_string(), operation_of(operation)?, path);
    request.fields = json::fields(fields)?;
    request.token = token.map(Secret::to_text).transpose()?;
    request.remote = Remote { user_agent: Some("secrethub-python".to_owned()), ..Remote::default() };
    if seed {
        request.origin = Origin::SecretManager;
    }
    Ok(request)
}

fn operation_of(name: &str) -> PyResult<Operation> {
    let all = [Operation::Read, Operation::List, Operation::Write, Operation::Patch, Operation::Delete];
    let found = all.into_iter().find(|operation| operation.as_str() == name);
    found.ok_or_else(|| pyo3::exceptions::PyValueError::new_err(format!("{name:?} is no operation")))
}

/// What the door answers, laid out as on the wire.
async fn ask(vault: &Vault, request: Request) -> Result<Reply, Failure> {
    let id = request.id.clone();
    let reply = vault.handle(request).await.map_err(|error| Failure::from(error).of_request(&id))?;
    let shape = reply.shape;
    let body = match shape {
        Shape::Bare | Shape::Health(_) => reply.to_value(),
        _ if reply.is_empty() => Value::Null,
        _ => {
            let laid_out = serde_json::to_value(Envelope::new(&id, &reply));
            laid_out.map_err(|error| Failure::new("Internal", error.to_string()).of_request(&id))?
        }
    };
    match shape {
        Shape::Gone => Err(Failure::gone(body).of_request(&id)),
        _ => Ok(Reply::new(body)),
    }
}

#[pymethods]
impl Embedded {
    /// Opens the vault on the store that the URL names.
    #[staticmethod]
    #[pyo3(signature = (url, seal, key, mounts, audit_ttl_days, connections, secret_manager))]
    #[allow(clippy::too_many_arguments, reason = "one for each setting; the class in Python names them")]
    fn open(
        py: Python<'_>,
        url: String,
        seal: &str,
        key: Option<&Bound<'_, Secret>>,
        mounts: Vec<String>,
        audit_ttl_days: u32,
        connections: Option<u32>,
        secret_manager: &str,
    ) -> PyResult<Self> {
        let key = key.map(|key| key.get());
        let plan = Plan::new(url, (seal, key), mounts, audit_ttl_days, connections, secret_manager)?;
        let plan = plan.map_err(|failure| failure.raise(py))?;
        let engine = Engine::start(THREADS).map_err(|failure| failure.raise(py))?;
        wait(py, &engine.handle(), plan.open(engine))
    }

    /// The same, as a future of the running loop.
    #[staticmethod]
    #[pyo3(signature = (url, seal, key, mounts, audit_ttl_days, connections, secret_manager))]
    #[allow(clippy::too_many_arguments, reason = "one for each setting; the class in Python names them")]
    fn open_async<'py>(
        py: Python<'py>,
        url: String,
        seal: &str,
        key: Option<&Bound<'py, Secret>>,
        mounts: Vec<String>,
        audit_ttl_days: u32,
        connections: Option<u32>,
        secret_manager: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        let key = key.map(|key| key.get());
        let plan = Plan::new(url, (seal, key), mounts, audit_ttl_days, connections, secret_manager)?;
        let plan = plan.map_err(|failure| failure.raise(py))?;
        let engine = Engine::start(THREADS).map_err(|failure| failure.raise(py))?;
        promise(py, &engine.handle(), plan.open(engine))
    }

    /// One request through the door.
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
        let request = request(operation, path, fields, token.map(|token| token.get()), seed)?;
        wait(py, &open.handle(), ask(&open.what().vault, request))
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
        let request = request(operation, path, fields, token.map(|token| token.get()), seed)?;
        promise(py, &open.handle(), async move { ask(&open.what().vault, request).await })
    }

    /// Seals, flushes the audit chain, and gives the store back. A second time, and in a forked child, it does nothing.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let Some(open) = self.0.leave() else { return Ok(()) };
        open.what().jobs.abort();
        let sealed =
            wait(py, &open.handle(), async { open.what().vault.shutdown().await.map_err(Failure::from) });
        py.detach(|| end(open));
        sealed
    }

    /// The same, as a future of the running loop.
    fn close_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let open = self.0.leave();
        promise_by_thread(py, move || {
            let Some(open) = open else { return Ok(()) };
            open.what().jobs.abort();
            let sealed = open.handle().block_on(open.what().vault.shutdown());
            end(open);
            sealed.map_err(Failure::from)
        })
    }
}
