//! `operator diagnose`: what stands in a server's way on this machine, and what to do about it, without a server.

mod machine;
mod network;
mod settings;
mod store;

#[cfg(test)]
mod tests;

use crate::{
    config::{Config, Environment},
    context::Context,
    failure::{Failure, LOCAL, OK, REMOTE},
};
use clap::Args;
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(super) struct Diagnose {
    /// TOML file with the server's settings [env: `SECRETHUB_CONFIG`]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// How a check came out; the worst one is the whole's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warn,
    Fail,
}

/// What one check found.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    status: State,
    message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, status: State::Ok, message: message.into(), next: None }
    }

    fn warn(check: &'static str, message: impl Into<String>, next: impl Into<String>) -> Self {
        Self { status: State::Warn, next: Some(next.into()), ..Self::ok(check, message) }
    }

    fn fail(check: &'static str, message: impl Into<String>, next: impl Into<String>) -> Self {
        Self { status: State::Fail, ..Self::warn(check, message, next) }
    }

    fn line(&self) -> String {
        let mark = match self.status {
            State::Ok => "[ ok ]",
            State::Warn => "[ warn ]",
            State::Fail => "[ fail ]",
        };
        let next = self.next.as_ref().map(|next| format!("\n           next: {next}")).unwrap_or_default();
        format!("{mark:<8} {}: {}{next}", self.check, self.message)
    }
}

impl Diagnose {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Failure> {
        let environment = Environment::read()?;
        let findings = self.look(&environment).await;
        let worst = findings.iter().map(|finding| finding.status).max().unwrap_or(State::Ok);
        let whole = json!({ "status": worst, "checks": findings });
        context
            .print(&whole, &whole, || findings.iter().map(Finding::line).collect::<Vec<_>>().join("\n"))?;
        // Vault's codes for this command, which are not those of the others.
        Ok(match worst {
            State::Ok => OK,
            State::Fail => LOCAL,
            State::Warn => REMOTE,
        })
    }

    /// All checks. Without settings there is only the machine to look at.
    async fn look(&self, environment: &Environment) -> Vec<Finding> {
        let (mut findings, config) = settings::check(self.config.as_deref(), environment);
        let mut newest = None;
        let mlock_disabled = config.as_ref().is_some_and(Config::is_mlock_disabled);
        if let Some(config) = config {
            let found = store::check(&config).await;
            newest = found.newest_record;
            findings.extend(found.findings);
            findings.extend(network::tls(&config, machine::now()));
            findings.extend(network::listen(&config, environment, found.holder.as_deref()));
        }
        findings.push(machine::clock(machine::now(), newest));
        findings.extend(machine::memory());
        findings.extend(machine::swap(mlock_disabled));
        findings
    }
}
