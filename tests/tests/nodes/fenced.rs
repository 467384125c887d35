//! A server is stopped in the midst of shared work, as a machine that swaps or is moved. Another takes over when the
//! lock's time is over; the first one wakes and changes nothing.

use super::{build, query, until};
use reqwest::Method;
use secrethub_testkit::Server;
use secrethub_tests::{Caller, fleet::text};
use serde_json::{Value, json};
use std::process::Command;
use tokio::task::JoinSet;

/// Secrets of a mount, so many that removing them takes a while.
const SECRETS: usize = 3_000;
const WRITERS: usize = 16;
/// A mount each; a server may be done before it is stopped.
const TRIES: usize = 5;

fn signal(servers: &[&Server], signal: &str) {
    let pids = servers.iter().map(|server| server.pid().to_string());
    let sent = Command::new("kill").arg(signal).args(pids).status().expect("kill runs");
    assert!(sent.success(), "kill {signal}");
}

/// Every server knows that the others' clocks agree: their records were seen to change.
async fn acquaint(root: &Caller, servers: &[String]) {
    for server in servers {
        let echoes = async || {
            let told = root.done(server, Method::GET, "sys/ha-status", Value::Null).await;
            let nodes = told["nodes"].as_array().expect("nodes").clone();
            let mut echoes: Vec<(String, Value)> = nodes
                .iter()
                .filter(|node| node["is_self"] != true)
                .map(|node| (text(node, "/node_id"), node["last_echo"].clone()))
                .collect();
            echoes.sort_by(|a, b| a.0.cmp(&b.0));
            echoes
        };
        until("both others", async || echoes().await.len() == 2).await;
        let before = echoes().await;
        until("their heartbeats", async || {
            echoes().await.iter().zip(&before).all(|(now, then)| now.1 != then.1)
        })
        .await;
    }
}

/// Fills a mount and disables it: what stood in it is swept in the background.
async fn leave_work(root: &Caller, servers: &[String], mount: &str) {
    let server = &servers[0];
    root.done(server, Method::POST, &format!("sys/mounts/{mount}"), json!({ "type": "kv" })).await;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (root, server) = (root.clone(), servers[writer % servers.len()].clone());
        let mount = mount.to_owned();
        writers.spawn(async move {
            for number in (writer..SECRETS).step_by(WRITERS) {
                root.done(&server, Method::POST, &format!("{mount}/{number}"), json!({ "value": 1 })).await;
            }
        });
    }
    writers.join_all().await;
    root.done(server, Method::DELETE, &format!("sys/mounts/{mount}"), Value::Null).await;
}

const LOCKED: &str = "SELECT count(*) FROM kv WHERE key LIKE 'lock/sweep-mounts/%'";
const LEFT: &str = "SELECT count(*) FROM kv WHERE key LIKE 'ns/0/unmounted/%' OR key LIKE 'lock/%'";
const SWEPT: &str =
    "SELECT encode(chain, 'hex') FROM audit_logs WHERE operation = 'sweep' ORDER BY timestamp DESC LIMIT 1";
/// All that engines and jobs keep.
const STANDS: &str =
    "SELECT md5(string_agg(key || encode(rev, 'hex'), ',' ORDER BY key)) FROM kv WHERE key LIKE 'ns/%'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_stopped_changes_nothing_when_it_wakes() {
    let (_database, fleet) = build();
    let (root, urls, store) = (fleet.root().await, fleet.urls(), fleet.store());
    acquaint(&root, &urls).await;
    let mut ids = Vec::new();
    for url in &urls {
        let told = root.done(url, Method::GET, "sys/ha-status", Value::Null).await;
        ids.push(text(&told, "/nodes/0/node_id"));
    }
    let all: Vec<&Server> = fleet.servers.iter().collect();
    let mut caught = None;
    for number in 0..TRIES {
        leave_work(&root, &urls, &format!("bulk-{number}")).await;
        until("somebody at work", async || query(store, LOCKED) == "1").await;
        signal(&all, "-STOP");
        if query(store, LOCKED) == "1" {
            caught = ids.iter().position(|id| *id == query(store, SWEPT));
            break;
        }
        signal(&all, "-CONT");
    }
    let caught = caught.expect("a server was stopped at its work");
    let sweeps = || {
        query(
            store,
            &format!(
                "SELECT count(*) FROM audit_logs WHERE operation = 'sweep' AND chain = '\\x{}'",
                ids[caught]
            ),
        )
    };
    let its_sweeps = sweeps();
    let others: Vec<&Server> =
        all.iter().enumerate().filter(|(at, _)| *at != caught).map(|(_, server)| *server).collect();
    signal(&others, "-CONT");
    until("another took over and is done", async || query(store, LEFT) == "0").await;
    let stands = query(store, STANDS);
    signal(&[all[caught]], "-CONT");
    // It lives, and whatever it had begun is over: its lane commits in order.
    for _ in 0..20 {
        root.done(&urls[caught], Method::GET, "auth/token/lookup-self", Value::Null).await;
    }
    assert_eq!((query(store, STANDS), sweeps()), (stands, its_sweeps), "it changed something");
    let report = root.done(&urls[caught], Method::POST, "audit/verify", json!({})).await;
    assert_eq!(report["data"]["verified"], true, "{report}");
}
