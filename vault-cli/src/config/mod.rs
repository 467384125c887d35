//! The server's configuration: one TOML file, the environment with `.env`, and a few flags.

mod environment;
mod guardian;
mod keys;
mod merge;
mod network;
mod store;

use crate::failure::Failure;
pub(crate) use environment::Environment;
use keys::KEYS;
use merge::{Given, merge};
pub(crate) use network::TlsFiles;
use secrethub::{
    StoreOptions,
    core::system::{DefaultMount, SecretManagerApi},
};
use serde::Deserialize;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
pub(crate) use store::StoreUrl;

/// The keys of the file as they stand there; docs/configure.md says what each is for.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) store: Option<StoreUrl>,
    pub(crate) pool_size: Option<u32>,
    pub(crate) database_room_mib: Option<u32>,
    pub(crate) listen: Option<Vec<String>>,
    pub(crate) tls_cert_file: Option<PathBuf>,
    pub(crate) tls_key_file: Option<PathBuf>,
    pub(crate) tls_client_ca_file: Option<PathBuf>,
    pub(crate) tls_client_required: Option<bool>,
    pub(crate) trusted_proxies: Option<Vec<String>>,
    pub(crate) forwarded_header: Option<String>,
    pub(crate) proxy_protocol_listen: Option<Vec<String>>,
    pub(crate) metrics_listen: Option<String>,
    pub(crate) connections_max: Option<u32>,
    pub(crate) requests_max: Option<u32>,
    pub(crate) cluster_name: Option<String>,
    pub(crate) default_mounts: Option<Vec<String>>,
    pub(crate) master_key_file: Option<PathBuf>,
    pub(crate) seal: Option<String>,
    pub(crate) passphrase: Option<String>,
    pub(crate) secret_manager_api: Option<bool>,
    pub(crate) secret_manager_token_required: Option<bool>,
    pub(crate) unauthenticated_ceremonies: Option<bool>,
    pub(crate) audit_enabled: Option<bool>,
    pub(crate) audit_ttl_days: Option<u32>,
    pub(crate) disk_watermark_mib: Option<u32>,
    pub(crate) audit_file: Option<PathBuf>,
    pub(crate) audit_devices_folder: Option<PathBuf>,
    pub(crate) disable_mlock: Option<bool>,
    pub(crate) log_level: Option<String>,
    pub(crate) log_format: Option<String>,
}

/// Settings given as flags: name, flag and value.
pub(crate) type Flags = Vec<(&'static str, &'static str, toml::Value)>;

impl Config {
    /// Reads file, environment and flags, which must agree.
    pub(crate) fn load(
        file: Option<&Path>,
        environment: &Environment,
        flags: Flags,
    ) -> Result<Self, Failure> {
        let mut given: Vec<Given> = flags
            .into_iter()
            .map(|(key, flag, value)| Given { key: key.to_owned(), place: flag.to_owned(), value })
            .collect();
        given.extend(from_environment(environment)?);
        if let Some(path) = config_file(file, environment)? {
            given.extend(from_file(&path)?);
        }
        for one in given.iter_mut().filter(|one| one.key == "store") {
            let text = one.value.as_str().unwrap_or_default();
            let url = StoreUrl::read(&one.place, text, environment)?;
            one.value = url.as_str().into();
        }
        merge(given)?.try_into().map_err(|error: toml::de::Error| Failure::local(error.message().to_owned()))
    }

    /// The folder in which the API may declare audit devices, if it may.
    pub(crate) fn devices_folder(&self) -> Result<Option<PathBuf>, Failure> {
        let Some(folder) = &self.audit_devices_folder else { return Ok(None) };
        if folder.is_absolute() && folder.is_dir() {
            // As paths of files are compared with it: without a slash at its end.
            return Ok(Some(folder.components().collect()));
        }
        let message = format!("`audit_devices_folder`: {} is no folder", folder.display());
        Err(Failure::local(message).hint("name a folder that is there, by its whole path"))
    }

    /// The store's URL; unless set, a SQLite file in the user's data folder, which is made if need be.
    pub(crate) fn store_url(&self) -> Result<StoreUrl, Failure> {
        match &self.store {
            Some(url) => Ok(url.clone()),
            None => {
                let folder = default_folder()?;
                make_private_folder(&folder)?;
                Ok(default_store(&folder).into())
            }
        }
    }

    /// The same, and nothing is made.
    pub(crate) fn store_name(&self) -> Result<StoreUrl, Failure> {
        self.store.clone().map_or_else(|| default_folder().map(|folder| default_store(&folder).into()), Ok)
    }

    /// How the store is opened.
    pub(crate) fn store_options(&self) -> Result<StoreOptions, Failure> {
        if self.pool_size == Some(0) {
            return Err(Failure::local("`pool_size` is 0: nobody could reach the store"));
        }
        let days = self.audit_ttl_days.unwrap_or_default();
        let audit_ttl = (days > 0).then(|| Duration::from_secs(u64::from(days) * 24 * 3_600));
        let room = self.database_room_mib.map(|mib| u64::from(mib) << 20);
        Ok(StoreOptions::default().connections(self.pool_size).audit_ttl(audit_ttl).room(room))
    }

    /// Shall memory be left to swap.
    pub(crate) fn is_mlock_disabled(&self) -> bool {
        self.disable_mlock.unwrap_or(false)
    }

    /// The mounts that a new vault starts with.
    pub(crate) fn mounts(&self) -> Result<Vec<DefaultMount>, Failure> {
        let names = self.default_mounts.clone().unwrap_or_else(|| vec!["secret".to_owned()]);
        DefaultMount::parse_list(&names).map_err(|error| Failure::local(error.to_string()))
    }

    /// Who may use the first seed's API: nobody, unless it is asked for or a master key stands in for asking.
    pub(crate) fn secret_manager(&self, has_master_key: bool) -> Result<SecretManagerApi, Failure> {
        let on = self.secret_manager_api.unwrap_or(has_master_key);
        match (on, self.secret_manager_token_required.unwrap_or(false)) {
            (true, false) => Ok(SecretManagerApi::Open),
            (true, true) => Ok(SecretManagerApi::TokenRequired),
            (false, false) => Ok(SecretManagerApi::Off),
            (false, true) => Err(Failure::local("`secret_manager_token_required` guards an API that is off")
                .hint("set `secret_manager_api = true`, or remove it")),
        }
    }
}

fn default_folder() -> Result<PathBuf, Failure> {
    let none =
        || Failure::local("there is no data folder for this user").hint("name a store: --store sqlite:PATH");
    dirs::data_dir().map(|data| data.join("secrethub")).ok_or_else(none)
}

fn default_store(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("secrethub.db").display())
}

/// A folder that only its owner can enter.
fn make_private_folder(folder: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt;
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| Failure::from(error).about(&folder.display().to_string()))
}

/// The file named by `--config` or `SECRETHUB_CONFIG`, which must agree too.
fn config_file(flag: Option<&Path>, environment: &Environment) -> Result<Option<PathBuf>, Failure> {
    match (flag.map(Path::to_path_buf), environment.get("SECRETHUB_CONFIG").map(PathBuf::from)) {
        (Some(flag), Some(variable)) if flag != variable => {
            Err(Failure::local("--config and SECRETHUB_CONFIG name different files")
                .hint("remove one of them"))
        }
        (flag, variable) => Ok(flag.or(variable)),
    }
}

fn from_environment(environment: &Environment) -> Result<Vec<Given>, Failure> {
    let mut given = Vec::new();
    for key in KEYS {
        for &variable in key.env {
            if let Some(text) = environment.get(variable) {
                let value = key.read(variable, &text)?;
                given.push(Given { key: key.name.to_owned(), place: environment.place(variable), value });
            }
        }
    }
    Ok(given)
}

fn from_file(path: &Path) -> Result<Vec<Given>, Failure> {
    let place = format!("the file {}", path.display());
    let text = fs::read_to_string(path).map_err(|error| Failure::from(error).about(&place))?;
    let bad = |error: toml::de::Error| {
        let message = format!("{place}, {}: {}", line_of(&text, &error), error.message());
        Failure::local(message).hint("docs/configure.md lists every key and its kind")
    };
    // Once as the real thing, whose errors name line and key; once as a table to be merged.
    toml::from_str::<Config>(&text).map_err(bad)?;
    let table: toml::Table = toml::from_str(&text).map_err(bad)?;
    Ok(table.into_iter().map(|(key, value)| Given { key, place: place.clone(), value }).collect())
}

/// The line of a mistake, by its number and key. The parser's own message repeats the line, which may hold a password.
fn line_of(text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start).min(text.len());
    let number = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count();
    let key = text.lines().nth(number).and_then(|line| line.split_once('=')).map(|(key, _)| key.trim());
    match key.filter(|key| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')) {
        Some(key) => format!("line {}, `{key}`", number + 1),
        None => format!("line {}", number + 1),
    }
}

#[cfg(test)]
mod tests;
