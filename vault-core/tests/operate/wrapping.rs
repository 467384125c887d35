//! Replies are put away and taken out once.

use crate::house::House;
use futures::future::join;
use secrethub_core::{
    ErrorKind::{self, Credentials, Denied, Invalid, NotFound, Unauthenticated},
    Operation::{self, Delete, Read, Write},
    Reply,
    request::WrapInfo,
    system::Settings,
};
use serde_json::{Value, json};
use std::time::Duration;

async fn ask_wrapped(
    house: &House,
    operation: Operation,
    path: &str,
    fields: Value,
) -> Result<Reply, secrethub_core::Error> {
    let mut request = house.request(operation, path, fields);
    request.wrap_ttl = Some(Duration::from_secs(60));
    house.handle(request).await
}

async fn wrap(house: &House, operation: Operation, path: &str, fields: Value) -> WrapInfo {
    let reply = ask_wrapped(house, operation, path, fields).await.unwrap();
    assert!(reply.data.is_none() && reply.auth.is_none(), "{path} is not shown");
    reply.wrap.unwrap()
}

fn text(info: &WrapInfo) -> String {
    info.token.expose().clone()
}

async fn house_with_secret(house: &House) {
    house.write("secret/data/a", json!({ "data": { "v": "hunter2" } })).await;
}

#[test]
fn a_reply_is_taken_out_once() {
    House::run(|house| async move {
        house_with_secret(&house).await;
        let stranger = house.node(1).with_token("");
        for own in [true, false] {
            let info = wrap(&house, Read, "secret/data/a", Value::Null).await;
            assert_eq!((info.ttl, info.creation_path.as_str()), (60, "secret/data/a"));
            assert_eq!(info.wrapped_accessor, None);
            let holder = stranger.with_token(&text(&info));
            let (asker, fields) =
                if own { (&holder, json!({})) } else { (&stranger, json!({ "token": text(&info) })) };
            for _ in 0..3 {
                let found = asker.write("sys/wrapping/lookup", fields.clone()).await;
                assert_eq!(
                    (&found["creation_path"], &found["creation_ttl"]),
                    (&json!("secret/data/a"), &json!(60))
                );
            }
            assert_eq!(
                asker.write("sys/wrapping/unwrap", fields.clone()).await["data"],
                json!({ "v": "hunter2" })
            );
            for path in ["unwrap", "lookup", "rewrap"] {
                let again = asker.kind(Write, &format!("sys/wrapping/{path}"), fields.clone()).await;
                assert_eq!(again, Some(Credentials), "{path}");
            }
        }
        assert_eq!(stranger.kind(Write, "sys/wrapping/unwrap", json!({})).await, Some(Unauthenticated));
        assert_eq!(house.kind(Write, "sys/wrapping/unwrap", json!({})).await, Some(Credentials));
        assert_eq!(house.keys("ns/0/m/cubbyhole/").len(), 0);
    });
}

#[test]
fn a_token_is_made_and_wrapped_at_once() {
    House::run(|house| async move {
        let child = json!({ "policies": ["default"], "ttl": "1h" });
        let info = wrap(&house, Write, "auth/token/create", child.clone()).await;
        let stranger = house.node(1).with_token("");
        let fields = json!({ "token": text(&info) });
        let reply = stranger.ask(Write, "sys/wrapping/unwrap", fields).await.unwrap();
        let auth = reply.auth.unwrap();
        assert_eq!(Some(auth.accessor), info.wrapped_accessor);
        assert_eq!(auth.lease_duration, 3_600);
        let own = house.with_token(auth.client_token.expose());
        assert_eq!(own.read("auth/token/lookup-self").await["policies"], json!(["default"]));
        let revoked = own.with_token(&house.make_token(json!({ "policies": ["root"] })).await);
        revoked.write("auth/token/revoke-self", json!({})).await;
        let before = house.keys("ns/0/token/").len();
        let refused = ask_wrapped(&revoked, Write, "auth/token/create", child).await.unwrap_err();
        assert_eq!((refused.kind(), house.keys("ns/0/token/").len()), (Unauthenticated, before));
    });
}

#[test]
fn the_cubbyhole_holds_it_for_its_holder() {
    House::run(|house| async move {
        house_with_secret(&house).await;
        let info = wrap(&house, Read, "secret/data/a", Value::Null).await;
        let holder = house.node(1).with_token(&text(&info));
        let found = holder.read("cubbyhole/response").await;
        let envelope: Value = serde_json::from_str(found["response"].as_str().unwrap()).unwrap();
        assert_eq!(envelope["data"]["data"], json!({ "v": "hunter2" }));
        assert_eq!(holder.kind(Read, "cubbyhole/response", Value::Null).await, Some(Unauthenticated));
        assert_eq!(holder.kind(Write, "sys/wrapping/unwrap", Value::Null).await, Some(Credentials));
        house.work(Duration::from_secs(120)).await;
        assert_eq!(house.keys("ns/0/m/cubbyhole/").len(), 0);
        let info = wrap(&house, Read, "secret/data/a", Value::Null).await;
        let holder = house.with_token(&text(&info));
        assert_eq!(holder.kind(Read, "secret/data/a", Value::Null).await, Some(Denied));
    });
}

#[test]
fn wrapping_anew_ends_the_old_token() {
    House::run(|house| async move {
        let first = wrap(&house, Write, "sys/wrapping/wrap", json!({ "x": [1] })).await;
        let reply = house.ask(Write, "sys/wrapping/rewrap", json!({ "token": text(&first) })).await.unwrap();
        let second = reply.wrap.unwrap();
        assert_eq!((second.ttl, second.creation_path.as_str()), (60, "sys/wrapping/wrap"));
        let unwrap = async |info: &WrapInfo| {
            house.ask(Write, "sys/wrapping/unwrap", json!({ "token": text(info) })).await
        };
        assert_eq!(unwrap(&first).await.unwrap_err().kind(), Credentials);
        assert_eq!(unwrap(&second).await.unwrap().to_value(), json!({ "x": [1] }));
        let third = wrap(&house, Write, "sys/wrapping/wrap", json!({ "x": 1 })).await;
        house.work(Duration::from_secs(61)).await;
        assert_eq!(unwrap(&third).await.unwrap_err().kind(), Credentials, "its time has come");
        assert_eq!(house.keys("ns/0/m/cubbyhole/").len(), 0);
    });
}

#[test]
fn what_cannot_be_wrapped() {
    House::run(|house| async move {
        house_with_secret(&house).await;
        let check = async |ttl: u64, operation, path: &str, expect: Option<ErrorKind>| {
            let mut request = house.request(operation, path, json!({}));
            request.wrap_ttl = Some(Duration::from_millis(ttl));
            let answer = house.handle(request).await;
            assert_eq!(answer.as_ref().err().map(|error| error.kind()), expect, "{path} {answer:?}");
        };
        check(60_000, Read, "sys/seal-status", Some(Invalid)).await;
        check(60_000, Read, "sys/metrics", Some(Invalid)).await;
        check(500, Read, "sys/mounts", Some(Invalid)).await;
        check(u64::from(u32::MAX), Read, "sys/mounts", Some(Invalid)).await;
        check(1_000, Read, "sys/mounts", None).await;
        check(0, Read, "sys/mounts", None).await;
        check(60_000, Read, "secret/data/no", Some(NotFound)).await;
        house.ask(Delete, "secret/data/a", Value::Null).await.unwrap();
        check(60_000, Read, "secret/data/a", Some(NotFound)).await;
        check(60_000, Write, "sys/mounts", Some(Invalid)).await;
        assert_eq!(house.kind(Write, "sys/wrapping/wrap", json!({ "a": 1 })).await, Some(Invalid));
        let policies = json!({ "policies": ["response-wrapping"] });
        assert_eq!(house.kind(Write, "auth/token/create", policies).await, Some(Invalid));
        let other = house.make_token(json!({ "policies": ["default"] })).await;
        let unwrap = house.kind(Write, "sys/wrapping/unwrap", json!({ "token": other })).await;
        assert_eq!(unwrap, Some(Credentials));
    });
}

/// Whoever takes it out, in whichever way, on whichever node: one gets it.
#[test]
fn races_have_one_winner() {
    for seed in 0..40 {
        House::run_seeded(seed, Settings::default, |house| async move {
            house_with_secret(&house).await;
            for (own, other) in [
                ((Write, "sys/wrapping/unwrap"), "sys/wrapping/unwrap"),
                ((Read, "cubbyhole/response"), "sys/wrapping/rewrap"),
                ((Read, "cubbyhole/response"), "sys/wrapping/unwrap"),
            ] {
                let info = wrap(&house, Read, "secret/data/a", Value::Null).await;
                let (left, right) = (house.node(0).with_token(&text(&info)), house.node(1));
                let left = left.kind(own.0, own.1, Value::Null);
                let right = right.kind(Write, other, json!({ "token": text(&info) }));
                let both: (Option<ErrorKind>, Option<ErrorKind>) = join(left, right).await;
                let good =
                    matches!(both, (None, Some(Credentials)) | (Some(Credentials | Unauthenticated), None));
                assert!(good, "{both:?} {own:?} {other}");
            }
        });
    }
}

/// Neither the reply nor the audit log holds a token that was wrapped, or the one that wraps it.
#[test]
fn nothing_leaks_into_the_log() {
    House::run(|house| async move {
        let info = wrap(&house, Write, "auth/token/create", json!({ "policies": ["default"] })).await;
        let reply = house.ask(Write, "sys/wrapping/unwrap", json!({ "token": text(&info) })).await.unwrap();
        let inner = reply.auth.unwrap().client_token.expose().clone();
        let log = house.read("audit/records").await;
        let leases: Vec<&str> = log["records"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|record| record["lease_id"].as_str())
            .collect();
        assert_eq!(leases.len(), 2);
        assert!(leases[0] == leases[1] && leases[0].starts_with("auth/token/create/"), "{leases:?}");
        for token in [text(&info), inner] {
            assert!(!log.to_string().contains(&token));
        }
    });
}
