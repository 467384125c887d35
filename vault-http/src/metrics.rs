//! `/metrics`: counts and times of requests as Prometheus text. Labels are types and patterns, never paths: a path
//! names a secret. Written here because four fixed labels need no registry of names.

use crate::{
    encode,
    limits::SERIES_MAX,
    router::{App, ask_as_caller, make_request_id},
};
use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::get,
};
use std::{
    collections::HashMap,
    fmt::Write,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Upper bounds of the histogram in microseconds: from a read in memory to a request's deadline.
const BUCKETS: [u64; 12] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 500_000, 2_500_000, 10_000_000];

/// What a request was, for counting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Label {
    /// Type of the mount that answered; empty if none did.
    pub(crate) mount_type: &'static str,
    /// Pattern of the route that answered; empty if none did.
    pub(crate) pattern: &'static str,
    /// The core's name of the operation; empty if the request was not understood.
    pub(crate) operation: &'static str,
}

#[derive(Debug, Default)]
struct Series {
    buckets: [AtomicU64; BUCKETS.len()],
    count: AtomicU64,
    micros: AtomicU64,
}

type Table = HashMap<(Label, u16), Arc<Series>>;

/// Where requests are counted; a cheap handle.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<RwLock<Table>>);

impl Metrics {
    /// Counts one request under its label and the class of its code (`2xx` …).
    pub(crate) fn observe(&self, label: Label, code: u16, elapsed: Duration) {
        let series = self.series((label, code / 100));
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        series.count.fetch_add(1, Ordering::Relaxed);
        series.micros.fetch_add(micros, Ordering::Relaxed);
        if let Some(bucket) = BUCKETS.iter().position(|bound| micros <= *bound) {
            series.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        }
    }

    fn series(&self, key: (Label, u16)) -> Arc<Series> {
        if let Some(series) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(series);
        }
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let full = table.len() >= SERIES_MAX;
        let other = (Label { mount_type: "other", ..Label::default() }, key.1);
        Arc::clone(table.entry(if full { other } else { key }).or_default())
    }

    /// The Prometheus text format, version 0.0.4.
    pub fn render(&self) -> String {
        const NAME: &str = "secrethub_http_request_duration_seconds";
        let mut text =
            format!("# HELP {NAME} Time from a request's head to its reply.\n# TYPE {NAME} histogram\n");
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut rows: Vec<(String, &Series)> =
            table.iter().map(|(key, row)| (labels(key), row.as_ref())).collect();
        rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        for (labels, row) in rows {
            row.render(NAME, &labels, &mut text);
        }
        text
    }
}

impl Series {
    fn render(&self, name: &str, labels: &str, text: &mut String) {
        let mut below = 0;
        for (bound, bucket) in BUCKETS.iter().zip(&self.buckets) {
            below += bucket.load(Ordering::Relaxed);
            let bound = *bound as f64 / 1e6;
            let _ = writeln!(text, "{name}_bucket{{{labels},le=\"{bound}\"}} {below}");
        }
        let count = self.count.load(Ordering::Relaxed);
        let seconds = Duration::from_micros(self.micros.load(Ordering::Relaxed)).as_secs_f64();
        let _ = writeln!(text, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}");
        let _ = writeln!(text, "{name}_sum{{{labels}}} {seconds}\n{name}_count{{{labels}}} {count}");
    }
}

/// Nothing here needs escaping: every label is a word or a pattern of ours.
fn labels((label, class): &(Label, u16)) -> String {
    let Label { mount_type, pattern, operation } = label;
    format!("mount_type=\"{mount_type}\",route=\"{pattern}\",operation=\"{operation}\",code=\"{class}xx\"")
}

/// On a main port: for who may read `sys/metrics`.
pub(crate) async fn serve(State(app): State<Arc<App>>, request: Request) -> Response {
    let id = make_request_id();
    let parts = Arc::new(request.into_parts().0);
    match ask_as_caller(&app, &id, "sys/metrics".to_owned(), &parts).await {
        Ok(_) => encode::text(app.settings.metrics.render()),
        Err(error) => encode::vault(&id, Err(error), crate::health::HealthCodes::default()),
    }
}

/// For a port of its own, which the operator opens to the scraper alone: `/metrics` without a token.
pub fn metrics_router(metrics: Metrics) -> Router {
    Router::new().route("/metrics", get(async move || encode::text(metrics.render())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_cumulative_buckets() {
        let metrics = Metrics::default();
        let label = Label { mount_type: "kv", pattern: "data/{path*}", operation: "read" };
        metrics.observe(label, 200, Duration::from_micros(90));
        metrics.observe(label, 204, Duration::from_micros(300));
        metrics.observe(label, 404, Duration::from_secs(60));
        let text = metrics.render();
        let name = "secrethub_http_request_duration_seconds";
        let labels = "mount_type=\"kv\",route=\"data/{path*}\",operation=\"read\"";
        for line in [
            format!("# TYPE {name} histogram"),
            format!("{name}_bucket{{{labels},code=\"2xx\",le=\"0.0001\"}} 1"),
            format!("{name}_bucket{{{labels},code=\"2xx\",le=\"0.00025\"}} 1"),
            format!("{name}_bucket{{{labels},code=\"2xx\",le=\"0.0005\"}} 2"),
            format!("{name}_bucket{{{labels},code=\"2xx\",le=\"+Inf\"}} 2"),
            format!("{name}_sum{{{labels},code=\"2xx\"}} 0.00039"),
            format!("{name}_bucket{{{labels},code=\"4xx\",le=\"10\"}} 0"),
            format!("{name}_count{{{labels},code=\"4xx\"}} 1"),
        ] {
            assert!(text.lines().any(|have| have == line), "{line}\n{text}");
        }
    }
}
