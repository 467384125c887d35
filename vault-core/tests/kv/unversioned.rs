//! KV version 1 and the cubbyhole.

use crate::door::{Door, data, empty, refused};
use secrethub_core::{
    ErrorKind::{Invalid, NotFound, Unsupported},
    Operation::{Delete, List, Patch, Read, Write},
};
use serde_json::json;

#[test]
fn both_overwrite_in_place() {
    Door::run(|door| async move {
        let check = door.checker();
        for root in ["kv1", "cubbyhole"] {
            let at = |name: &str| format!("{root}/{name}");
            check.see(Read, &at("a/b"), json!({}), refused(NotFound, "")).await;
            check.see(Write, &at("a/b"), json!({}), refused(Invalid, "missing data fields")).await;
            check.see(Write, &at(""), json!({ "x": 1 }), refused(Invalid, "names no secret")).await;
            check.see(Write, &at("a/"), json!({ "x": 1 }), refused(Invalid, "ending in '/'")).await;
            check.see(Write, &at("a/b"), json!({ "x": 1, "data": { "y": [null] } }), empty()).await;
            check.see(Read, &at("a/b"), json!({}), data(json!({ "x": 1, "data": { "y": [null] } }))).await;
            check.see(Write, &at("a/b"), json!({ "z": "2" }), empty()).await;
            assert_eq!(door.ask(Read, &at("a/b"), json!({})).await.data(), json!({ "z": "2" }));
            check
                .see(Patch, &at("a/b"), json!({ "z": 1 }), refused(Unsupported, "unsupported operation"))
                .await;
            check.see(List, &at(""), json!({}), data(json!({ "keys": ["a/"] }))).await;
            check.see(List, root, json!({}), data(json!({ "keys": ["a/"] }))).await;
            check.see(Delete, &at("a/b"), json!({}), empty()).await;
            check.see(Delete, &at("a/b"), json!({}), empty()).await;
            check.see(Read, &at("a/b"), json!({}), refused(NotFound, "")).await;
            check.see(List, root, json!({}), refused(NotFound, "")).await;
        }
    });
}

#[test]
fn version_1_states_how_long_to_keep_it() {
    Door::run(|door| async move {
        for (fields, seconds) in [
            (json!({ "x": 1 }), 2_764_800),
            (json!({ "ttl": "30m" }), 1_800),
            (json!({ "lease": 60 }), 60),
            (json!({ "ttl": "5s", "lease": "6s" }), 5),
            (json!({ "ttl": "soon" }), 2_764_800),
        ] {
            door.ask(Write, "kv1/a", fields.clone()).await;
            let lease = door.ask(Read, "kv1/a", json!({})).await.lease_seconds();
            assert_eq!(lease, seconds, "{fields}");
        }
    });
}

#[test]
fn a_cubbyhole_belongs_to_one_token() {
    Door::run(|door| async move {
        let (ours, theirs) = (door.token().await, door.token().await);
        let as_us = door.with_token(&ours);
        let as_them = door.with_token(&theirs);
        as_us.checker().see(Write, "cubbyhole/a", json!({ "x": 1 }), empty()).await;
        as_us.checker().see(Read, "cubbyhole/a", json!({}), data(json!({ "x": 1 }))).await;
        for other in [&as_them, &door] {
            other.checker().see(Read, "cubbyhole/a", json!({}), refused(NotFound, "")).await;
            other.checker().see(List, "cubbyhole", json!({}), refused(NotFound, "")).await;
            other.checker().see(Delete, "cubbyhole/a", json!({}), empty()).await;
        }
        as_us.checker().see(Read, "cubbyhole/a", json!({}), data(json!({ "x": 1 }))).await;
    });
}
