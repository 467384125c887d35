//! [`Mount`]: where an engine stands. A mount is named inside the store by an immutable random id, never by its
//! path, so moving it re-encrypts nothing.

use super::{Lockout, engine_of};
use crate::{
    Operation,
    error::Error,
    limits::{LEASE_TTL_DEFAULT, LEASE_TTL_MAX},
    policy::Subject,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// The version of the documents that this release writes.
pub const MOUNT_FORMAT: u8 = 2;

/// One mount, as stored (format 2; format 1 has nothing after `options`) and as engines see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Version of this document.
    pub format: u8,
    /// Path with a trailing slash, e.g. `secret/` or `auth/token/`.
    pub path: String,
    /// Type of the engine: `kv`, `system`, `cubbyhole` …
    pub kind: String,
    /// Immutable random id, 32 hex digits; fixed names for what is built in.
    pub id: String,
    /// Public name of the mount.
    pub accessor: String,
    /// UUID as Vault shows it.
    pub uuid: String,
    /// For people.
    pub description: String,
    /// Options of the engine, such as `version` of KV.
    pub options: BTreeMap<String, String>,
    /// What can be tuned.
    #[serde(default)]
    pub config: MountConfig,
    /// Was it asked for as local to this cluster. Every mount is.
    #[serde(default)]
    pub local: bool,
    /// Was it asked for with its values sealed once more. Every value is sealed.
    #[serde(default)]
    pub seal_wrap: bool,
    /// Its newest move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<Moved>,
}

/// What can be tuned of a mount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MountConfig {
    /// Seconds that its leases live where nobody says otherwise; 0 = the vault's default.
    pub default_lease_ttl: u64,
    /// Seconds that none of its leases passes; 0 = the vault's bound.
    pub max_lease_ttl: u64,
    /// Shown as it was set; nothing of a mount's data is ever cached.
    pub force_no_cache: bool,
    /// `unauth`: strangers may know of it. `hidden` and empty: they may not.
    pub listing_visibility: String,
    /// Of an auth method: the kind of its tokens, in Vault's words; empty = `default-service`.
    pub token_type: String,
    /// Of an auth method: when a name is locked after failed logins; absent = the vault's rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lockout: Option<Lockout>,
    /// Lists that are kept for those who set them, by their names in the API.
    pub lists: BTreeMap<String, Vec<String>>,
}

/// A move of a mount from one path to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Names the move; whoever ordered it asks for its state by it.
    pub id: String,
    /// Where the mount was.
    pub from: String,
}

impl Mount {
    /// A mount that every vault has, under a fixed id.
    pub fn built_in(path: &str, kind: &str, id: &str, description: &str) -> Self {
        let number = id.bytes().fold(0, |sum: u128, byte| (sum << 8) | u128::from(byte));
        Self {
            format: MOUNT_FORMAT,
            path: path.to_owned(),
            kind: kind.to_owned(),
            id: id.to_owned(),
            accessor: format!("{kind}_{id}"),
            uuid: uuid::Uuid::from_u128(number).to_string(),
            description: description.to_owned(),
            options: BTreeMap::new(),
            config: MountConfig::default(),
            local: false,
            seal_wrap: false,
            moved: None,
        }
    }

    /// Reads a stored document.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mount: Self = serde_json::from_slice(bytes).map_err(Error::internal)?;
        if !(1..=MOUNT_FORMAT).contains(&mount.format) {
            return Err(Error::internal(format!(
                "a mount of format {}: is this release too old?",
                mount.format
            )));
        }
        Ok(mount)
    }

    /// The variant of the engine: KV's version, `1` where none is given; empty for all others.
    pub fn variant(&self) -> &str {
        match self.kind.as_str() {
            "kv" => self.options.get("version").map_or("1", String::as_str),
            _ => "",
        }
    }

    /// Is it an auth method.
    pub fn is_auth(&self) -> bool {
        self.path.starts_with("auth/")
    }

    /// How long its leases live where nobody says otherwise.
    pub fn default_ttl(&self) -> Duration {
        stated(self.config.default_lease_ttl, LEASE_TTL_DEFAULT).min(self.max_ttl())
    }

    /// What none of its leases passes.
    pub fn max_ttl(&self) -> Duration {
        stated(self.config.max_lease_ttl, LEASE_TTL_MAX)
    }

    /// The secret that a path below it is about, and what an operation does to it.
    pub fn subject<'q>(&'q self, rest: &'q str, operation: Operation) -> Option<Subject<'q>> {
        let (secret, deed) = (engine_of(self)?.secrets?.subject)(operation, rest)?;
        Some(Subject { mount: self.path.trim_end_matches('/'), secret, deed })
    }

    /// Where its keys stand in the store.
    pub fn scope(&self) -> String {
        self.scope_parts().concat()
    }

    pub(crate) fn scope_parts(&self) -> [&str; 3] {
        match self.kind.as_str() {
            // Tokens are read at every request, by the door itself, before any mount is known.
            "token" => ["ns/0/", "", ""],
            _ => ["ns/0/m/", &self.id, "/"],
        }
    }
}

fn stated(seconds: u64, default: Duration) -> Duration {
    if seconds == 0 { default } else { Duration::from_secs(seconds) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT_1: &str = r#"{"format":1,"path":"secret/","kind":"kv","id":"00","accessor":"kv_1","uuid":"u","description":"d","options":{"version":"2"}}"#;
    const FORMAT_2: &str = r#"{"format":2,"path":"team/kv/","kind":"kv","id":"00","accessor":"kv_1","uuid":"u","description":"d","options":{"version":"2"},"config":{"default_lease_ttl":60,"max_lease_ttl":120,"force_no_cache":true,"listing_visibility":"unauth","token_type":"","lists":{"passthrough_request_headers":["X-A"]}},"local":true,"seal_wrap":true,"moved":{"id":"m","from":"kv/"}}"#;

    fn mount() -> Mount {
        Mount {
            id: "00".into(),
            accessor: "kv_1".into(),
            uuid: "u".into(),
            options: BTreeMap::from([("version".into(), "2".into())]),
            ..Mount::built_in("secret/", "kv", "", "d")
        }
    }

    #[test]
    fn golden_formats() {
        let first = Mount { format: 1, ..mount() };
        assert_eq!(Mount::parse(FORMAT_1.as_bytes()).unwrap(), first);
        let lists = BTreeMap::from([("passthrough_request_headers".into(), vec!["X-A".into()])]);
        let config = MountConfig {
            default_lease_ttl: 60,
            max_lease_ttl: 120,
            force_no_cache: true,
            listing_visibility: "unauth".into(),
            token_type: String::new(),
            lockout: None,
            lists,
        };
        let moved = Some(Moved { id: "m".into(), from: "kv/".into() });
        let second =
            Mount { path: "team/kv/".into(), config, local: true, seal_wrap: true, moved, ..mount() };
        assert_eq!(Mount::parse(FORMAT_2.as_bytes()).unwrap(), second);
        assert_eq!(serde_json::to_string(&second).unwrap(), FORMAT_2);
        for unknown in ["0", "3"] {
            assert!(Mount::parse(FORMAT_1.replacen('1', unknown, 1).as_bytes()).is_err(), "{unknown}");
        }
    }

    #[test]
    fn ttls_stay_within_each_other() {
        let day = 24 * 3_600;
        let check = |default_lease_ttl: u64, max_lease_ttl: u64, expect: (u64, u64)| {
            let config = MountConfig { default_lease_ttl, max_lease_ttl, ..MountConfig::default() };
            let mount = Mount { config, ..mount() };
            assert_eq!((mount.default_ttl().as_secs(), mount.max_ttl().as_secs()), expect);
        };
        check(0, 0, (32 * day, 32 * day));
        check(60, 0, (60, 32 * day));
        check(0, 60, (60, 60));
        check(90 * day, 99 * day, (90 * day, 99 * day));
    }
}
