//! What a change takes away is gone for the next request at every server, and what was in flight came wholly before it or
//! was refused. Workers use at all three what is being taken away, from before until after.

use super::{build, until};
use reqwest::{Method, StatusCode};
use secrethub_tests::{Caller, fleet::text};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Instant,
};

const WORKERS: usize = 6;
/// Times that each thing is taken away, at another server each time.
const ROUNDS: usize = 3;
/// Successes of the workers before that.
const USES: usize = 20;

/// A request, and who makes it.
#[derive(Clone)]
struct Ask {
    caller: Caller,
    method: Method,
    path: String,
    body: Value,
}

impl Ask {
    async fn at(&self, server: &str) -> (StatusCode, Value) {
        let body = Some(&self.body).filter(|body| !body.is_null());
        let answer = self.caller.ask(server, self.method.clone(), &self.path, body).await;
        answer.unwrap_or_else(|error| panic!("{}: {error}", self.path))
    }

    async fn done(&self, server: &str) -> Value {
        let (status, answer) = self.at(server).await;
        assert!(status.is_success(), "{}: {status} {answer}", self.path);
        answer
    }
}

/// Something that can be used and taken away.
struct Row {
    what: &'static str,
    /// Changes something as long as it is there.
    uses: Ask,
    takes: Ask,
    /// How it is refused afterwards.
    refused: StatusCode,
    /// Tells how often it was used.
    counts: Ask,
    count: fn(&Value) -> usize,
}

fn versions(metadata: &Value) -> usize {
    usize::try_from(metadata["data"]["current_version"].as_u64().expect("a version")).unwrap()
}

fn names(list: &Value) -> usize {
    list["data"]["keys"].as_array().map_or(0, Vec::len)
}

fn secret() -> Value {
    json!({ "data": { "value": 1 } })
}

/// Makes requests of a caller with a root token.
#[derive(Clone)]
struct Root(Caller);

impl Root {
    fn ask(&self, method: Method, path: String, body: Value) -> Ask {
        Ask { caller: self.0.clone(), method, path, body }
    }

    /// Writes a secret with a new token of this policy.
    async fn writer(&self, server: &str, policy: &str, path: String) -> Ask {
        let fields = json!({ "policies": [policy], "ttl": "1h" });
        let made = self.0.done(server, Method::POST, "auth/token/create-orphan", fields).await;
        let caller = self.0.with_token(&text(&made, "/auth/client_token"));
        Ask { caller, method: Method::POST, path, body: secret() }
    }

    async fn token_that_is_revoked(&self, server: &str, round: usize) -> Row {
        let uses = self.writer(server, "root", format!("secret/data/revoked-{round}")).await;
        let token = uses.caller.token().to_owned();
        Row {
            what: "a token that is revoked",
            uses,
            takes: self.ask(Method::POST, "auth/token/revoke".to_owned(), json!({ "token": token })),
            refused: StatusCode::FORBIDDEN,
            counts: self.ask(Method::GET, format!("secret/metadata/revoked-{round}"), Value::Null),
            count: versions,
        }
    }

    async fn policy_that_is_changed(&self, server: &str, round: usize) -> Row {
        let name = format!("writer-{round}");
        let policy = |path: &str| {
            let rules = format!("path \"{path}\" {{ capabilities = [\"create\", \"update\"] }}");
            self.ask(Method::PUT, format!("sys/policies/acl/{name}"), json!({ "policy": rules }))
        };
        policy(&format!("secret/data/{name}")).done(server).await;
        Row {
            what: "a policy that is changed",
            uses: self.writer(server, &name, format!("secret/data/{name}")).await,
            takes: policy("secret/data/another"),
            refused: StatusCode::FORBIDDEN,
            counts: self.ask(Method::GET, format!("secret/metadata/{name}"), Value::Null),
            count: versions,
        }
    }

    async fn mount_that_is_moved(&self, server: &str, round: usize) -> Row {
        let (from, to) = (format!("kv-{round}"), format!("moved-{round}"));
        let mount = json!({ "type": "kv", "options": { "version": "2" } });
        self.ask(Method::POST, format!("sys/mounts/{from}"), mount).done(server).await;
        Row {
            what: "a mount that is moved",
            uses: self.ask(Method::POST, format!("{from}/data/a"), secret()),
            takes: self.ask(Method::POST, "sys/remount".to_owned(), json!({ "from": from, "to": to })),
            refused: StatusCode::NOT_FOUND,
            counts: self.ask(Method::GET, format!("{to}/metadata/a"), Value::Null),
            count: versions,
        }
    }

    async fn role_that_is_deleted(&self, server: &str, round: usize) -> Row {
        let role = format!("role-{round}");
        let fields = json!({ "allowed_policies": "default", "orphan": true });
        self.ask(Method::POST, format!("auth/token/roles/{role}"), fields).done(server).await;
        let list = Method::from_bytes(b"LIST").unwrap();
        Row {
            what: "a role that is deleted",
            uses: self.ask(Method::POST, format!("auth/token/create/{role}"), json!({ "ttl": "1h" })),
            takes: self.ask(Method::DELETE, format!("auth/token/roles/{role}"), Value::Null),
            refused: StatusCode::BAD_REQUEST,
            counts: self.ask(list, "auth/token/accessors".to_owned(), Value::Null),
            count: names,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_seen_by_the_next_request_at_every_server() {
    let (_database, fleet) = build();
    let (root, servers) = (Root(fleet.root().await), fleet.urls());
    for round in 0..ROUNDS {
        let at = &servers[round % servers.len()];
        hold(root.token_that_is_revoked(at, round).await, &servers, at).await;
        hold(root.policy_that_is_changed(at, round).await, &servers, at).await;
        hold(root.mount_that_is_moved(at, round).await, &servers, at).await;
        hold(root.role_that_is_deleted(at, round).await, &servers, at).await;
    }
}

/// A worker's requests: when each was sent, and whether it was done.
type Log = Vec<(Instant, bool)>;

async fn hold(row: Row, servers: &[String], at: &str) {
    let what = row.what;
    let (stopped, uses) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let workers = (0..WORKERS).map(|number| {
        let (ask, server) = (row.uses.clone(), servers[number % servers.len()].clone());
        let (stopped, uses) = (Arc::clone(&stopped), Arc::clone(&uses));
        tokio::spawn(async move {
            let mut log = Log::new();
            while !stopped.load(SeqCst) {
                let sent = Instant::now();
                let done = ask.at(&server).await.0.is_success();
                uses.fetch_add(usize::from(done), SeqCst);
                log.push((sent, done));
            }
            log
        })
    });
    let workers: Vec<_> = workers.collect();
    until(what, async || uses.load(SeqCst) >= USES).await;
    row.takes.done(at).await;
    let taken = Instant::now();
    for server in servers {
        let (status, answer) = row.uses.at(server).await;
        assert_eq!(status, row.refused, "{what}: {server} {answer}");
    }
    let count = async || (row.count)(&row.counts.done(at).await);
    let before = count().await;
    stopped.store(true, SeqCst);
    for worker in workers {
        for (sent, done) in worker.await.expect("a worker ends in order") {
            assert!(sent < taken || !done, "{what}: used after it was gone");
        }
    }
    assert_eq!(count().await, before, "{what}: what was in flight came after it");
    assert!(before >= USES, "{what}");
}

/// A write is read by the next request at every server, under load.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_is_read_at_every_server() {
    let (_database, fleet) = build();
    let (root, servers) = (fleet.root().await, fleet.urls());
    let stopped = Arc::new(AtomicBool::new(false));
    let busy = (0..WORKERS).map(|number| {
        let (root, server) = (root.clone(), servers[number % servers.len()].clone());
        let stopped = Arc::clone(&stopped);
        tokio::spawn(async move {
            while !stopped.load(SeqCst) {
                root.done(&server, Method::POST, &format!("secret/data/busy-{number}"), secret()).await;
            }
        })
    });
    let busy: Vec<_> = busy.collect();
    for round in 0..60_u64 {
        let at = usize::try_from(round).unwrap() % servers.len();
        let fields = json!({ "data": { "value": round } });
        root.done(&servers[at], Method::POST, "secret/data/seen", fields).await;
        for server in &servers {
            let read = root.done(server, Method::GET, "secret/data/seen", Value::Null).await;
            assert_eq!(read["data"]["data"]["value"], round, "{server}");
        }
    }
    stopped.store(true, SeqCst);
    for worker in busy {
        worker.await.expect("a worker ends in order");
    }
}
