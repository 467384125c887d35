//! What can become of versions: delete, undelete, destroy, pruning, expiry, metadata, configuration, removal.

use crate::door::{Door, data, empty, gone, refused, warned};
use secrethub_core::{
    ErrorKind::{Invalid, NotFound},
    Operation::{Delete, List, Patch, Read, Write},
};
use serde_json::{Value, json};
use std::time::Duration;

/// Writes versions 1..=count with `{"n": number}`.
async fn write_versions(door: &Door, path: &str, count: u64) {
    for n in 1..=count {
        let written = door.ask(Write, path, json!({ "data": { "n": n } })).await.data();
        assert!(written["version"].is_u64());
    }
}

fn version(number: u64) -> Value {
    json!({ "version": number })
}

fn versions(numbers: impl serde::Serialize) -> Value {
    json!({ "versions": numbers })
}

#[test]
fn soft_delete_can_be_taken_back() {
    Door::run(|door| async move {
        let check = door.checker();
        write_versions(&door, "secret/data/a", 3).await;
        check.see(Delete, "secret/data/a", json!({}), empty()).await;
        let deleted = json!({ "data": null, "metadata": { "version": 3, "destroyed": false } });
        check.see(Read, "secret/data/a", json!({}), gone(deleted.clone())).await;
        let time =
            door.ask(Read, "secret/data/a", json!({})).await.gone()["metadata"]["deletion_time"].clone();
        assert!(time.as_str().is_some_and(|time| time.ends_with('Z')), "{time}");
        // Deleting twice changes nothing, not even the time.
        door.sleep(Duration::from_secs(5)).await;
        check.see(Delete, "secret/data/a", json!({}), empty()).await;
        check
            .see(Read, "secret/data/a", json!({}), gone(json!({ "metadata": { "deletion_time": time } })))
            .await;
        check.see(Read, "secret/data/a", version(2), data(json!({ "data": { "n": 2 } }))).await;
        check.see(Write, "secret/delete/a", versions([1, 2, 9]), empty()).await;
        check.see(Read, "secret/data/a", version(1), gone(json!({ "metadata": version(1) }))).await;
        check.see(Write, "secret/undelete/a", versions(["1", "3"]), empty()).await;
        check.see(Read, "secret/data/a", version(1), data(json!({ "data": { "n": 1 } }))).await;
        check.see(Read, "secret/data/a", json!({}), data(json!({ "data": { "n": 3 } }))).await;
        check.see(Read, "secret/data/a", version(2), gone(json!({ "metadata": version(2) }))).await;
    });
}

#[test]
fn destroy_cannot_be_taken_back() {
    Door::run(|door| async move {
        let check = door.checker();
        write_versions(&door, "secret/data/a", 2).await;
        assert_eq!(door.stored_versions().await, 2);
        check.see(Write, "secret/destroy/a", versions("2"), empty()).await;
        assert_eq!(door.stored_versions().await, 1);
        let destroyed =
            json!({ "data": null, "metadata": { "version": 2, "destroyed": true, "deletion_time": "" } });
        check.see(Read, "secret/data/a", json!({}), gone(destroyed)).await;
        check.see(Write, "secret/undelete/a", versions([2]), empty()).await;
        check.see(Read, "secret/data/a", json!({}), gone(json!({ "metadata": { "destroyed": true } }))).await;
        check.see(Write, "secret/destroy/a", versions([1, 2]), empty()).await;
        assert_eq!(door.stored_versions().await, 0);
        check.see(Write, "secret/data/a", json!({ "data": {} }), data(version(3))).await;
    });
}

#[test]
fn versions_must_be_named_but_need_not_exist() {
    Door::run(|door| async move {
        let check = door.checker();
        for what in ["delete", "undelete", "destroy"] {
            let path = format!("secret/{what}/a");
            check.see(Write, &path, json!({}), refused(Invalid, "no version number provided")).await;
            check.see(Write, &path, versions("x"), refused(Invalid, "versions")).await;
            let many: Vec<u64> = (1..=129).collect();
            check.see(Write, &path, versions(many), refused(Invalid, "at most 128")).await;
            check.see(Write, &path, versions([1]), empty()).await;
            let nameless = format!("secret/{what}/");
            check.see(Write, &nameless, versions([1]), refused(Invalid, "names no secret")).await;
        }
        check.see(Delete, "secret/data/a", json!({}), empty()).await;
        check.see(Delete, "secret/metadata/a", json!({}), empty()).await;
    });
}

#[test]
fn the_oldest_are_pruned() {
    Door::run(|door| async move {
        let check = door.checker();
        write_versions(&door, "secret/data/a", 12).await;
        check.see(Read, "secret/data/a", version(2), refused(NotFound, "")).await;
        check.see(Read, "secret/data/a", version(3), data(json!({ "data": { "n": 3 } }))).await;
        assert_eq!(door.stored_versions().await, 10);
        let known = json!({ "current_version": 12, "oldest_version": 3, "max_versions": 0 });
        check.see(Read, "secret/metadata/a", json!({}), data(known)).await;
        // The mount's number, then the secret's own.
        check.see(Write, "secret/config", json!({ "max_versions": 4 }), empty()).await;
        write_versions(&door, "secret/data/a", 1).await;
        assert_eq!(door.stored_versions().await, 4);
        check.see(Write, "secret/metadata/a", json!({ "max_versions": 2 }), empty()).await;
        write_versions(&door, "secret/data/a", 1).await;
        assert_eq!(door.stored_versions().await, 2);
        check
            .see(Write, "secret/config", json!({ "max_versions": 10_001 }), refused(Invalid, "at most 10000"))
            .await;
    });
}

#[test]
fn versions_end_by_themselves() {
    Door::run(|door| async move {
        let check = door.checker();
        check.see(Write, "secret/metadata/a", json!({ "delete_version_after": "1m" }), empty()).await;
        write_versions(&door, "secret/data/a", 1).await;
        let alive = door.ask(Read, "secret/data/a", json!({})).await.data();
        assert_ne!(alive["metadata"]["deletion_time"], json!(""), "the end is shown beforehand");
        door.sleep(Duration::from_secs(61)).await;
        check.see(Read, "secret/data/a", json!({}), gone(json!({ "data": null }))).await;
        check.see(Write, "secret/undelete/a", versions([1]), empty()).await;
        check.see(Read, "secret/data/a", json!({}), data(json!({ "data": { "n": 1 } }))).await;
        // The mount's bound is the shorter one; a secret's wish for more is answered with a warning.
        check.see(Write, "secret/config", json!({ "delete_version_after": 10 }), empty()).await;
        let longer = json!({ "delete_version_after": "1h30m" });
        check.see(Write, "secret/metadata/a", longer, warned("the mount's value is used")).await;
        check
            .see(Read, "secret/metadata/a", json!({}), data(json!({ "delete_version_after": "1h30m0s" })))
            .await;
        write_versions(&door, "secret/data/a", 1).await;
        door.sleep(Duration::from_secs(11)).await;
        check.see(Read, "secret/data/a", json!({}), gone(json!({ "metadata": version(2) }))).await;
        // Switched off for the mount.
        check.see(Write, "secret/config", json!({ "delete_version_after": "-1s" }), empty()).await;
        check.see(Read, "secret/config", json!({}), data(json!({ "delete_version_after": "-1s" }))).await;
        write_versions(&door, "secret/data/a", 1).await;
        door.sleep(Duration::from_secs(100_000)).await;
        check.see(Read, "secret/data/a", json!({}), data(json!({ "metadata": version(3) }))).await;
    });
}

#[test]
fn metadata_is_set_and_merged() {
    Door::run(|door| async move {
        let check = door.checker();
        check.see(Read, "secret/metadata/a", json!({}), refused(NotFound, "")).await;
        check.see(Patch, "secret/metadata/a", json!({ "max_versions": 1 }), refused(NotFound, "")).await;
        let first = json!({ "custom_metadata": { "owner": "ops", "tier": "1" }, "max_versions": "5" });
        check.see(Write, "secret/metadata/a", first, empty()).await;
        let known = json!({
            "cas_required": false, "current_version": 0, "oldest_version": 0, "max_versions": 5,
            "delete_version_after": "0s", "custom_metadata": { "owner": "ops", "tier": "1" }, "versions": {},
        });
        check.see(Read, "secret/metadata/a", json!({}), data(known)).await;
        check.see(Read, "secret/data/a", json!({}), refused(NotFound, "")).await;
        write_versions(&door, "secret/data/a", 1).await;
        let beside = json!({ "metadata": { "custom_metadata": { "owner": "ops" } } });
        check.see(Read, "secret/data/a", json!({}), data(beside)).await;
        let change = json!({ "custom_metadata": { "owner": null, "team": "x" }, "cas_required": true });
        check.see(Patch, "secret/metadata/a", change, empty()).await;
        let answer = door.ask(Read, "secret/metadata/a", json!({})).await.data();
        assert_eq!(answer["custom_metadata"], json!({ "team": "x", "tier": "1" }));
        assert_eq!((&answer["cas_required"], &answer["max_versions"]), (&json!(true), &json!(5)));
        assert_eq!(answer["versions"]["1"]["destroyed"], json!(false));
        check.see(Write, "secret/metadata/a", json!({ "custom_metadata": {} }), empty()).await;
        check.see(Read, "secret/metadata/a", json!({}), data(json!({ "custom_metadata": null }))).await;
        for (fields, text) in [
            (json!({ "custom_metadata": { "a": 1 } }), "must be a text"),
            (json!({ "custom_metadata": { "a": "v".repeat(513) } }), "512 bytes"),
            (json!({ "custom_metadata": "x" }), "must be an object"),
            (json!({ "max_versions": -1 }), "max_versions"),
            (json!({ "cas_required": "maybe" }), "true or false"),
            (json!({ "delete_version_after": "-1s" }), "may not be negative"),
        ] {
            check.see(Write, "secret/metadata/a", fields, refused(Invalid, text)).await;
        }
    });
}

#[test]
fn configuration_keeps_what_is_not_named() {
    Door::run(|door| async move {
        let check = door.checker();
        let default = json!({ "cas_required": false, "delete_version_after": "0s", "max_versions": 0 });
        check.see(Read, "secret/config", json!({}), data(default)).await;
        check
            .see(Write, "secret/config", json!({ "max_versions": 3, "delete_version_after": "24h" }), empty())
            .await;
        check.see(Write, "secret/config", json!({ "cas_required": true }), empty()).await;
        let changed = json!({ "cas_required": true, "delete_version_after": "24h0m0s", "max_versions": 3 });
        check.see(Read, "secret/config", json!({}), data(changed)).await;
        let lax = json!({ "cas_required": false });
        check.see(Write, "secret/metadata/a", lax, warned("mandated by backend config")).await;
    });
}

#[test]
fn removal_takes_every_version() {
    Door::run(|door| async move {
        let check = door.checker();
        write_versions(&door, "secret/data/a/b", 3).await;
        check.see(Delete, "secret/metadata/a/b", json!({}), empty()).await;
        assert_eq!(door.stored_versions().await, 0);
        check.see(Read, "secret/data/a/b", json!({}), refused(NotFound, "")).await;
        check.see(Read, "secret/metadata/a/b", json!({}), refused(NotFound, "")).await;
        check.see(List, "secret/metadata", json!({}), refused(NotFound, "")).await;
        check.see(Write, "secret/data/a/b", json!({ "data": { "n": 9 } }), data(version(1))).await;
        check.see(Read, "secret/data/a/b", version(2), refused(NotFound, "")).await;
    });
}

#[test]
fn removal_of_many_versions_is_bounded_and_complete() {
    Door::run(|door| async move {
        let check = door.checker();
        check.see(Write, "secret/metadata/a", json!({ "max_versions": 200 }), empty()).await;
        write_versions(&door, "secret/data/a", 150).await;
        check.see(Delete, "secret/metadata/a", json!({}), empty()).await;
        assert_eq!(door.stored_versions().await, 150 - 128);
        assert_eq!(door.stored_tombstones().await, 1);
        check.see(Read, "secret/data/a", version(150), refused(NotFound, "")).await;
        check.see(Write, "secret/data/a", json!({ "data": {} }), data(version(1))).await;
        check.see(Read, "secret/data/a", version(150), refused(NotFound, "")).await;
        // What is out of reach is swept, and nothing else.
        door.work(Duration::from_secs(120)).await;
        assert_eq!((door.stored_versions().await, door.stored_tombstones().await), (1, 0));
        check.see(Read, "secret/data/a", json!({}), data(json!({ "metadata": version(1) }))).await;
    });
}
