//! The wire around the real vault, on a store in memory.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use crate::fake_door::{Got, call};
use axum::Router;
use secrethub::TokioHost;
use secrethub_core::{
    Operation, Parts, Secret, Vault,
    barrier::MasterKey,
    crypto::rustcrypto,
    engine::{ENGINES, Route},
    store::memory::Memory,
    system::{Guardian, SecretManagerApi, Settings as VaultSettings},
};
use secrethub_http::{Limits, Settings, limits::Rate, router};
use serde_json::{Value, json};
use std::sync::Arc;

async fn open(settings: VaultSettings) -> Router {
    let parts = Parts {
        backend: Arc::new(Memory::default()),
        host: Arc::new(TokioHost::new()),
        crypto: rustcrypto::provider(),
        settings,
    };
    let plenty = Rate { per_second: 1_000_000, burst: 1_000_000 };
    let limits = Limits { refusals: plenty, secret_manager: plenty, ..Limits::default() };
    let secret_manager_api = true;
    router(Vault::open(parts).await.unwrap(), Settings { limits, secret_manager_api, ..Settings::default() })
}

/// A vault that was initialised and unsealed through the wire, and its root token.
pub(crate) async fn unsealed() -> (Router, String) {
    let router = open(VaultSettings::default()).await;
    let got = call(&router, "PUT", "/v1/sys/init", &[], r#"{"secret_shares":1,"secret_threshold":1}"#).await;
    assert_eq!(got.code, 200, "{}", got.text);
    let made = got.json();
    let key = json!({ "share": made["keys_base64"][0] }).to_string();
    let got = call(&router, "PUT", "/v1/sys/unseal", &[], &key).await;
    assert_eq!((got.code, &got.json()["sealed"]), (200, &json!(false)), "{}", got.text);
    (router, made["root_token"].as_str().unwrap().to_owned())
}

pub(crate) async fn with_token(router: &Router, token: &str, method: &str, uri: &str, body: &str) -> Got {
    call(router, method, uri, &[("x-vault-token", token)], body).await
}

#[tokio::test]
async fn health_follows_the_life_of_a_vault() {
    let router = open(VaultSettings::default()).await;
    let codes = async |router: &Router, expect: [u16; 3]| {
        for (uri, code) in
            ["/v1/sys/health", "/v1/sys/health/ready", "/v1/sys/health/live"].iter().zip(expect)
        {
            let got = call(router, "GET", uri, &[], "").await;
            assert_eq!(got.code, code, "{uri}: {}", got.text);
        }
    };
    codes(&router, [501, 503, 200]).await;
    assert_eq!(call(&router, "GET", "/v1/sys/mounts", &[], "").await.code, 503);
    let (router, root) = unsealed().await;
    codes(&router, [200, 200, 200]).await;
    let again = call(&router, "POST", "/v1/sys/init", &[], "{}").await;
    assert_eq!((again.code, again.text.as_str()), (400, r#"{"errors":["Vault is already initialized"]}"#));
    assert_eq!(with_token(&router, "wrong", "PUT", "/v1/sys/seal", "").await.code, 403);
    assert_eq!(with_token(&router, &root, "PUT", "/v1/sys/seal", "").await.code, 204);
    codes(&router, [503, 503, 200]).await;
    let sealed = with_token(&router, &root, "GET", "/v1/sys/mounts", "").await;
    assert_eq!((sealed.code, sealed.text.as_str()), (503, r#"{"errors":["Vault is sealed"]}"#));
}

#[tokio::test]
async fn replies_have_the_form_that_clients_expect() {
    let (router, root) = unsealed().await;
    let got = with_token(&router, &root, "GET", "/v1/auth/token/lookup-self", "").await.json();
    assert_eq!((&got["mount_type"], &got["data"]["id"]), (&json!("token"), &json!(root)));
    for key in
        ["request_id", "lease_id", "renewable", "lease_duration", "data", "wrap_info", "warnings", "auth"]
    {
        assert!(got.get(key).is_some(), "{key}");
    }
    let got = with_token(&router, &root, "GET", "/v1/sys/mounts", "").await.json();
    assert_eq!(got["sys/"], got["data"]["sys/"], "in both places");
    let created = with_token(&router, &root, "POST", "/v1/auth/token/create", "ttl=5m").await;
    assert_eq!(created.code, 400, "a form must be called one: {}", created.text);
    let form = [("x-vault-token", root.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let created =
        call(&router, "POST", "/v1/auth/token/create", &form, "ttl=5m&policies=default").await.json();
    assert_eq!((&created["auth"]["lease_duration"], &created["data"]), (&json!(300), &Value::Null));
    let namespaced = [("x-vault-token", root.as_str()), ("x-vault-namespace", "team/")];
    let got = call(&router, "GET", "/v1/sys/mounts", &namespaced, "").await;
    assert_eq!((got.code, got.text.as_str()), (404, r#"{"errors":["namespace not found"]}"#));
}

#[tokio::test]
async fn a_wrapped_reply_is_sent_once() {
    let (router, root) = unsealed().await;
    let wrap = [("x-vault-token", root.as_str()), ("x-vault-wrap-ttl", "1m0s")];
    let wrapped = call(&router, "POST", "/v1/auth/token/create", &wrap, "{}").await.json();
    assert_eq!((&wrapped["data"], &wrapped["auth"]), (&Value::Null, &Value::Null));
    let info = wrapped["wrap_info"].as_object().unwrap();
    let keys: Vec<&str> = info.keys().map(String::as_str).collect();
    assert_eq!(keys, ["accessor", "creation_path", "creation_time", "token", "ttl", "wrapped_accessor"]);
    let token = info["token"].as_str().unwrap();
    let unwrap = async || with_token(&router, token, "POST", "/v1/sys/wrapping/unwrap", "").await;
    let auth = unwrap().await.json()["auth"].clone();
    assert_eq!((&auth["accessor"], auth["client_token"].is_string()), (&info["wrapped_accessor"], true));
    let again = unwrap().await;
    let expect = r#"{"errors":["wrapping token is not valid or does not exist"]}"#;
    assert_eq!((again.code, again.text.as_str()), (400, expect));
}

#[tokio::test]
async fn mounts_are_changed_as_clients_do() {
    let (router, root) = unsealed().await;
    let code =
        async |method: &str, uri: &str, body: &str| with_token(&router, &root, method, uri, body).await.code;
    assert_eq!(code("PUT", "/v1/sys/mounts/kv/", r#"{"type":"kv-v2"}"#).await, 204);
    assert_eq!(code("POST", "/v1/sys/mounts/kv", r#"{"type":"kv"}"#).await, 400);
    assert_eq!(code("POST", "/v1/sys/mounts/kv/tune", r#"{"description":"d"}"#).await, 204);
    assert_eq!(code("POST", "/v1/kv/data/a", r#"{"data":{"v":1}}"#).await, 200);
    let shown = with_token(&router, &root, "GET", "/v1/sys/mounts/kv", "").await.json();
    assert_eq!((&shown["description"], &shown["data"]["options"]["version"]), (&json!("d"), &json!("2")));
    let help = with_token(&router, &root, "GET", "/v1/kv/data/a?help=1", "").await.json();
    assert!(help["help"].as_str().unwrap().contains("Read a secret."), "{help}");
    assert_eq!(code("DELETE", "/v1/sys/mounts/kv", "").await, 204);
    assert_eq!(code("DELETE", "/v1/sys/mounts/kv", "").await, 204);
    assert_eq!(code("GET", "/v1/sys/mounts/kv", "").await, 400);
}

#[tokio::test]
async fn the_server_describes_itself() {
    let (router, root) = unsealed().await;
    let document = call(&router, "GET", "/openapi.json", &[], "").await;
    assert_eq!((document.code, document.header("content-type")), (200, "application/json"));
    let paths = &document.json()["paths"];
    assert!(paths["/sys/health"]["get"].is_object() && paths["/vault/secret/fetch"]["post"].is_object());
    let specs = "/v1/sys/internal/specs/openapi";
    let mine = with_token(&router, &root, "GET", specs, "").await.json();
    assert!(mine["paths"]["/sys/mounts"]["get"].is_object(), "{mine}");
    assert_eq!(call(&router, "GET", specs, &[], "").await.json()["paths"], json!({}));
    let help = with_token(&router, &root, "GET", "/v1/sys/key-status?help=1", "").await.json();
    assert!(help["help"].as_str().unwrap().contains("The key term in use."), "{help}");
    assert!(help["openapi"]["paths"]["/sys/key-status"].is_object(), "{help}");
    assert_eq!(call(&router, "GET", "/v1/sys/key-status?help=1", &[], "").await.code, 403);
    assert_eq!(call(&router, "GET", "/metrics", &[], "").await.code, 403);
    for uri in ["/metrics", "/v1/sys/metrics?format=prometheus"] {
        let got = with_token(&router, &root, "GET", uri, "").await;
        assert!(got.text.contains("mount_type=\"system\",route=\"init\""), "{uri}: {}", got.text);
    }
}

#[tokio::test]
async fn the_first_seeds_interface() {
    let key = Secret::new("0123456789abcdef0123456789abcdef".to_owned());
    let settings = VaultSettings {
        guardian: Guardian::MasterKey(MasterKey::parse(&key).unwrap()),
        secret_manager: SecretManagerApi::Open,
        ..VaultSettings::default()
    };
    let router = open(settings).await;
    let post = async |uri: &str, body: Value| {
        let got =
            call(&router, "POST", uri, &[("content-type", "application/json")], &body.to_string()).await;
        (got.code, got.json())
    };
    for secret in ["", "aGVsbG8=", "AAECAwQ="] {
        let (code, made) = post("/vault/secret/create/", json!({ "secret": secret })).await;
        assert_eq!(code, 200, "{made}");
        let id = made["secret_id"].as_str().unwrap();
        for id in [id.to_owned(), id.to_uppercase(), id.replace('-', "")] {
            let fetched = post("/vault/secret/fetch", json!({ "secret_id": id })).await;
            assert_eq!(fetched, (200, json!({ "secret": secret })));
        }
    }
    for bad in ["a", "aGVsbG8", "aGVs bG8=", "aGVs\nbG8=", "_-==", "hélas", "=", "aGVsbG8=="] {
        let (code, got) = post("/vault/secret/create/", json!({ "secret": bad })).await;
        let detail = got["detail"].as_str().unwrap();
        assert!(
            code == 400 && detail.starts_with("invalid base64: ") && (bad.len() < 4 || !detail.contains(bad)),
            "{bad:?}: {got}"
        );
    }
    let unknown = json!({ "secret_id": "550e8400-e29b-41d4-a716-446655440000" });
    assert_eq!(post("/vault/secret/fetch", unknown).await, (404, json!({ "detail": "Secret not found" })));
    let most = "A".repeat(1024 * 1024 / 3 * 4);
    assert_eq!(post("/vault/secret/create/", json!({ "secret": most })).await.0, 200);
    let more = "A".repeat(1024 * 1024 / 3 * 4 + 8);
    assert_eq!(post("/vault/secret/create/", json!({ "secret": more })).await.0, 413);
}

#[tokio::test]
async fn a_sealed_vault_answers_the_first_seed_in_its_words() {
    let router =
        open(VaultSettings { secret_manager: SecretManagerApi::Open, ..VaultSettings::default() }).await;
    let got = call(&router, "POST", "/vault/secret/create/", &[], r#"{"secret":"aGk="}"#).await;
    assert_eq!((got.code, got.json()), (503, json!({ "detail": "Vault is sealed" })));
}

/// Every route of every engine, with every method, with and without a token: whatever the answer, the server is
/// not at fault.
#[tokio::test]
async fn no_route_answers_with_a_server_error() {
    let (router, root) = unsealed().await;
    let at = |kind: &str, variant: &str| match (kind, variant) {
        ("token", _) => "auth/token/".to_owned(),
        ("system", _) => "sys/".to_owned(),
        ("kv", "2") => "secret/".to_owned(),
        (kind, variant) => format!("{kind}{variant}/"),
    };
    // Sealing ends the test, and sealed is not a fault.
    let harmless = |route: &&Route| !(route.pattern == "seal" && route.operation == Operation::Write);
    for engine in ENGINES {
        for route in engine.routes.iter().filter(harmless) {
            let path = route.pattern.replace("*}", "}").replace(['{', '}'], "");
            let uri = format!("/v1/{}{path}", at(engine.kind, engine.variant));
            for method in ["GET", "LIST", "SCAN", "POST", "PATCH", "DELETE", "OPTIONS", "NONSENSE"] {
                for (token, body) in [("", "{}"), ("wrong", ""), (&root, route.example), (&root, "[]")] {
                    if method == "POST" && path == "seal" {
                        continue;
                    }
                    let headers =
                        [("x-vault-token", token), ("content-type", "application/merge-patch+json")];
                    let got = call(&router, method, &uri, &headers, body).await;
                    assert!(got.code < 500, "{method} {uri} {body}: {} {}", got.code, got.text);
                }
            }
        }
    }
}
