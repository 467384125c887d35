//! Tokens: bound to addresses, carried instead of stored, and what ends them.

use crate::house::House;
use secrethub_core::{
    Error,
    ErrorKind::{self, Denied, Invalid, Unauthenticated},
    Operation::{self, Read, Write},
    Reply,
    limits::REVOCATIONS_KEPT_MAX,
};
use serde_json::{Value, json};
use std::time::Duration;

const SELF: &str = "auth/token/lookup-self";

async fn from(
    house: &House,
    address: Option<&str>,
    operation: Operation,
    path: &str,
) -> Result<Reply, Error> {
    let mut request = house.request(operation, path, Value::Null);
    request.remote.address = address.map(|address| address.parse().unwrap());
    house.handle(request).await
}

async fn made_at(house: &House, path: &str, fields: Value) -> String {
    let made = house.ask(Write, path, fields).await.unwrap_or_else(|error| panic!("{path}: {error}"));
    made.auth.unwrap().client_token.expose().clone()
}

async fn is_alive(house: &House, token: &str) -> bool {
    house.with_token(token).ask(Read, SELF, Value::Null).await.is_ok()
}

async fn kind(house: &House, path: &str, fields: Value) -> Option<ErrorKind> {
    house.kind(Write, path, fields).await
}

#[test]
fn a_bound_token_is_good_only_where_it_is_bound_to() {
    House::run(|house| async move {
        let role = json!({ "token_bound_cidrs": ["10.0.0.0/8", "2001:db8::/32"], "token_num_uses": 3 });
        house.write("auth/token/roles/net", role).await;
        let shown = house.read("auth/token/roles/net").await;
        assert_eq!(shown["token_bound_cidrs"], json!(["10.0.0.0/8", "2001:db8::/32"]));
        let token = made_at(&house, "auth/token/create/net", json!({ "policies": ["default"] })).await;
        let holder = house.with_token(&token);
        for elsewhere in [None, Some("192.0.2.1"), Some("2001:db9::1"), Some("11.0.0.1")] {
            for _ in 0..3 {
                let error = from(&holder, elsewhere, Read, SELF).await.unwrap_err();
                assert_eq!(error.kind(), Unauthenticated, "{elsewhere:?}");
                assert_eq!(error.messages(), ["permission denied"]);
            }
        }
        // None of those counted as a use.
        for here in ["10.9.9.9", "2001:db8::7"] {
            let told = from(&holder.node(1), Some(here), Read, SELF).await.unwrap().to_value();
            assert_eq!(told["bound_cidrs"], json!(["10.0.0.0/8", "2001:db8::/32"]));
            assert_eq!((&told["role"], &told["orphan"]), (&json!("net"), &json!(false)));
        }
        let rules = house.read("audit/records").await;
        let rules = rules["records"].as_array().unwrap().iter().map(|record| record["rule"].clone());
        let refused = rules.filter(|rule| *rule == json!("the token is bound to other addresses"));
        assert_eq!(refused.count(), 12);
        for bad in [json!(["10.0.0.0/33"]), json!("nonsense"), json!([""])] {
            let fields = json!({ "token_bound_cidrs": bad });
            assert_eq!(kind(&house, "auth/token/roles/bad", fields).await, Some(Invalid), "{bad}");
        }
    });
}

#[test]
fn what_a_bound_token_makes_is_bound_too() {
    House::run(|house| async move {
        house.write("auth/token/roles/net", json!({ "token_bound_cidrs": "10.0.0.0/8" })).await;
        let parent = made_at(&house, "auth/token/create/net", json!({ "policies": ["root"] })).await;
        for kind in ["service", "batch"] {
            let mut request = house.with_token(&parent).request(
                Write,
                "auth/token/create",
                json!({ "policies": ["default"], "type": kind }),
            );
            request.remote.address = Some("10.0.0.1".parse().unwrap());
            let child = house.handle(request).await.unwrap().auth.unwrap().client_token.expose().clone();
            let child = house.with_token(&child);
            assert!(from(&child, Some("10.0.0.2"), Read, SELF).await.is_ok(), "{kind}");
            assert!(from(&child, Some("192.0.2.1"), Read, SELF).await.is_err(), "{kind}");
        }
    });
}

#[test]
fn a_batch_token_is_carried() {
    House::run(|house| async move {
        let before = house.keys("ns/0/").len();
        let fields = json!({ "policies": ["default"], "type": "batch", "ttl": "1h", "meta": { "a": "b" } });
        let auth = house.ask(Write, "auth/token/create", fields).await.unwrap().auth.unwrap();
        assert_eq!(house.keys("ns/0/").len(), before, "nothing is stored");
        let seen = (auth.token_type.as_str(), auth.accessor.as_str(), auth.renewable, auth.lease_duration);
        assert_eq!(seen, ("batch", "", false, 3_600));
        let token = auth.client_token.expose().clone();
        assert!(token.starts_with("shb."));

        let holder = house.node(1).with_token(&token);
        let told = holder.read(SELF).await;
        let expect = (json!("batch"), json!(""), json!(false), json!(0), json!({ "a": "b" }), json!(3_600));
        let seen = (
            &told["type"],
            &told["accessor"],
            &told["renewable"],
            &told["num_uses"],
            &told["meta"],
            &told["ttl"],
        );
        assert_eq!(seen, (&expect.0, &expect.1, &expect.2, &expect.3, &expect.4, &expect.5));
        let named = json!({ "token": token });
        assert_eq!(house.write("auth/token/lookup", named.clone()).await["type"], "batch");

        for (path, fields) in [
            ("auth/token/renew-self", json!({})),
            ("auth/token/revoke-self", json!({})),
            ("cubbyhole/x", json!({ "a": 1 })),
        ] {
            assert_eq!(kind(&holder, path, fields).await, Some(Invalid), "{path}");
        }
        for path in ["renew", "revoke", "revoke-orphan"] {
            assert_eq!(
                kind(&house, &format!("auth/token/{path}"), named.clone()).await,
                Some(Invalid),
                "{path}"
            );
        }
        house.node(0).set_ahead(3_601);
        assert!(!is_alive(&house, &token).await, "its time has come");
    });
}

#[test]
fn what_a_batch_token_cannot_have_is_refused() {
    House::run(|house| async move {
        for bad in [
            json!({ "num_uses": 1 }),
            json!({ "period": "1h" }),
            json!({ "explicit_max_ttl": "1h" }),
            json!({ "id": "mine" }),
            json!({ "policies": ["root"] }),
            json!({ "meta": { "a": "x".repeat(9_000) } }),
        ] {
            let mut fields = json!({ "policies": ["default"], "type": "batch" });
            fields.as_object_mut().unwrap().extend(bad.as_object().unwrap().clone());
            assert_eq!(kind(&house, "auth/token/create", fields).await, Some(Invalid), "{bad}");
        }
        assert_eq!(kind(&house, "auth/token/create", json!({ "type": "other" })).await, Some(Invalid));
        let role = json!({ "token_type": "batch", "token_num_uses": 1 });
        assert_eq!(kind(&house, "auth/token/roles/bad", role).await, Some(Invalid));
        house.write("auth/token/roles/batch", json!({ "token_type": "batch" })).await;
        let batch =
            made_at(&house, "auth/token/create/batch", json!({ "type": "service", "policies": ["p"] })).await;
        assert!(batch.starts_with("shb."), "the role decides");
    });
}

#[test]
fn neither_batch_nor_counted_tokens_have_children() {
    House::run(|house| async move {
        for fields in
            [json!({ "type": "batch", "policies": ["p"] }), json!({ "num_uses": 5, "policies": ["root"] })]
        {
            let parent = house.make_token(fields.clone()).await;
            let kind = kind(&house.with_token(&parent), "auth/token/create", json!({})).await;
            // Without a right to ask at all, the policy says so first.
            assert!(matches!(kind, Some(Invalid | Denied)), "{fields} {kind:?}");
        }
    });
}

#[test]
fn a_batch_token_ends_with_what_is_above_it() {
    House::run(|house| async move {
        let parent = house.make_token(json!({ "policies": ["root"], "ttl": "2h" })).await;
        let fields = json!({ "policies": ["default"], "type": "batch" });
        let child = house.with_token(&parent).make_token(fields.clone()).await;
        let orphan = made_at(&house.with_token(&parent), "auth/token/create-orphan", fields).await;
        assert!(is_alive(&house.node(1), &child).await && is_alive(&house.node(1), &orphan).await);
        house.write("auth/token/revoke", json!({ "token": parent })).await;
        assert!(!is_alive(&house.node(1), &child).await);
        assert!(is_alive(&house.node(1), &orphan).await);
    });
}

#[test]
fn a_batch_token_ends_by_its_path_also_when_that_is_long_swept() {
    House::run(|house| async move {
        let fields = json!({ "policies": ["default"], "type": "batch" });
        let old = made_at(&house, "auth/token/create-orphan", fields.clone()).await;
        let other = made_at(&house, "auth/token/create", fields.clone()).await;
        house.write("sys/leases/revoke-prefix/auth/token/create-orphan", json!({})).await;
        assert!(!is_alive(&house.node(1), &old).await);
        let new = made_at(&house, "auth/token/create-orphan", fields).await;
        house.work_all(Duration::from_secs(600)).await;
        house.write("sys/mounts/fresh", json!({ "type": "kv" })).await; // Every node reads its tables anew.
        for node in [house.node(0), house.node(1)] {
            assert!(!is_alive(&node, &old).await);
            assert!(is_alive(&node, &new).await && is_alive(&node, &other).await);
        }
        assert_eq!(house.keys("ns/0/revocation/").len(), 1);
        // As if so much time had passed: node 1 is silent from here on, and nobody's clock differs.
        house.node(0).set_ahead(33 * 24 * 3_600);
        house.node(0).work(Duration::from_secs(180)).await;
        assert!(house.keys("ns/0/revocation/").is_empty(), "no batch token is old enough");
    });
}

#[test]
fn too_many_kept_revocations_become_a_floor() {
    House::run(|house| async move {
        let fields = json!({ "policies": ["default"], "type": "batch" });
        let old = made_at(&house, "auth/token/create", fields.clone()).await;
        for n in 0..REVOCATIONS_KEPT_MAX + 3 {
            house.write(&format!("sys/leases/revoke-prefix/auth/none/{n}"), json!({})).await;
            if n % 50 == 0 {
                house.work(Duration::from_secs(60)).await;
            }
        }
        assert!(is_alive(&house, &old).await);
        let new = made_at(&house, "auth/token/create", fields).await;
        house.work(Duration::from_secs(120)).await;
        assert_eq!(house.keys("ns/0/revocation/").len(), REVOCATIONS_KEPT_MAX);
        house.write("sys/mounts/fresh", json!({ "type": "kv" })).await;
        assert!(!is_alive(&house.node(1), &old).await, "it is older than what could be remembered");
        assert!(is_alive(&house.node(1), &new).await);
    });
}

#[test]
fn a_batch_token_outlives_a_rotation_of_the_key() {
    House::run(|house| async move {
        let fields = json!({ "policies": ["default"], "type": "batch" });
        let old = house.make_token(fields.clone()).await;
        house.write("sys/rotate", json!({})).await;
        let new = house.make_token(fields).await;
        // The other node has not heard of the new key yet.
        for token in [&new, &old] {
            assert!(is_alive(&house.node(1), token).await);
        }
        house.work_all(Duration::from_secs(300)).await;
        assert!(is_alive(&house, &old).await, "everything is under the new key; the old one is kept");
        // A term that was never is no reason to ask again.
        let mut forged = old.clone().into_bytes();
        forged[7] = b'Q';
        let forged = String::from_utf8(forged).unwrap();
        assert_eq!(house.with_token(&forged).kind(Read, SELF, Value::Null).await, Some(Unauthenticated));
    });
}
