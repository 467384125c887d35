//! Many writers at once, and a store that fails: what is acknowledged stands, what is refused left no trace.

use crate::door::Door;
use futures::future::{join, join_all};
use secrethub_core::{
    Operation::{Patch, Read, Write},
    testing::Rates,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Eight writers add 1 until each has been let through ten times; check-and-set makes the sum exact.
#[test]
fn writers_with_check_and_set_sum_up() {
    for seed in 1..=2 {
        Door::run_seeded(seed, |door| async move {
            door.store().rates(Rates { pauses: 500, ..Rates::default() });
            door.ask(Write, "secret/data/sum", json!({ "data": { "n": 0 } })).await.data();
            let refused = join_all((0..8).map(|_| add_ten(door.clone()))).await;
            let sum = door.ask(Read, "secret/data/sum", json!({})).await.data();
            assert_eq!((&sum["data"]["n"], &sum["metadata"]["version"]), (&json!(80), &json!(81)));
            assert!(refused.iter().sum::<u32>() > 0, "the writers never met: this proves nothing");
        });
    }
}

/// Returns how often it was refused.
async fn add_ten(door: Door) -> u32 {
    let (mut done, mut refused) = (0, 0);
    while done < 10 {
        let now = door.ask(Read, "secret/data/sum", json!({})).await.data();
        let (n, version) = (now["data"]["n"].as_u64().unwrap(), &now["metadata"]["version"]);
        let next = json!({ "data": { "n": n + 1 }, "options": { "cas": version } });
        match door.ask(Write, "secret/data/sum", next).await.try_data() {
            Some(_) => done += 1,
            None => refused += 1,
        }
    }
    refused
}

/// Patches of different names at the same time are all kept: each is merged into what the others left.
#[test]
fn patches_do_not_overwrite_each_other() {
    Door::run(|door| async move {
        door.store().rates(Rates { pauses: 500, ..Rates::default() });
        door.ask(Write, "secret/data/a", json!({ "data": {} })).await.data();
        let patch = |n: u32| {
            let door = door.clone();
            async move { door.ask(Patch, "secret/data/a", json!({ "data": { n.to_string(): n } })).await.data() }
        };
        join_all((0..8).map(patch)).await;
        let whole = door.ask(Read, "secret/data/a", json!({})).await.data();
        assert_eq!(whole["data"].as_object().map(serde_json::Map::len), Some(8), "{whole}");
    });
}

/// Writes and changes of metadata at the same time are all kept.
#[test]
fn writes_and_metadata_do_not_overwrite_each_other() {
    Door::run(|door| async move {
        door.store().rates(Rates { pauses: 500, ..Rates::default() });
        door.ask(Write, "secret/data/a", json!({ "data": {} })).await.data();
        let both = |n: u32| {
            let door = door.clone();
            async move {
                let custom = json!({ "custom_metadata": { n.to_string(): "x" } });
                let patch = door.ask(Patch, "secret/metadata/a", custom);
                let write = door.ask(Write, "secret/data/a", json!({ "data": { "n": n } }));
                let (patched, written) = join(patch, write).await;
                assert!(patched.0.is_ok() && written.0.is_ok());
            }
        };
        join_all((0..8).map(both)).await;
        let known = door.ask(Read, "secret/metadata/a", json!({})).await.data();
        let custom = known["custom_metadata"].as_object().map(serde_json::Map::len);
        assert_eq!((custom, &known["current_version"]), (Some(8), &json!(9)), "{known}");
    });
}

/// Writes of distinct numbers over a store that refuses, loses answers and applies late.
#[test]
fn a_failing_store_leaves_all_or_nothing() {
    for seed in 1..=8 {
        Door::run_seeded(seed, move |door| async move {
            door.ask(Write, "secret/config", json!({ "max_versions": 1_000 })).await;
            let rates = Rates { before: 100, after: 100, later: 100, reads: 50, pauses: 300 };
            door.store().rates(rates);
            let attempts = join_all((0..40).map(|n| attempt(door.clone(), n))).await;
            door.store().rates(Rates::default());
            door.store().settle().await;
            let acknowledged: BTreeMap<u64, u64> = attempts.into_iter().flatten().collect();
            compare(&door, &acknowledged, seed).await;
        });
    }
}

/// The version that was acknowledged, with the number it must hold.
async fn attempt(door: Door, n: u64) -> Option<(u64, u64)> {
    let written = door.ask(Write, "secret/data/a", json!({ "data": { "n": n } })).await.try_data()?;
    Some((written["version"].as_u64().unwrap(), n))
}

/// Every version there is can be read, holds a number of its own, and all that was acknowledged is among them.
async fn compare(door: &Door, acknowledged: &BTreeMap<u64, u64>, seed: u64) {
    let known = door.ask(Read, "secret/history/a", Value::Null).await.data();
    let current = known["current_version"].as_u64().unwrap();
    let mut stored = BTreeMap::new();
    for version in 1..=current {
        let read = door.ask(Read, "secret/data/a", json!({ "version": version })).await.data();
        stored.insert(version, read["data"]["n"].as_u64().unwrap());
    }
    let mut numbers: Vec<u64> = stored.values().copied().collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), stored.len(), "a write was applied twice (seed {seed})");
    for (version, n) in acknowledged {
        assert_eq!(
            stored.get(version),
            Some(n),
            "version {version} is not what was acknowledged (seed {seed})"
        );
    }
    assert_eq!(door.stored_versions().await, stored.len(), "data without a version (seed {seed})");
    assert!(!acknowledged.is_empty(), "nothing was acknowledged (seed {seed})");
}
