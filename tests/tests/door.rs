//! The one door on a store in memory: the whole life of a vault through `Vault::handle`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use secrethub::TokioHost;
use secrethub_core::{
    ErrorKind, Operation, Parts, Reply, Request, Vault,
    store::{Backend, memory::Memory},
    system::Settings,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// A vault, and how to ask it.
struct House {
    vault: Arc<Vault>,
    token: String,
    keys: Vec<String>,
}

fn request(operation: Operation, path: &str, token: &str, fields: Value) -> Request {
    let request = Request::new("11111111-1111-4111-8111-111111111111", operation, path).with_fields(fields);
    if token.is_empty() { request } else { request.with_token(token) }
}

async fn open(backend: Arc<dyn Backend>, settings: Settings) -> Arc<Vault> {
    let host = Arc::new(TokioHost::new());
    let crypto = secrethub_core::crypto::rustcrypto::provider();
    Vault::open(Parts { backend, host, crypto, settings }).await.unwrap()
}

impl House {
    async fn build() -> Self {
        let vault = open(Arc::new(Memory::default()), Settings::default()).await;
        let fields = json!({ "secret_shares": 3, "secret_threshold": 2 });
        let init = vault.handle(request(Operation::Write, "sys/init", "", fields)).await.unwrap().to_value();
        let keys: Vec<String> = serde_json::from_value(init["keys"].clone()).unwrap();
        let house = Self { vault, token: init["root_token"].as_str().unwrap().to_owned(), keys };
        house.unseal().await;
        house
    }

    async fn unseal(&self) {
        for key in &self.keys[..2] {
            self.ask(Operation::Write, "sys/unseal", "", json!({ "key": key })).await.unwrap();
        }
    }

    async fn ask(
        &self,
        operation: Operation,
        path: &str,
        token: &str,
        fields: Value,
    ) -> Result<Reply, secrethub_core::Error> {
        self.vault.handle(request(operation, path, token, fields)).await
    }

    async fn write(&self, path: &str, fields: Value) -> Result<Reply, secrethub_core::Error> {
        self.ask(Operation::Write, path, &self.token, fields).await
    }

    async fn kind(&self, operation: Operation, path: &str, token: &str, fields: Value) -> Option<ErrorKind> {
        self.ask(operation, path, token, fields).await.err().map(|error| error.kind())
    }
}

#[tokio::test]
async fn lives_from_init_to_seal() {
    let house = House::build().await;
    let status = house.ask(Operation::Read, "sys/seal-status", "", json!({})).await.unwrap().to_value();
    assert_eq!(
        (status["sealed"].as_bool(), status["t"].as_u64(), status["n"].as_u64()),
        (Some(false), Some(2), Some(3))
    );
    assert_eq!(house.kind(Operation::Write, "sys/init", "", json!({})).await, Some(ErrorKind::Invalid));
    house.write("sys/rotate", json!({})).await.unwrap();
    let keys =
        house.ask(Operation::Read, "sys/key-status", &house.token, json!({})).await.unwrap().to_value();
    assert_eq!(keys["term"], 2);
    house.write("sys/seal", json!({})).await.unwrap();
    assert_eq!(
        house.kind(Operation::Read, "sys/key-status", &house.token, json!({})).await,
        Some(ErrorKind::Sealed)
    );
    house.unseal().await;
    let keys =
        house.ask(Operation::Read, "sys/key-status", &house.token, json!({})).await.unwrap().to_value();
    assert_eq!(keys["term"], 2);
}

#[tokio::test]
async fn wrong_shares_do_not_unseal() {
    let house = House::build().await;
    house.write("sys/seal", json!({})).await.unwrap();
    let wrong = "00".repeat(32);
    for x in ["01", "02"] {
        let _ = house.ask(Operation::Write, "sys/unseal", "", json!({ "key": format!("{wrong}{x}") })).await;
    }
    let status = house.ask(Operation::Read, "sys/seal-status", "", json!({})).await.unwrap().to_value();
    assert_eq!((status["sealed"].as_bool(), status["progress"].as_u64()), (Some(true), Some(0)));
    for bad in ["", "zz", "00"] {
        let kind = house.kind(Operation::Write, "sys/unseal", "", json!({ "key": bad })).await;
        assert_eq!(kind, Some(ErrorKind::Invalid), "{bad}");
    }
    house.unseal().await;
    assert_eq!(house.kind(Operation::Read, "sys/key-status", &house.token, json!({})).await, None);
}

#[tokio::test]
async fn strangers_learn_nothing() {
    let house = House::build().await;
    let check = async |operation, path, token: &str, expect| {
        assert_eq!(house.kind(operation, path, token, json!({})).await, expect, "{operation:?} {path}");
    };
    use ErrorKind::{Denied, Invalid, NotFound, Unauthenticated, Unsupported};
    check(Operation::Read, "sys/mounts", "", Some(Unauthenticated)).await;
    check(Operation::Read, "no/such/route", "", Some(Unauthenticated)).await;
    check(Operation::Read, "no/such/route", "shs.wrong", Some(Unauthenticated)).await;
    check(Operation::Read, "no/such/route", &house.token, Some(NotFound)).await;
    check(Operation::Delete, "sys/seal", &house.token, Some(Unsupported)).await;
    check(Operation::Read, "sys/../x", &house.token, Some(Invalid)).await;
    check(Operation::Read, "sys/mounts", &house.token, None).await;
    let made = house.write("auth/token/create", json!({ "policies": ["default"] })).await.unwrap();
    let child = made.auth.unwrap().client_token;
    check(Operation::Read, "sys/mounts", child.expose(), Some(Denied)).await;
    check(Operation::Read, "auth/token/lookup-self", child.expose(), None).await;
}

#[tokio::test]
async fn revoking_a_parent_ends_its_tree_at_once() {
    let house = House::build().await;
    let make = async |token: &str| {
        let made =
            house.ask(Operation::Write, "auth/token/create", token, json!({ "policies": ["root"] })).await;
        made.unwrap().auth.unwrap().client_token.expose().clone()
    };
    let parent = make(&house.token).await;
    let child = make(&parent).await;
    let grandchild = make(&child).await;
    let good = async |token: &str| {
        house.kind(Operation::Read, "auth/token/lookup-self", token, json!({})).await.is_none()
    };
    assert!(good(&grandchild).await);
    house.write("auth/token/revoke-orphan", json!({ "token": child })).await.unwrap();
    assert!(!good(&child).await);
    assert!(good(&grandchild).await);
    house.write("auth/token/revoke", json!({ "token": parent })).await.unwrap();
    assert!(!good(&parent).await);
    assert!(!good(&grandchild).await, "the grandchild still had the revoked parent above it");
    assert!(good(&house.token).await);
}

#[tokio::test]
async fn uses_are_counted() {
    let house = House::build().await;
    let made =
        house.write("auth/token/create", json!({ "policies": ["root"], "num_uses": 2 })).await.unwrap();
    let token = made.auth.unwrap().client_token.expose().clone();
    for expect in [None, None, Some(ErrorKind::Unauthenticated)] {
        assert_eq!(house.kind(Operation::Read, "sys/mounts", &token, json!({})).await, expect);
    }
}

#[tokio::test]
async fn a_protection_that_cannot_be_given_is_refused_not_ignored() {
    let house = House::build().await;
    let mut asked = request(Operation::Read, "sys/seal-status", &house.token, json!({}));
    asked.wrap_ttl = Some(std::time::Duration::from_secs(60));
    assert_eq!(house.vault.handle(asked).await.unwrap_err().kind(), ErrorKind::Invalid);
    let pgp = house.kind(Operation::Write, "sys/init", "", json!({ "pgp_keys": ["x"] })).await;
    assert_eq!(pgp, Some(ErrorKind::Invalid));
}
