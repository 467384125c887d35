//! Applications: registered, suspended, deleted; and their first token.

use crate::house::House;
use futures::future::join;
use secrethub_core::{
    ErrorKind::{Credentials, Denied, Invalid, NotFound},
    Operation::{Delete, List, Read, Write},
    Reply,
};
use serde_json::{Value, json};

const SELF: &str = "auth/token/lookup-self";
const AGENT: &str = "550e8400-e29b-41d4-a716-446655440000";

/// A new application: id and bootstrap token.
async fn registered(house: &House, fields: Value) -> (String, String) {
    let made = house.write("apps", fields).await;
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("app_id"), text("app_token"))
}

async fn login(house: &House, id: &str, token: &str) -> Result<Reply, secrethub_core::Error> {
    let fields = json!({ "app_id": id, "app_token": token });
    house.with_token("").ask(Write, "apps/login", fields).await
}

async fn token(house: &House, id: &str, bootstrap: &str) -> String {
    login(house, id, bootstrap).await.unwrap().auth.unwrap().client_token.expose().clone()
}

async fn is_alive(house: &House, token: &str) -> bool {
    house.with_token(token).ask(Read, SELF, Value::Null).await.is_ok()
}

#[test]
fn a_bootstrap_token_is_good_once() {
    House::run(|house| async move {
        let fields = json!({
            "name": "web-shop", "policies": ["web"], "metadata": { "team": "t", "app_id": "x" }, "token_ttl": "1h",
        });
        let (id, bootstrap) = registered(&house, fields).await;
        assert!(bootstrap.starts_with("sha."));
        assert!(house.keys("ns/0/").iter().all(|key| !key.contains(&bootstrap)));
        // What fails burns nothing.
        for (id, token) in [(id.as_str(), "wrong"), ("no-uuid", &bootstrap), (AGENT, &bootstrap)] {
            let error = login(&house, id, token).await.unwrap_err();
            assert_eq!(
                (error.kind(), error.to_string().as_str()),
                (Credentials, "invalid app_id or app_token")
            );
        }
        let (left, right) = (house.node(0), house.node(1));
        let both = join(login(&left, &id, &bootstrap), login(&right, &id, &bootstrap)).await;
        let (good, bad): (Vec<_>, Vec<_>) = [both.0, both.1].into_iter().partition(Result::is_ok);
        assert_eq!((good.len(), bad[0].as_ref().unwrap_err().kind()), (1, Credentials));
        let auth = good.into_iter().next().unwrap().unwrap().auth.unwrap();
        assert_eq!(
            (auth.policies, auth.lease_duration),
            (vec!["default".to_owned(), "web".to_owned()], 3_600)
        );
        let meta = serde_json::to_value(auth.metadata).unwrap();
        assert_eq!(meta, json!({ "team": "t", "app_id": id, "app_name": "web-shop" }));
        // Another one, and only the newest.
        let first = house.write(&format!("apps/{id}/token"), json!({})).await["app_token"].clone();
        let second = house.write(&format!("apps/{id}/token"), json!({})).await["app_token"].clone();
        assert_eq!(login(&house, &id, first.as_str().unwrap()).await.unwrap_err().kind(), Credentials);
        assert!(login(&house, &id, second.as_str().unwrap()).await.is_ok());
        let late = house.write(&format!("apps/{id}/token"), json!({})).await["app_token"].clone();
        house.set_ahead(3_601);
        assert_eq!(login(&house, &id, late.as_str().unwrap()).await.unwrap_err().kind(), Credentials);
        let log = house.ask(Read, "audit/records", json!({ "path": "apps/login" })).await.unwrap().to_value();
        assert_eq!(log["records"][0]["rule"], "its bootstrap token has expired");
    });
}

#[test]
fn suspending_and_deleting_end_what_it_holds_at_once() {
    House::run(|house| async move {
        let (id, bootstrap) = registered(&house, json!({ "name": "web-shop" })).await;
        let (held, other) = (token(&house, &id, &bootstrap).await, house.node(1));
        assert!(is_alive(&other, &held).await);
        assert_eq!(house.write(&format!("apps/{id}/suspend"), json!({})).await["status"], "suspended");
        assert!(!is_alive(&other, &held).await);
        let bootstrap = house.write(&format!("apps/{id}/token"), json!({})).await["app_token"].clone();
        let bootstrap = bootstrap.as_str().unwrap();
        assert_eq!(login(&other, &id, bootstrap).await.unwrap_err().kind(), Credentials);
        house.write(&format!("apps/{id}/activate"), json!({})).await;
        assert!(is_alive(&other, &held).await, "the same application again");
        let batch = json!({ "token_type": "batch", "status": "suspended" });
        house.write(&format!("apps/{id}"), batch).await;
        house.write(&format!("apps/{id}"), json!({ "status": "active" })).await;
        let carried = token(&other, &id, bootstrap).await;
        assert!(carried.starts_with("shb.") && is_alive(&house, &carried).await);
        house.ask(Delete, &format!("apps/{id}"), Value::Null).await.unwrap();
        for token in [&held, &carried] {
            assert!(!is_alive(&other, token).await);
        }
        assert!(house.keys("ns/0/m/apps/").is_empty() && house.keys("ns/0/standing/").is_empty());
    });
}

#[test]
fn applications_are_listed_and_changed() {
    House::run(|house| async move {
        let mut ids = Vec::new();
        for n in 0..5 {
            let agent = if n % 2 == 0 { AGENT } else { "" };
            ids.push(registered(&house, json!({ "name": format!("app-{n}"), "agent_id": agent })).await.0);
        }
        ids.sort();
        house.write(&format!("apps/{}/suspend", ids[1]), json!({})).await;
        let list = async |fields: Value| {
            let apps = house.ask(Read, "apps", fields).await.unwrap().to_value()["apps"].clone();
            apps.as_array()
                .unwrap()
                .iter()
                .map(|app| app["app_id"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(list(json!({})).await, ids);
        assert_eq!(list(json!({ "limit": 2, "offset": "1" })).await, ids[1..3]);
        assert_eq!(list(json!({ "after": ids[2] })).await, ids[3..]);
        assert_eq!(list(json!({ "status": "suspended" })).await, ids[1..2]);
        assert_eq!(list(json!({ "agent_id": AGENT })).await.len(), 3);
        let keys = house.ask(List, "apps", Value::Null).await.unwrap().to_value()["keys"].clone();
        assert_eq!(keys, json!(ids));

        let path = format!("apps/{}", ids[0]);
        let changed =
            house.write(&path, json!({ "name": "renamed", "description": "d", "policies": "a" })).await;
        assert_eq!((&changed["name"], &changed["policies"]), (&json!("renamed"), &json!(["a"])));
        let bound = house.write(&format!("{path}/policies"), json!({ "policies": ["B"] })).await;
        assert_eq!(bound["policies"], json!(["a", "b"]));
        house.ask(Delete, &format!("{path}/policies/a"), Value::Null).await.unwrap();
        assert_eq!(house.read(&format!("{path}/policies")).await["policies"], json!(["b"]));
        assert_eq!(house.read(&path.to_uppercase().replace("APPS", "apps")).await["description"], "d");
        let (taken, free) = (json!({ "name": "renamed" }), json!({ "name": "app-free" }));
        assert_eq!(house.kind(Write, "apps", taken).await, Some(Invalid));
        assert_eq!(house.kind(Write, "apps", free).await, None);
    });
}

#[test]
fn what_cannot_be_is_refused() {
    House::run(|house| async move {
        for bad in [
            json!({}),
            json!({ "name": "A" }),
            json!({ "name": "app-1", "agent_id": "x" }),
            json!({ "name": "app-1", "status": "revoked" }),
            json!({ "name": "app-1", "policies": ["root"] }),
            json!({ "name": "app-1", "metadata": { "a": 1 } }),
            json!({ "name": "app-1", "description": "x".repeat(9_000) }),
        ] {
            assert_eq!(house.kind(Write, "apps", bad.clone()).await, Some(Invalid), "{bad}");
        }
        let unknown = [AGENT, "x", "550e8400", "00000000-0000-0000-0000-00000000000g"];
        for id in unknown {
            for path in ["", "/policies"] {
                assert_eq!(
                    house.kind(Read, &format!("apps/{id}{path}"), Value::Null).await,
                    Some(NotFound),
                    "{id}"
                );
            }
            for path in ["", "/suspend", "/activate", "/token"] {
                let kind = house.kind(Write, &format!("apps/{id}{path}"), json!({})).await;
                assert_eq!(kind, Some(NotFound), "{id}{path}");
            }
            assert_eq!(house.kind(Delete, &format!("apps/{id}"), Value::Null).await, Some(NotFound), "{id}");
        }
        let powerless = house.make_token(json!({ "policies": ["default"] })).await;
        let powerless = house.with_token(&powerless);
        assert_eq!(powerless.kind(Write, "apps", json!({ "name": "app-1" })).await, Some(Denied));
        assert_eq!(powerless.kind(Write, &format!("apps/{AGENT}/suspend"), json!({})).await, Some(Denied));
        assert_eq!(house.kind(Write, "sys/mounts/apps", json!({ "type": "kv" })).await, Some(Invalid));
    });
}
