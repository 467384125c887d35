//! [`KEYS`]: every setting of the server, once: its name in the file, its names in the environment, its kind, its
//! default. Reading, merging, `--help` and the test of `docs/configure.md` all follow this table.

use crate::failure::Failure;
use toml::Value;

/// How a setting's text in the environment is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// As it stands.
    Text,
    /// A store: its URL, or `file:PATH` or `env:NAME` of it. A variable ending in `_FILE` names the file.
    Store,
    /// Separated by commas; empty text is an empty list.
    List,
    /// `true` or `false`, nothing else.
    Flag,
    /// A whole number.
    Number,
    /// A path, which becomes a reference to a secret: `file:PATH`.
    SecretFile,
}

/// A setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// Its name in the file.
    pub(crate) name: &'static str,
    /// How its text is read.
    pub(crate) kind: Kind,
    /// Its names in the environment.
    pub(crate) env: &'static [&'static str],
}

const fn key(name: &'static str, kind: Kind, env: &'static [&'static str]) -> Key {
    Key { name, kind, env }
}

/// A store's URL, or the file that holds it, as container platforms hand over secrets.
const STORE: &[&str] = &[
    "SECRETHUB_STORE",
    "SECRETHUB_STORE_FILE",
    "DATABASE_URL",
    "DATABASE_URL_FILE",
    "MONGO_URI",
    "MONGO_URI_FILE",
];

/// Every setting, in the order of `docs/configure.md`.
pub(crate) const KEYS: &[Key] = &[
    key("store", Kind::Store, STORE),
    key("pool_size", Kind::Number, &["SECRETHUB_POOL_SIZE", "POOL_SIZE"]),
    key("database_room_mib", Kind::Number, &["SECRETHUB_DATABASE_ROOM_MIB"]),
    key("listen", Kind::List, &["SECRETHUB_LISTEN"]),
    key("tls_cert_file", Kind::Text, &["SECRETHUB_TLS_CERT_FILE"]),
    key("tls_key_file", Kind::Text, &["SECRETHUB_TLS_KEY_FILE"]),
    key("tls_client_ca_file", Kind::Text, &["SECRETHUB_TLS_CLIENT_CA_FILE"]),
    key("tls_client_required", Kind::Flag, &["SECRETHUB_TLS_CLIENT_REQUIRED"]),
    key("trusted_proxies", Kind::List, &["SECRETHUB_TRUSTED_PROXIES"]),
    key("forwarded_header", Kind::Text, &["SECRETHUB_FORWARDED_HEADER"]),
    key("proxy_protocol_listen", Kind::List, &["SECRETHUB_PROXY_PROTOCOL_LISTEN"]),
    key("metrics_listen", Kind::Text, &["SECRETHUB_METRICS_LISTEN"]),
    key("connections_max", Kind::Number, &["SECRETHUB_CONNECTIONS_MAX"]),
    key("requests_max", Kind::Number, &["SECRETHUB_REQUESTS_MAX"]),
    key("cluster_name", Kind::Text, &["SECRETHUB_CLUSTER_NAME"]),
    key("default_mounts", Kind::List, &["SECRETHUB_DEFAULT_MOUNTS"]),
    key("master_key_file", Kind::Text, &["MASTER_KEY_FILE"]),
    key("seal", Kind::Text, &["SECRETHUB_SEAL"]),
    key("passphrase", Kind::SecretFile, &["SECRETHUB_PASSPHRASE_FILE"]),
    key("secret_manager_api", Kind::Flag, &["SECRETHUB_SECRET_MANAGER_API"]),
    key("secret_manager_token_required", Kind::Flag, &["SECRETHUB_SECRET_MANAGER_TOKEN_REQUIRED"]),
    key("unauthenticated_ceremonies", Kind::Flag, &["SECRETHUB_UNAUTHENTICATED_CEREMONIES"]),
    key("audit_enabled", Kind::Flag, &["AUDIT_ENABLED"]),
    key("audit_ttl_days", Kind::Number, &["AUDIT_TTL_DAYS"]),
    key("disk_watermark_mib", Kind::Number, &["SECRETHUB_DISK_WATERMARK_MIB"]),
    key("audit_file", Kind::Text, &["SECRETHUB_AUDIT_FILE"]),
    key("audit_devices_folder", Kind::Text, &["SECRETHUB_AUDIT_DEVICES_FOLDER"]),
    key("disable_mlock", Kind::Flag, &["SECRETHUB_DISABLE_MLOCK"]),
    key("log_level", Kind::Text, &["SECRETHUB_LOG_LEVEL"]),
    key("log_format", Kind::Text, &["SECRETHUB_LOG_FORMAT"]),
];

impl Key {
    /// Reads the text of an environment variable.
    pub(crate) fn read(&self, variable: &str, text: &str) -> Result<Value, Failure> {
        let bad = |expect: &str| Failure::local(format!("{variable} must be {expect}, and it is {text:?}"));
        match self.kind {
            Kind::Store if variable.ends_with("_FILE") => Ok(Value::from(format!("file:{text}"))),
            Kind::SecretFile => Ok(Value::from(format!("file:{text}"))),
            Kind::Text | Kind::Store => Ok(Value::from(text)),
            Kind::Flag => match text.to_ascii_lowercase().as_str() {
                "true" => Ok(Value::from(true)),
                "false" => Ok(Value::from(false)),
                _ => Err(bad("true or false")),
            },
            Kind::Number => {
                text.parse::<u32>().map(i64::from).map(Value::from).map_err(|_| bad("a whole number"))
            }
            Kind::List => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Ok(Value::from(items.collect::<Vec<_>>()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_documented_and_known_to_the_file() {
        let docs = include_str!("../../../docs/configure.md");
        for key in KEYS {
            assert!(
                docs.contains(&format!("| `{}` |", key.name)),
                "docs/configure.md has no row for {}",
                key.name
            );
            for variable in key.env {
                assert!(
                    docs.contains(&format!("`{variable}`")),
                    "docs/configure.md does not name {variable}"
                );
            }
            let text = match key.kind {
                Kind::Text | Kind::Store | Kind::SecretFile => format!("{} = 'x'", key.name),
                Kind::List => format!("{} = ['x']", key.name),
                Kind::Flag => format!("{} = true", key.name),
                Kind::Number => format!("{} = 7", key.name),
            };
            toml::from_str::<crate::config::Config>(&text).unwrap();
        }
    }

    #[test]
    fn text_is_read_by_kind() {
        let check = |kind: Kind, text: &str, expect: Option<Value>| {
            let key = Key { name: "k", kind, env: &[] };
            assert_eq!(key.read("K", text).ok(), expect, "{text}");
        };
        check(Kind::Text, "a,b", Some("a,b".into()));
        check(Kind::SecretFile, "/a", Some("file:/a".into()));
        check(Kind::List, " a, b,", Some(vec!["a", "b"].into()));
        check(Kind::List, "", Some(Value::Array(Vec::new())));
        check(Kind::Flag, "True", Some(true.into()));
        check(Kind::Flag, "false", Some(false.into()));
        for bad in ["1", "yes", "", " true"] {
            check(Kind::Flag, bad, None);
        }
        check(Kind::Number, "30", Some(30.into()));
        for bad in ["-1", "1.5", "", "30d"] {
            check(Kind::Number, bad, None);
        }
    }
}
