//! What commands print: tables as Vault draws them, JSON, YAML, or one bare field.

use crate::failure::Failure;
use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Map, Value};
use std::io::{self, IsTerminal, Write};

/// How to lay out an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns for people.
    #[default]
    Table,
    /// Indented JSON.
    Json,
    /// YAML.
    Yaml,
    /// Comma-separated values; only for `audit export`.
    Csv,
}

/// Prints text and a line end.
pub(crate) fn say(text: impl AsRef<str>) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", text.as_ref().trim_end_matches('\n'))?;
    Ok(out.flush()?)
}

/// Prints to stderr, where it does not mix with data.
pub(crate) fn note(text: impl AsRef<str>) {
    // A closed stderr leaves nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{}", text.as_ref());
}

/// Prints a value bare: with a line end for a terminal, without one for a pipe or file, as Vault does.
pub(crate) fn say_bare(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if out.is_terminal() {
        writeln!(out)?;
    }
    Ok(out.flush()?)
}

/// A value in a format other than a table.
pub(crate) fn encode(value: &impl Serialize, format: Format) -> Result<String, Failure> {
    match format {
        Format::Yaml => serde_yaml_ng::to_string(value).map_err(|error| Failure::local(error.to_string())),
        Format::Csv => {
            Err(Failure::local("csv is a format of `audit export` only").hint("use table, json or yaml"))
        }
        _ => serde_json::to_string_pretty(value).map_err(|error| Failure::local(error.to_string())),
    }
}

/// A value in one line of a table. Vault shows what is not there as `<nil>`.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Seconds as Go's durations read; Vault shows ∞ for what never ends.
pub(crate) fn duration(seconds: u64) -> String {
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0) => "∞".to_owned(),
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s}s"),
        (h, m, s) => format!("{h}h{m}m{s}s"),
    }
}

/// Aligned columns, four spaces apart, no trailing space.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| chars(cell)).max();
    let widths: Vec<usize> = (0..count).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &Vec<String>| {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("    ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A table with a head of names and dashes.
pub(crate) fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let names = head.iter().map(|&name| name.to_owned()).collect();
    let dashes = head.iter().map(|name| "-".repeat(chars(name))).collect();
    columns(&[vec![names, dashes], rows].concat())
}

/// Vault's table of keys and values.
pub(crate) fn key_values<K: AsRef<str>>(pairs: &[(K, String)]) -> String {
    let rows = pairs.iter().map(|(key, value)| vec![key.as_ref().to_owned(), value.clone()]);
    table(&["Key", "Value"], rows.collect())
}

/// The fields of an object as a table, in order of their names.
pub(crate) fn object_table(fields: &Map<String, Value>) -> String {
    let mut pairs: Vec<_> = fields.iter().map(|(key, value)| (key.as_str(), cell(value))).collect();
    pairs.sort();
    key_values(&pairs)
}

/// Vault's section head: the title between equal signs, about as wide as what follows.
pub(crate) fn section(title: &str, width: usize) -> String {
    let signs = match width.saturating_sub(chars(title) + 2) {
        0 => 4,
        odd if odd % 2 == 1 => odd + 1,
        even => even,
    };
    let side = "=".repeat(signs / 2);
    format!("{side} {title} {side}")
}

/// A section over a table of an object.
pub(crate) fn object_section(title: &str, fields: &Map<String, Value>) -> String {
    let widest = fields.keys().map(|key| chars(key)).max().unwrap_or_default();
    format!("{}\n{}", section(title, widest + 4 + "Value".len()), object_table(fields))
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tables_read_like_vaults() {
        let fields =
            json!({"version": 1, "deletion_time": "n/a", "custom_metadata": null, "destroyed": false});
        let expect = "\
======= Metadata =======
Key                Value
---                -----
custom_metadata    <nil>
deletion_time      n/a
destroyed          false
version            1";
        assert_eq!(object_section("Metadata", fields.as_object().unwrap()), expect);
        let expect = "== Secret Path ==";
        assert_eq!(section("Secret Path", "secret/data/creds".len()), expect);
        assert_eq!(section("Data", "Key".len() + 9), "=== Data ===");
    }

    #[test]
    fn durations() {
        let check = |seconds, expect: &str| assert_eq!(duration(seconds), expect);
        check(0, "∞");
        check(59, "59s");
        check(60, "1m0s");
        check(2_764_800, "768h0m0s");
    }

    #[test]
    fn columns_align_and_end_clean() {
        let rows = [vec!["a".into(), "b".into()], vec!["längst".into(), String::new()]];
        assert_eq!(columns(&rows), "a         b\nlängst");
        assert_eq!(table(&["Keys"], vec![vec!["app".into()]]), "Keys\n----\napp");
    }

    #[test]
    fn formats() {
        let value = json!({"a": ["b"]});
        assert_eq!(encode(&value, Format::Json).unwrap(), "{\n  \"a\": [\n    \"b\"\n  ]\n}");
        assert_eq!(encode(&value, Format::Yaml).unwrap(), "a:\n- b\n");
        assert!(encode(&value, Format::Csv).is_err());
    }
}
