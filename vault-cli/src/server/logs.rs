//! The log: to stderr, as text or JSON. It never holds values, tokens or keys; the types forbid it. What is logged can be
//! changed while the server runs, by `sys/loggers`, until it ends.

use crate::failure::Failure;
use secrethub::core::system::LogLevel;
use std::{
    collections::BTreeMap,
    fmt,
    io::{self, IsTerminal},
    sync::{Arc, Mutex, PoisonError},
};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Registry, filter::Targets, layer::SubscriberExt, reload, util::SubscriberInitExt};

/// The parts of the program that log, and what their modules are called. The longest name that fits a module wins.
const LOGGERS: &[(&str, &str)] = &[
    ("audit", "secrethub_core::audit"),
    ("core", "secrethub_core"),
    ("http", "secrethub_http"),
    ("jobs", "secrethub_core::job"),
    ("server", "secrethub"),
    ("storage", "secrethub_store_sql"),
];

/// A handle to the running log.
#[derive(Clone, Default)]
pub(super) struct Loggers(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// What the configuration says.
    configured: Targets,
    /// What was chosen since.
    chosen: Mutex<Chosen>,
    /// None in tests.
    handle: Option<reload::Handle<Targets, Registry>>,
}

type Chosen = BTreeMap<&'static str, LogLevel>;

/// Starts the log.
pub(super) fn start(level: Option<&str>, format: Option<&str>) -> Result<Loggers, Failure> {
    let level = level.unwrap_or("info");
    let configured = parse(level).ok_or_else(|| {
        Failure::local(format!("`log_level`: {level:?} is no level"))
            .hint("use error, warn, info, debug or trace")
    })?;
    let (filter, handle) = reload::Layer::new(configured.clone());
    let log = tracing_subscriber::registry().with(filter);
    // Where the log cannot be written (its disk is full), to complain about that on stderr would be a panic.
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).log_internal_errors(false);
    let started = match format.unwrap_or("text") {
        "text" => log.with(lines.with_ansi(io::stderr().is_terminal())).try_init(),
        "json" => log.with(lines.json().flatten_event(true)).try_init(),
        other => {
            return Err(
                Failure::local(format!("`log_format`: {other:?} is no format")).hint("use text or json")
            );
        }
    };
    started.map_err(|error| Failure::local(error.to_string()))?;
    Ok(Loggers(Arc::new(Inner { configured, chosen: Mutex::default(), handle: Some(handle) })))
}

/// A level, or `MODULE=LEVEL`, or several of them with commas.
fn parse(text: &str) -> Option<Targets> {
    let plain = |part: &str| part.contains('=') || part.trim().parse::<LevelFilter>().is_ok();
    if text.split(',').all(plain) { text.parse().ok() } else { None }
}

impl Loggers {
    /// From which level on each logs.
    pub(super) fn levels(&self) -> BTreeMap<&'static str, LogLevel> {
        let chosen = self.0.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        LOGGERS.iter().map(|(name, target)| (*name, self.level(&chosen, name, target))).collect()
    }

    /// Sets the level of one or of all; without a level to the configured one.
    pub(super) fn set(&self, logger: Option<&str>, level: Option<LogLevel>) {
        let filter = {
            let mut chosen = self.0.chosen.lock().unwrap_or_else(PoisonError::into_inner);
            for (name, _) in LOGGERS.iter().filter(|(name, _)| logger.is_none_or(|logger| logger == *name)) {
                match level {
                    Some(level) => _ = chosen.insert(name, level),
                    None => _ = chosen.remove(name),
                }
            }
            self.filter(&chosen)
        };
        if let Some(Err(error)) = self.0.handle.as_ref().map(|handle| handle.reload(filter)) {
            tracing::error!(%error, "the level of the log was not changed");
        }
    }

    fn level(&self, chosen: &Chosen, name: &str, target: &str) -> LogLevel {
        use tracing::Level;
        let levels = [
            (Level::TRACE, LogLevel::Trace),
            (Level::DEBUG, LogLevel::Debug),
            (Level::INFO, LogLevel::Info),
            (Level::WARN, LogLevel::Warn),
            (Level::ERROR, LogLevel::Error),
        ];
        let configured = || {
            let passes = |(level, _): &&(Level, LogLevel)| self.0.configured.would_enable(target, level);
            levels.iter().find(passes).map_or(LogLevel::Off, |(_, level)| *level)
        };
        chosen.get(name).copied().unwrap_or_else(configured)
    }

    /// What the configuration says, but for what was chosen. Each logger is named then: `secrethub` fits them all.
    fn filter(&self, chosen: &Chosen) -> Targets {
        if chosen.is_empty() {
            return self.0.configured.clone();
        }
        let named =
            LOGGERS.iter().map(|(name, target)| (*target, filter_of(self.level(chosen, name, target))));
        self.0.configured.clone().with_targets(named)
    }
}

fn filter_of(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Off => LevelFilter::OFF,
    }
}

impl fmt::Debug for Loggers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Loggers").field(&self.levels()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn mistakes_are_named() {
        let check = |level: &str, format: &str, part: &str| {
            let error = start(Some(level), Some(format)).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        check("loud=noise", "text", "`log_level`");
        check("loud", "text", "`log_level`");
        check("info", "xml", "`log_format`");
    }

    #[test]
    fn levels_are_set_and_reset() {
        let configured = parse("warn,secrethub_core::audit=debug").unwrap();
        let loggers = Loggers(Arc::new(Inner { configured, ..Inner::default() }));
        let check = |expect: &str| {
            let levels: Vec<_> = loggers.levels().into_values().map(LogLevel::as_str).collect();
            assert_eq!(levels.join(" "), expect);
        };
        let passes = |target: &str, level: &Level| {
            loggers.filter(&loggers.0.chosen.lock().unwrap()).would_enable(target, level)
        };
        check("debug warn warn warn warn warn");
        loggers.set(Some("server"), Some(LogLevel::Trace));
        check("debug warn warn warn trace warn");
        assert!(
            passes("secrethub::server", &Level::TRACE)
                && passes("secrethub_core::audit::lane", &Level::DEBUG)
        );
        assert!(!passes("secrethub_http::router", &Level::INFO) && !passes("hyper", &Level::INFO));
        loggers.set(None, Some(LogLevel::Error));
        check("error error error error error error");
        loggers.set(Some("audit"), None);
        check("debug error error error error error");
        loggers.set(None, None);
        check("debug warn warn warn warn warn");
        assert!(!passes("secrethub::server", &Level::INFO));
    }
}
