//! Written policies through the door: who writes them, what they do at the next request of any node, and what a denial
//! tells to whom.

use crate::house::House;
use secrethub_core::{ErrorKind, Operation, Reply};
use serde_json::{Value, json};

const APP: &str = r#"
path "secret/data/app/*" { capabilities = ["create", "read"] }
path "secret/data/app/fixed" { capabilities = ["update"] }
path "secret/data/app/none" { capabilities = ["deny"] }
"#;

/// The same house, asked with a token of these policies.
async fn holder(house: &House, policies: &[(&str, &str)]) -> House {
    for (name, text) in policies {
        house.write(&format!("sys/policies/acl/{name}"), json!({ "policy": text })).await;
    }
    let names: Vec<&str> = policies.iter().map(|(name, _)| *name).chain(["default"]).collect();
    house.with_token(&house.make_token(json!({ "policies": names })).await)
}

fn secret() -> Value {
    json!({ "data": { "a": 1 } })
}

#[test]
fn what_is_written_holds_at_the_next_request_of_any_node() {
    House::run(async |house| {
        let app = holder(&house, &[("app", APP)]).await;
        for node in [0, 1] {
            let app = app.node(node);
            assert_eq!(app.kind(Operation::Write, &format!("secret/data/app/{node}"), secret()).await, None);
            assert_eq!(
                app.kind(Operation::Write, "secret/data/other", secret()).await,
                Some(ErrorKind::Denied)
            );
        }
        house
            .node(1)
            .write("sys/policies/acl/app", json!({ "policy": r#"path "x" { policy = "read" }"# }))
            .await;
        for node in [0, 1] {
            let read = app.node(node).kind(Operation::Read, "secret/data/app/0", Value::Null).await;
            assert_eq!(read, Some(ErrorKind::Denied), "node {node}");
        }
        house.write("sys/policies/acl/app", json!({ "policy": APP })).await;
        assert_eq!(app.node(1).kind(Operation::Read, "secret/data/app/0", Value::Null).await, None);
        assert_eq!(house.kind(Operation::Delete, "sys/policies/acl/app", Value::Null).await, None);
        assert_eq!(
            app.node(1).kind(Operation::Read, "secret/data/app/0", Value::Null).await,
            Some(ErrorKind::Denied)
        );
        assert_eq!(
            house.kind(Operation::Delete, "sys/policies/acl/app", Value::Null).await,
            None,
            "gone already"
        );
    });
}

#[test]
fn creating_is_not_changing() {
    House::run(async |house| {
        let app = holder(&house, &[("app", APP)]).await;
        let check = async |path: &str, expect: Option<ErrorKind>| {
            assert_eq!(app.kind(Operation::Write, path, secret()).await, expect, "{path}");
        };
        check("secret/data/app/new", None).await;
        check("secret/data/app/new", Some(ErrorKind::Denied)).await;
        check("secret/data/app/fixed", Some(ErrorKind::Denied)).await;
        house.write("secret/data/app/fixed", secret()).await;
        check("secret/data/app/fixed", None).await;
        check("secret/data/app/none", Some(ErrorKind::Denied)).await;
    });
}

/// Of many who may only create, one does: none overwrites what another has just created.
#[test]
fn creators_do_not_overwrite_each_other() {
    for seed in 0..20 {
        House::run_seeded(seed, Default::default, async |house| {
            let app = holder(&house, &[("app", APP)]).await;
            let (one, other) = (app.node(0), app.node(1));
            let write =
                async |house: &House| house.kind(Operation::Write, "secret/data/app/one", secret()).await;
            let answers = futures::future::join(write(&one), write(&other)).await;
            let refused =
                [answers.0, answers.1].iter().filter(|kind| **kind == Some(ErrorKind::Denied)).count();
            assert_eq!(refused, 1, "{answers:?}");
            let metadata = house.read("secret/metadata/app/one").await;
            assert_eq!(metadata["current_version"], 1);
        });
    }
}

fn keys(reply: &Reply) -> Value {
    reply.to_value()["keys"].clone()
}

#[test]
fn a_list_shows_what_may_be_touched() {
    House::run(async |house| {
        for name in ["a", "b/c", "b/d", "e/f", "g"] {
            house.write(&format!("secret/data/{name}"), secret()).await;
        }
        let some = r#"path "secret/data/a" { capabilities = ["read"] } path "secret/metadata/b/d" { capabilities = ["read"] }
                      path "secret/data/e/+" { capabilities = ["deny"] }"#;
        let document = r#"{"allowed_secrets": ["b.*"]}"#;
        let check = async |policies: &[(&str, &str)], path: &str, fields: Value, expect: Value| {
            let holder = holder(&house, policies).await;
            let answer = holder.ask(Operation::List, path, fields).await;
            let shown = answer.as_ref().map_or_else(|error| json!(format!("{:?}", error.kind())), keys);
            assert_eq!(shown, expect, "{policies:?} {path}");
        };
        let nothing = || json!({});
        check(&[("some", some)], "secret/metadata", nothing(), json!(["a", "b/"])).await;
        check(&[("some", some)], "secret/metadata/", nothing(), json!(["a", "b/"])).await;
        check(&[("some", some)], "secret/metadata/b", nothing(), json!(["d"])).await;
        check(&[("some", some)], "secret/metadata", json!({ "recursive": true }), json!(["a", "b/d"])).await;
        check(&[("some", some)], "secret/metadata", json!({ "limit": 1 }), json!(["a"])).await;
        check(&[("some", some)], "secret/metadata", json!({ "limit": 1, "after": "a" }), json!(["b/"])).await;
        check(&[("some", some)], "secret/metadata/e", nothing(), json!("Denied")).await;
        check(&[("some", some)], "secret/metadata/no", nothing(), json!("Denied")).await;
        check(&[("document", document)], "secret/metadata", nothing(), json!(["b/"])).await;
        check(&[("document", document)], "secret/metadata/b/", nothing(), json!(["c", "d"])).await;
        check(&[], "secret/metadata", nothing(), json!("Denied")).await;
        // Who may list sees every name, as in Vault.
        let lister = r#"path "secret/metadata/*" { capabilities = ["list"] }"#;
        check(&[("lister", lister)], "secret/metadata/", nothing(), json!(["a", "b/", "e/", "g"])).await;
        let forbidden = r#"path "secret/metadata/" { capabilities = ["deny"] } path "secret/data/a" { capabilities = ["read"] }"#;
        check(&[("forbidden", forbidden)], "secret/metadata/", nothing(), json!("Denied")).await;
    });
}

#[test]
fn a_denial_explains_itself_to_who_may_read_the_policy() {
    House::run(async |house| {
        let told = async |policies: &[(&str, &str)]| {
            let holder = holder(&house, policies).await;
            let error = holder.ask(Operation::Delete, "secret/data/app/x", Value::Null).await.unwrap_err();
            error.messages().iter().map(|message| message.to_string()).collect::<Vec<_>>()
        };
        let reader = r#"path "sys/policies/acl/*" { capabilities = ["read"] }"#;
        assert_eq!(told(&[("app", APP)]).await, ["permission denied"]);
        let messages = told(&[("app", APP), ("reader", reader)]).await;
        assert_eq!(messages[0], "permission denied");
        assert!(
            messages[1].contains("\"app: secret/data/app/*\"") && messages[1].contains("delete"),
            "{messages:?}"
        );
        let messages = told(&[("reader", reader)]).await;
        assert!(messages[1].contains("no rule"), "{messages:?}");
        // The record always tells.
        let records =
            house.ask(Operation::Read, "audit/records", json!({ "status": "failure" })).await.unwrap();
        let records = records.to_value().to_string();
        assert!(records.contains("app: secret/data/app/*"), "{records}");
    });
}

#[test]
fn conditions_see_the_address() {
    House::run(async |house| {
        let text =
            r#"path "secret/data/*" { capabilities = ["read"] conditions { ip_ranges = ["10.0.0.0/8"] } }"#;
        house.write("secret/data/a", secret()).await;
        let holder = holder(&house, &[("near", text)]).await;
        let check = async |address: Option<&str>, expect: Option<ErrorKind>| {
            let mut request = holder.request(Operation::Read, "secret/data/a", Value::Null);
            request.remote.address = address.map(|address| address.parse().unwrap());
            let kind = holder.handle(request).await.err().map(|error| error.kind());
            assert_eq!(kind, expect, "{address:?}");
        };
        check(Some("10.1.2.3"), None).await;
        check(Some("::ffff:10.1.2.3"), None).await;
        check(Some("192.0.2.1"), Some(ErrorKind::Denied)).await;
        check(None, Some(ErrorKind::Denied)).await;
    });
}

#[test]
fn what_is_told_of_policies() {
    House::run(async |house| {
        let list = async || keys(&house.ask(Operation::List, "sys/policies/acl", Value::Null).await.unwrap());
        assert_eq!(list().await, json!(["default", "root"]));
        // Base64 and JSON are as good as text, and names are in lower case.
        house
            .write("sys/policies/acl/One", json!({ "policy": "cGF0aCAiYSIgeyBwb2xpY3kgPSAicmVhZCIgfQ==" }))
            .await;
        house.write("sys/policy/two", json!({ "rules": { "path": { "a": { "policy": "read" } } } })).await;
        assert_eq!(list().await, json!(["default", "one", "root", "two"]));
        let read = house.node(1).read("sys/policies/acl/one").await;
        assert_eq!(read, json!({ "name": "one", "policy": r#"path "a" { policy = "read" }"# }));
        assert_eq!(house.read("sys/policy/two").await["rules"], r#"{"path":{"a":{"policy":"read"}}}"#);
        assert_eq!(house.read("sys/policies/acl/root").await["policy"], "");
        let refused = async |operation: Operation, path: &str, fields: Value, expect: ErrorKind| {
            assert_eq!(house.kind(operation, path, fields).await, Some(expect), "{operation:?} {path}");
        };
        use Operation::{Delete, Read, Write};
        let good = || json!({ "policy": APP });
        refused(Write, "sys/policies/acl/root", good(), ErrorKind::Invalid).await;
        refused(Write, "sys/policies/acl/response-wrapping", good(), ErrorKind::Invalid).await;
        refused(Write, "sys/policies/acl/secret-manager", good(), ErrorKind::Invalid).await;
        refused(Delete, "sys/policies/acl/default", Value::Null, ErrorKind::Invalid).await;
        refused(Delete, "sys/policies/acl/root", Value::Null, ErrorKind::Invalid).await;
        refused(Write, "sys/policies/acl/x", json!({}), ErrorKind::Invalid).await;
        refused(Write, "sys/policies/acl/x", json!({ "policy": "path" }), ErrorKind::Invalid).await;
        refused(Write, "sys/policies/acl/x", json!({ "policy": 7 }), ErrorKind::Invalid).await;
        refused(Write, "sys/policies/acl/x", json!({ "policy": "x = 1" }), ErrorKind::Invalid).await;
        refused(Read, "sys/policies/acl/x", Value::Null, ErrorKind::NotFound).await;
        refused(Read, "sys/policies/acl/response-wrapping", Value::Null, ErrorKind::NotFound).await;
        refused(Read, "sys/policies/acl", Value::Null, ErrorKind::Unsupported).await;
    });
}

#[test]
fn the_default_policy_may_be_overwritten() {
    House::run(async |house| {
        let child = house.with_token(&house.make_token(json!({ "policies": ["default"] })).await);
        assert_eq!(child.kind(Operation::Read, "auth/token/lookup-self", Value::Null).await, None);
        house.write("sys/policies/acl/default", json!({ "policy": r#"path "x" { policy = "read" }"# })).await;
        let kind = child.node(1).kind(Operation::Read, "auth/token/lookup-self", Value::Null).await;
        assert_eq!(kind, Some(ErrorKind::Denied));
    });
}

#[test]
fn capabilities_are_what_is_enforced() {
    House::run(async |house| {
        let app = holder(&house, &[("app", APP)]).await;
        let check = async |path: &str, expect: Value| {
            let told = app.write("sys/capabilities-self", json!({ "paths": [path] })).await;
            assert_eq!(told["capabilities"], expect, "{path}");
        };
        check("secret/data/app/x", json!(["create", "read"])).await;
        check("secret/data/app/fixed", json!(["update"])).await;
        check("secret/data/app/none", json!(["deny"])).await;
        check("secret/data/other", json!(["deny"])).await;
        let acl = app.read("sys/internal/ui/resultant-acl").await;
        assert_eq!(acl["glob_paths"]["secret/data/app/"]["capabilities"], json!(["create", "read"]));
        assert_eq!(acl["exact_paths"]["secret/data/app/none"]["capabilities"], json!(["deny"]));
        // The preflight of a KV client: the mount shows to who may do anything below it.
        assert_eq!(app.kind(Operation::Read, "sys/internal/ui/mounts/secret/app", Value::Null).await, None);
        let stranger = holder(&house, &[]).await;
        let kind = stranger.kind(Operation::Read, "sys/internal/ui/mounts/secret/app", Value::Null).await;
        assert_eq!(kind, Some(ErrorKind::Denied));
    });
}

#[test]
fn sudo_on_the_path_makes_what_others_may_not() {
    House::run(async |house| {
        let make = |sudo: &str| format!(r#"path "auth/token/create" {{ capabilities = ["update"{sudo}] }}"#);
        let check = async |sudo: &str, fields: Value, expect: Option<ErrorKind>| {
            let maker = holder(&house, &[("maker", &make(sudo))]).await;
            assert_eq!(
                maker.kind(Operation::Write, "auth/token/create", fields.clone()).await,
                expect,
                "{sudo} {fields}"
            );
        };
        let invalid = Some(ErrorKind::Invalid);
        for fields in [
            json!({ "policies": ["app"] }),
            json!({ "no_parent": true }),
            json!({ "period": "1h" }),
            json!({ "id": "chosen" }),
        ] {
            check("", fields.clone(), invalid).await;
            check(r#", "sudo""#, fields, None).await;
        }
        check(r#", "sudo""#, json!({ "policies": ["root"] }), invalid).await;
        check(r#", "sudo""#, json!({ "policies": ["secret-manager"] }), invalid).await;
        check("", json!({ "policies": ["maker"] }), None).await;
    });
}

#[test]
fn the_simulator_tells_what_the_door_would_do() {
    House::run(async |house| {
        house.write("secret/data/app/x", secret()).await;
        let text = r#"path "secret/data/app/*" { capabilities = ["read"] conditions { ip_ranges = ["10.0.0.0/8"] } }"#;
        let near = holder(&house, &[("near", text)]).await;
        let check = async |fields: Value, allowed: bool, last: &str| {
            let told = house.write("sys/policies/simulate", fields.clone()).await;
            assert_eq!(told["allowed"], allowed, "{fields} {told}");
            assert_eq!(told["result"], if allowed { "allow" } else { "deny" });
            let step = told["steps"].as_array().unwrap().last().unwrap().clone();
            assert_eq!((step["step"].as_str(), step["result"] == "pass"), (Some(last), allowed), "{told}");
        };
        let ask = |more: Value| {
            let mut fields = json!({ "policies": ["near"], "path": "secret/data/app/x" });
            more.as_object().unwrap().iter().for_each(|(name, value)| fields[name] = value.clone());
            fields
        };
        check(ask(json!({ "ip_address": "10.0.0.1" })), true, "IP Restrictions").await;
        check(ask(json!({ "ip_address": "192.0.2.1" })), false, "IP Restrictions").await;
        check(ask(json!({})), false, "IP Restrictions").await;
        check(ask(json!({ "operation": "delete" })), false, "Operation Allowed").await;
        check(ask(json!({ "path": "secret/data/other" })), false, "Secret Path Match").await;
        check(ask(json!({ "policies": ["none"] })), false, "Entity Binding").await;
        check(
            json!({ "policies": ["near"], "secret_path": "app.x", "ip_address": "10.0.0.1" }),
            true,
            "IP Restrictions",
        )
        .await;
        let accessor = near.read("auth/token/lookup-self").await["accessor"].clone();
        check(
            json!({ "accessor": accessor, "path": "secret/data/app/x", "ip_address": "10.0.0.1" }),
            true,
            "IP Restrictions",
        )
        .await;
        for wrong in [
            json!({ "path": "a" }),
            json!({ "policies": ["near"] }),
            ask(json!({ "operation": "sudo" })),
            ask(json!({ "ip_address": "ten" })),
            ask(json!({ "timestamp": "noon" })),
            json!({ "accessor": "none", "path": "a" }),
        ] {
            let kind = house.kind(Operation::Write, "sys/policies/simulate", wrong.clone()).await;
            assert_eq!(kind, Some(ErrorKind::Invalid), "{wrong}");
        }
        let denied = near.kind(Operation::Write, "sys/policies/simulate", ask(json!({}))).await;
        assert_eq!(denied, Some(ErrorKind::Denied));
    });
}

#[test]
fn templates_become_policies() {
    House::run(async |house| {
        let names = house.ask(Operation::List, "sys/policies/templates", Value::Null).await.unwrap();
        assert!(keys(&names).as_array().unwrap().len() >= 9);
        let fields = json!({ "policy": "Office", "allowed_secrets": ["app.**"], "time_of_day": "00:00-23:59",
                             "days_of_week": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "entity_bindings": [] });
        let preview = house.write("sys/policies/templates/business_hours/preview", fields.clone()).await;
        let text = preview["policies"]["office"].as_str().unwrap().to_owned();
        assert_eq!(
            house.kind(Operation::Read, "sys/policies/acl/office", Value::Null).await,
            Some(ErrorKind::NotFound)
        );
        let made = house.write("sys/policies/templates/business_hours", fields).await;
        assert_eq!(made["policies"], json!(["office"]));
        assert_eq!(house.read("sys/policies/acl/office").await["policy"], text);
        let pair = json!({ "application": "web", "environment": "prod" });
        let made = house.write("sys/policies/templates/application", pair).await;
        assert_eq!(made["policies"], json!(["web-prod-app-read", "web-prod-app-readwrite"]));
        house.write("secret/data/prod/web/app/db", secret()).await;
        let reader = house.with_token(&house.make_token(json!({ "policies": ["web-prod-app-read"] })).await);
        let read = async |path: &str| reader.kind(Operation::Read, path, Value::Null).await;
        assert_eq!(read("secret/data/prod/web/app/db").await, None);
        assert_eq!(read("secret/data/prod/web/other").await, Some(ErrorKind::Denied));
        let refused = async |path: &str, fields: Value, expect: ErrorKind| {
            assert_eq!(house.kind(Operation::Write, path, fields).await, Some(expect), "{path}");
        };
        refused("sys/policies/templates/none", json!({}), ErrorKind::NotFound).await;
        refused("sys/policies/templates/time_limited", json!({}), ErrorKind::Invalid).await;
        refused(
            "sys/policies/templates/read_only",
            json!({ "ip_ranges": ["10.0.0.0/8"] }),
            ErrorKind::Invalid,
        )
        .await;
        refused("sys/policies/templates/ip_restricted", json!({ "ip_ranges": ["ten"] }), ErrorKind::Invalid)
            .await;
    });
}
