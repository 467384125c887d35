//! Lists: one level, recursive, paged.

use crate::door::{Door, data, empty, refused};
use secrethub_core::{
    ErrorKind::{Invalid, NotFound},
    Operation::{Delete, List, Write},
};
use serde_json::{Value, json};

async fn fill(door: &Door) {
    for name in ["a", "a/b", "a/c/d", "b", "z/1", "z/2", "é"] {
        let path = format!("secret/data/{name}");
        door.ask(Write, &path, json!({ "data": {} })).await.data();
        let path = format!("kv1/{name}");
        door.ask(Write, &path, json!({ "x": 1 })).await;
    }
}

#[test]
fn lists() {
    Door::run(|door| async move {
        fill(&door).await;
        let check = door.checker();
        for (path, fields, expect) in [
            ("", json!({}), json!(["a", "a/", "b", "z/", "é"])),
            ("/", json!({}), json!(["a", "a/", "b", "z/", "é"])),
            ("/a", json!({}), json!(["b", "c/"])),
            ("/a/", json!({}), json!(["b", "c/"])),
            ("/a/c", json!({}), json!(["d"])),
            ("", json!({ "limit": 2 }), json!(["a", "a/"])),
            ("", json!({ "after": "a/", "limit": 2 }), json!(["b", "z/"])),
            ("", json!({ "after": "z/" }), json!(["é"])),
            ("", json!({ "after": "b", "limit": 0 }), json!(["z/", "é"])),
            ("", json!({ "recursive": true }), json!(["a", "a/b", "a/c/d", "b", "z/1", "z/2", "é"])),
            ("/a", json!({ "recursive": "true" }), json!(["b", "c/d"])),
            ("", json!({ "recursive": true, "after": "a/b", "limit": 2 }), json!(["a/c/d", "b"])),
        ] {
            for root in ["secret/metadata", "kv1"] {
                let full = format!("{root}{path}");
                check.see(List, &full, fields.clone(), data(json!({ "keys": expect }))).await;
            }
        }
        for path in ["secret/metadata/b", "secret/metadata/none", "kv1/b", "kv1/none"] {
            check.see(List, path, json!({}), refused(NotFound, "")).await;
        }
        check.see(List, "secret/metadata", json!({ "limit": "x" }), refused(Invalid, "limit")).await;
        check.see(List, "secret/metadata", json!({ "after": "é" }), refused(NotFound, "")).await;
    });
}

#[test]
fn pages_join_without_gap_or_overlap() {
    Door::run(|door| async move {
        for n in 0..25 {
            let path = format!("secret/data/{}/{n:02}", n % 5);
            door.ask(Write, &path, json!({ "data": {} })).await.data();
        }
        let mut names: Vec<String> = Vec::new();
        loop {
            let after = names.last().cloned().unwrap_or_default();
            let fields = json!({ "recursive": true, "limit": 4, "after": after });
            let answer = door.ask(List, "secret/metadata", fields).await;
            let Some(page) = answer.try_data() else { break };
            let page: Vec<String> = serde_json::from_value(page["keys"].clone()).unwrap();
            assert!(!page.is_empty() && page.len() <= 4);
            names.extend(page);
        }
        let mut expect: Vec<String> = (0..25).map(|n| format!("{}/{n:02}", n % 5)).collect();
        expect.sort();
        assert_eq!(names, expect);
    });
}

/// More names than a page of the store holds, and a folder where the first page ends.
#[test]
fn long_lists_are_whole() {
    Door::run(|door| async move {
        let mut names: Vec<String> = (0..1_000).map(|n| format!("{n:03}")).collect();
        names.extend(["999/a".to_owned(), "999/b".to_owned()]);
        for name in &names {
            door.ask(Write, &format!("kv1/{name}"), json!({ "x": 1 })).await;
        }
        let all = door.ask(List, "kv1", json!({ "recursive": true })).await.data();
        assert_eq!(all["keys"], json!(names));
        let level = door.ask(List, "kv1", json!({})).await.data();
        assert_eq!(level["keys"].as_array().map(Vec::len), Some(1_001));
    });
}

#[test]
fn deleted_secrets_stay_in_the_list_until_removed() {
    Door::run(|door| async move {
        let check = door.checker();
        check.see(Write, "secret/data/a", json!({ "data": {} }), data(json!({}))).await;
        check.see(Delete, "secret/data/a", json!({}), empty()).await;
        check.see(List, "secret/metadata", Value::Null, data(json!({ "keys": ["a"] }))).await;
        check.see(Delete, "secret/metadata/a", json!({}), empty()).await;
        check.see(List, "secret/metadata", Value::Null, refused(NotFound, "")).await;
    });
}
