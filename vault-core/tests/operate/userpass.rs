//! userpass: logins, what they give and what ends it, and names that are locked after failed ones.

use crate::house::House;
use futures::future::join_all;
use secrethub_core::{
    ErrorKind::{self, Credentials, Denied, Invalid, NotFound},
    Operation::{Delete, List, Read, Write},
    Reply,
};
use serde_json::{Value, json};
use std::time::Duration;

const SELF: &str = "auth/token/lookup-self";
const RIGHT: &str = "correct horse battery staple";

async fn with_alice(house: &House, user: Value) {
    house.write("sys/auth/userpass", json!({ "type": "userpass" })).await;
    let mut fields = json!({ "password": RIGHT });
    fields.as_object_mut().unwrap().extend(user.as_object().unwrap().clone());
    house.write("auth/userpass/users/alice", fields).await;
}

async fn login(house: &House, name: &str, password: &str) -> Result<Reply, secrethub_core::Error> {
    let path = format!("auth/userpass/login/{name}");
    house.with_token("").ask(Write, &path, json!({ "password": password })).await
}

async fn failure(house: &House, name: &str, password: &str) -> Option<ErrorKind> {
    login(house, name, password).await.err().map(|error| error.kind())
}

async fn is_alive(house: &House, token: &str) -> bool {
    house.with_token(token).ask(Read, SELF, Value::Null).await.is_ok()
}

#[test]
fn a_login_gives_what_the_user_has() {
    House::run(|house| async move {
        with_alice(&house, json!({ "policies": "a,b", "ttl": "1h", "token_max_ttl": "2h" })).await;
        let auth = login(&house.node(1), "ALICE", RIGHT).await.unwrap().auth.unwrap();
        assert_eq!(auth.policies, ["a", "b", "default"]);
        assert_eq!((auth.lease_duration, auth.renewable, auth.orphan), (3_600, true, true));
        assert_eq!(serde_json::to_value(auth.metadata).unwrap(), json!({ "username": "alice" }));
        let told = house.with_token(auth.client_token.expose()).read(SELF).await;
        let seen = (&told["display_name"], &told["path"]);
        assert_eq!(seen, (&json!("userpass-alice"), &json!("auth/userpass/login/alice")));
        let user = house.read("auth/userpass/users/alice").await;
        assert_eq!((&user["token_ttl"], &user["token_policies"]), (&json!(3_600), &json!(["a", "b"])));
        assert!(user.get("password").is_none());
        house.write("auth/userpass/users/alice/policies", json!({ "policies": ["c"] })).await;
        house.write("auth/userpass/users/alice/password", json!({ "password": "another" })).await;
        assert_eq!(failure(&house, "alice", RIGHT).await, Some(Credentials));
        let auth = login(&house, "alice", "another").await.unwrap().auth.unwrap();
        assert_eq!(auth.policies, ["c", "default"]);
        let listed = house.ask(List, "auth/userpass/users", Value::Null).await.unwrap().to_value();
        assert_eq!(listed["keys"], json!(["alice"]));
        for (path, fields) in [
            ("users/bob", json!({})),
            ("users/bob", json!({ "password": "" })),
            ("users/bob", json!({ "password": "x".repeat(2_000) })),
            ("users/bob", json!({ "password": "x", "token_policies": "root" })),
            ("users/bob/password", json!({ "password": "x" })),
            ("users/alice/password", json!({})),
            ("login/alice", json!({})),
        ] {
            assert_eq!(
                house.kind(Write, &format!("auth/userpass/{path}"), fields).await,
                Some(Invalid),
                "{path}"
            );
        }
        assert_eq!(house.kind(Read, "auth/userpass/users/bob", Value::Null).await, Some(NotFound));
    });
}

#[test]
fn a_user_that_goes_takes_the_tokens_along() {
    House::run(|house| async move {
        with_alice(&house, json!({})).await;
        let auth = login(&house, "alice", RIGHT).await.unwrap().auth.unwrap();
        let (token, other) = (auth.client_token.expose().clone(), house.node(1));
        assert!(is_alive(&other, &token).await);
        house.write("auth/userpass/users/alice", json!({ "enabled": false })).await;
        assert!(!is_alive(&other, &token).await);
        assert_eq!(failure(&other, "alice", RIGHT).await, Some(Credentials));
        house.write("auth/userpass/users/alice", json!({ "enabled": true })).await;
        assert!(is_alive(&other, &token).await);
        house.ask(Delete, "auth/userpass/users/alice", Value::Null).await.unwrap();
        house.write("auth/userpass/users/alice", json!({ "password": RIGHT })).await;
        assert!(!is_alive(&other, &token).await, "another user under the name");
    });
}

#[test]
fn five_failures_in_a_row_lock_a_name_on_every_node() {
    House::run(|house| async move {
        with_alice(&house, json!({})).await;
        let (left, right) = (house.node(0), house.node(1));
        for name in ["alice", "nobody"] {
            for n in 0..5 {
                let node = if n % 2 == 0 { &left } else { &right };
                assert_eq!(failure(node, name, "wrong").await, Some(Credentials), "{name} {n}");
            }
            for node in [&left, &right] {
                assert_eq!(failure(node, name, RIGHT).await, Some(Denied), "{name}: the right one too");
            }
        }
        let log =
            house.ask(Read, "audit/records", json!({ "path": "auth/userpass/login/alice" })).await.unwrap();
        let newest = log.to_value()["records"][0].clone();
        let seen = (&newest["rule"], &newest["secret_id"]);
        assert_eq!(seen, (&json!("the name is locked after failed logins"), &json!("alice")));
        for node in [&left, &right] {
            node.set_ahead(901);
        }
        assert!(login(&left, "alice", RIGHT).await.is_ok(), "the lock is over");
        // What was counted before a right one is forgotten.
        for _ in 0..4 {
            failure(&left, "alice", "wrong").await;
        }
        assert!(login(&left, "alice", RIGHT).await.is_ok());
        assert_eq!(failure(&left, "alice", "wrong").await, Some(Credentials));
        assert!(login(&left, "alice", RIGHT).await.is_ok());
        left.work(Duration::from_secs(30)).await;
        let left_over = |key: &String| key.contains("/failed/") || key.starts_with("ns/0/due/");
        assert_eq!(
            house.keys("ns/0/").iter().filter(|key| left_over(key)).count(),
            2,
            "only what may still count"
        );
    });
}

#[test]
fn attempts_at_once_are_counted_one_by_one() {
    House::run(|house| async move {
        with_alice(&house, json!({})).await;
        let nodes = [house.node(0), house.node(1)];
        let kinds = join_all((0..12).map(|n| failure(&nodes[n % 2], "alice", "wrong"))).await;
        let tried = kinds.iter().filter(|kind| **kind == Some(Credentials)).count();
        assert_eq!(tried, 5, "{kinds:?}");
        assert!(kinds.iter().all(|kind| matches!(kind, Some(Credentials | Denied))), "{kinds:?}");
    });
}

#[test]
fn a_mount_has_its_own_rule() {
    House::run(|house| async move {
        with_alice(&house, json!({})).await;
        let rule = json!({ "lockout_threshold": "2", "lockout_duration": "1h", "lockout_counter_reset_duration": "10s" });
        house.write("sys/auth/userpass/tune", json!({ "user_lockout_config": rule })).await;
        let shown = house.read("sys/auth/userpass/tune").await["user_lockout_config"].clone();
        let expect = json!({
            "lockout_threshold": 2, "lockout_duration": 3_600, "lockout_counter_reset_duration": 10,
            "lockout_disable": false,
        });
        assert_eq!(shown, expect);
        failure(&house, "alice", "wrong").await;
        house.set_ahead(11);
        assert_eq!(failure(&house, "alice", "wrong").await, Some(Credentials));
        assert!(login(&house, "alice", RIGHT).await.is_ok(), "the first was forgotten");
        for _ in 0..2 {
            failure(&house, "alice", "wrong").await;
        }
        assert_eq!(failure(&house, "alice", RIGHT).await, Some(Denied));
        house
            .write("sys/auth/userpass/tune", json!({ "user_lockout_config": { "lockout_disable": true } }))
            .await;
        assert!(login(&house, "alice", RIGHT).await.is_ok());
        let kind = house.kind(
            Write,
            "sys/mounts/secret/tune",
            json!({ "user_lockout_config": { "lockout_disable": true } }),
        );
        assert_eq!(kind.await, Some(Invalid));
    });
}
