//! `operator init`: the keys of a new vault, or its passphrase.

use crate::{
    context::Context,
    failure::{Failure, OK},
    input, output,
};
use secrethub_client::{Init, InitKeys};
use serde_json::{Value, json};

/// Asks for a passphrase where the server wants one, else has shares made.
pub(super) async fn run(context: &Context, init: Init) -> Result<u8, Failure> {
    let client = context.client_with(None)?;
    let status = client.seal_status().await?;
    if status.initialized || status.seal_type != "passphrase" {
        let keys = client.init(init).await?;
        return context.print(&json_of(&keys, init), &json_of(&keys, init), || table(&keys, init));
    }
    let passphrase = input::new_secret("New passphrase (will be hidden): ", "The same again: ")?;
    let keys = client.init_passphrase(&passphrase).await?;
    let none = Init { shares: 0, threshold: 0 };
    context.print(&json_of(&keys, none), &json_of(&keys, none), || without_shares(&keys))
}

/// Exit code 0 initialised, 2 not.
pub(super) async fn status(context: &Context) -> Result<u8, Failure> {
    if context.client_with(None)?.seal_status().await?.initialized {
        return output::say("Vault is initialized").map(|()| OK);
    }
    Err(Failure::remote("Vault is not initialized").hint("initialise it: secrethub operator init"))
}

/// The keys under Vault's names.
pub(super) fn json_of(keys: &InitKeys, init: Init) -> Value {
    json!({
        "unseal_keys_b64": keys.keys_base64,
        "unseal_keys_hex": keys.keys,
        "unseal_shares": init.shares,
        "unseal_threshold": init.threshold,
        "recovery_keys_b64": [],
        "recovery_keys_hex": [],
        "recovery_keys_shares": 0,
        "recovery_keys_threshold": 0,
        "root_token": keys.root_token,
    })
}

fn table(keys: &InitKeys, init: Init) -> String {
    let shares = keys.keys_base64.iter().enumerate();
    let lines: Vec<_> = shares.map(|(index, key)| format!("Unseal Key {}: {key}", index + 1)).collect();
    let Init { shares, threshold } = init;
    format!(
        "{}\n\nInitial Root Token: {}\n\n\
Vault initialized with {shares} key shares and a key threshold of {threshold}. Please securely
distribute the key shares printed above. When the Vault is re-sealed,
restarted, or stopped, you must supply at least {threshold} of these keys to unseal it
before it can start servicing requests.

Nothing stores these keys. Without at least {threshold} of them, the Vault will remain
permanently sealed!",
        lines.join("\n"),
        keys.root_token
    )
}

fn without_shares(keys: &InitKeys) -> String {
    format!(
        "Initial Root Token: {}\n\n\
Vault initialized with your passphrase, which unseals it from now on: secrethub operator unseal.
Nothing stores it. Without it the Vault will remain permanently sealed! Make recovery shares,
which can take over should it be lost: secrethub operator rotate-keys -target=recovery -init",
        keys.root_token
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> InitKeys {
        let text = r#"{"keys": ["00ff", "01fe"], "keys_base64": ["AP8=", "Af4="], "root_token": "shs.root"}"#;
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn init_prints_what_scripts_grep_for() {
        let text = table(&keys(), Init { shares: 2, threshold: 2 });
        let head = "Unseal Key 1: AP8=\nUnseal Key 2: Af4=\n\nInitial Root Token: shs.root\n\nVault initialized with 2";
        assert!(text.starts_with(head), "{text}");
    }

    #[test]
    fn init_as_json_has_vaults_names() {
        let value = json_of(&keys(), Init { shares: 2, threshold: 2 });
        assert_eq!(value["unseal_keys_b64"], json!(["AP8=", "Af4="]));
        assert_eq!(value["unseal_keys_hex"], json!(["00ff", "01fe"]));
        assert_eq!(value["root_token"], "shs.root");
    }

    #[test]
    fn without_shares_it_says_how_to_unseal() {
        let text = without_shares(&keys());
        assert!(
            text.starts_with("Initial Root Token: shs.root\n") && text.contains("operator unseal"),
            "{text}"
        );
    }
}
