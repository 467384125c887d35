//! [`Mount`]: where an engine stands. A mount is named inside the store by an immutable random id, never by its
//! path, so moving it re-encrypts nothing.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One mount, as stored (format 1) and as engines see it.
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
}

impl Mount {
    /// A mount that every vault has, under a fixed id.
    pub fn built_in(path: &str, kind: &str, id: &str, description: &str) -> Self {
        let number = id.bytes().fold(0, |sum: u128, byte| (sum << 8) | u128::from(byte));
        Self {
            format: 1,
            path: path.to_owned(),
            kind: kind.to_owned(),
            id: id.to_owned(),
            accessor: format!("{kind}_{id}"),
            uuid: uuid::Uuid::from_u128(number).to_string(),
            description: description.to_owned(),
            options: BTreeMap::new(),
        }
    }

    /// The variant of the engine: KV's version, `1` where none is given; empty for all others.
    pub fn variant(&self) -> &str {
        match self.kind.as_str() {
            "kv" => self.options.get("version").map_or("1", String::as_str),
            _ => "",
        }
    }

    /// Where its keys stand in the store.
    pub fn scope(&self) -> String {
        match self.kind.as_str() {
            // Tokens are read at every request, by the door itself, before any mount is known.
            "token" => "ns/0/".to_owned(),
            _ => format!("ns/0/m/{}/", self.id),
        }
    }
}
