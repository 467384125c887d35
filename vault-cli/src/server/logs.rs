//! The log: to stderr, as text or JSON. It never holds values, tokens or keys; the types forbid it.

use crate::failure::Failure;
use std::io::{self, IsTerminal};
use tracing_subscriber::{EnvFilter, fmt};

/// Starts the log.
pub(super) fn start(level: Option<&str>, format: Option<&str>) -> Result<(), Failure> {
    let level = level.unwrap_or("info");
    let filter = EnvFilter::try_new(level).map_err(|_| {
        Failure::local(format!("`log_level`: {level:?} is no level"))
            .hint("use error, warn, info, debug or trace")
    })?;
    // Where the log cannot be written (its disk is full), to complain about that on stderr would be a panic.
    let builder = fmt().with_env_filter(filter).with_writer(io::stderr).log_internal_errors(false);
    let started = match format.unwrap_or("text") {
        "text" => builder.with_ansi(io::stderr().is_terminal()).try_init(),
        "json" => builder.json().flatten_event(true).try_init(),
        other => {
            return Err(
                Failure::local(format!("`log_format`: {other:?} is no format")).hint("use text or json")
            );
        }
    };
    started.map_err(|error| Failure::local(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named() {
        let check = |level: &str, format: &str, part: &str| {
            let error = start(Some(level), Some(format)).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        check("loud=noise", "text", "`log_level`");
        check("info", "xml", "`log_format`");
    }
}
