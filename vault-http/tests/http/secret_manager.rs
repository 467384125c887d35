//! The first seed's behaviour table: every row of its interface, with the fixed answer where the original has a bug.

use crate::fake_door::{Got, call, fake};
use secrethub_core::request::Origin;
use secrethub_http::{Limits, Settings, limits::Rate};
use serde_json::{Value, json};

const CREATE: &str = "/vault/secret/create/";
const FETCH: &str = "/vault/secret/fetch";
const ID: &str = "00000000-0000-4000-8000-000000000000";

fn settings() -> Settings {
    Settings { secret_manager_api: true, ..Settings::default() }
}

async fn post(uri: &str, body: &str) -> Got {
    let (_, router) = fake(settings());
    call(&router, "POST", uri, &[("content-type", "application/json")], body).await
}

async fn check(uri: &str, body: &str, code: u16, expect: Value) {
    let got = post(uri, body).await;
    assert_eq!((got.code, got.json()), (code, expect), "{uri} {body}");
    assert_eq!(got.header("content-type"), "application/json");
}

#[tokio::test]
async fn successes() {
    check(CREATE, r#"{"secret":"aGk="}"#, 200, json!({ "secret_id": ID })).await;
    check(CREATE, r#"{"secret":"","more":1}"#, 200, json!({ "secret_id": ID })).await;
    for text in [ID.to_owned(), ID.replace('-', ""), format!("{{{ID}}}"), format!("urn:uuid:{ID}")] {
        check(FETCH, &json!({ "secret_id": text }).to_string(), 200, json!({ "secret": "aGk=" })).await;
    }
}

#[tokio::test]
async fn failures_speak_the_seeds_words() {
    let other = json!({ "secret_id": "11111111-1111-4111-8111-111111111111" }).to_string();
    check(FETCH, &other, 404, json!({ "detail": "Secret not found" })).await;
    check(CREATE, r#"{"secret":"bad"}"#, 400, json!({ "detail": "invalid base64: why" })).await;
    check(CREATE, r#"{"secret":"sealed"}"#, 503, json!({ "detail": "Vault is sealed" })).await;
    check(CREATE, r#"{"secret":"broken"}"#, 500, json!({ "detail": "create failed" })).await;
    let huge = format!(r#"{{"secret":"{}"}}"#, "A".repeat(1_500_000));
    check(CREATE, &huge, 413, json!({ "detail": "a secret may have at most 1 MiB" })).await;
}

#[tokio::test]
async fn validation_names_the_place_and_never_the_input() {
    let problem =
        |kind: &str, loc: Value, msg: &str| json!({ "detail": [{ "type": kind, "loc": loc, "msg": msg }] });
    let missing = |loc: Value| problem("missing", loc, "Field required");
    let no_object = "Input should be a valid dictionary or object to extract fields from";
    check(CREATE, "", 422, missing(json!(["body"]))).await;
    check(CREATE, "{}", 422, missing(json!(["body", "secret"]))).await;
    check(FETCH, "{}", 422, missing(json!(["body", "secret_id"]))).await;
    check(CREATE, "[1]", 422, problem("model_attributes_type", json!(["body"]), no_object)).await;
    check(CREATE, r#""aGk=""#, 422, problem("model_attributes_type", json!(["body"]), no_object)).await;
    let kind = problem("string_type", json!(["body", "secret"]), "Input should be a valid string");
    check(CREATE, r#"{"secret":7}"#, 422, kind.clone()).await;
    check(CREATE, r#"{"secret":null}"#, 422, kind).await;
    let kind = problem(
        "uuid_type",
        json!(["body", "secret_id"]),
        "UUID input should be a string, bytes or UUID object",
    );
    check(FETCH, r#"{"secret_id":7}"#, 422, kind).await;
    let kind = problem("uuid_parsing", json!(["body", "secret_id"]), "Input should be a valid UUID");
    check(FETCH, r#"{"secret_id":"hunter2"}"#, 422, kind).await;
    let got = post(CREATE, r#"{"secret":"hunter2"#).await;
    assert_eq!((got.code, &got.json()["detail"][0]["type"]), (422, &json!("json_invalid")));
    assert!(!got.text.contains("hunter2"), "{}", got.text);
}

#[tokio::test]
async fn only_json_is_taken_for_json() {
    let (_, router) = fake(settings());
    let check = async |content_type: &str, code: u16| {
        let headers = [("content-type", content_type)];
        let headers = if content_type.is_empty() { &headers[..0] } else { &headers[..] };
        assert_eq!(
            call(&router, "POST", CREATE, headers, r#"{"secret":"aGk="}"#).await.code,
            code,
            "{content_type}"
        );
    };
    check("", 200).await;
    check("application/json; charset=utf-8", 200).await;
    check("application/problem+json", 200).await;
    check("text/plain", 422).await;
    check("application/x-www-form-urlencoded", 422).await;
}

#[tokio::test]
async fn other_slashes_are_redirected_and_other_methods_refused() {
    let (door, router) = fake(settings());
    let check = async |method: &str, uri: &str, to: &str| {
        let got = call(&router, method, uri, &[], "").await;
        assert_eq!((got.code, got.header("location")), (307, to), "{method} {uri}");
    };
    check("POST", "/vault/secret/create", "/vault/secret/create/").await;
    check("POST", "/vault/secret/fetch/", "/vault/secret/fetch").await;
    check("GET", "/vault/secret/create?a=b", "/vault/secret/create/?a=b").await;
    for (method, uri) in [("GET", CREATE), ("PUT", FETCH), ("DELETE", FETCH), ("PATCH", CREATE)] {
        let got = call(&router, method, uri, &[], "").await;
        assert_eq!((got.code, got.header("allow")), (405, "POST"), "{method} {uri}");
        assert_eq!(got.json(), json!({ "detail": "Method Not Allowed" }));
    }
    assert!(door.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_door_knows_where_it_came_from() {
    let (door, router) = fake(settings());
    call(
        &router,
        "POST",
        FETCH,
        &[("x-vault-token", "t")],
        &json!({ "secret_id": ID.to_uppercase() }).to_string(),
    )
    .await;
    let seen = door.seen.lock().unwrap().remove(0);
    assert_eq!((seen.origin, seen.path.as_str()), (Origin::SecretManager, "secret-manager/fetch"));
    assert_eq!((seen.token.as_deref(), seen.fields), (Some("t"), json!({ "secret_id": ID })));
}

#[tokio::test]
async fn it_is_rate_limited() {
    let limits = Limits { secret_manager: Rate { per_second: 1, burst: 2 }, ..Limits::default() };
    let (door, router) = fake(Settings { limits, ..settings() });
    let router = router.layer(axum::Extension(crate::fake_door::peer("192.0.2.1:5")));
    for code in [200, 200, 429] {
        let got = call(&router, "POST", CREATE, &[], r#"{"secret":"aGk="}"#).await;
        assert_eq!(got.code, code, "{}", got.text);
        assert_eq!(got.header("retry-after"), if code == 429 { "1" } else { "" });
    }
    assert_eq!(door.seen.lock().unwrap().len(), 2);
}
