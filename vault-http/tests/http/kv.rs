//! KV over the wire: the shapes and codes that clients depend on, and the second seed's paths to it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use crate::vault::{unsealed, with_token};
use serde_json::{Value, json};

#[tokio::test]
async fn a_secret_lives_and_dies() {
    let (router, root) = unsealed().await;
    let ask = async |method: &str, uri: &str, body: &str| {
        let headers = [("x-vault-token", root.as_str()), ("content-type", "application/merge-patch+json")];
        let got = crate::fake_door::call(&router, method, uri, &headers, body).await;
        (got.code, got.json())
    };
    let check = async |method: &str, uri: &str, body: &str, code: u16, pointer: &str, expect: Value| {
        let (have, got) = ask(method, uri, body).await;
        let found = got.pointer(pointer).cloned().unwrap_or(Value::Null);
        assert_eq!((have, found), (code, expect), "{method} {uri} {body}: {got}");
    };
    check(
        "PUT",
        "/v1/secret/data/app/db",
        r#"{"data":{"p":"1"},"options":{"cas":0}}"#,
        200,
        "/data/version",
        json!(1),
    )
    .await;
    check("POST", "/v1/secret/data/app/db", r#"{"data":{"p":"2"}}"#, 200, "/data/version", json!(2)).await;
    let mismatch = "check-and-set parameter did not match the current version";
    let (code, got) = ask("POST", "/v1/secret/data/app/db", r#"{"data":{},"options":{"cas":0}}"#).await;
    assert!(code == 400 && got["errors"][0].as_str().unwrap().contains(mismatch), "{got}");
    check("GET", "/v1/secret/data/app/db", "", 200, "/data/data", json!({ "p": "2" })).await;
    check("GET", "/v1/secret/data/app/db?version=1", "", 200, "/data/data", json!({ "p": "1" })).await;
    check("GET", "/v1/secret/data/app/db?version=9", "", 404, "/errors", json!([])).await;
    check("PATCH", "/v1/secret/data/app/db", r#"{"data":{"q":"3"}}"#, 200, "/data/version", json!(3)).await;
    check("GET", "/v1/secret/data/app/db", "", 200, "/data/data", json!({ "p": "2", "q": "3" })).await;
    for (method, uri) in [
        ("LIST", "/v1/secret/metadata"),
        ("LIST", "/v1/secret/metadata/"),
        ("GET", "/v1/secret/metadata?list=true"),
        ("GET", "/v1/secret/metadata/?list=1"),
    ] {
        check(method, uri, "", 200, "/data/keys", json!(["app/"])).await;
    }
    check("SCAN", "/v1/secret/metadata/", "", 200, "/data/keys", json!(["app/db"])).await;
    check("LIST", "/v1/secret/metadata/none", "", 404, "/errors", json!([])).await;
    check("DELETE", "/v1/secret/data/app/db", "", 204, "", Value::Null).await;
    // Gone: not found, and yet the whole envelope with what is still known.
    check("GET", "/v1/secret/data/app/db", "", 404, "/data/metadata/version", json!(3)).await;
    check("GET", "/v1/secret/data/app/db", "", 404, "/data/data", Value::Null).await;
    check("POST", "/v1/secret/undelete/app/db", r#"{"versions":["3"]}"#, 204, "", Value::Null).await;
    check("GET", "/v1/secret/data/app/db", "", 200, "/data/metadata/version", json!(3)).await;
    check("DELETE", "/v1/secret/metadata/app/db", "", 204, "", Value::Null).await;
    check("GET", "/v1/secret/data/app/db", "", 404, "/errors", json!([])).await;
    // Another version's path: the warning says which path was meant.
    let (code, got) = ask("GET", "/v1/secret/app/db", "").await;
    assert!(code == 404 && got["warnings"][0].as_str().unwrap().starts_with("Invalid path"), "{got}");
    check("GET", "/v1/sys/internal/ui/mounts/secret/app", "", 200, "/data/options/version", json!("2")).await;
}

#[tokio::test]
async fn the_second_seeds_paths() {
    let (router, root) = unsealed().await;
    let ask = async |method: &str, uri: &str, body: &str| {
        let got = with_token(&router, &root, method, uri, body).await;
        assert!(got.code < 300, "{method} {uri}: {} {}", got.code, got.text);
        got.json()
    };
    for value in ["one", "two", "three"] {
        ask("POST", "/v1/secrets/app", &json!({ "data": { "k": value } }).to_string()).await;
    }
    assert_eq!(ask("GET", "/v1/secrets/app", "").await["data"]["data"]["k"], "three");
    assert_eq!(ask("GET", "/v1/secrets/app?version=1", "").await["data"]["data"]["k"], "one");
    let history = ask("GET", "/v1/secrets/app?history=true", "").await;
    assert!(history["data"].is_object() && !history.to_string().contains("three"), "{history}");
    let compared = ask("GET", "/v1/secrets/app?compare=1,3", "").await;
    assert!(
        compared["data"].to_string().contains("\"k\"") && !compared.to_string().contains("three"),
        "{compared}"
    );
    assert_eq!(ask("POST", "/v1/secrets/app?rollback=1", "").await["data"]["version"], 4);
    assert_eq!(ask("GET", "/v1/secrets/app", "").await["data"]["data"]["k"], "one");
    assert_eq!(ask("GET", "/v1/secrets?list=true", "").await["data"]["keys"], json!(["app"]));
    ask("DELETE", "/v1/secrets/app", "").await;
    assert_eq!(with_token(&router, &root, "GET", "/v1/secrets/app", "").await.code, 404);
}

#[tokio::test]
async fn what_was_sent_comes_back() {
    let (router, root) = unsealed().await;
    let data =
        r#"{"data":{"n":18446744073709551615,"f":0.1,"t":"12345678901234567890123","e":"é\u0000","z":null}}"#;
    assert_eq!(with_token(&router, &root, "POST", "/v1/secret/data/a", data).await.code, 200);
    let got = with_token(&router, &root, "GET", "/v1/secret/data/a", "").await.json();
    assert_eq!(got["data"]["data"], serde_json::from_str::<Value>(data).unwrap()["data"]);
    let rounded = r#"{"data":{"n":12345678901234567890123}}"#;
    assert_eq!(with_token(&router, &root, "POST", "/v1/secret/data/a", rounded).await.code, 400);
    assert_eq!(with_token(&router, &root, "GET", "/v1/cubbyhole/a", "").await.code, 404);
    assert_eq!(with_token(&router, &root, "POST", "/v1/cubbyhole/a", r#"{"k":"v"}"#).await.code, 204);
    assert_eq!(
        with_token(&router, &root, "GET", "/v1/cubbyhole/a", "").await.json()["data"],
        json!({ "k": "v" })
    );
}
