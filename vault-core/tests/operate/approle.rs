//! AppRole: logins, what they give, what ends it, and what a failed one tells.

use crate::house::House;
use futures::future::join;
use secrethub_core::{
    ErrorKind::{Credentials, Denied, Invalid, NotFound},
    Operation::{Delete, List, Read, Write},
    Reply,
    request::Shape,
};
use serde_json::{Value, json};
use std::time::Duration;

const SELF: &str = "auth/token/lookup-self";

/// A house with a role `web`, and its id.
async fn with_role(house: &House, role: Value) -> String {
    house.write("sys/auth/approle", json!({ "type": "approle" })).await;
    house.write("auth/approle/role/web", role).await;
    house.read("auth/approle/role/web/role-id").await["role_id"].as_str().unwrap().to_owned()
}

async fn secret_of(house: &House, fields: Value) -> String {
    house.write("auth/approle/role/web/secret-id", fields).await["secret_id"].as_str().unwrap().to_owned()
}

/// A login without a token, from an address.
async fn login(
    house: &House,
    role_id: &str,
    secret_id: &str,
    from: &str,
) -> Result<Reply, secrethub_core::Error> {
    let fields = json!({ "role_id": role_id, "secret_id": secret_id });
    let mut request = house.with_token("").request(Write, "auth/approle/login", fields);
    request.remote.address = from.parse().ok();
    house.handle(request).await
}

async fn token(house: &House, role_id: &str, secret_id: &str) -> String {
    let auth = login(house, role_id, secret_id, "").await.unwrap().auth.unwrap();
    auth.client_token.expose().clone()
}

async fn is_alive(house: &House, token: &str) -> bool {
    house.with_token(token).ask(Read, SELF, Value::Null).await.is_ok()
}

#[test]
fn a_login_gives_what_the_role_says() {
    House::run(|house| async move {
        let role = json!({
            "token_policies": ["a", "B"], "token_ttl": "1h", "token_max_ttl": "2h", "token_num_uses": 9,
        });
        let id = with_role(&house, role).await;
        let secret = secret_of(&house, json!({ "metadata": { "host": "h", "role_name": "other" } })).await;
        let auth = login(&house.node(1), &id, &secret, "").await.unwrap().auth.unwrap();
        assert_eq!(auth.policies, ["a", "b", "default"]);
        let seen =
            (auth.lease_duration, auth.renewable, auth.orphan, auth.num_uses, auth.token_type.as_str());
        assert_eq!(seen, (3_600, true, true, 9, "service"));
        let meta = serde_json::to_value(auth.metadata).unwrap();
        assert_eq!(meta, json!({ "host": "h", "role_name": "web" }), "what the role is called stands last");
        let holder = house.with_token(auth.client_token.expose());
        let told = holder.read(SELF).await;
        assert_eq!((&told["display_name"], &told["path"]), (&json!("approle"), &json!("auth/approle/login")));
        let renewed = holder.ask(Write, "auth/token/renew-self", json!({ "increment": "9h" })).await.unwrap();
        assert_eq!(renewed.auth.unwrap().lease_duration, 7_200, "within the role's bound");
        let log = house
            .ask(Read, "audit/records", json!({ "path": "auth/approle/login" }))
            .await
            .unwrap()
            .to_value();
        let record = &log["records"][0];
        assert_eq!((&record["actor"], &record["secret_id"]), (&json!("approle"), &json!("web")));
        assert_eq!(record["accessor"], told["accessor"]);
    });
}

#[test]
fn every_failure_answers_alike_and_the_log_says_why() {
    House::run(|house| async move {
        let id = with_role(&house, json!({ "secret_id_bound_cidrs": ["10.0.0.0/8"] })).await;
        let good = secret_of(&house, json!({})).await;
        let bound = secret_of(&house, json!({ "cidr_list": ["10.1.0.0/16"] })).await;
        let short = secret_of(&house, json!({ "ttl": "60s" })).await;
        house.write("auth/approle/role/off", json!({ "enabled": false, "role_id": "off" })).await;
        house.write("auth/approle/role/off/custom-secret-id", json!({ "secret_id": "s" })).await;
        for node in [house.node(0), house.node(1)] {
            node.set_ahead(61);
        }
        let rows = [
            ("unknown", good.as_str(), "10.0.0.1", "no role has this role_id"),
            (&id, "wrong", "10.0.0.1", "the role has no such SecretID"),
            (&id, &bound, "10.2.0.1", "the SecretID is bound to other addresses"),
            (&id, &good, "192.0.2.1", "the role's logins are bound to other addresses"),
            (&id, &good, "", "the role's logins are bound to other addresses"),
            (&id, &short, "10.0.0.1", "the SecretID has expired"),
            ("off", "s", "10.0.0.1", "the role is disabled"),
        ];
        for (id, secret, from, why) in rows {
            let error = login(&house, id, secret, from).await.unwrap_err();
            assert_eq!(
                (error.kind(), error.messages()),
                (Credentials, &["invalid role or secret ID".into()][..]),
                "{why}"
            );
            let log =
                house.ask(Read, "audit/records", json!({ "path": "auth/approle/login" })).await.unwrap();
            assert_eq!(log.to_value()["records"][0]["rule"], why);
        }
        for id in [id.as_str(), "unknown"] {
            let error = login(&house, id, "", "10.0.0.1").await.unwrap_err();
            assert_eq!((error.kind(), error.messages()), (Invalid, &["missing secret_id".into()][..]));
        }
        assert!(login(&house, &id, &good, "10.0.0.1").await.is_ok());
        assert!(login(&house, &id, &bound, "10.1.0.1").await.is_ok());
    });
}

#[test]
fn every_failure_asks_the_store_alike() {
    House::run(|house| async move {
        let id = with_role(&house, json!({})).await;
        let good = secret_of(&house, json!({})).await;
        let mut asked = Vec::new();
        for (id, secret) in [("unknown", good.as_str()), (&id, "wrong"), ("unknown", "wrong")] {
            let before = house.calls();
            login(&house, id, secret, "").await.unwrap_err();
            asked.push(house.calls() - before);
        }
        assert_eq!(asked[0], asked[1]);
        assert_eq!(asked[0], asked[2]);
    });
}

#[test]
fn a_role_that_goes_takes_its_tokens_along() {
    House::run(|house| async move {
        let id =
            with_role(&house, json!({ "token_policies": ["root2"], "token_type": "default-service" })).await;
        let secret = secret_of(&house, json!({})).await;
        let (first, other) = (token(&house, &id, &secret).await, house.node(1));
        house.write("auth/approle/role/web", json!({ "token_type": "batch" })).await;
        let batch = token(&house, &id, &secret).await;
        assert!(batch.starts_with("shb."));
        let set = |enabled: bool| house.write("auth/approle/role/web", json!({ "enabled": enabled }));
        for tokens in [&first, &batch] {
            assert!(is_alive(&other, tokens).await);
        }
        set(false).await;
        for tokens in [&first, &batch] {
            assert!(!is_alive(&other, tokens).await, "disabled: ended at the next request");
        }
        assert_eq!(login(&other, &id, &secret, "").await.unwrap_err().kind(), Credentials);
        set(true).await;
        set(true).await;
        for tokens in [&first, &batch] {
            assert!(is_alive(&other, tokens).await, "the same role again");
        }
        house.ask(Delete, "auth/approle/role/web", Value::Null).await.unwrap();
        house.write("auth/approle/role/web", json!({ "role_id": id })).await;
        for tokens in [&first, &batch] {
            assert!(!is_alive(&other, tokens).await, "another role under the name, and under the id");
        }
        assert_eq!(login(&other, &id, &secret, "").await.unwrap_err().kind(), Credentials);
        house.work(Duration::from_secs(60)).await;
        assert!(house.keys("ns/0/sweep/").is_empty());
        let left = house.keys("ns/0/m/").into_iter().filter(|key| key.contains("/secret/")).count();
        assert_eq!(left, 0, "its SecretIDs are swept");
    });
}

#[test]
fn a_wrapped_login_ends_with_the_mount() {
    House::run(|house| async move {
        let id = with_role(&house, json!({ "token_policies": ["default"] })).await;
        let secret = secret_of(&house, json!({})).await;
        let wrapped = {
            let fields = json!({ "role_id": id, "secret_id": secret });
            let mut request = house.with_token("").request(Write, "auth/approle/login", fields);
            request.wrap_ttl = Some(Duration::from_secs(60));
            house.handle(request).await.unwrap().wrap.unwrap()
        };
        let taken =
            house.with_token(wrapped.token.expose()).ask(Write, "sys/wrapping/unwrap", json!({})).await;
        let token = taken.unwrap().auth.unwrap().client_token.expose().clone();
        assert!(is_alive(&house, &token).await);
        house.ask(Delete, "sys/auth/approle", Value::Null).await.unwrap();
        assert!(!is_alive(&house.node(1), &token).await);
        house.work(Duration::from_secs(60)).await;
        assert!(house.keys("ns/0/standing/").is_empty(), "what tokens rested on goes with the mount");
    });
}

#[test]
fn the_last_use_of_a_secret_id_is_one_login() {
    for seed in 0..12 {
        House::run_seeded(seed, Default::default, |house| async move {
            let id = with_role(&house, json!({ "secret_id_num_uses": 3 })).await;
            let secret = secret_of(&house, json!({})).await;
            let (left, right) = (house.node(0), house.node(1));
            let mut good = 0;
            for _ in 0..3 {
                let both = join(login(&left, &id, &secret, ""), login(&right, &id, &secret, "")).await;
                good += [both.0, both.1].iter().filter(|answer| answer.is_ok()).count();
            }
            assert_eq!(good, 3);
            let known = json!({ "secret_id": secret });
            let gone = house.ask(Write, "auth/approle/role/web/secret-id/lookup", known).await.unwrap();
            assert!(gone.is_empty());
            assert_eq!(
                house.kind(List, "auth/approle/role/web/secret-id", Value::Null).await,
                Some(NotFound)
            );
        });
    }
}

#[test]
fn secret_ids() {
    House::run(|house| async move {
        with_role(
            &house,
            json!({ "secret_id_ttl": "1h", "secret_id_num_uses": 5, "secret_id_bound_cidrs": "10.0.0.0/8" }),
        )
        .await;
        let base = "auth/approle/role/web";
        let fields = json!({ "secret_id": "mine", "cidr_list": ["10.0.0.1/32"], "metadata": "{\"a\":\"b\"}", "num_uses": 2 });
        let made = house.write(&format!("{base}/custom-secret-id"), fields.clone()).await;
        assert_eq!(
            (&made["secret_id"], &made["secret_id_ttl"], &made["secret_id_num_uses"]),
            (&json!("mine"), &json!(3_600), &json!(2))
        );
        let accessor = json!({ "secret_id_accessor": made["secret_id_accessor"] });
        let by_text = house.write(&format!("{base}/secret-id/lookup"), json!({ "secret_id": "mine" })).await;
        let by_accessor = house.write(&format!("{base}/secret-id-accessor/lookup"), accessor.clone()).await;
        assert_eq!(by_text, by_accessor);
        assert_eq!(
            (&by_text["cidr_list"], &by_text["metadata"]),
            (&json!(["10.0.0.1/32"]), &json!({ "a": "b" }))
        );
        let listed = house.ask(List, &format!("{base}/secret-id"), Value::Null).await.unwrap().to_value();
        assert_eq!(listed["keys"], json!([made["secret_id_accessor"]]));
        for bad in [
            json!({ "secret_id": "mine" }),
            json!({ "secret_id": "" }),
            json!({ "secret_id": "b", "ttl": "2h" }),
            json!({ "secret_id": "b", "ttl": 0 }),
            json!({ "secret_id": "b", "num_uses": 6 }),
            json!({ "secret_id": "b", "num_uses": 0 }),
            json!({ "secret_id": "b", "cidr_list": ["192.0.2.0/24"] }),
            json!({ "secret_id": "b", "cidr_list": ["x"] }),
            json!({ "secret_id": "b", "metadata": "a=b" }),
            json!({ "secret_id": "b".repeat(9_000) }),
        ] {
            let kind = house.kind(Write, &format!("{base}/custom-secret-id"), bad.clone()).await;
            assert_eq!(kind, Some(Invalid), "{bad}");
        }
        // What is stored of one tells nothing, and goes by itself.
        assert_eq!(house.keys("ns/0/due/").len(), 1);
        assert!(house.keys("ns/0/").iter().all(|key| !key.contains("mine")));
        for node in [house.node(0), house.node(1)] {
            node.set_ahead(3_601);
        }
        let gone = house
            .ask(Write, &format!("{base}/secret-id/lookup"), json!({ "secret_id": "mine" }))
            .await
            .unwrap();
        assert!(gone.is_empty());
        house.work(Duration::from_secs(30)).await;
        assert!(house.keys("ns/0/due/").is_empty());
        assert_eq!(house.kind(List, &format!("{base}/secret-id"), Value::Null).await, Some(NotFound));
        let destroyed = house.kind(Write, &format!("{base}/secret-id-accessor/destroy"), accessor).await;
        assert_eq!(destroyed, Some(NotFound));
        let tidied = house.ask(Write, "auth/approle/tidy/secret-id", json!({})).await.unwrap();
        assert_eq!(tidied.shape, Shape::Accepted);
    });
}

#[test]
fn roles_and_their_settings() {
    House::run(|house| async move {
        let id = with_role(&house, json!({ "policies": ["p"], "local_secret_ids": true })).await;
        let listed = house.read("auth/approle/role").await;
        assert_eq!((&listed["keys"], &listed["roles"]), (&json!(["web"]), &json!(["web"])));
        let role = house.read("auth/approle/role/WEB").await;
        assert_eq!(
            (&role["token_policies"], &role["bind_secret_id"], &role["token_type"]),
            (&json!(["p"]), &json!(true), &json!("default"))
        );
        let rows = [
            ("policies", json!({ "token_policies": ["x"] }), json!(["x"]), json!([])),
            ("policies", json!({ "policies": "y" }), json!(["y"]), json!([])),
            ("token-ttl", json!({ "token_ttl": "1h" }), json!(3_600), json!(0)),
            ("token-max-ttl", json!({ "token_max_ttl": "2h" }), json!(7_200), json!(0)),
            ("period", json!({ "period": 5 }), json!(5), json!(0)),
            ("token-num-uses", json!({ "token_num_uses": 7 }), json!(7), json!(0)),
            ("secret-id-ttl", json!({ "secret_id_ttl": 8 }), json!(8), json!(0)),
            ("secret-id-num-uses", json!({ "secret_id_num_uses": 9 }), json!(9), json!(0)),
            (
                "bound-cidr-list",
                json!({ "bound_cidr_list": ["10.0.0.1"] }),
                json!(["10.0.0.1/32"]),
                json!([]),
            ),
            (
                "token-bound-cidrs",
                json!({ "token_bound_cidrs": ["10.0.0.0/8"] }),
                json!(["10.0.0.0/8"]),
                json!([]),
            ),
        ];
        for (name, fields, set, unset) in rows {
            let path = format!("auth/approle/role/web/{name}");
            house.write(&path, fields).await;
            assert_eq!(house.read(&path).await.as_object().unwrap().values().next().unwrap(), &set, "{name}");
            house.ask(Delete, &path, Value::Null).await.unwrap();
            assert_eq!(
                house.read(&path).await.as_object().unwrap().values().next().unwrap(),
                &unset,
                "{name}"
            );
        }
        assert_eq!(house.read("auth/approle/role/web/local-secret-ids").await["local_secret_ids"], true);
        for (path, fields, kind) in [
            ("web/bind-secret-id", json!({ "bind_secret_id": false }), Invalid),
            ("web/token-ttl", json!({ "other": 1 }), Invalid),
            ("web/nothing", json!({}), NotFound),
            ("none/token-ttl", json!({ "token_ttl": 1 }), NotFound),
            ("web", json!({ "local_secret_ids": false }), Invalid),
            ("web", json!({ "token_policies": ["root"] }), Invalid),
            ("other", json!({ "role_id": id }), Invalid),
        ] {
            assert_eq!(
                house.kind(Write, &format!("auth/approle/role/{path}"), fields).await,
                Some(kind),
                "{path}"
            );
        }
        // The id of a role is nobody's business.
        for path in ["auth/approle/role/web/role-id", "auth/approle/role"] {
            assert!(house.with_token("").kind(Read, path, Value::Null).await.is_some(), "{path}");
        }
        house.write("auth/approle/role/web/role-id", json!({ "role_id": "chosen" })).await;
        let secret = secret_of(&house, json!({})).await;
        assert_eq!(login(&house, &id, &secret, "").await.unwrap_err().kind(), Credentials);
        assert!(login(&house, "chosen", &secret, "").await.is_ok());
    });
}

#[test]
fn without_secret_ids_a_role_is_bound_to_addresses() {
    House::run(|house| async move {
        let role = json!({ "bind_secret_id": false, "token_bound_cidrs": ["10.0.0.0/8"] });
        let id = with_role(&house, role).await;
        let kind = house.kind(Write, "auth/approle/role/web/secret-id", json!({})).await;
        assert_eq!(kind, Some(Invalid));
        assert_eq!(login(&house, &id, "", "192.0.2.1").await.unwrap_err().kind(), Denied);
        let auth = login(&house, &id, "", "10.0.0.1").await.unwrap().auth.unwrap();
        assert!(
            !is_alive(&house, auth.client_token.expose()).await,
            "nor is the token good without an address"
        );
    });
}

#[test]
fn a_mount_says_which_kind_its_tokens_are() {
    House::run(|house| async move {
        let id = with_role(&house, json!({ "token_num_uses": 0 })).await;
        let secret = secret_of(&house, json!({})).await;
        for (kind, prefix) in
            [("batch", "shb."), ("default-batch", "shb."), ("service", "shs."), ("default-service", "shs.")]
        {
            house.write("sys/auth/approle/tune", json!({ "token_type": kind })).await;
            let before = house.keys("ns/0/").len();
            let token = token(&house.node(1), &id, &secret).await;
            assert!(token.starts_with(prefix), "{kind}");
            assert_eq!(house.keys("ns/0/").len() > before, prefix == "shs.", "{kind}");
        }
        house.write("auth/approle/role/web", json!({ "token_num_uses": 3 })).await;
        house.write("sys/auth/approle/tune", json!({ "token_type": "batch" })).await;
        // What cannot be kept is refused, never left out.
        assert_eq!(login(&house, &id, &secret, "").await.unwrap_err().kind(), Invalid);
    });
}
