//! [`Machine`]: the machine and the process that a vault runs in, as its operators ask for them. The core knows neither;
//! whoever runs a vault hands one in.

use crate::error::Error;
use futures::future::BoxFuture;
use serde::Serialize;
use std::{collections::BTreeMap, fmt, time::Duration};

/// What surrounds a node. All of it is the node's own: nothing is stored, and no other node knows.
pub trait Machine: fmt::Debug + Send + Sync + 'static {
    /// Processors, memory, disks and system.
    fn facts(&self) -> BoxFuture<'_, Result<Facts, Error>>;

    /// What the process takes; `None` where that cannot be known. It must be quick.
    fn process(&self) -> Option<ProcessFacts>;

    /// The requests that are being served, by their id.
    fn in_flight(&self) -> BTreeMap<String, InFlight>;

    /// The parts of the program that log, and from which level on.
    fn loggers(&self) -> BTreeMap<&'static str, LogLevel>;

    /// Changes the level of one of them, or of all; without a level to what the configuration says.
    fn set_log_level(&self, logger: Option<&str>, level: Option<LogLevel>);
}

/// What `sys/host-info` answers, less the time.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Facts {
    /// Each logical processor.
    pub cpu: Vec<Cpu>,
    /// Each mounted disk.
    pub disk: Vec<Disk>,
    /// The system.
    pub host: HostFacts,
    /// Its memory.
    pub memory: Memory,
}

/// A logical processor.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cpu {
    /// Its number.
    pub cpu: usize,
    /// Who made it.
    pub vendor_id: String,
    /// What it is called.
    pub model_name: String,
    /// Its present clock in MHz.
    pub mhz: u64,
}

/// A mounted disk; sizes in bytes.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Disk {
    /// Where it is mounted.
    pub path: String,
    /// Its file system.
    pub fstype: String,
    /// How much it holds.
    pub total: u64,
    /// What is left to this process.
    pub free: u64,
    /// What is taken.
    pub used: u64,
    /// The same, in hundredths.
    pub used_percent: f64,
}

/// The system.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HostFacts {
    /// Its name.
    pub hostname: String,
    /// Seconds since it started.
    pub uptime: u64,
    /// When it started, in seconds since 1970.
    pub boot_time: u64,
    /// Its kind: `linux`, `macos` …
    pub os: String,
    /// Its distribution.
    pub platform: String,
    /// The distribution's version.
    pub platform_version: String,
    /// Its kernel.
    pub kernel_version: String,
    /// `x86_64`, `aarch64` …
    pub kernel_arch: String,
}

/// Memory in bytes.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// How much there is.
    pub total: u64,
    /// What programs could still take.
    pub available: u64,
    /// What is taken.
    pub used: u64,
    /// The same, in hundredths.
    pub used_percent: f64,
    /// What nobody uses for anything.
    pub free: u64,
    /// Swap there is.
    pub swap_total: u64,
    /// Swap that nobody uses.
    pub swap_free: u64,
}

/// What the process takes.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessFacts {
    /// Bytes in memory.
    pub resident: u64,
    /// Bytes of addresses.
    pub addressed: u64,
    /// Processor time so far, in milliseconds.
    pub cpu_millis: u64,
    /// When it started, in seconds since 1970.
    pub started: u64,
    /// Tasks of the runtime that have not ended.
    pub tasks: u64,
}

/// A request that is being served.
#[derive(Clone, Debug, Default)]
pub struct InFlight {
    /// How long ago it came.
    pub age: Duration,
    /// Address and port of who asked; empty where there is none.
    pub remote: String,
    /// What for.
    pub path: String,
    /// The method.
    pub method: String,
}

/// From which weight on something is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything.
    Trace,
    /// What a developer asks for.
    Debug,
    /// What happens.
    Info,
    /// What may become a trouble.
    Warn,
    /// Troubles.
    Error,
    /// Nothing; the configuration can say so, the API cannot.
    Off,
}

impl LogLevel {
    /// As Vault spells it. Its `notice` is our `info`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "trace" => Some(Self::Trace),
            "debug" => Some(Self::Debug),
            "notice" | "info" => Some(Self::Info),
            "warn" | "warning" => Some(Self::Warn),
            "err" | "error" => Some(Self::Error),
            _ => None,
        }
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Off => "off",
        }
    }
}
