//! Reading, writing, check-and-set, patch, subkeys: `data/` and what hangs on it.

use crate::door::{Door, data, empty, gone, refused};
use secrethub_core::{
    ErrorKind::{Invalid, NotFound, TooLarge, Unsupported},
    Operation::{Delete, List, Patch, Read, Write},
};
use serde_json::{Value, json};

#[test]
fn versions_are_kept() {
    Door::run(|door| async move {
        let check = door.checker();
        check.see(Read, "secret/data/app", json!({}), refused(NotFound, "")).await;
        let first =
            data(json!({ "version": 1, "destroyed": false, "deletion_time": "", "custom_metadata": null }));
        check.see(Write, "secret/data/app", json!({ "data": { "a": 1 } }), first).await;
        check
            .see(Write, "secret/data/app", json!({ "data": { "a": 2 } }), data(json!({ "version": 2 })))
            .await;
        let newest = json!({ "data": { "a": 2 }, "metadata": { "version": 2, "custom_metadata": null } });
        check.see(Read, "secret/data/app", json!({}), data(newest.clone())).await;
        check.see(Read, "secret/data/app", json!({ "version": 0 }), data(newest.clone())).await;
        check.see(Read, "secret/data/app", json!({ "version": "" }), data(newest)).await;
        let first = json!({ "data": { "a": 1 }, "metadata": { "version": 1 } });
        check.see(Read, "secret/data/app", json!({ "version": "1" }), data(first)).await;
        check.see(Read, "secret/data/app", json!({ "version": 3 }), refused(NotFound, "")).await;
        check.see(Read, "secret/data/app", json!({ "version": "x" }), refused(Invalid, "version")).await;
        check.see(Read, "secret/data/ap", json!({}), refused(NotFound, "")).await;
        check.see(Read, "secret/data/app/", json!({}), refused(NotFound, "")).await;
    });
}

#[test]
fn data_comes_back_as_it_went_in() {
    Door::run(|door| async move {
        let check = door.checker();
        let values = [
            json!({}),
            json!({ "": "", "é日": "\u{1F511}\n\t\"\\" }),
            json!({ "deep": { "list": [1, -2.5, true, null, { "x": [] }] } }),
            json!({ "big": 18_446_744_073_709_551_615_u64, "small": -9_223_372_036_854_775_808_i64 }),
            json!({ "long": "x".repeat(300_000) }),
        ];
        for (index, value) in values.iter().enumerate() {
            let path = format!("secret/data/values/{index}");
            check.see(Write, &path, json!({ "data": value }), data(json!({ "version": 1 }))).await;
            let back = door.ask(Read, &path, json!({})).await.data();
            assert_eq!(&back["data"], value);
        }
    });
}

#[test]
fn bad_writes_say_what_to_do() {
    Door::run(|door| async move {
        let check = door.checker();
        for (path, fields, text) in [
            ("secret/data/a", json!({}), "no data provided"),
            ("secret/data/a", json!({ "data": null }), "no data provided"),
            ("secret/data/a", json!({ "data": "text" }), "must be an object"),
            ("secret/data/a", json!({ "data": { "a": 1 }, "options": 1 }), "must be an object"),
            ("secret/data/a", json!({ "data": { "a": 1 }, "options": { "cas": -1 } }), "options.cas"),
            ("secret/data/a", json!({ "data": { "a": 1 }, "options": { "cas": "x" } }), "options.cas"),
            ("secret/data", json!({ "data": { "a": 1 } }), "names no secret"),
            ("secret/data/", json!({ "data": { "a": 1 } }), "names no secret"),
            ("secret/data/a/", json!({ "data": { "a": 1 } }), "ending in '/'"),
            ("secret/data/a//b", json!({ "data": { "a": 1 } }), "empty segment"),
        ] {
            check.see(Write, path, fields, refused(Invalid, text)).await;
        }
        let huge = json!({ "data": { "a": "x".repeat(9 * 1024 * 1024) } });
        check.see(Write, "secret/data/a", huge, refused(TooLarge, "")).await;
        check.see(List, "secret/metadata", json!({}), refused(NotFound, "")).await;
    });
}

#[test]
fn check_and_set() {
    const MISMATCH: &str = "check-and-set parameter did not match the current version";
    const REQUIRED: &str = "check-and-set parameter required for this call";
    Door::run(|door| async move {
        let check = door.checker();
        let with = |cas: Value| json!({ "data": { "a": 1 }, "options": { "cas": cas } });
        check.see(Write, "secret/data/a", with(json!(1)), refused(Invalid, MISMATCH)).await;
        check.see(Write, "secret/data/a", with(json!(0)), data(json!({ "version": 1 }))).await;
        check.see(Write, "secret/data/a", with(json!(0)), refused(Invalid, MISMATCH)).await;
        check.see(Write, "secret/data/a", with(json!("1")), data(json!({ "version": 2 }))).await;
        check.see(Write, "secret/data/a", with(json!(null)), data(json!({ "version": 3 }))).await;
        // A deleted version still counts.
        check.see(Delete, "secret/data/a", json!({}), empty()).await;
        check.see(Write, "secret/data/a", with(json!(0)), refused(Invalid, MISMATCH)).await;
        check.see(Write, "secret/data/a", with(json!(3)), data(json!({ "version": 4 }))).await;
        // Demanded by the secret, then by the mount.
        check.see(Write, "secret/metadata/a", json!({ "cas_required": true }), empty()).await;
        check.see(Write, "secret/data/a", with(json!(null)), refused(Invalid, REQUIRED)).await;
        check.see(Patch, "secret/data/a", with(json!(null)), refused(Invalid, REQUIRED)).await;
        check.see(Write, "secret/rollback/a", json!({ "version": 1 }), refused(Invalid, REQUIRED)).await;
        check.see(Write, "secret/data/a", with(json!(4)), data(json!({ "version": 5 }))).await;
        check.see(Write, "secret/data/b", with(json!(null)), data(json!({ "version": 1 }))).await;
        check.see(Write, "secret/config", json!({ "cas_required": "true" }), empty()).await;
        check.see(Write, "secret/data/b", with(json!(null)), refused(Invalid, REQUIRED)).await;
        check.see(Write, "secret/data/new", with(json!(null)), refused(Invalid, REQUIRED)).await;
        check.see(Write, "secret/data/new", with(json!(0)), data(json!({ "version": 1 }))).await;
    });
}

#[test]
fn patch_merges_into_the_newest() {
    Door::run(|door| async move {
        let check = door.checker();
        let patch = |data: Value| json!({ "data": data });
        check.see(Patch, "secret/data/a", patch(json!({ "x": 1 })), refused(NotFound, "")).await;
        let first = json!({ "data": { "a": 1, "b": { "c": 1, "d": 2 } } });
        check.see(Write, "secret/data/a", first, data(json!({ "version": 1 }))).await;
        let change = json!({ "a": null, "b": { "c": 9 }, "e": [1] });
        check.see(Patch, "secret/data/a", patch(change), data(json!({ "version": 2 }))).await;
        let merged = door.ask(Read, "secret/data/a", json!({})).await.data();
        assert_eq!(merged["data"], json!({ "b": { "c": 9, "d": 2 }, "e": [1] }));
        check.see(Patch, "secret/data/a", json!({}), refused(Invalid, "no data provided")).await;
        let stale = json!({ "data": { "x": 1 }, "options": { "cas": 1 } });
        check.see(Patch, "secret/data/a", stale, refused(Invalid, "did not match")).await;
        let fresh = json!({ "data": { "x": 1 }, "options": { "cas": 2 } });
        check.see(Patch, "secret/data/a", fresh, data(json!({ "version": 3 }))).await;
        check.see(Delete, "secret/data/a", json!({}), empty()).await;
        let gone = gone(json!({ "data": null, "metadata": { "version": 3 } }));
        check.see(Patch, "secret/data/a", patch(json!({ "x": 1 })), gone).await;
    });
}

#[test]
fn subkeys_show_names_only() {
    Door::run(|door| async move {
        let check = door.checker();
        let secret = json!({ "data": { "user": "canary-1", "db": { "password": "canary-2" } } });
        check.see(Write, "secret/data/a", secret, data(json!({ "version": 1 }))).await;
        let whole =
            json!({ "subkeys": { "user": null, "db": { "password": null } }, "metadata": { "version": 1 } });
        check.see(Read, "secret/subkeys/a", json!({}), data(whole.clone())).await;
        check.see(Read, "secret/subkeys/a", json!({ "version": 1, "depth": 2 }), data(whole)).await;
        let top = json!({ "subkeys": { "user": null, "db": null } });
        check.see(Read, "secret/subkeys/a", json!({ "depth": "1" }), data(top)).await;
        let text = door.ask(Read, "secret/subkeys/a", json!({})).await.data().to_string();
        assert!(!text.contains("canary"), "{text}");
        check.see(Read, "secret/subkeys/b", json!({}), refused(NotFound, "")).await;
        check.see(Delete, "secret/data/a", json!({}), empty()).await;
        let none = gone(json!({ "subkeys": null, "metadata": { "version": 1 } }));
        check.see(Read, "secret/subkeys/a", json!({}), none).await;
    });
}

#[test]
fn wrong_paths_are_explained() {
    Door::run(|door| async move {
        let text = "Invalid path for a versioned K/V secrets engine";
        for (operation, command) in [(Read, "get"), (Write, "put"), (List, "list"), (Delete, "delete")] {
            let answer = door.ask(operation, "secret/app", json!({ "data": {} })).await;
            let warnings = answer.warnings().concat();
            assert!(
                warnings.contains(text) && warnings.contains(&format!("'vault kv {command}'")),
                "{warnings}"
            );
        }
        let check = door.checker();
        check.see(Read, "secret/destroy/app", json!({}), refused(Unsupported, "unsupported operation")).await;
        check
            .see(Patch, "secret/undelete/app", json!({}), refused(Unsupported, "unsupported operation"))
            .await;
    });
}
