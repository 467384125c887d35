//! [`House`]: an unsealed vault with secrets in it, for whoever measures the door.

#![allow(clippy::unwrap_used, reason = "a bench panics")]

use secrethub::TokioHost;
use secrethub_core::{Operation, Parts, Request, Vault, store::Backend, system::Settings};
use serde_json::{Value, json};
use std::sync::Arc;

/// How many secrets there are to read.
pub const SECRETS: usize = 1_000;

/// An unsealed vault with secrets in it.
#[derive(Debug)]
pub struct House {
    /// The vault.
    pub vault: Arc<Vault>,
    token: String,
}

impl House {
    /// Makes, unseals and fills it.
    pub async fn build(backend: Arc<dyn Backend>) -> Self {
        let (host, crypto) = (Arc::new(TokioHost::new()), secrethub::default_crypto());
        let vault =
            Vault::open(Parts { backend, host, crypto, settings: Settings::default() }).await.unwrap();
        let mut house = Self { vault, token: String::new() };
        let init = house
            .ask(Operation::Write, "sys/init", json!({ "secret_shares": 1, "secret_threshold": 1 }))
            .await;
        house.ask(Operation::Write, "sys/unseal", json!({ "key": init["keys"][0] })).await;
        house.token = init["root_token"].as_str().unwrap().to_owned();
        for n in 0..SECRETS {
            house.make(n).await;
        }
        house
    }

    async fn ask(&self, operation: Operation, path: &str, fields: Value) -> Value {
        let request =
            Request::new("6ba7b810-9dad-41d1-80b4-00c04fd430c8", operation, path).with_fields(fields);
        let request = if self.token.is_empty() { request } else { request.with_token(&self.token) };
        self.vault.handle(request).await.unwrap().to_value()
    }

    /// Reads one of the secrets.
    pub async fn read(&self, n: usize) {
        let path = format!("secret/data/app/{}", n % SECRETS);
        let request = Request::new("6ba7b810-9dad-41d1-80b4-00c04fd430c8", Operation::Read, path);
        std::hint::black_box(self.vault.handle(request.with_token(&self.token)).await.unwrap());
    }

    /// Makes what is read.
    async fn make(&self, n: usize) {
        self.write_at(&format!("secret/data/app/{n}"), n).await;
    }

    /// Another version of a secret that nobody reads: what reading costs shall not depend on how often it was written.
    pub async fn write(&self, n: usize) {
        self.write_at(&format!("secret/data/other/{}", n % SECRETS), n).await;
    }

    async fn write_at(&self, path: &str, n: usize) {
        let data = json!({ "data": { "password": format!("{n:032}") } });
        self.ask(Operation::Write, path, data).await;
    }
}
