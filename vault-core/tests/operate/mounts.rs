//! Mounts come, move, are tuned and go, and every node sees it with the next request.

use crate::house::House;
use futures::future::join;
use secrethub_core::{
    ErrorKind::{self, Invalid, NotFound},
    Operation::{Delete, Read, Write},
    limits::LEASE_TTL_DEFAULT,
    system::Settings,
};
use serde_json::{Value, json};
use std::time::Duration;

const KV2: &str = "kv-v2";

#[test]
fn a_mount_lives_and_is_swept() {
    House::run(|house| async move {
        let other = house.node(1);
        other.read("sys/mounts").await;
        house.write("sys/mounts/team/kv", json!({ "type": KV2, "description": "d" })).await;
        for n in 0..250 {
            other.write(&format!("team/kv/data/a{n}"), json!({ "data": { "v": n } })).await;
        }
        let id = house.keys("ns/0/m/").pop().unwrap().split('/').nth(3).unwrap().to_owned();
        let below = format!("ns/0/m/{id}/");
        assert!(house.keys(&below).len() >= 500);
        other.ask(Delete, "sys/mounts/team/kv", Value::Null).await.unwrap();
        assert_eq!(house.kind(Read, "team/kv/data/a1", Value::Null).await, Some(NotFound));
        assert_eq!(house.kind(Write, "team/kv/data/a1", json!({ "data": {} })).await, Some(NotFound));
        // One that comes to the same path is another, and finds nothing of the old.
        house.write("sys/mounts/team/kv", json!({ "type": KV2 })).await;
        assert_eq!(other.kind(Read, "team/kv/data/a1", Value::Null).await, Some(NotFound));
        assert_eq!(house.keys("ns/0/unmounted/").len(), 1);
        house.work(Duration::from_secs(30)).await;
        assert_eq!((house.keys(&below).len(), house.keys("ns/0/unmounted/").len()), (0, 0));
        house.ask(Delete, "sys/mounts/never/was", Value::Null).await.unwrap();
    });
}

#[test]
fn what_cannot_be_mounted() {
    House::run(|house| async move {
        let check = async |path: &str, fields: Value, message: Option<&str>| {
            let answer = house.ask(Write, path, fields.clone()).await;
            match (answer, message) {
                (Ok(_), None) => {}
                (Err(error), Some(message)) => {
                    assert_eq!(error.kind(), Invalid, "{path} {fields}");
                    assert!(error.to_string().contains(message), "{path} {fields}: {error}");
                }
                (answer, _) => panic!("{path} {fields}: {answer:?}"),
            }
        };
        let kv = || json!({ "type": "kv" });
        check("sys/mounts/kv", json!({}), Some("missing field \"type\"")).await;
        check("sys/mounts/kv", json!({ "type": "nothing" }), Some("no secrets engine of type \"nothing\""))
            .await;
        check("sys/mounts/kv", json!({ "type": "system" }), Some("no secrets engine")).await;
        check("sys/mounts/kv", json!({ "type": "token" }), Some("no secrets engine")).await;
        check("sys/auth/kv", kv(), Some("no auth method of type \"kv\"")).await;
        check("sys/mounts/secret", kv(), Some("path is already in use at secret/")).await;
        check("sys/mounts/secret/deep", kv(), Some("path is already in use at secret/")).await;
        for reserved in ["sys", "auth/x", "cubbyhole", "identity/a", "audit", "secrets", "apps", "agent"] {
            check(&format!("sys/mounts/{reserved}"), kv(), Some("reserved")).await;
        }
        check("sys/mounts/kv", json!({ "type": "kv", "options": { "version": "3" } }), Some("version")).await;
        check("sys/mounts/kv", json!({ "type": "kv", "options": { "version": [] } }), Some("texts")).await;
        check(
            "sys/mounts/kv",
            json!({ "type": "kv", "external_entropy_access": true }),
            Some("not available"),
        )
        .await;
        check("sys/mounts/kv", json!({ "type": "kv", "plugin_version": "v1" }), Some("not available")).await;
        let lockout = json!({ "user_lockout_config": { "lockout_threshold": 5 } });
        check(
            "sys/mounts/kv",
            json!({ "type": "kv", "config": lockout }),
            Some("can only be set on auth methods"),
        )
        .await;
        check("sys/mounts/kv", json!({ "type": "kv", "config": { "max_lease_ttl": "x" } }), Some("duration"))
            .await;
        let long = "x".repeat(20_000);
        check("sys/mounts/kv", json!({ "type": "kv", "description": long }), Some("bytes in all")).await;
        check("sys/mounts/deep/kv", json!({ "type": "kv", "seal_wrap": true, "local": true }), None).await;
        check("sys/mounts/deep", kv(), Some("path is already in use at deep/kv/")).await;
        for built_in in ["sys/mounts/sys", "sys/mounts/cubbyhole", "sys/auth/token", "sys/mounts/auth/token"]
        {
            assert_eq!(house.kind(Delete, built_in, Value::Null).await, Some(Invalid), "{built_in}");
        }
    });
}

#[test]
fn types_have_their_names_and_versions() {
    House::run(|house| async move {
        let check = async |kind: &str, options: Value, shown: (&str, Value)| {
            house.write("sys/mounts/x", json!({ "type": kind, "options": options })).await;
            let mount = house.read("sys/mounts/x").await;
            assert_eq!((mount["type"].as_str().unwrap(), &mount["options"]), (shown.0, &shown.1), "{kind}");
            house.ask(Delete, "sys/mounts/x", Value::Null).await.unwrap();
        };
        check("kv", Value::Null, ("kv", Value::Null)).await;
        check("kv", json!({ "version": 2 }), ("kv", json!({ "version": "2" }))).await;
        check("kv-v1", json!({}), ("kv", json!({ "version": "1" }))).await;
        check("kv-v2", json!({}), ("kv", json!({ "version": "2" }))).await;
        check("generic", json!({}), ("kv", json!({ "version": "1" }))).await;
        house.write("sys/mounts/old", json!({ "type": "plugin", "plugin_name": "kv" })).await;
        house.write("old/a", json!({ "v": 1 })).await;
        assert_eq!(house.read("old/a").await, json!({ "v": 1 }));
    });
}

#[test]
fn tuning_is_shown_kept_and_obeyed() {
    House::run(|house| async move {
        let other = house.node(1);
        house.write("sys/mounts/kv", json!({ "type": "kv", "config": { "default_lease_ttl": "1h" } })).await;
        other.write("kv/a", json!({ "v": 1 })).await;
        let lease = async || other.ask(Read, "kv/a", Value::Null).await.unwrap().lease.duration.as_secs();
        assert_eq!(lease().await, 3_600);
        let fields = json!({ "default_lease_ttl": 60, "listing_visibility": "unauth", "description": "new" });
        house.write("sys/mounts/kv/tune", fields).await;
        assert_eq!(lease().await, 60);
        let tuned = other.read("sys/mounts/kv/tune").await;
        let expect = json!({
            "default_lease_ttl": 60, "max_lease_ttl": LEASE_TTL_DEFAULT.as_secs(), "force_no_cache": false,
            "description": "new", "listing_visibility": "unauth",
        });
        assert_eq!(tuned, expect);
        let upgrade = house.kind(Write, "sys/mounts/kv/tune", json!({ "options": { "version": "2" } })).await;
        assert_eq!(upgrade, Some(Invalid));
        house.write("sys/mounts/kv/tune", json!({ "options": { "version": "1" } })).await;
        assert_eq!(house.kind(Write, "sys/mounts/no/tune", json!({})).await, Some(Invalid));
        assert_eq!(
            house.kind(Write, "sys/mounts/kv/tune", json!({ "max_lease_ttl": 30 })).await,
            Some(Invalid)
        );
    });
}

#[test]
fn strangers_see_what_is_shown_to_them() {
    House::run(|house| async move {
        house
            .write("sys/mounts/kv", json!({ "type": "kv", "config": { "listing_visibility": "unauth" } }))
            .await;
        let names =
            |seen: &Value, part: &str| seen[part].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let seen = house.with_token("").read("sys/internal/ui/mounts").await;
        assert_eq!((names(&seen, "secret"), names(&seen, "auth").len()), (vec!["kv/".to_owned()], 0));
        assert_eq!(seen["secret"]["kv/"]["accessor"], Value::Null);
        let seen = house.read("sys/internal/ui/mounts").await;
        assert!(names(&seen, "secret").len() > 3 && seen["secret"]["secret/"]["accessor"].is_string());
        let child = house.with_token(&house.make_token(json!({ "policies": ["default"] })).await);
        let seen = child.read("sys/internal/ui/mounts").await;
        assert_eq!(names(&seen, "secret"), ["cubbyhole/", "kv/", "sys/"]);
    });
}

#[test]
fn tokens_live_as_their_mount_says() {
    House::run(|house| async move {
        let lives = async |fields: Value| {
            let made = house.ask(Write, "auth/token/create", fields).await.unwrap();
            made.auth.unwrap().lease_duration
        };
        let child = json!({ "policies": ["default"] });
        assert_eq!(lives(child.clone()).await, LEASE_TTL_DEFAULT.as_secs());
        let ttls = json!({ "default_lease_ttl": "1h", "max_lease_ttl": "2h" });
        house.node(1).write("sys/auth/token/tune", ttls).await;
        assert_eq!(lives(child.clone()).await, 3_600);
        assert_eq!(lives(json!({ "policies": ["default"], "ttl": "9h" })).await, 7_200);
        assert_eq!(
            lives(json!({ "policies": ["default"], "ttl": "9h", "explicit_max_ttl": "8h" })).await,
            7_200
        );
        let token = house.with_token(&house.make_token(child).await);
        let renewed = token.ask(Write, "auth/token/renew-self", json!({ "increment": "9h" })).await.unwrap();
        assert_eq!(renewed.auth.unwrap().lease_duration, 7_200);
        assert_eq!(house.read("sys/auth/token/tune").await["max_lease_ttl"], 7_200);
        assert_eq!(house.read("sys/mounts/auth/token/tune").await["token_type"], "default-service");
        house
            .write("sys/mounts/auth/token/tune", json!({ "default_lease_ttl": "system", "max_lease_ttl": 0 }))
            .await;
        assert_eq!(lives(json!({ "policies": ["default"] })).await, LEASE_TTL_DEFAULT.as_secs());
    });
}

#[test]
fn a_move_takes_everything_along() {
    House::run(|house| async move {
        let other = house.node(1);
        other.write("secret/data/a", json!({ "data": { "v": 1 } })).await;
        let before = house.keys("ns/0/m/");
        let moved = house.write("sys/remount", json!({ "from": "secret", "to": "team/secret/" })).await;
        assert_eq!(house.keys("ns/0/m/"), before, "nothing is written anew");
        assert_eq!(other.read("team/secret/data/a").await["data"], json!({ "v": 1 }));
        assert_eq!(other.kind(Read, "secret/data/a", Value::Null).await, Some(NotFound));
        let id = moved["migration_id"].as_str().unwrap();
        let expect = json!({
            "migration_id": id,
            "migration_info": { "source_mount": "secret/", "target_mount": "team/secret/", "status": "success" },
        });
        assert_eq!(other.read(&format!("sys/remount/status/{id}")).await, expect);
        assert_eq!(house.kind(Read, "sys/remount/status/other", Value::Null).await, Some(NotFound));
        let check = async |from: &str, to: &str| {
            let kind = house.kind(Write, "sys/remount", json!({ "from": from, "to": to })).await;
            assert_eq!(kind, Some(Invalid), "{from} {to}");
        };
        check("secret", "x").await;
        check("team/secret", "team/secret").await;
        check("team/secret", "team/secret/below").await;
        check("team/secret", "team").await;
        check("team/secret", "sys/x").await;
        check("team/secret", "auth/x").await;
        check("sys", "x").await;
        check("auth/token", "auth/x").await;
        check("", "x").await;
    });
}

/// Of two nodes that want one path, or paths of which one is inside the other, one gets it.
#[test]
fn races_have_one_winner() {
    for seed in 0..30 {
        House::run_seeded(seed, Settings::default, |house| async move {
            let (left, right) = (house.node(0), house.node(1));
            let check = async |first: (&str, Value), second: (&str, Value)| {
                let both = join(left.kind(Write, first.0, first.1), right.kind(Write, second.0, second.1));
                let (a, b): (Option<ErrorKind>, Option<ErrorKind>) = both.await;
                assert!(
                    matches!((a, b), (None, Some(Invalid)) | (Some(Invalid), None)),
                    "{a:?} {b:?} {}",
                    second.0
                );
            };
            let kv = || json!({ "type": "kv" });
            check(("sys/mounts/same", kv()), ("sys/mounts/same", kv())).await;
            check(("sys/mounts/a", kv()), ("sys/mounts/a/b", kv())).await;
            check(("sys/mounts/c/d", kv()), ("sys/mounts/c", kv())).await;
            check(("sys/remount", json!({ "from": "secret", "to": "x" })), ("sys/mounts/x/y", kv())).await;
        });
    }
}

/// A write that is in flight while its mount goes is either wholly before that or refused: nothing is left behind.
#[test]
fn nothing_is_written_below_a_mount_that_went() {
    for seed in 0..30 {
        House::run_seeded(seed, Settings::default, |house| async move {
            let (left, right) = (house.node(0), house.node(1));
            right.read("sys/mounts").await;
            let write = right.ask(Write, "secret/data/a", json!({ "data": { "v": 1 } }));
            let (written, gone) = join(write, left.ask(Delete, "sys/mounts/secret", Value::Null)).await;
            gone.unwrap();
            if let Err(error) = written {
                assert_eq!(error.kind(), NotFound);
            }
            left.work(Duration::from_secs(20)).await;
            assert_eq!(house.keys("ns/0/m/"), Vec::<String>::new());
            assert_eq!(house.keys("ns/0/unmounted/"), Vec::<String>::new());
        });
    }
}
