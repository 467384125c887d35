//! Nodes tell of each other: who is there, who is silent, who has gone, and whose clock is wrong.

use crate::house::House;
use secrethub_core::{ErrorKind::Sealed, Operation::Read, system::Settings};
use serde_json::{Value, json};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// The nodes that the asked one tells of, itself first.
async fn members(house: &House) -> Vec<Value> {
    house.read("sys/ha-status").await["nodes"].as_array().unwrap().clone()
}

fn named() -> Settings {
    Settings { hostname: "alpha".to_owned(), api_address: "https://a:8200".to_owned(), ..Settings::default() }
}

#[test]
fn every_node_tells_of_all() {
    House::run_seeded(1, named, |house| async move {
        let alone = members(&house).await;
        assert_eq!(alone.len(), 1, "itself, before its first record: {alone:?}");
        assert_eq!((&alone[0]["is_self"], &alone[0]["last_echo"]), (&json!(true), &Value::Null));
        house.work_all(MINUTE / 2).await;
        for at in 0..2 {
            let nodes = members(&house.node(at)).await;
            let flags: Vec<&Value> = nodes.iter().map(|node| &node["is_self"]).collect();
            assert_eq!(flags, [&json!(true), &json!(false)]);
            for node in &nodes {
                assert_eq!(
                    (&node["hostname"], &node["api_address"]),
                    (&json!("alpha"), &json!("https://a:8200"))
                );
                let said =
                    [&node["active_node"], &node["stale"], &node["degraded"], &node["cluster_address"]];
                assert_eq!(said, [&json!(true), &json!(false), &json!(false), &json!("")]);
                assert_eq!(node["version"], Settings::default().version);
                assert!(node["started"].is_string() && node["store_latency_us"].is_number(), "{node}");
            }
            assert!(nodes[1]["last_echo"].as_str().unwrap().ends_with('Z'));
        }
        let id = |nodes: &[Value], at: usize| nodes[at]["node_id"].as_str().unwrap().to_owned();
        let (one, two) = (members(&house.node(0)).await, members(&house.node(1)).await);
        assert_eq!((id(&one, 0), id(&one, 1)), (id(&two, 1), id(&two, 0)));
    });
}

#[test]
fn a_heartbeat_leaves_no_audit_record() {
    House::run(|house| async move {
        house.work_all(2 * MINUTE).await;
        let before = (house.records().await, house.keys("node/").len());
        house.work_all(5 * MINUTE).await;
        assert_eq!((house.records().await, house.keys("node/").len()), before);
        assert_eq!(before.1, 2);
    });
}

#[test]
fn a_silent_node_is_stale_after_a_minute_and_forgotten_after_an_hour() {
    House::run(|house| async move {
        house.work_all(MINUTE).await;
        // Node 1 does nothing more, as one that was killed.
        let check = async |stale: &[bool]| {
            let nodes = members(&house).await;
            assert_eq!(nodes.iter().map(|node| node["stale"] == true).collect::<Vec<_>>(), stale);
        };
        house.work(Duration::from_secs(45)).await;
        check(&[false, false]).await;
        house.work(MINUTE / 2).await;
        check(&[false, true]).await;
        house.work(50 * MINUTE).await;
        check(&[false, true]).await;
        house.work(15 * MINUTE).await;
        check(&[false]).await;
        assert_eq!(house.keys("node/").len(), 1);
        // It was only paused.
        house.work_all(MINUTE).await;
        check(&[false, false]).await;
    });
}

#[test]
fn a_node_that_is_sealed_takes_its_record_away() {
    House::run(|house| async move {
        house.work_all(MINUTE).await;
        house.node(1).write("sys/seal", json!({})).await;
        house.work_all(Duration::from_secs(15)).await;
        assert_eq!(house.keys("node/").len(), 1, "and none comes back");
        assert_eq!(members(&house).await.len(), 1);
        assert_eq!(house.node(1).kind(Read, "sys/ha-status", Value::Null).await, Some(Sealed));
        house.node(1).unseal().await;
        house.work_all(MINUTE / 2).await;
        assert_eq!(members(&house.node(1)).await.len(), 2);
    });
}

#[test]
fn a_wrong_clock_degrades_and_makes_nobody_stale() {
    let check = |ahead: i64, degraded: bool| {
        House::run(move |house| async move {
            house.work_all(MINUTE).await;
            house.node(1).set_ahead(ahead);
            house.work_all(2 * MINUTE).await;
            let told = async |at: usize| {
                let other = &members(&house.node(at)).await[1];
                let health = house.node(at).read("sys/health").await;
                assert_eq!(health["clock_skewed"], other["degraded"], "{ahead}");
                assert_eq!(other["stale"], false, "{ahead}");
                (other["degraded"] == true, other["clock_ahead_ms"].as_i64().unwrap())
            };
            let (one, two) = (told(0).await, told(1).await);
            assert_eq!((one.0, two.0), (degraded, degraded), "{ahead}: {one:?} {two:?}");
            if degraded {
                assert!(one.1.signum() == ahead.signum() && two.1.signum() == -ahead.signum());
            }
            house.node(1).set_ahead(0);
            house.work_all(MINUTE / 2).await;
            assert!(!told(0).await.0 && !told(1).await.0, "right again: {ahead}");
        });
    };
    check(0, false);
    check(4, false);
    check(20, true);
    check(-20, true);
    check(7_200, true);
    check(-7_200, true);
}
