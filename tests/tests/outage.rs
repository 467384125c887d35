//! A vault on PostgreSQL whose database goes away: killed, restarted, cut off before and after it has done what it was
//! asked, silent, failed over to a standby. Every request ends in time; what fails says "try again"; what was
//! acknowledged stands, each with its record, and nothing else does by halves; the vault goes on without a restart.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use secrethub::{
    TokioHost,
    core::{
        Operation::{self, Read, Write},
        Parts, Request, Vault,
        audit::{AuditQuery, verify},
        error::{Error, ErrorKind},
        limits::REQUEST_DEADLINE,
        store::Backend,
        system::Settings,
    },
    default_crypto, open_store,
};
use secrethub_testkit::{Cluster, Proxy, Setup, Wire};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

const WRITERS: usize = 8;
/// What a request may take: its deadline for the store's answers, and as much again for what comes before the commit.
const BOUND: Duration = REQUEST_DEADLINE.saturating_mul(2);

/// A vault, and what it has acknowledged.
struct House {
    vault: Arc<Vault>,
    token: String,
    public: [u8; 32],
    acknowledged: Mutex<BTreeMap<String, Vec<(u64, String)>>>,
    count: AtomicU64,
    refused: AtomicU64,
    stopped: AtomicBool,
}

impl House {
    async fn open(url: &str) -> Arc<Self> {
        let parts = Parts {
            backend: open_store(url).await.unwrap(),
            host: Arc::new(TokioHost::new()),
            crypto: default_crypto(),
            settings: Settings::default(),
        };
        let vault = Vault::open(parts).await.unwrap();
        let ask = async |path: &str, token: Option<&str>, operation: Operation, fields: Value| {
            let request = Request::new("1", operation, path).with_fields(fields);
            let request = token.iter().fold(request, |request, token| request.with_token(token));
            vault.handle(request).await.unwrap().to_value()
        };
        let born = ask("sys/init", None, Write, json!({"secret_shares": 1, "secret_threshold": 1})).await;
        ask("sys/unseal", None, Write, json!({"key": born["keys_base64"][0]})).await;
        let token = born["root_token"].as_str().unwrap().to_owned();
        let key = ask("audit/public-key", Some(&token), Read, json!({})).await;
        let public = hex::decode(key["public_key"].as_str().unwrap()).unwrap().try_into().unwrap();
        Arc::new(Self {
            vault,
            token,
            public,
            acknowledged: Mutex::default(),
            count: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        })
    }

    async fn ask(&self, operation: Operation, path: &str, fields: Value) -> Result<Value, Error> {
        let request = Request::new("1", operation, path).with_token(&self.token).with_fields(fields);
        let start = Instant::now();
        let answer = tokio::time::timeout(BOUND, self.vault.handle(request)).await;
        let answer = answer.unwrap_or_else(|_| panic!("{path} has no answer after {:?}", start.elapsed()));
        answer.map(|reply| reply.to_value())
    }

    /// Writes versions of secrets of its own until it is stopped.
    async fn write(self: Arc<Self>, number: usize) {
        for n in 0_u64.. {
            if self.stopped.load(SeqCst) {
                return;
            }
            let (path, value) = (format!("outage/{number}/{}", n / 10), format!("{number}-{n}"));
            let fields = json!({"data": {"value": value}});
            match self.ask(Write, &format!("secret/data/{path}"), fields).await {
                Ok(answer) => {
                    let version = answer["version"].as_u64().unwrap();
                    self.acknowledged.lock().unwrap().entry(path).or_default().push((version, value));
                    self.count.fetch_add(1, SeqCst);
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                    self.refused.fetch_add(1, SeqCst);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }

    fn start(self: &Arc<Self>) -> Vec<tokio::task::JoinHandle<()>> {
        (0..WRITERS).map(|number| tokio::spawn(Arc::clone(self).write(number))).collect()
    }

    /// Waits until so many more are acknowledged: the vault goes on.
    async fn goes_on(&self, what: &str) {
        let enough = self.count.load(SeqCst) + 40;
        let start = Instant::now();
        while self.count.load(SeqCst) < enough {
            assert!(start.elapsed() < Duration::from_secs(60), "nothing is acknowledged after {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What was acknowledged stands, what stands has its record, and the chain verifies.
    async fn check(&self, writers: Vec<tokio::task::JoinHandle<()>>, url: &str) {
        self.stopped.store(true, SeqCst);
        for writer in writers {
            writer.await.expect("every request ended in time, and well or with `try again`");
        }
        let store = open_store(url).await.unwrap();
        let acknowledged = self.acknowledged.lock().unwrap().clone();
        for (path, versions) in &acknowledged {
            for (version, value) in versions {
                let found = self.ask(Read, &format!("secret/data/{path}"), json!({"version": version})).await;
                let found = found.unwrap_or_else(|error| panic!("{path} {version}: {error}"));
                assert_eq!(found["data"]["value"].as_str(), Some(value.as_str()), "{path} {version}");
            }
            let head = self.ask(Read, &format!("secret/metadata/{path}"), json!({})).await.unwrap();
            let stands = head["current_version"].as_u64().unwrap();
            assert_eq!(self.records(&*store, path).await, stands, "records of {path} against its versions");
        }
        let report = verify(&*store, &default_crypto(), &self.public, None).await.unwrap();
        assert!(report.is_good(), "{:?}", report.faults);
    }

    async fn records(&self, store: &dyn Backend, path: &str) -> u64 {
        let path = format!("secret/data/{path}");
        let query = AuditQuery { path: Some(path.clone()), ..AuditQuery::default() };
        let page = store.search(&query, None, 1_000).await.unwrap();
        let writes = page.rows.iter().filter(|row| {
            row.columns.path == path
                && matches!(row.columns.operation.as_str(), "create" | "update")
                && row.columns.status.as_str() == "success"
        });
        writes.count() as u64
    }
}

fn through(proxy: &Proxy) -> String {
    format!("postgres://vault:vault@127.0.0.1:{}/postgres?sslmode=disable", proxy.port())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_comes_and_goes() {
    let cluster = Cluster::own(&Setup::default());
    let proxy = Proxy::to_port(cluster.port());
    let house = House::open(&through(&proxy)).await;
    let writers = house.start();
    house.goes_on("the start").await;
    for (wire, millis) in [
        (Wire::CutAtAnswer, 300),
        (Wire::CutAtRequest, 300),
        (Wire::Cut, 1_000),
        (Wire::Stalled, 1_000),
        (Wire::Deaf, 1_000),
        (Wire::CutAtAnswer, 300),
    ] {
        proxy.set(wire);
        tokio::time::sleep(Duration::from_millis(millis)).await;
        proxy.set(Wire::Whole);
        house.goes_on(&format!("{wire:?}")).await;
    }
    for end in [Cluster::kill as fn(&Cluster), Cluster::stop] {
        end(&cluster);
        tokio::time::sleep(Duration::from_millis(500)).await;
        cluster.restart();
        house.goes_on("a restart").await;
    }
    assert!(house.refused.load(SeqCst) > 0, "nobody noticed");
    house.check(writers, &cluster.url("postgres")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silence_of_any_length_is_answered_in_time() {
    let cluster = Cluster::own(&Setup::default());
    let proxy = Proxy::to_port(cluster.port());
    let house = House::open(&through(&proxy)).await;
    let writers = house.start();
    house.goes_on("the start").await;
    proxy.set(Wire::Stalled);
    tokio::time::sleep(BOUND + Duration::from_secs(2)).await;
    assert!(house.refused.load(SeqCst) >= WRITERS as u64, "each caller has heard");
    proxy.set(Wire::Whole);
    house.goes_on("a long silence").await;
    house.check(writers, &cluster.url("postgres")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_to_a_synchronous_standby_loses_nothing() {
    let settings = vec!["synchronous_standby_names=*".to_owned(), "wal_sender_timeout=60s".to_owned()];
    let primary = Cluster::own(&Setup { settings, ..Setup::default() });
    let standby = Cluster::own(&Setup { primary: primary.url("postgres"), ..Setup::default() });
    let proxy = Proxy::to_port(primary.port());
    let house = House::open(&through(&proxy)).await;
    let writers = house.start();
    house.goes_on("the start").await;
    // A standby that is asked in the primary's place answers nothing.
    assert!(open_store(&standby.url("postgres")).await.is_err());
    primary.kill();
    standby.promote();
    proxy.lead_to_port(standby.port());
    house.goes_on("the failover").await;
    house.check(writers, &standby.url("postgres")).await;
}
