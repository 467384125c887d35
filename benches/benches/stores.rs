//! The stores side by side in one run: durable, audited reads and writes through the door at 1, 16 and 64 callers, on
//! SQLite, on PostgreSQL (fsync on) with one, two and three nodes, and on the stand-in for MongoDB, whose speed says nothing
//! of a real one. Beside it what each store commits when nothing is merged: one request a commit, one after the other, as
//! a lane must. Servers are started in temporary folders on one disk; all nodes run in this process.
//!
//! `just bench-stores` measures; `-- --sizes` tells what secrets and records take on disk instead. Without `--bench` everything runs once, for a moment.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench panics, times, prints"
)]

use mimalloc::MiMalloc;
use secrethub::TokioHost;
use secrethub_benches::Counted;
use secrethub_core::{
    Operation, Parts, Request, Vault,
    store::{Backend, Batch, Key, Sealed},
    system::Settings,
    testing::store::{columns, linked, rev},
};
use secrethub_testkit::{Cluster, Mongo, Setup};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;
use zeroizing_alloc::ZeroAlloc;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

const SECRETS: usize = 1_000;
const CALLERS: [usize; 3] = [1, 16, 64];

/// How long and how often; a turn is one store with one number of callers.
#[derive(Clone, Copy)]
struct Plan {
    turn: Duration,
    rounds: usize,
    secrets: usize,
}

/// Unsealed nodes of one vault, with secrets in it.
struct House {
    name: String,
    nodes: Vec<(Arc<Vault>, Arc<Counted>)>,
    token: String,
    secrets: usize,
}

impl House {
    async fn build(name: &str, url: &str, nodes: usize, plan: Plan) -> Arc<Self> {
        let mut house =
            Self { name: name.to_owned(), nodes: Vec::new(), token: String::new(), secrets: plan.secrets };
        let mut key = Value::Null;
        for at in 0..nodes {
            let store = Counted::new(secrethub::open_store(url).await.unwrap());
            let (host, crypto) = (Arc::new(TokioHost::new()), secrethub::default_crypto());
            let backend = Arc::clone(&store) as Arc<dyn Backend>;
            let vault =
                Vault::open(Parts { backend, host, crypto, settings: Settings::default() }).await.unwrap();
            house.nodes.push((vault, store));
            if key.is_null() {
                let fields = json!({ "secret_shares": 1, "secret_threshold": 1 });
                let born = house.ask(at, "sys/init", fields).await;
                house.token = born["root_token"].as_str().unwrap().to_owned();
                key = born["keys"][0].clone();
            }
            house.ask(at, "sys/unseal", json!({ "key": key })).await;
        }
        let house = Arc::new(house);
        house.make(plan.secrets).await;
        house
    }

    /// Makes so many secrets to be read.
    async fn make(self: &Arc<Self>, secrets: usize) {
        let makers = (0..16).map(|maker| {
            let house = Arc::clone(self);
            tokio::spawn(async move {
                for n in (maker..secrets).step_by(16) {
                    house.write(0, &format!("secret/data/app/{n}")).await;
                }
            })
        });
        for maker in makers.collect::<Vec<_>>() {
            maker.await.unwrap();
        }
    }

    fn request(&self, operation: Operation, path: &str) -> Request {
        let request = Request::new("6ba7b810-9dad-41d1-80b4-00c04fd430c8", operation, path);
        if self.token.is_empty() { request } else { request.with_token(&self.token) }
    }

    async fn ask(&self, node: usize, path: &str, fields: Value) -> Value {
        let request = self.request(Operation::Write, path).with_fields(fields);
        self.nodes[node].0.handle(request).await.unwrap().to_value()
    }

    async fn write(&self, node: usize, path: &str) {
        self.ask(node, path, json!({ "data": { "password": "correct horse battery staple 42" } })).await;
    }

    async fn read(&self, node: usize, path: &str) {
        let request = self.request(Operation::Read, path);
        std::hint::black_box(self.nodes[node].0.handle(request).await.unwrap());
    }

    /// One caller, who asks the same node again and again; every caller writes secrets of its own.
    async fn call(self: Arc<Self>, caller: usize, write: bool, stop: Arc<AtomicBool>) -> Vec<Duration> {
        let (node, mut taken) = (caller % self.nodes.len(), Vec::new());
        for n in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let started = Instant::now();
            match write {
                true => self.write(node, &format!("secret/data/own/{caller}/{}", n % 16)).await,
                false => {
                    let n = (caller * self.secrets / 64 + n) % self.secrets;
                    self.read(node, &format!("secret/data/app/{n}")).await;
                }
            }
            taken.push(started.elapsed());
        }
        taken
    }

    async fn turn(self: &Arc<Self>, callers: usize, write: bool, turn: Duration) -> Figures {
        for (_, store) in &self.nodes {
            store.merged();
        }
        let (stop, started) = (Arc::new(AtomicBool::new(false)), Instant::now());
        let calls: Vec<_> = (0..callers)
            .map(|caller| tokio::spawn(Arc::clone(self).call(caller, write, Arc::clone(&stop))))
            .collect();
        tokio::time::sleep(turn).await;
        stop.store(true, Ordering::Relaxed);
        let mut taken = Vec::new();
        for call in calls {
            taken.extend(call.await.unwrap());
        }
        let rate = taken.len() as f64 / started.elapsed().as_secs_f64();
        let merged =
            self.nodes.iter().map(|(_, store)| store.merged()).sum::<f64>() / self.nodes.len() as f64;
        Figures { rate: vec![rate], taken, merged: vec![merged] }
    }

    async fn close(&self) {
        for (vault, _) in &self.nodes {
            vault.shutdown().await.unwrap();
        }
    }
}

/// What the turns of one line came to.
#[derive(Default)]
struct Figures {
    rate: Vec<f64>,
    taken: Vec<Duration>,
    merged: Vec<f64>,
}

impl Figures {
    fn add(&mut self, other: Self) {
        self.rate.extend(other.rate);
        self.taken.extend(other.taken);
        self.merged.extend(other.merged);
    }

    fn line(&mut self) -> String {
        self.taken.sort_unstable();
        let at = |share: f64| {
            let place = ((self.taken.len() as f64 * share) as usize).min(self.taken.len().saturating_sub(1));
            self.taken.get(place).map_or(0.0, |taken| taken.as_secs_f64() * 1e3)
        };
        format!(
            "{:>8.0} {:>8.2} {:>8.2} {:>7.1}",
            median(&mut self.rate.clone()),
            at(0.5),
            at(0.99),
            median(&mut self.merged.clone())
        )
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// What the lane commits for one request, again and again: its record and witness; a write has two entries besides.
async fn unmerged(store: &dyn Backend, from: &mut u64, write: bool, turn: Duration) -> f64 {
    let (started, first) = (Instant::now(), *from);
    while started.elapsed() < turn {
        let mut batch = Batch::new(rev());
        batch.put(Key::new("lane/bench").unwrap(), Sealed::from_stored(vec![7; 96])).unwrap();
        batch.audit(linked(9, *from, columns(*from, "read", "secret/data/production/database/primary")));
        if write {
            for name in ["meta", "v"] {
                let key = Key::new(format!("ns/0/m/1/{name}/{from}")).unwrap();
                batch.create(key, Sealed::from_stored(vec![7; 300])).unwrap();
            }
        }
        store.commit(&batch).await.unwrap();
        *from += 1;
    }
    (*from - first) as f64 / started.elapsed().as_secs_f64()
}

/// All stores in turns, so that what else the machine does meanwhile hits all alike.
async fn side_by_side(houses: &[Arc<House>], bare: &[Arc<dyn Backend>], plan: Plan) {
    for write in [false, true] {
        let mut table: Vec<Vec<Figures>> = Vec::new();
        table.resize_with(houses.len(), || CALLERS.iter().map(|_| Figures::default()).collect());
        let (mut alone, mut from) = (vec![Vec::new(); bare.len()], if write { 1 << 40 } else { 1 });
        for _ in 0..plan.rounds {
            for (house, figures) in houses.iter().zip(&mut table) {
                for (callers, figures) in CALLERS.into_iter().zip(figures) {
                    figures.add(house.turn(callers, write, plan.turn).await);
                }
            }
            for (store, rates) in bare.iter().zip(&mut alone) {
                rates.push(unmerged(&**store, &mut from, write, plan.turn).await);
            }
        }
        print(houses, table, bare, alone, if write { "writes" } else { "reads" });
    }
}

fn print(
    houses: &[Arc<House>],
    table: Vec<Vec<Figures>>,
    bare: &[Arc<dyn Backend>],
    alone: Vec<Vec<f64>>,
    what: &str,
) {
    println!(
        "\n{:<24} {:>7} {:>8} {:>8} {:>8} {:>7}",
        what, "callers", "a second", "p50 ms", "p99 ms", "merged"
    );
    for (house, figures) in houses.iter().zip(table) {
        for (callers, mut figures) in CALLERS.into_iter().zip(figures) {
            println!("{:<24} {callers:>7} {}", house.name, figures.line());
        }
    }
    for (store, mut rates) in bare.iter().zip(alone) {
        println!("{:<24} {:>7} {:>8.0}", format!("{}, unmerged", store.kind()), "-", median(&mut rates));
    }
}

/// What a store takes by its own account: a SQLite file with what its log still holds, or a PostgreSQL database.
async fn bytes(url: &str) -> f64 {
    if let Some(path) = url.strip_prefix("sqlite:") {
        let file = rusqlite::Connection::open(path).unwrap();
        let of = |pragma: &str| file.pragma_query_value(None, pragma, |row| row.get::<_, f64>(0)).unwrap();
        return of("page_count") * of("page_size");
    }
    let mut owner = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar::<_, i64>("SELECT pg_database_size(current_database())")
        .fetch_one(&mut owner)
        .await
        .unwrap() as f64
}

/// Grows by so many secrets, then by as many reads, which leave a record each and nothing else.
async fn sizes(name: &str, url: &str, count: usize) {
    let house = House::build(name, url, 1, Plan { turn: Duration::ZERO, rounds: 0, secrets: 0 }).await;
    let born = bytes(url).await;
    house.make(count).await;
    let filled = bytes(url).await;
    for n in 0..count {
        house.read(0, &format!("secret/data/app/{n}")).await;
    }
    let read = bytes(url).await;
    let each = |grown: f64| grown / count as f64;
    let record = each(read - filled);
    println!(
        "{name:<12} record {record:>6.0} bytes, secret {:>6.0} bytes beside it",
        each(filled - born) - record
    );
    house.close().await;
}

/// A new one.
async fn database(postgres: &Cluster, name: &str) -> String {
    let mut owner = PgConnection::connect(&postgres.url("postgres")).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut owner).await.unwrap();
    postgres.url(name)
}

fn main() {
    let measures = std::env::args().any(|argument| argument == "--bench");
    let plan = match measures {
        true => Plan { turn: Duration::from_secs(2), rounds: 3, secrets: SECRETS },
        false => Plan { turn: Duration::from_millis(20), rounds: 1, secrets: 16 },
    };
    let only_sizes = std::env::args().any(|argument| argument == "--sizes");
    let (runtime, folder) = (Runtime::new().unwrap(), tempfile::tempdir().unwrap());
    let (postgres, mongo) = (Cluster::own(&Setup::default()), Mongo::start_own(&[]));
    let sqlite = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    runtime.block_on(async {
        if only_sizes {
            sizes("sqlite", &sqlite("sizes.db"), 10_000).await;
            return sizes("postgresql", &database(&postgres, "sizes").await, 10_000).await;
        }
        let mut houses = vec![House::build("sqlite", &sqlite("v.db"), 1, plan).await];
        for nodes in 1..=3 {
            let url = database(&postgres, &format!("nodes{nodes}")).await;
            let name = format!("postgresql, {nodes} node{}", if nodes > 1 { "s" } else { "" });
            houses.push(House::build(&name, &url, nodes, plan).await);
        }
        houses.push(House::build("mongodb (a stand-in)", &mongo.url("vault"), 1, plan).await);
        let bare = [sqlite("bare.db"), database(&postgres, "bare").await];
        let mut stores = Vec::new();
        for url in &bare {
            stores.push(secrethub::open_store(url).await.unwrap());
        }
        side_by_side(&houses, &stores, plan).await;
        for house in &houses {
            house.close().await;
        }
    });
}
