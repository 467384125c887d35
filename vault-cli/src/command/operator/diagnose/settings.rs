//! Do the settings make sense together, and are the files that hold keys their owner's alone.

use super::Finding;
use crate::{
    config::{Config, Environment},
    failure::Failure,
};
use secrethub::core::system::Guardian;
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

const CHECK: &str = "configuration";

/// The settings, if they can be read at all.
pub(super) fn check(file: Option<&Path>, environment: &Environment) -> (Vec<Finding>, Option<Config>) {
    let config = match Config::load(file, environment, Vec::new()) {
        Ok(config) => config,
        Err(failure) => return (vec![refused(&failure)], None),
    };
    let mut findings: Vec<_> = match whole(&config, environment) {
        Ok(()) => vec![Finding::ok(CHECK, "read, and its settings go together")],
        Err(failure) => vec![refused(&failure)],
    };
    findings.extend(config.master_key_file.as_deref().map(|path| private_file("master key file", path)));
    findings.extend(config.passphrase_file().map(|path| private_file("passphrase file", path)));
    (findings, Some(config))
}

/// What the server reads of its settings at its start.
fn whole(config: &Config, environment: &Environment) -> Result<(), Failure> {
    let has_key = matches!(config.guardian(environment)?, Guardian::MasterKey(_));
    config.mounts()?;
    config.metrics_address()?;
    config.proxies()?;
    config.addresses(has_key)?;
    config.secret_manager(has_key).map(drop)
}

fn refused(failure: &Failure) -> Finding {
    let next = failure.next_step().unwrap_or("mend the setting: docs/configure.md lists them all");
    Finding::fail(CHECK, failure.one_line(), next)
}

/// A file that holds a key: is it there, and nobody else's to read.
pub(super) fn private_file(check: &'static str, path: &Path) -> Finding {
    let shown = path.display();
    match fs::metadata(path).map(|found| found.permissions().mode() & 0o777) {
        Err(error) => {
            Finding::fail(check, format!("{shown}: {error}"), "name a file that the server can read")
        }
        Ok(mode) if mode & 0o022 != 0 => Finding::fail(
            check,
            format!("{shown} can be changed by others (mode {mode:o})"),
            format!("chmod 600 {shown}"),
        ),
        Ok(mode) if mode & 0o044 != 0 => Finding::warn(
            check,
            format!("{shown} can be read by others (mode {mode:o})"),
            format!("chmod 600 {shown}, and make a new key if others could have read it"),
        ),
        Ok(mode) => Finding::ok(check, format!("{shown} is its owner's alone (mode {mode:o})")),
    }
}
