//! [`Figure`]: one figure under the name that Vault gives it, as Prometheus text and as Vault's JSON.

use serde_json::{Map, Value, json};
use std::fmt::Write;

/// What a figure is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reading {
    /// It goes up and down.
    Gauge(f64),
    /// It goes up.
    Counter(f64),
    /// Times of events: how many, their sum, and quantiles of late.
    Summary { count: u64, sum: f64, quantiles: Vec<(f64, f64)> },
}

/// One figure with its labels.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    /// With dots, as in Vault's JSON.
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) labels: Vec<(&'static str, String)>,
    pub(crate) reading: Reading,
}

impl Figure {
    /// One without labels.
    pub(crate) fn new(name: &'static str, help: &'static str, reading: Reading) -> Self {
        Self { name, help, labels: Vec::new(), reading }
    }

    /// The same with one label more.
    pub(crate) fn with(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.labels.push((label, value.into()));
        self
    }
}

/// The Prometheus text format, version 0.0.4. Figures of one name must stand together.
pub(crate) fn to_text(figures: &[Figure], text: &mut String) {
    let mut former = "";
    for figure in figures {
        let name = figure.name.replace('.', "_");
        if figure.name != former {
            let kind = match figure.reading {
                Reading::Gauge(_) => "gauge",
                Reading::Counter(_) => "counter",
                Reading::Summary { .. } => "summary",
            };
            let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", figure.help);
            former = figure.name;
        }
        let line = |end: &str, labels: &[(&str, String)], value: f64, text: &mut String| {
            let _ = writeln!(text, "{name}{end}{} {}", braced(labels), number(value));
        };
        match &figure.reading {
            Reading::Gauge(value) | Reading::Counter(value) => line("", &figure.labels, *value, text),
            Reading::Summary { count, sum, quantiles } => {
                for (quantile, value) in quantiles {
                    let labels = [figure.labels.as_slice(), &[("quantile", quantile.to_string())]].concat();
                    line("", &labels, *value, text);
                }
                line("_sum", &figure.labels, *sum, text);
                line("_count", &figure.labels, *count as f64, text);
            }
        }
    }
}

fn braced(labels: &[(&str, String)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", pairs.join(","))
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// As the format spells it: Rust's own spelling but for what is no number.
fn number(value: f64) -> String {
    if value.is_nan() { "NaN".to_owned() } else { value.to_string() }
}

/// Vault's JSON. Its counts are of ten seconds, ours since the start, so that no rate or deviation is told.
pub(crate) fn to_json(figures: &[Figure], time: &str) -> Value {
    let (mut gauges, mut counters, mut samples) = (Vec::new(), Vec::new(), Vec::new());
    for figure in figures {
        let labels: Map<String, Value> =
            figure.labels.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
        let name = figure.name;
        match &figure.reading {
            Reading::Gauge(value) => gauges.push(json!({ "Name": name, "Value": value, "Labels": labels })),
            Reading::Counter(count) => {
                counters.push(json!({ "Name": name, "Count": count, "Sum": count, "Labels": labels }));
            }
            Reading::Summary { count, sum, .. } => {
                let mean = if *count == 0 { 0.0 } else { sum / *count as f64 };
                samples.push(
                    json!({ "Name": name, "Count": count, "Sum": sum, "Mean": mean, "Labels": labels }),
                );
            }
        }
    }
    json!({ "Timestamp": time, "Gauges": gauges, "Points": [], "Counters": counters, "Samples": samples })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures() -> Vec<Figure> {
        let quantiles = vec![(0.5, 0.25), (0.99, f64::NAN)];
        vec![
            Figure::new("vault.a.b", "H.", Reading::Gauge(1.0)).with("cluster", "c\"\\\n"),
            Figure::new("vault.a.b", "H.", Reading::Gauge(0.5)).with("cluster", "d"),
            Figure::new("vault.c", "C.", Reading::Counter(7.0)),
            Figure::new("vault.s", "S.", Reading::Summary { count: 2, sum: 3.0, quantiles }),
        ]
    }

    #[test]
    fn as_text() {
        let mut text = String::new();
        to_text(&figures(), &mut text);
        let expect = "# HELP vault_a_b H.\n# TYPE vault_a_b gauge\nvault_a_b{cluster=\"c\\\"\\\\\\n\"} 1\n\
                      vault_a_b{cluster=\"d\"} 0.5\n# HELP vault_c C.\n# TYPE vault_c counter\nvault_c 7\n\
                      # HELP vault_s S.\n# TYPE vault_s summary\nvault_s{quantile=\"0.5\"} 0.25\n\
                      vault_s{quantile=\"0.99\"} NaN\nvault_s_sum 3\nvault_s_count 2\n";
        assert_eq!(text, expect);
    }

    #[test]
    fn as_json() {
        let told = to_json(&figures(), "now");
        assert_eq!(
            told["Gauges"][1],
            json!({ "Name": "vault.a.b", "Value": 0.5, "Labels": { "cluster": "d" } })
        );
        assert_eq!(told["Counters"][0]["Count"], 7.0);
        assert_eq!(
            told["Samples"][0],
            json!({ "Name": "vault.s", "Count": 2, "Sum": 3.0, "Mean": 1.5, "Labels": {} })
        );
        assert_eq!((&told["Timestamp"], &told["Points"]), (&json!("now"), &json!([])));
    }
}
