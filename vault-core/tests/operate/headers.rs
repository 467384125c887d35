//! Headers that records tell of.

use crate::house::House;
use secrethub_core::{
    ErrorKind::Invalid,
    Operation::{Delete, Read, Write},
    request::Headers,
};
use serde_json::{Value, json};

const ALL: &str = "sys/config/auditing/request-headers";

/// What the record of a read of a path with these headers tells of them.
async fn told(house: &House, path: &str, sent: &'static [(&str, &str)]) -> Value {
    let mut request = house.request(Read, path, Value::Null);
    request.remote.headers = Headers::new(move |name| {
        sent.iter().filter(|(sent, _)| *sent == name).map(|(_, value)| (*value).to_owned()).collect()
    });
    let _not_found = house.handle(request).await;
    let log = house.ask(Read, "audit/records", json!({ "path": path })).await.unwrap().to_value();
    log["records"][0]["headers"].clone()
}

#[test]
fn only_chosen_headers_are_told() {
    House::run(|house| async move {
        let sent = &[("x-trace", "1"), ("x-trace", "2"), ("x-user", "jane"), ("x-other", "o")];
        assert_eq!(told(&house, "secret/data/1", sent).await, json!({}));
        house.ask(Write, &format!("{ALL}/X-Trace"), json!({})).await.unwrap();
        house.ask(Write, &format!("{ALL}/x-user"), json!({ "hmac": true })).await.unwrap();
        let asked = json!({ "input": "jane", "name": "headers.x-user" });
        let hash = house.write("sys/audit-hash/store", asked).await["hash"].clone();
        assert_eq!(
            told(&house.node(1), "secret/data/2", sent).await,
            json!({ "x-trace": ["1", "2"], "x-user": [hash] })
        );
        assert_eq!(told(&house, "secret/data/3", &[]).await, json!({}));
        house.ask(Write, &format!("{ALL}/x-user"), json!({ "hmac": false })).await.unwrap();
        house.ask(Delete, &format!("{ALL}/X-TRACE"), Value::Null).await.unwrap();
        assert_eq!(told(&house.node(1), "secret/data/4", sent).await, json!({ "x-user": ["jane"] }));
    });
}

#[test]
fn what_is_chosen_is_shown() {
    House::run(|house| async move {
        assert_eq!(house.read(ALL).await, json!({ "headers": {} }));
        house.ask(Write, &format!("{ALL}/X-Trace"), json!({ "hmac": "true" })).await.unwrap();
        assert_eq!(house.node(1).read(ALL).await, json!({ "headers": { "x-trace": { "hmac": true } } }));
        assert_eq!(house.read(&format!("{ALL}/X-TRACE")).await, json!({ "X-TRACE": { "hmac": true } }));
        assert_eq!(house.kind(Read, &format!("{ALL}/X-Other"), Value::Null).await, Some(Invalid));
        house.ask(Delete, &format!("{ALL}/x-never"), Value::Null).await.unwrap();
        for bad in ["Authorization", "X-Vault-Token", "Cookie", "a b"] {
            assert_eq!(house.kind(Write, &format!("{ALL}/{bad}"), json!({})).await, Some(Invalid), "{bad}");
        }
        for n in 1..32 {
            house.ask(Write, &format!("{ALL}/x-{n}"), json!({})).await.unwrap();
        }
        assert_eq!(house.kind(Write, &format!("{ALL}/x-more"), json!({})).await, Some(Invalid));
        house.ask(Write, &format!("{ALL}/x-1"), json!({ "hmac": true })).await.unwrap();
    });
}
