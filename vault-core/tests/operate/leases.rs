//! Leases: found, renewed and ended, one by one and all below a path at once.

use crate::house::House;
use futures::future::join;
use secrethub_core::{
    ErrorKind::{Invalid, NotFound},
    Operation::{List, Read, Write},
    request::Shape,
    system::Settings,
};
use serde_json::{Value, json};
use std::time::Duration;

const CREATE: &str = "auth/token/create";

async fn lease_of(house: &House, token: &str) -> String {
    let accessor = house.with_token(token).read("auth/token/lookup-self").await["accessor"].clone();
    for name in house.ask(List, "sys/leases/lookup/auth/token/create", Value::Null).await.unwrap().to_value()
        ["keys"]
        .as_array()
        .unwrap()
    {
        let id = format!("{CREATE}/{}", name.as_str().unwrap());
        let log = house.write("sys/leases/lookup", json!({ "lease_id": id })).await;
        let ttl =
            house.write("auth/token/lookup-accessor", json!({ "accessor": accessor })).await["ttl"].clone();
        if log["ttl"] == ttl {
            return id;
        }
    }
    panic!("no lease of {token}");
}

async fn is_alive(house: &House, token: &str) -> bool {
    house.with_token(token).ask(Read, "auth/token/lookup-self", Value::Null).await.is_ok()
}

#[test]
fn one_lease() {
    House::run(|house| async move {
        let token = house.make_token(json!({ "policies": ["default"], "ttl": "1h" })).await;
        let id = lease_of(&house, &token).await;
        let named = json!({ "lease_id": id });
        let known = house.write("sys/leases/lookup", named.clone()).await;
        assert_eq!(
            (&known["id"], &known["ttl"], &known["renewable"]),
            (&named["lease_id"], &json!(3_600), &json!(true))
        );
        assert_eq!(known["last_renewal"], Value::Null);
        for path in ["sys/leases/renew".to_owned(), format!("sys/renew/{id}")] {
            let fields = json!({ "lease_id": id, "increment": "2h" });
            let lease = house.node(1).ask(Write, &path, fields).await.unwrap().lease;
            assert_eq!(
                (lease.id.as_str(), lease.duration.as_secs(), lease.renewable),
                (id.as_str(), 7_200, true)
            );
        }
        assert_eq!(house.with_token(&token).read("auth/token/lookup-self").await["ttl"], 7_200);
        let gone =
            house.ask(Write, "sys/leases/revoke", json!({ "lease_id": id, "sync": false })).await.unwrap();
        assert_eq!(gone.shape, Shape::Accepted);
        assert!(!is_alive(&house.node(1), &token).await);
        house.write(&format!("sys/revoke/{id}"), json!({})).await;
        for path in ["lookup", "renew"] {
            let kind = house.kind(Write, &format!("sys/leases/{path}"), named.clone()).await;
            assert_eq!(kind, Some(Invalid), "{path}");
        }
        for bad in ["", "x", "auth/token/create/x", &format!("auth/other/{}", &id[CREATE.len() + 1..])] {
            let kind = house.kind(Write, "sys/leases/lookup", json!({ "lease_id": bad })).await;
            assert_eq!(kind, Some(Invalid), "{bad}");
        }
        assert_eq!(house.kind(Write, "sys/leases/revoke", json!({})).await, Some(Invalid));
    });
}

#[test]
fn lists_and_counts() {
    House::run(|house| async move {
        let list = async |prefix: &str| {
            let path = format!("sys/leases/lookup/{prefix}");
            house.ask(List, &path, Value::Null).await.map(|reply| reply.to_value()["keys"].clone())
        };
        assert_eq!(list("").await.unwrap_err().kind(), NotFound, "the root token is no lease");
        for ttl in ["1m", "1h", "2h"] {
            house.make_token(json!({ "policies": ["default"], "ttl": ttl })).await;
        }
        assert_eq!(list("").await.unwrap(), json!(["auth/"]));
        assert_eq!(list("auth/token/").await.unwrap(), json!(["create/"]));
        assert_eq!(list(CREATE).await.unwrap().as_array().unwrap().len(), 3);
        assert_eq!(list("auth/tok").await.unwrap_err().kind(), NotFound);
        let leases = async |fields: Value| house.ask(Read, "sys/leases", fields).await.unwrap().to_value();
        let some = leases(json!({ "limit": 2 })).await;
        assert_eq!((some["leases"].as_array().unwrap().len(), &some["total"]), (2, &json!(3)));
        let first = &some["leases"][0];
        assert!(first["lease_id"].as_str().unwrap().starts_with(CREATE) && first["expires_at"].is_string());
        assert_eq!(leases(json!({ "engine_type": "postgresql" })).await["total"], 0);
        let none = json!({ "lease_count": 0, "leases": [] });
        assert_eq!(leases(json!({ "type": "irrevocable" })).await, none);
        assert_eq!(house.kind(Read, "sys/leases/count", json!({})).await, Some(Invalid));
        let stats = house.read("sys/leases/stats").await;
        assert_eq!(stats, json!({ "total_active": 3, "by_engine": { "token": 3 }, "expiring_soon": 1 }));
    });
}

#[test]
fn a_path_is_revoked_on_every_node_at_once() {
    House::run(|house| async move {
        let other = house.node(1);
        let fields = json!({ "policies": ["root"], "ttl": "1h" });
        let (parent, orphan) = (house.make_token(fields.clone()).await, {
            let made = house.ask(Write, "auth/token/create-orphan", fields.clone()).await.unwrap();
            made.auth.unwrap().client_token.expose().clone()
        });
        let forever = house.with_token(&parent).make_token(json!({ "policies": ["root"] })).await;
        let mut many = Vec::new();
        for _ in 0..130 {
            many.push(house.make_token(fields.clone()).await);
        }
        assert!(is_alive(&other, &parent).await && is_alive(&other, &forever).await);
        house.write("sys/leases/revoke-prefix/auth/token/create", json!({})).await;
        for token in many.iter().chain([&parent, &forever]) {
            assert!(!is_alive(&other, token).await, "a child of what is revoked is revoked");
        }
        let kept = [house.make_token(fields).await, orphan];
        for token in &kept {
            assert!(is_alive(&other, token).await);
        }
        assert_eq!(house.keys("ns/0/revocation/").len(), 1);
        house.work(Duration::from_secs(60)).await;
        assert_eq!(house.keys("ns/0/revocation/").len(), 1, "it stands for the batch tokens that it ends");
        assert_eq!(house.keys("ns/0/token/").len(), 3, "the root token, and those that were kept");
        assert_eq!(house.keys("ns/0/accessor/").len(), 3);
        for token in &kept {
            assert!(is_alive(&house, token).await);
        }
        assert_eq!(house.kind(Write, "sys/leases/revoke-prefix", json!({})).await, Some(Invalid));
    });
}

/// A token that is made while its path is revoked is older or newer than that, for every node and for the sweep alike.
#[test]
fn a_token_made_meanwhile_is_before_or_after() {
    let mut seen = [0; 3];
    for seed in 0..40 {
        let outcome = std::sync::Arc::new(std::sync::Mutex::new(0));
        let its = std::sync::Arc::clone(&outcome);
        House::run_seeded(seed, Settings::default, |house| async move {
            let (left, right) = (house.node(0), house.node(1));
            right.read("sys/mounts").await;
            let make = right.ask(Write, CREATE, json!({ "policies": ["default"], "ttl": "1h" }));
            let (made, revoked) =
                join(make, left.ask(Write, "sys/revoke-prefix/auth/token", json!({}))).await;
            revoked.unwrap();
            let token = made.unwrap().auth.unwrap().client_token.expose().clone();
            let alive = [is_alive(&left, &token).await, is_alive(&right, &token).await];
            left.work(Duration::from_secs(30)).await;
            assert_eq!(house.keys("ns/0/token/").len(), 1 + usize::from(alive[0]), "it is swept");
            let later = [is_alive(&left, &token).await, is_alive(&right, &token).await];
            assert_eq!((alive[0], later), (alive[1], alive));
            *its.lock().unwrap() = if alive[0] { 1 } else { 2 };
        });
        seen[*outcome.lock().unwrap()] += 1;
    }
    assert!(seen[1] > 0 && seen[2] > 0, "the schedules must show both: {seen:?}");
}
