//! `/metrics` and `sys/metrics`: counts and times of requests under our names, and beside them what Vault's dashboards
//! chart, under Vault's. Labels are types and patterns, never paths: a path names a secret. Written here because a few
//! fixed labels need no registry of names.
//!
//! | file | what it is |
//! |---|---|
//! | `figure` | one figure, as Prometheus text and as Vault's JSON |
//! | `quantiles` | how long the slowest took, lately |
//! | `vault` | Vault's names, and what each means here |

mod figure;
mod quantiles;
mod vault;

use crate::{
    address,
    door::Door,
    encode,
    in_flight::Requests,
    limits::SERIES_MAX,
    query,
    router::{App, ask_as_caller, make_request_id},
};
use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::get,
};
use figure::{
    Figure,
    Reading::{self, Summary},
    to_json, to_text,
};
use http::{header::ACCEPT, request::Parts};
use quantiles::Quantiles;
use secrethub_core::{Reply, id::Timestamp};
use std::{
    collections::HashMap,
    fmt::{self, Write},
    sync::{
        Arc, OnceLock, PoisonError, RwLock, Weak,
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
type Labels = [(&'static str, String); 4];

/// Where requests are counted; a cheap handle.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Inner>);

#[derive(Default)]
struct Inner {
    table: RwLock<Table>,
    handled: Quantiles,
    requests: Requests,
    /// Whose figures stand beside ours.
    door: OnceLock<Weak<dyn Door>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// The requests that are being served.
    pub fn requests(&self) -> &Requests {
        &self.0.requests
    }

    /// Tells the figures of the node behind this door too; of the first one, if there are several.
    pub(crate) fn watch(&self, door: &Arc<dyn Door>) {
        self.0.door.get_or_init(|| Arc::downgrade(door));
    }

    /// Counts one request under its label and the class of its code (`2xx` …).
    pub(crate) fn observe(&self, label: Label, code: u16, elapsed: Duration) {
        let series = self.series((label, code / 100));
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        series.count.fetch_add(1, Ordering::Relaxed);
        series.micros.fetch_add(micros, Ordering::Relaxed);
        if let Some(bucket) = BUCKETS.iter().position(|bound| micros <= *bound) {
            series.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        }
        self.0.handled.observe(micros);
    }

    fn series(&self, key: (Label, u16)) -> Arc<Series> {
        if let Some(series) = self.0.table.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(series);
        }
        let mut table = self.0.table.write().unwrap_or_else(PoisonError::into_inner);
        let full = table.len() >= SERIES_MAX;
        let other = (Label { mount_type: "other", ..Label::default() }, key.1);
        Arc::clone(table.entry(if full { other } else { key }).or_default())
    }

    /// The Prometheus text format, version 0.0.4.
    pub fn render(&self) -> String {
        let mut text =
            format!("# HELP {NAME} Time from a request's head to its reply.\n# TYPE {NAME} histogram\n");
        for (labels, row) in self.rows() {
            row.render(NAME, &braces(&labels), &mut text);
        }
        to_text(&self.figures(), &mut text);
        text
    }

    /// Vault's JSON, with ours as samples.
    fn to_json(&self, time: Timestamp) -> serde_json::Value {
        let mut figures = self.figures();
        for (labels, row) in self.rows() {
            let mut figure = Figure::new(NAME, "", row.summary(1e6));
            figure.labels = labels.to_vec();
            figures.push(figure);
        }
        to_json(&figures, &spelled(time))
    }

    fn rows(&self) -> Vec<(Labels, Arc<Series>)> {
        let table = self.0.table.read().unwrap_or_else(PoisonError::into_inner);
        let mut rows: Vec<_> = table.iter().map(|(key, row)| (labels(key), Arc::clone(row))).collect();
        rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        rows
    }

    /// What Vault's dashboards chart. Without a vault behind the door there is nothing to chart.
    fn figures(&self) -> Vec<Figure> {
        let Some(door) = self.0.door.get().and_then(Weak::upgrade) else { return Vec::new() };
        let handled = vault::Handled {
            requests: self.handled(|_| true, self.0.handled.lately()),
            logins: self.handled(|label| label.pattern.starts_with("login"), Vec::new()),
            in_flight: self.0.requests.count(),
        };
        vault::figures(handled, &door.figures())
    }

    fn handled(&self, which: impl Fn(&Label) -> bool, quantiles: Vec<(f64, f64)>) -> Reading {
        let table = self.0.table.read().unwrap_or_else(PoisonError::into_inner);
        let (mut count, mut micros) = (0, 0);
        for (_, row) in table.iter().filter(|((label, _), _)| which(label)) {
            count += row.count.load(Ordering::Relaxed);
            micros += row.micros.load(Ordering::Relaxed);
        }
        let quantiles = quantiles.into_iter().map(|(quantile, micros)| (quantile, micros / 1e3)).collect();
        Summary { count, sum: vault::millis(micros.into()), quantiles }
    }
}

const NAME: &str = "secrethub_http_request_duration_seconds";

/// As Vault spells a time there.
fn spelled(time: Timestamp) -> String {
    let text = time.to_rfc3339();
    let (day, rest) = text.split_once('T').unwrap_or((&text, ""));
    format!("{day} {} +0000 UTC", rest.split(['.', 'Z']).next().unwrap_or_default())
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

    /// Without its buckets; the sum in µs divided.
    fn summary(&self, unit: f64) -> Reading {
        let sum = self.micros.load(Ordering::Relaxed) as f64 / unit;
        Summary { count: self.count.load(Ordering::Relaxed), sum, quantiles: Vec::new() }
    }
}

fn labels((label, class): &(Label, u16)) -> Labels {
    let Label { mount_type, pattern, operation } = label;
    [
        ("mount_type", (*mount_type).to_owned()),
        ("route", (*pattern).to_owned()),
        ("operation", (*operation).to_owned()),
        ("code", format!("{class}xx")),
    ]
}

/// Nothing here needs escaping: every label is a word or a pattern of ours.
fn braces(labels: &[(&str, String)]) -> String {
    labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect::<Vec<_>>().join(",")
}

/// At `sys/metrics`, for a caller who may: text where that is asked for, else Vault's JSON.
pub(crate) fn answer(metrics: &Metrics, id: &str, parts: &Parts, reply: &Reply) -> Response {
    let query = query::parse(parts.uri.query().unwrap_or("")).unwrap_or_default();
    let accepted = parts.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    let scrapes = accepted.contains("openmetrics-text") || accepted.contains("text/plain");
    match query.get("format").and_then(|format| format.as_str()) {
        Some("prometheus") => encode::text(metrics.render()),
        None | Some("") if scrapes => encode::text(metrics.render()),
        _ => encode::plain(id, &metrics.to_json(reply.time)),
    }
}

/// On a main port: for who may read `sys/metrics`.
pub(crate) async fn serve(State(app): State<Arc<App>>, request: Request) -> Response {
    let id = make_request_id();
    let (mut parts, _) = request.into_parts();
    address::find_client(&mut parts, &app.settings.proxies, false);
    let parts = Arc::new(parts);
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
