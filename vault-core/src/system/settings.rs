//! What an operator may choose about a vault, as plain values that the binary reads from files and environment; and what
//! of its surroundings it is given.

use super::{AuditDevice, DeviceKeeper, Machine};
use crate::{
    barrier::{MasterKey, Passphrase},
    error::Error,
    first_seed::FirstSeed,
};
use std::sync::Arc;

/// A mount that a new vault starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultMount {
    /// Path with a trailing slash.
    pub path: String,
    /// Type of the engine.
    pub kind: String,
    /// Its variant (KV's version), or empty.
    pub variant: String,
}

impl DefaultMount {
    /// A KV version 2 mount, as every default mount is so far.
    pub fn kv2(path: &str) -> Self {
        Self { path: format!("{}/", path.trim_matches('/')), kind: "kv".to_owned(), variant: "2".to_owned() }
    }

    /// Reads the setting `default_mounts`: names of KV v2 mounts, or the preset `secrethub`.
    pub fn parse_list(names: &[String]) -> Result<Vec<Self>, Error> {
        let mut mounts = Vec::new();
        for name in names {
            let path = if name == "secrethub" { "secret" } else { name };
            let path = super::parse_path(path, "");
            let mount = Self::kv2(&path.map_err(|error| Error::invalid(format!("default_mounts: {error}")))?);
            if !mounts.contains(&mount) {
                mounts.push(mount);
            }
        }
        Ok(mounts)
    }
}

/// Who may use the first seed's interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecretManagerApi {
    /// It does not exist.
    #[default]
    Off,
    /// Everybody who can reach it, as the first seed has it.
    Open,
    /// Who brings a token that a policy lets through.
    TokenRequired,
}

/// Who is to guard the vault, as this server is told.
#[derive(Default)]
#[allow(missing_debug_implementations, reason = "holds the master key")]
pub enum Guardian {
    /// People with shares.
    #[default]
    Shares,
    /// The environment, with the master key: the vault initialises and unseals itself.
    MasterKey(MasterKey),
    /// Who knows the passphrase. Where it is given here the vault initialises and unseals itself, else people type it.
    Passphrase(Option<Passphrase>),
}

impl Guardian {
    /// The kind of seal, as [`crate::barrier::Guard::kind`] names it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Shares => "shamir",
            Self::MasterKey(_) => "static",
            Self::Passphrase(_) => "passphrase",
        }
    }

    /// Does the vault initialise and unseal itself.
    pub(crate) fn works_alone(&self) -> bool {
        matches!(self, Self::MasterKey(_) | Self::Passphrase(Some(_)))
    }
}

/// The settings of one vault.
#[allow(missing_debug_implementations, reason = "holds the master key")]
pub struct Settings {
    /// Mounts that init makes.
    pub default_mounts: Vec<DefaultMount>,
    /// Who is to guard it.
    pub guardian: Guardian,
    /// The first seed's interface.
    pub secret_manager: SecretManagerApi,
    /// The first seed's database, whose documents are served while a master key guards the vault; without one only
    /// what the vault holds is.
    pub first_seed: Option<Arc<dyn FirstSeed>>,
    /// Do audit records carry their fields. The chain is kept in any case.
    pub audit_enabled: bool,
    /// Days after which audit records may be pruned; 0 = keep for ever.
    pub audit_ttl_days: u32,
    /// What follows the audit log; shown at `sys/audit`, kept by whoever runs the vault.
    pub audit_devices: Vec<AuditDevice>,
    /// Keeps the devices that the API declares; without one it may declare none.
    pub device_keeper: Option<Arc<dyn DeviceKeeper>>,
    /// The machine and process that it runs in; without one nothing is told of them.
    pub machine: Option<Arc<dyn Machine>>,
    /// Serve rekey and generate-root without a token, as old Vaults do: anybody who reaches the API may then start
    /// and cancel them.
    pub unauthenticated_ceremonies: bool,
    /// Free bytes on the store's disk below which operators are warned; 0 = never.
    pub disk_watermark_bytes: u64,
    /// Name of the cluster, for people.
    pub cluster_name: String,
    /// Version of the product, for `seal-status` and `health`.
    pub version: String,
    /// Name of the machine, for people; empty = not told.
    pub hostname: String,
    /// URL under which clients reach this node; empty = not told.
    pub api_address: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            default_mounts: vec![DefaultMount::kv2("secret")],
            guardian: Guardian::Shares,
            secret_manager: SecretManagerApi::Off,
            first_seed: None,
            audit_enabled: true,
            audit_ttl_days: 0,
            audit_devices: Vec::new(),
            device_keeper: None,
            machine: None,
            unauthenticated_ceremonies: false,
            disk_watermark_bytes: crate::limits::DISK_WATERMARK_BYTES,
            cluster_name: "secrethub".to_owned(),
            version: super::API_VERSION.to_owned(),
            hostname: String::new(),
            api_address: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_mounts() {
        let check = |names: &[&str], expect: Option<&[&str]>| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let mounts = DefaultMount::parse_list(&names).ok();
            let paths = mounts.map(|mounts| mounts.into_iter().map(|mount| mount.path).collect::<Vec<_>>());
            assert_eq!(
                paths,
                expect.map(|paths| paths.iter().map(|path| (*path).to_owned()).collect()),
                "{names:?}"
            );
        };
        check(&[], Some(&[]));
        check(&["secret"], Some(&["secret/"]));
        check(&["secrethub"], Some(&["secret/"]));
        check(&["kv/", "team/kv"], Some(&["kv/", "team/kv/"]));
        for bad in ["", "/", "sys", "auth/x", "a//b", "../x", "cubbyhole"] {
            check(&[bad], None);
        }
    }
}
