//! The names that Vault's dashboards chart, each with what it means here; `docs/metrics.md` is the table of them. A name
//! whose meaning has no counterpart here is not told: a chart of zeros would be a lie.

use super::figure::{
    Figure,
    Reading::{self, Counter, Gauge, Summary},
};
use secrethub_core::system::{Figures, ProcessFacts};

/// Requests as the front-end counted them; times in ms, as Vault has them.
pub(super) struct Handled {
    pub(super) requests: Reading,
    pub(super) logins: Reading,
    pub(super) in_flight: usize,
}

/// All of them, in the order of their names' first parts.
pub(super) fn figures(handled: Handled, figures: &Figures) -> Vec<Figure> {
    let mut all = core(handled, figures);
    all.extend(audit(figures));
    all.extend(unsealed(figures));
    all.extend(figures.process.iter().flat_map(process));
    all
}

fn core(handled: Handled, figures: &Figures) -> Vec<Figure> {
    let cluster = |figure: Figure| figure.with("cluster", figures.cluster.as_str());
    let unsealed = || Gauge(f64::from(u8::from(figures.unsealed)));
    vec![
        cluster(Figure::new("vault.core.unsealed", "Is this node unsealed.", unsealed())),
        // Every node serves everything: each that is unsealed is active.
        cluster(Figure::new("vault.core.active", "Does this node serve requests.", unsealed())),
        cluster(Figure::new(
            "vault.core.in_flight_requests",
            "Requests being served.",
            Gauge(handled.in_flight as f64),
        )),
        Figure::new(
            "vault.core.handle_request",
            "Time from a request's head to its reply, in ms.",
            handled.requests,
        ),
        Figure::new("vault.core.handle_login_request", "The same for logins.", handled.logins),
    ]
}

fn audit(figures: &Figures) -> [Figure; 2] {
    let audit = figures.audit;
    let waited = Summary { count: audit.count, sum: millis(audit.waited.as_micros()), quantiles: Vec::new() };
    [
        Figure::new(
            "vault.audit.log_request",
            "Time a request waited for its durable record, in ms.",
            waited,
        ),
        Figure::new(
            "vault.audit.log_request_failure",
            "Requests that failed because their record could not be committed.",
            Counter(audit.failures as f64),
        ),
    ]
}

/// What only an unsealed node knows.
fn unsealed(figures: &Figures) -> Vec<Figure> {
    let cluster = |figure: Figure| figure.with("cluster", figures.cluster.as_str());
    let mut all = Vec::new();
    if let Some((secrets, auth)) = figures.mounts {
        for (kind, count) in [("logical", secrets), ("auth", auth)] {
            let figure = Figure::new("vault.core.mount_table.num_entries", "Mounts.", Gauge(count as f64));
            all.push(cluster(figure).with("type", kind).with("local", "false"));
        }
    }
    if let Some((term, encryptions)) = figures.key {
        let (name, help) = ("vault.barrier.estimated_encryptions", "Encryptions under the key in use.");
        all.push(Figure::new(name, help, Counter(encryptions as f64)).with("term", term.to_string()));
    }
    if let Some(usage) = figures.usage {
        let tokens = Figure::new("vault.token.count", "Tokens, as last counted.", Gauge(usage.tokens as f64));
        all.push(cluster(tokens).with("namespace", "root"));
        let leases = Gauge(usage.leases as f64);
        all.push(Figure::new("vault.expire.num_leases", "Leases, as last counted.", leases));
    }
    all
}

fn process(process: &ProcessFacts) -> [Figure; 6] {
    let (resident, addressed) = (process.resident as f64, process.addressed as f64);
    [
        Figure::new("vault.runtime.alloc_bytes", "Memory that the process holds.", Gauge(resident)),
        Figure::new(
            "vault.runtime.num_goroutines",
            "Tasks that have not ended.",
            Gauge(process.tasks as f64),
        ),
        Figure::new("process_resident_memory_bytes", "Memory that the process holds.", Gauge(resident)),
        Figure::new("process_virtual_memory_bytes", "Addresses that the process holds.", Gauge(addressed)),
        Figure::new(
            "process_cpu_seconds_total",
            "Processor time of the process.",
            Counter(process.cpu_millis as f64 / 1e3),
        ),
        Figure::new(
            "process_start_time_seconds",
            "When the process started, since 1970.",
            Gauge(process.started as f64),
        ),
    ]
}

/// Of a time in µs.
pub(super) fn millis(micros: u128) -> f64 {
    micros as f64 / 1e3
}
