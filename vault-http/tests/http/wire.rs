//! Vault's wire rules, through the whole router, against a door that answers by path.

use crate::fake_door::{call, fake};
use secrethub_core::{Operation, request::Origin};
use secrethub_http::{Limits, Settings, limits::Rate};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn a_request_reaches_the_door_whole() {
    let (door, router) = fake(Settings::default());
    let headers = [
        ("x-vault-token", "t"),
        ("x-vault-namespace", "team/"),
        ("x-vault-wrap-ttl", "5m"),
        ("x-vault-request", "true"),
        ("x-vault-inconsistent", "forward-active-node"),
        ("accept", "text/html"),
    ];
    let got = call(&router, "PUT", "/v1/secret/data/a%20b", &headers, r#"{"data":{"k":"v"}}"#).await;
    assert_eq!(got.code, 200);
    let seen = door.seen.lock().unwrap().remove(0);
    assert_eq!((seen.operation, seen.path.as_str()), (Operation::Write, "secret/data/a b"));
    assert_eq!((seen.token.as_deref(), seen.namespace.as_str()), (Some("t"), "team"));
    assert_eq!((seen.wrap_ttl, seen.origin), (Some(Duration::from_secs(300)), Origin::Api));
    assert_eq!(seen.fields, json!({ "data": { "k": "v" } }));
    assert_eq!((got.header("x-request-id"), &got.json()["request_id"]), (seen.id.as_str(), &json!(seen.id)));
    assert_eq!(seen.id.len(), 36);
}

#[tokio::test]
async fn codes_and_bodies() {
    let (_, router) = fake(Settings::default());
    let check = async |method: &str, uri: &str, code: u16, body: &str| {
        let got = call(&router, method, uri, &[], "").await;
        assert_eq!(got.code, code, "{method} {uri}: {}", got.text);
        assert_eq!(got.header("content-type"), "application/json", "{method} {uri}");
        assert_eq!(got.header("cache-control"), "no-store", "{method} {uri}");
        assert_eq!(got.header("x-request-id").len(), 36, "{method} {uri}");
        if body != "*" {
            assert_eq!(got.text, body, "{method} {uri}");
        }
    };
    check("GET", "/v1/anything", 200, "*").await;
    check("GET", "/v1/bare", 200, r#"{"a":1}"#).await;
    check("POST", "/v1/empty", 204, "").await;
    check("POST", "/v1/accepted", 202, "").await;
    check("GET", "/v1/gone", 404, "*").await;
    check("GET", "/v1/missing", 404, r#"{"errors":[]}"#).await;
    check("GET", "/v1/denied", 403, r#"{"errors":["permission denied"]}"#).await;
    check("GET", "/v1/stranger", 403, r#"{"errors":["permission denied"]}"#).await;
    check("GET", "/v1/limited", 429, r#"{"errors":["slow down"]}"#).await;
    check("GET", "/v1/broken", 500, "*").await;
    check("GET", "/v1/panic", 500, "*").await;
    check("GET", "/v1/", 404, r#"{"errors":[]}"#).await;
    check("GET", "/v1", 404, r#"{"errors":[]}"#).await;
    check("GET", "/", 404, r#"{"errors":[]}"#).await;
    check("GET", "/v1/a//b", 404, r#"{"errors":[]}"#).await;
    check("GET", "/vault/secret/fetch", 404, r#"{"errors":[]}"#).await;
    check("POST", "/v1/a", 200, "*").await;
    check("PATCH", "/v1/a", 415, "*").await;
    check("OPTIONS", "/v1/a", 405, r#"{"errors":["unsupported operation"]}"#).await;
    check("HEAD", "/v1/a", 405, "*").await;
    check("FROBNICATE", "/v1/a", 405, "*").await;
}

#[tokio::test]
async fn double_form_stands_in_both_places() {
    let (_, router) = fake(Settings::default());
    let got = call(&router, "GET", "/v1/double", &[], "").await.json();
    assert_eq!((&got["a"], &got["data"]["a"], &got["lease_id"]), (&json!(1), &json!(1), &json!("")));
}

#[tokio::test]
async fn health_answers_with_the_code_that_was_asked_for() {
    let (_, router) = fake(Settings::default());
    let check = async |method: &str, uri: &str, code: u16| {
        let got = call(&router, method, uri, &[], "").await;
        assert_eq!(got.code, code, "{method} {uri}: {}", got.text);
    };
    check("GET", "/v1/sys/health", 503).await;
    check("HEAD", "/v1/sys/health", 503).await;
    check("GET", "/health", 503).await;
    check("GET", "/v1/sys/health?sealedcode=299", 299).await;
    check("HEAD", "/v1/sys/health?standbyok=true&sealedcode=200", 200).await;
    check("GET", "/v1/sys/health?sealedcode=ok", 400).await;
    check("GET", "/v1/sys/health?standbycode=1", 400).await;
}

#[tokio::test]
async fn the_seeds_paths_become_ours() {
    let (door, router) = fake(Settings::default());
    let check = async |method: &str, uri: &str, body: &str, path: &str, fields: serde_json::Value| {
        assert_eq!(call(&router, method, uri, &[], body).await.code, 200);
        let seen = door.seen.lock().unwrap().pop().unwrap();
        assert_eq!((seen.path.as_str(), seen.fields), (path, fields), "{method} {uri}");
    };
    check("GET", "/v1/secrets/a/b?version=2", "", "secret/data/a/b", json!({ "version": "2" })).await;
    check("GET", "/v1/secrets/a?compare=1,3", "", "secret/compare/a", json!({ "versions": "1,3" })).await;
    check("POST", "/v1/secrets/a?rollback=2", "", "secret/rollback/a", json!({ "version": "2" })).await;
    check("POST", "/v1/secrets/a", r#"{"data":{}}"#, "secret/data/a", json!({ "data": {} })).await;
}

#[tokio::test]
async fn huge_bodies_are_refused_before_they_are_read() {
    let limits = Limits { body_bytes: 1_000, ..Limits::default() };
    let (door, router) = fake(Settings { limits, ..Settings::default() });
    let check = async |method: &str, size: usize, code: u16| {
        let got = call(&router, method, "/v1/a", &[], &"x".repeat(size)).await;
        assert_eq!(got.code, code, "{method} {size}: {}", got.text);
        got.text
    };
    assert_eq!(check("POST", 1_001, 413).await, r#"{"errors":["http: request body too large"]}"#);
    check("POST", 1_000, 400).await;
    assert!(door.seen.lock().unwrap().is_empty());
    check("GET", 1_001, 200).await;
}

#[tokio::test]
async fn strangers_who_keep_trying_are_turned_away_at_the_door() {
    let limits = Limits { refusals: Rate { per_second: 1, burst: 2 }, ..Limits::default() };
    let (door, router) = fake(Settings { limits, ..Settings::default() });
    let peer = crate::fake_door::peer("192.0.2.1:5");
    let router = router.layer(axum::Extension(peer));
    let check = async |uri: &str, code: u16, asked: usize| {
        let got = call(&router, "GET", uri, &[], "").await;
        assert_eq!((got.code, door.seen.lock().unwrap().len()), (code, asked), "{uri}: {}", got.text);
        assert_eq!(got.header("retry-after").is_empty(), code != 429);
    };
    check("/v1/denied", 403, 1).await;
    check("/v1/stranger", 403, 2).await;
    check("/v1/ceremony", 405, 3).await;
    check("/v1/stranger", 429, 3).await;
    check("/v1/anything", 429, 3).await;
    check("/v1/sys/health", 503, 4).await;
}

#[tokio::test]
async fn metrics_need_a_token_and_name_no_path() {
    let (_, router) = fake(Settings::default());
    call(&router, "GET", "/v1/secret/data/hunter2", &[], "").await;
    assert_eq!(call(&router, "GET", "/metrics", &[], "").await.code, 403);
    let got = call(&router, "GET", "/metrics", &[("x-vault-token", "good")], "").await;
    assert_eq!((got.code, got.header("content-type")), (200, "text/plain; version=0.0.4"));
    assert!(got.text.contains("secrethub_http_request_duration_seconds_count"), "{}", got.text);
    assert!(!got.text.contains("hunter2"), "{}", got.text);
    let asked = async |query: &str, accept: &str| {
        let headers = [("x-vault-token", "good"), ("accept", accept)];
        call(&router, "GET", &format!("/v1/sys/metrics{query}"), &headers, "").await
    };
    for (query, accept) in [
        ("?format=prometheus", "*/*"),
        ("", "application/openmetrics-text; version=1.0.0"),
        ("", "text/plain"),
    ] {
        let got = asked(query, accept).await;
        assert_eq!(got.header("content-type"), "text/plain; version=0.0.4", "{query} {accept}");
        assert!(got.text.contains("vault_core_unsealed{cluster=\"\"} 0\n"), "{}", got.text);
    }
    let told = asked("", "*/*").await.json();
    assert_eq!(
        told["Gauges"][0],
        json!({ "Name": "vault.core.unsealed", "Value": 0.0, "Labels": { "cluster": "" } })
    );
    assert!(told["Timestamp"].as_str().unwrap().ends_with(" +0000 UTC"), "{told}");
    assert!(told["Samples"].as_array().unwrap().len() > 3 && !told.to_string().contains("hunter2"), "{told}");
}

#[tokio::test]
async fn documentation_is_served_from_here() {
    let (_, router) = fake(Settings::default());
    let got = call(&router, "GET", "/docs", &[], "").await;
    assert_eq!((got.code, got.header("content-type")), (200, "text/html"));
    assert!(!got.text.contains("://"), "no other host");
    let mut files: Vec<&str> = got.text.split('"').filter(|part| part.starts_with("/docs/")).collect();
    files.sort_unstable();
    assert_eq!(files.len(), 5);
    for file in files {
        let got = call(&router, "GET", file, &[], "").await;
        assert_eq!(got.code, 200, "{file}");
        assert!(!got.text.is_empty(), "{file}");
    }
    let initializer = call(&router, "GET", "/docs/swagger-initializer.js", &[], "").await;
    assert!(initializer.text.contains("/openapi.json"), "{}", initializer.text);
    assert_eq!(call(&router, "GET", "/docs/../Cargo.toml", &[], "").await.code, 404);
}

/// Whatever a client sends, it is not the server's fault: a 5xx would make it try again.
#[tokio::test]
async fn no_nonsense_is_a_server_error() {
    let (_, router) = fake(Settings { secret_manager_api: true, ..Settings::default() });
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "LIST", "SCAN", "OPTIONS", "TRACE", "X"];
    let uris = [
        "/",
        "//",
        "/v1",
        "/v1/",
        "/v1//",
        "/v1/%",
        "/v1/%00",
        "/v1/%ff",
        "/v1/..",
        "/v1/a/../b",
        "/v1/a?%",
        "/v1/a?=",
        "/v1/sys/health?sealedcode=%ff",
        "/v2/a",
        "/docs/%2e%2e/x",
        "/docs/x",
        "/openapi.json/x",
        "/vault/secret/",
        "/vault/secret/create",
        "/vault/secret/fetch/",
        "/vault/secret/nothing",
        "/metrics/x",
        "/v1/a?list=true&list=1",
    ];
    let bodies = ["", "{", "[]", "null", "\u{0}", "a=b&c", "{\"a\":1e999}", "\"x\""];
    for method in methods {
        for uri in uris {
            for body in bodies {
                let got =
                    call(&router, method, uri, &[("content-type", "application/merge-patch+json")], body)
                        .await;
                assert!(got.code < 500, "{method} {uri} {body:?}: {} {}", got.code, got.text);
            }
        }
    }
}

#[tokio::test]
async fn one_greedy_token_leaves_room_for_others() {
    let limits = Limits { requests: 4, ..Limits::default() };
    let (door, router) = fake(Settings { limits, ..Settings::default() });
    let ask = async |token: &str, uri: &str| call(&router, "GET", uri, &[("x-vault-token", token)], "").await;
    let stuck = |token: &'static str| {
        let router = router.clone();
        tokio::spawn(async move { call(&router, "GET", "/v1/stuck", &[("x-vault-token", token)], "").await })
    };
    let _held = [stuck("greedy"), stuck("greedy")];
    while door.seen.lock().unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    let refused = ask("greedy", "/v1/a").await;
    assert_eq!((refused.code, refused.header("retry-after")), (503, "1"), "{}", refused.text);
    for _ in 0..3 {
        assert_eq!(ask("modest", "/v1/a").await.code, 200);
    }
    let _more = [stuck("a"), stuck("b")];
    while door.seen.lock().unwrap().len() < 7 {
        tokio::task::yield_now().await;
    }
    assert_eq!(ask("modest", "/v1/a").await.code, 503, "all places are taken");
    assert!(ask("", "/v1/sys/health").await.text.contains("sealed"), "probes are answered");
}
