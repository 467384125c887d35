//! What `server` prints when it serves: where, on what, and what to do next. In development mode, Vault's words.

use super::dev::{Dev, Root};
use crate::{config::StoreUrl, failure::Failure, output};
use secrethub::core::{Operation, Request, Vault};
use serde_json::Value;
use std::fmt::Write;
use tokio::net::TcpListener;

/// What is told about a server.
pub(super) struct Shown {
    urls: Vec<String>,
    store: String,
}

impl Shown {
    /// The addresses as they came to be: port 0 has become a real one.
    pub(super) fn new<'l>(
        listeners: impl Iterator<Item = &'l TcpListener>,
        tls: bool,
        store: &StoreUrl,
    ) -> Self {
        let scheme = if tls { "https" } else { "http" };
        let addresses: Vec<_> = listeners.filter_map(|listener| listener.local_addr().ok()).collect();
        if !tls && addresses.iter().any(|address| !address.ip().is_loopback()) {
            tracing::warn!(
                "serving plain HTTP to other machines: whoever is on the network reads tokens and secrets; \
                set tls_cert_file and tls_key_file"
            );
        }
        let urls = addresses.iter().map(|address| format!("{scheme}://{address}")).collect();
        Self { urls, store: store.to_string() }
    }
}

/// Prints it to stdout.
pub(super) async fn print(vault: &Vault, shown: &Shown, dev: Option<(&Dev, &Root)>) -> Result<(), Failure> {
    let request = Request::new("00000000-0000-4000-8000-000000000000", Operation::Read, "sys/seal-status");
    let status = vault.handle(request).await.map(|reply| reply.to_value()).unwrap_or_default();
    let mut text = configuration(shown, &status);
    if let Some((dev, root)) = dev {
        text.push_str(&development(shown, dev, root));
    }
    output::say(text)
}

fn configuration(shown: &Shown, status: &Value) -> String {
    let rows = [
        ("Listening", shown.urls.join(", ")),
        ("Store", shown.store.clone()),
        ("Seal", seal(status).to_owned()),
        ("Version", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    let mut text = "==> SecretHub server configuration:\n\n".to_owned();
    for (name, value) in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:>14}: {value}");
    }
    text + "\n==> SecretHub server started! Log data will stream in below:\n"
}

fn seal(status: &Value) -> &'static str {
    match (status["initialized"].as_bool(), status["sealed"].as_bool()) {
        (Some(true), Some(false)) => "unsealed",
        (Some(true), _) => "sealed (next: secrethub operator unseal)",
        _ => "not initialised (next: secrethub operator init)",
    }
}

fn development(shown: &Shown, dev: &Dev, root: &Root) -> String {
    let address = shown.urls.first().map_or("", String::as_str);
    let mut exports =
        format!("    $ export SECRETHUB_ADDR='{address}'\n    $ export VAULT_ADDR='{address}'\n");
    if let Some(ca) = dev.ca_file() {
        for name in ["SECRETHUB_CACERT", "VAULT_CACERT"] {
            let _ = writeln!(exports, "    $ export {name}='{}'", ca.display());
        }
    }
    format!(
        "
WARNING! dev mode is enabled! In this mode, SecretHub runs entirely in-memory
and starts unsealed with a single unseal key. The root token is already
authenticated to the CLI, so you can immediately begin using SecretHub.

You may need to set the following environment variables:

{exports}
The unseal key and root token are displayed below in case you want to
seal/unseal SecretHub or re-authenticate.

Unseal Key: {}
Root Token: {}

Development mode should NOT be used in production installations!
",
        root.unseal_key, root.token
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scripts_find_key_and_token() {
        let shown = Shown { urls: vec!["http://127.0.0.1:8200".into()], store: "memory:".into() };
        let dev = Dev { root_token: None, listen: None, keep_token: false, tls: false, tls_folder: None };
        let root = Root { unseal_key: "AP8=".into(), token: "shs.root".into() };
        let text = development(&shown, &dev, &root);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines.contains(&"Unseal Key: AP8=") && lines.contains(&"Root Token: shs.root"), "{text}");
        assert!(lines.contains(&"    $ export VAULT_ADDR='http://127.0.0.1:8200'"), "{text}");
    }

    #[test]
    fn the_next_step_is_named() {
        let check = |status: Value, expect: &str| assert!(seal(&status).contains(expect), "{status}");
        check(json!({"initialized": true, "sealed": false}), "unsealed");
        check(json!({"initialized": true, "sealed": true}), "operator unseal");
        check(json!({"initialized": false, "sealed": true}), "operator init");
        check(Value::Null, "operator init");
    }
}
