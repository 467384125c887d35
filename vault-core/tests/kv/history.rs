//! History, comparison and rollback: ours, not Vault's.

use crate::door::{Door, data, empty, refused};
use secrethub_core::{
    ErrorKind::{Invalid, NotFound},
    Operation::{Delete, Read, Write},
};
use serde_json::{Value, json};

async fn write(door: &Door, value: Value) {
    door.ask(Write, "secret/data/a", json!({ "data": value })).await.data();
}

#[test]
fn history_says_who_and_when_but_never_what() {
    Door::run(|door| async move {
        let check = door.checker();
        check.see(Read, "secret/history/a", json!({}), refused(NotFound, "")).await;
        write(&door, json!({ "password": "canary-1" })).await;
        write(&door, json!({ "password": "canary-2" })).await;
        check.see(Write, "secret/destroy/a", json!({ "versions": [1] }), empty()).await;
        check.see(Delete, "secret/data/a", json!({}), empty()).await;
        write(&door, json!({ "password": "canary-3" })).await;
        let history = door.ask(Read, "secret/history/a", json!({})).await.data();
        let rows = history["versions"].as_array().unwrap();
        let column = |name: &str| rows.iter().map(|row| row[name].clone()).collect::<Value>();
        assert_eq!(column("version"), json!([3, 2, 1]));
        assert_eq!(column("state"), json!(["readable", "deleted", "destroyed"]));
        assert_eq!(column("created_by"), json!(["root", "root", "root"]));
        assert!(!history.to_string().contains("canary"), "{history}");
    });
}

#[test]
fn comparison_names_names_but_no_values() {
    Door::run(|door| async move {
        let check = door.checker();
        write(&door, json!({ "same": "canary", "gone": "canary", "db": { "password": "canary-old" } })).await;
        write(&door, json!({ "same": "canary", "new": "canary", "db": { "password": "canary-new" } })).await;
        let expect = json!({
            "from": { "version": 1 }, "to": { "version": 2 },
            "added": ["new"], "removed": ["gone"], "changed": ["db/password"],
        });
        check.see(Read, "secret/compare/a", json!({ "versions": "1,2" }), data(expect)).await;
        let answer = door.ask(Read, "secret/compare/a", json!({ "versions": [2, 1] })).await.data();
        assert_eq!((&answer["added"], &answer["removed"]), (&json!(["gone"]), &json!(["new"])));
        assert!(!answer.to_string().contains("canary"), "{answer}");
        let same = json!({ "added": [], "removed": [], "changed": [] });
        check.see(Read, "secret/compare/a", json!({ "versions": "2,2" }), data(same)).await;
        for bad in [
            json!({}),
            json!({ "versions": "1" }),
            json!({ "versions": "1,2,3" }),
            json!({ "versions": "a,b" }),
        ] {
            check.see(Read, "secret/compare/a", bad, refused(Invalid, "versions")).await;
        }
        check
            .see(Read, "secret/compare/a", json!({ "versions": "1,7" }), refused(NotFound, "version 7"))
            .await;
        check.see(Write, "secret/delete/a", json!({ "versions": [1] }), empty()).await;
        let deleted = refused(Invalid, "version 1 is deleted or destroyed");
        check.see(Read, "secret/compare/a", json!({ "versions": "1,2" }), deleted).await;
    });
}

#[test]
fn rollback_writes_the_old_as_new() {
    Door::run(|door| async move {
        let check = door.checker();
        check.see(Write, "secret/rollback/a", json!({ "version": 1 }), refused(NotFound, "")).await;
        write(&door, json!({ "n": 1 })).await;
        write(&door, json!({ "n": 2 })).await;
        check.see(Write, "secret/rollback/a", json!({}), refused(Invalid, "name the version")).await;
        check.see(Write, "secret/rollback/a", json!({ "version": 7 }), refused(NotFound, "version 7")).await;
        let stale = json!({ "version": 1, "cas": 1 });
        check.see(Write, "secret/rollback/a", stale, refused(Invalid, "did not match")).await;
        let stale = json!({ "version": 1, "options": { "cas": 1 } });
        check.see(Write, "secret/rollback/a", stale, refused(Invalid, "did not match")).await;
        let fresh = json!({ "version": 1, "cas": 2 });
        check.see(Write, "secret/rollback/a", fresh, data(json!({ "version": 3 }))).await;
        check.see(Read, "secret/data/a", json!({}), data(json!({ "data": { "n": 1 } }))).await;
        check.see(Read, "secret/data/a", json!({ "version": 2 }), data(json!({ "data": { "n": 2 } }))).await;
        let history = door.ask(Read, "secret/history/a", json!({})).await.data();
        assert_eq!(history["versions"][0]["rollback_of"], json!(1));
        check.see(Write, "secret/delete/a", json!({ "versions": [2] }), empty()).await;
        let deleted = refused(Invalid, "version 2 is deleted or destroyed");
        check.see(Write, "secret/rollback/a", json!({ "version": 2 }), deleted).await;
    });
}
