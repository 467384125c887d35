//! The servers are restarted one after the other, in order, while clients go on: who is refused a connection asks the
//! next server, and nobody notices more than that.

use super::{build, until};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

const CLIENTS: usize = 6;
/// Requests answered between two restarts.
const ANSWERS: usize = 60;

/// What the clients have seen.
#[derive(Default)]
struct Seen {
    stopped: AtomicBool,
    answered: AtomicUsize,
    refused: AtomicUsize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_fails_no_request() {
    let (_database, mut fleet) = build();
    let (root, servers) = (fleet.root().await, fleet.urls());
    let seen = Arc::new(Seen::default());
    // A connection each request: one that is kept may be closed by the server while a request is on its way to it, and
    // that is no refusal. Clients that keep connections send such a request again where that is safe.
    let client = Client::builder().no_proxy().pool_max_idle_per_host(0).build().expect("a client");
    let clients = (0..CLIENTS).map(|number| {
        let (client, token) = (client.clone(), root.token().to_owned());
        let (servers, seen) = (servers.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            for count in number.. {
                if seen.stopped.load(SeqCst) {
                    return;
                }
                let written = count.is_multiple_of(2);
                let method = if written { Method::POST } else { Method::GET };
                let body = if written { json!({ "data": { "count": count } }) } else { Value::Null };
                let path = if written {
                    format!("secret/data/{number}")
                } else {
                    "auth/token/lookup-self".to_owned()
                };
                let mut tries = servers.iter().cycle().skip(count).take(servers.len());
                loop {
                    let server = tries.next().expect("two servers of three are always there");
                    let request = client.request(method.clone(), format!("{server}/v1/{path}"));
                    let request = request.header("X-Vault-Token", &token).body(body.to_string());
                    match request.send().await {
                        Ok(answer) => {
                            assert!(answer.status().is_success(), "{path}: {answer:?}");
                            break;
                        }
                        Err(error) if error.is_connect() => seen.refused.fetch_add(1, SeqCst),
                        Err(error) => panic!("{path}: {error:?}"),
                    };
                }
                seen.answered.fetch_add(1, SeqCst);
            }
        })
    });
    let clients: Vec<_> = clients.collect();
    for at in 0..servers.len() {
        let enough = seen.answered.load(SeqCst) + ANSWERS;
        until("answers", async || {
            seen.answered.load(SeqCst) >= enough || clients.iter().any(|client| client.is_finished())
        })
        .await;
        let refused = seen.refused.load(SeqCst);
        let server = &mut fleet.servers[at];
        assert_eq!(server.terminate(), Some(0), "it ends in order:\n{}", server.log());
        until("a refusal", async || {
            seen.refused.load(SeqCst) > refused || clients.iter().any(|client| client.is_finished())
        })
        .await;
        fleet.servers[at].restart();
    }
    seen.stopped.store(true, SeqCst);
    for client in clients {
        client.await.expect("no request failed");
    }
    println!(
        "{} answered, {} refused and asked again",
        seen.answered.load(SeqCst),
        seen.refused.load(SeqCst)
    );
}
