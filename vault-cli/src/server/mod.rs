//! The composition root: from settings to a running server, and in good order back to nothing.
//!
//! Addresses are bound first, so that a mistake in them is known before anything else happens; clients that come
//! early wait in the kernel's queue until the vault is ready. At the end: take no more, finish what is in flight,
//! flush and seal the vault, exit.

mod audit_devices;
mod audit_file;
mod banner;
mod dev;
mod dev_tls;
mod logs;
mod machine;
mod signals;
mod store;
pub(crate) mod tls;

use crate::{
    config::{Config, Environment, StoreUrl},
    failure::{Failure, OK},
    memory_lock,
};
use audit_devices::{AuditDevices, Keeper};
use audit_file::{AuditFile, NamedBy};
pub(crate) use dev::Dev;
use logs::Loggers;
use machine::Here;
use secrethub::{
    StoreOptions, TokioHost,
    core::{
        Parts, Vault,
        store::Backend,
        system::{AuditDevice, Guardian, SecretManagerApi, Settings},
    },
    default_crypto,
};
use secrethub_http::{
    Limits, Listening, Metrics, Proxies, Server, limits::DRAIN_GRACE, metrics_router, router,
};
use signals::Signals;
use std::{net::SocketAddr, path::PathBuf, sync::Arc};
use tls::Certificates;
use tokio::net::TcpListener;

/// What the settings come to.
struct Plan {
    store: StoreUrl,
    store_options: StoreOptions,
    addresses: Vec<SocketAddr>,
    proxied_addresses: Vec<SocketAddr>,
    proxies: Proxies,
    metrics: Option<SocketAddr>,
    certificates: Option<Certificates>,
    limits: Limits,
    audit_file: Option<PathBuf>,
    audit_devices_folder: Option<PathBuf>,
    vault: Settings,
}

/// Runs the server until it is told to stop.
pub(crate) async fn run(config: Config, environment: Environment, dev: Option<Dev>) -> Result<u8, Failure> {
    let loggers = logs::start(config.log_level.as_deref(), config.log_format.as_deref())?;
    if dev.is_none() && !config.is_mlock_disabled() {
        lock_memory();
    }
    let mut plan = Plan::new(&config, &environment)?;
    drop(environment);
    if let Some(dev) = &dev {
        plan = dev.change(&config, plan)?;
    }
    let mut signals = Signals::listen()?;
    let running = tokio::select! {
        running = start(plan, loggers, dev.as_ref()) => running?,
        () = signals.stop() => return Ok(OK),
    };
    // No supervisor is no failure.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    running.until_stopped(&mut signals).await;
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    let stopped = running.stop(&mut signals).await;
    if let Some(dev) = dev {
        dev.clean();
    }
    stopped
}

/// Before the first key is read.
fn lock_memory() {
    match memory_lock::lock() {
        Ok(()) => tracing::debug!("memory is locked: nothing of it reaches swap"),
        Err(reason) => {
            tracing::warn!("memory is not locked, so keys may reach swap ({reason}); {}", memory_lock::NEXT);
        }
    }
}

impl Plan {
    fn new(config: &Config, environment: &Environment) -> Result<Self, Failure> {
        let guardian = config.guardian(environment)?;
        let has_key = matches!(guardian, Guardian::MasterKey(_));
        let limits = Limits::default();
        let connections = config.connections_max.map_or(limits.connections, |max| max as usize);
        let requests = config.requests_max.map_or(limits.requests, |max| max as usize);
        let defaults = Settings::default();
        Ok(Self {
            store: config.store_url()?,
            store_options: config.store_options()?,
            addresses: config.addresses(has_key)?,
            proxied_addresses: config.proxied_addresses()?,
            proxies: config.proxies()?,
            metrics: config.metrics_address()?,
            certificates: config.tls_files()?.map(Certificates::load).transpose()?,
            limits: Limits { connections, requests, ..limits },
            audit_file: config.audit_file.clone(),
            audit_devices_folder: config.devices_folder()?,
            vault: Settings {
                default_mounts: config.mounts()?,
                guardian,
                secret_manager: config.secret_manager(has_key)?,
                unauthenticated_ceremonies: config.unauthenticated_ceremonies.unwrap_or(false),
                audit_enabled: config.audit_enabled.unwrap_or(defaults.audit_enabled),
                audit_devices: audit_devices(config),
                first_seed: None,
                device_keeper: None,
                machine: None,
                audit_ttl_days: config.audit_ttl_days.unwrap_or(defaults.audit_ttl_days),
                disk_watermark_bytes: config
                    .disk_watermark_mib
                    .map_or(defaults.disk_watermark_bytes, |mib| u64::from(mib) << 20),
                cluster_name: config.cluster_name.clone().unwrap_or(defaults.cluster_name),
                version: defaults.version,
                hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
                api_address: String::new(),
            },
        })
    }
}

/// What follows the audit log, as `sys/audit` shows it.
fn audit_devices(config: &Config) -> Vec<AuditDevice> {
    let file = config.audit_file.iter().map(|path| AuditDevice::file(&path.display().to_string()));
    file.collect()
}

/// A server that serves.
struct Running {
    vault: Arc<Vault>,
    server: Server,
    certificates: Option<Certificates>,
    audit_file: Option<AuditFile>,
    audit_devices: Option<AuditDevices>,
    jobs: tokio::task::JoinHandle<()>,
}

async fn start(plan: Plan, loggers: Loggers, dev: Option<&Dev>) -> Result<Running, Failure> {
    let listeners = bind_all(&plan.addresses).await?;
    let proxied = bind_all(&plan.proxied_addresses).await?;
    let metrics_listeners = bind_all(plan.metrics.as_slice()).await?;
    let secret_manager_api = plan.vault.secret_manager != SecretManagerApi::Off;
    let backend = store::open(&plan.store, plan.store_options).await?;
    let first_seed = store::first_seed(&plan.store, &plan.vault.guardian).await?;
    let audit_file = match plan.audit_file {
        Some(path) => Some(AuditFile::start(Arc::clone(&backend), path, NamedBy::Operator).await?),
        None => None,
    };
    let scheme = if plan.certificates.is_some() { "https" } else { "http" };
    let api_address =
        plan.addresses.first().map(|address| format!("{scheme}://{address}")).unwrap_or_default();
    let metrics = Metrics::default();
    let machine = Some(Arc::new(Here { loggers, requests: metrics.requests().clone() }) as _);
    let kept = plan.audit_devices_folder.map(|folder| Keeper::start(Arc::clone(&backend), folder));
    let (device_keeper, audit_devices) = kept.map(|(keeper, devices)| (keeper as _, devices)).unzip();
    let vault =
        open_vault(backend, Settings { api_address, device_keeper, machine, first_seed, ..plan.vault })
            .await?;
    let root = match dev {
        Some(dev) => Some(dev.begin(&vault).await?),
        None => None,
    };
    let server = Server::new(plan.limits.clone());
    let listening =
        Listening { tls: plan.certificates.as_ref().map(Certificates::tls), ..Listening::default() };
    let behind = Listening { proxies: plan.proxies.trusted.clone().into(), ..listening.clone() };
    let settings = secrethub_http::Settings {
        secret_manager_api,
        limits: plan.limits,
        metrics: metrics.clone(),
        proxies: plan.proxies,
    };
    let routes = router(Arc::clone(&vault) as _, settings);
    let shown = banner::Shown::new(listeners.iter().chain(&proxied), listening.tls.is_some(), &plan.store);
    for listener in listeners {
        server.serve(listener, listening.clone(), routes.clone());
    }
    for listener in proxied {
        server.serve(listener, behind.clone(), routes.clone());
    }
    for listener in metrics_listeners {
        server.serve(listener, Listening::default(), metrics_router(metrics.clone()));
    }
    let worker = Arc::clone(&vault);
    let jobs = tokio::spawn(async move { worker.run_jobs(std::future::pending()).await });
    banner::print(&vault, &shown, dev.zip(root.as_ref())).await?;
    Ok(Running { vault, server, certificates: plan.certificates, audit_file, audit_devices, jobs })
}

async fn bind_all(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, Failure> {
    let mut listeners = Vec::new();
    for &address in addresses {
        let bound = secrethub_http::bind(address).await;
        listeners.push(bound.map_err(|error| {
            let failure = Failure::local(format!("cannot listen on {address}: {error}"));
            failure.hint("is another server running there? choose another address: --listen ADDR")
        })?);
    }
    Ok(listeners)
}

async fn open_vault(backend: Arc<dyn Backend>, settings: Settings) -> Result<Arc<Vault>, Failure> {
    let parts = Parts { backend, host: Arc::new(TokioHost::new()), crypto: default_crypto(), settings };
    Vault::open(parts).await.map_err(|error| {
        tracing::error!(?error, "the vault does not open");
        Failure::local(format!("the vault does not open: {}", cause_of(&error)))
    })
}

/// The innermost cause, which is what somebody at a terminal can mend.
fn cause_of(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

impl Running {
    /// Serves, and reloads what can be reloaded, until a signal says stop.
    async fn until_stopped(&self, signals: &mut Signals) {
        while signals.next().await == signals::Told::Reload {
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Reloading]);
            match self.certificates.as_ref().map(Certificates::reload) {
                Some(Err(failure)) => tracing::error!("{failure}; the former certificate stays"),
                Some(Ok(())) => tracing::info!("certificate reloaded"),
                None => {}
            }
            if let Some(file) = &self.audit_file {
                file.reopen().await;
                tracing::info!("audit_file reopened");
            }
            if let Some(devices) = &self.audit_devices {
                devices.reopen().await;
            }
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        }
    }

    /// Takes no more, finishes what is in flight, seals. A second signal cuts the wait for what is in flight.
    async fn stop(self, signals: &mut Signals) -> Result<u8, Failure> {
        tracing::info!("stopping: no new connections, finishing requests in flight");
        let finished = tokio::select! {
            finished = self.server.drain(DRAIN_GRACE) => finished,
            () = signals.stop() => false,
        };
        if !finished {
            tracing::warn!("some requests were cut");
        }
        self.jobs.abort();
        let closed = self.vault.shutdown().await;
        if let Some(file) = self.audit_file {
            file.finish().await;
        }
        if let Some(devices) = self.audit_devices {
            devices.finish().await;
        }
        closed.map_err(|error| Failure::local(format!("the vault did not close well: {error}")))?;
        tracing::info!("sealed and stopped");
        Ok(OK)
    }
}
