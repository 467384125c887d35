//! The contract's battery over the store, and a vault on it.

use custom_store::Instants;
use secrethub::{
    Embed, TokioHost,
    core::{Parts, Vault, system::Settings},
};
use secrethub_core::testing::store::{Case, Shared};
use std::sync::Arc;

fn run(_name: &str, case: Case) {
    let store: Shared = Arc::new(Instants::default());
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(case(&store));
}

secrethub_core::store_battery!(run);

#[tokio::test]
async fn a_vault_lives_on_it() {
    let backend: Shared = Arc::new(Instants::default());
    let (host, crypto) = (Arc::new(TokioHost::new()), secrethub::default_crypto());
    let vault = Vault::open(Parts { backend, host, crypto, settings: Settings::default() }).await.unwrap();
    let keys = vault.init(1, 1).await.unwrap();
    assert!(!vault.unseal(&keys.shares[0]).await.unwrap());
    let root = vault.session(&keys.root_token);
    root.kv("secret").put("app", serde_json::json!({"password": "s3cret"})).await.unwrap();
    assert_eq!(root.kv("secret").get("app").await.unwrap().text("password"), Some("s3cret"));
    assert_eq!(root.write("audit/verify", serde_json::json!({})).await.unwrap().to_value()["verified"], true);
}
