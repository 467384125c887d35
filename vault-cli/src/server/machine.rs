//! [`Here`]: this machine and this process, for `sys/host-info`, `sys/loggers` and the metrics.

use super::logs::Loggers;
use secrethub::core::{
    Error,
    system::{Cpu, Disk, Facts, HostFacts, InFlight, LogLevel, Machine, Memory, ProcessFacts},
};
use secrethub_http::Requests;
use std::{collections::BTreeMap, pin::Pin};
use sysinfo::{Disks, Pid, ProcessRefreshKind, ProcessesToUpdate, System};

type Told<'a> = Pin<Box<dyn Future<Output = Result<Facts, Error>> + Send + 'a>>;

/// What surrounds the vault of this process.
#[derive(Debug)]
pub(super) struct Here {
    pub(super) loggers: Loggers,
    pub(super) requests: Requests,
}

impl Machine for Here {
    /// A disk that does not answer, on a network, would hold up a thread of the runtime.
    fn facts(&self) -> Told<'_> {
        Box::pin(async {
            tokio::task::spawn_blocking(facts).await.map_err(Error::internal)?.map_err(Error::internal)
        })
    }

    fn process(&self) -> Option<ProcessFacts> {
        let pid = Pid::from_u32(std::process::id());
        let mut system = System::new().ok()?;
        let what = ProcessRefreshKind::nothing().with_memory().with_cpu();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, what);
        let process = system.process(pid)?;
        let tasks =
            tokio::runtime::Handle::try_current().map_or(0, |handle| handle.metrics().num_alive_tasks());
        Some(ProcessFacts {
            resident: process.memory(),
            addressed: process.virtual_memory(),
            cpu_millis: process.accumulated_cpu_time(),
            started: process.start_time(),
            tasks: tasks as u64,
        })
    }

    fn in_flight(&self) -> BTreeMap<String, InFlight> {
        self.requests.all()
    }

    fn loggers(&self) -> BTreeMap<&'static str, LogLevel> {
        self.loggers.levels()
    }

    fn set_log_level(&self, logger: Option<&str>, level: Option<LogLevel>) {
        self.loggers.set(logger, level);
    }
}

fn facts() -> Result<Facts, sysinfo::Error> {
    let mut system = System::new()?;
    system.refresh_memory();
    system.refresh_cpu_all();
    let disks = Disks::new_with_refreshed_list()?;
    Ok(Facts {
        cpu: system.cpus().iter().enumerate().map(cpu).collect(),
        disk: disks.iter().map(disk).collect(),
        host: host(),
        memory: memory(&system),
    })
}

fn cpu((number, cpu): (usize, &sysinfo::Cpu)) -> Cpu {
    Cpu {
        cpu: number,
        vendor_id: cpu.vendor_id().to_owned(),
        model_name: cpu.brand().to_owned(),
        mhz: cpu.frequency(),
    }
}

fn disk(disk: &sysinfo::Disk) -> Disk {
    let (total, free) = (disk.total_space(), disk.available_space());
    let used = total.saturating_sub(free);
    Disk {
        path: disk.mount_point().display().to_string(),
        fstype: disk.file_system().to_string_lossy().into_owned(),
        total,
        free,
        used,
        used_percent: percent(used, total),
    }
}

fn host() -> HostFacts {
    HostFacts {
        hostname: System::host_name().unwrap_or_default(),
        uptime: System::uptime().unwrap_or_default(),
        boot_time: System::boot_time().unwrap_or_default(),
        os: std::env::consts::OS.to_owned(),
        platform: System::distribution_id(),
        platform_version: System::os_version().unwrap_or_default(),
        kernel_version: System::kernel_version().unwrap_or_default(),
        kernel_arch: System::cpu_arch(),
    }
}

fn memory(system: &System) -> Memory {
    Memory {
        total: system.total_memory(),
        available: system.available_memory(),
        used: system.used_memory(),
        used_percent: percent(system.used_memory(), system.total_memory()),
        free: system.free_memory(),
        swap_total: system.total_swap(),
        swap_free: system.free_swap(),
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn this_machine_has_a_processor_memory_and_a_name() {
        let here = Here { loggers: Loggers::default(), requests: Requests::default() };
        let facts = here.facts().await.unwrap();
        assert!(!facts.cpu.is_empty() && facts.memory.total > 0 && !facts.host.hostname.is_empty());
        assert!(facts.memory.used_percent <= 100.0);
        let process = here.process().unwrap();
        assert!(process.resident > 0 && process.started > facts.host.boot_time);
    }
}
