//! The history checker: clients read, write, check-and-set and delete few keys through three real servers on one
//! PostgreSQL, while servers are killed one after the other and the database is restarted under them. Each history must
//! be linearizable key by key: it could have happened one operation after the other. Who got no answer may have had its
//! way or not, at any time later.
//!
//! Several histories run at a time, each on keys of its own, and share the kills. `SECRETHUB_HISTORY_SEED` gives the
//! clients the same plans again; what the machine does in between it cannot repeat. `SECRETHUB_HISTORIES` asks for more.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod bad;
mod checker;
mod clients;
mod model;

use clients::{History, KILLS, OPERATIONS};
use secrethub_testkit::{Cluster, Setup};
use secrethub_tests::{Caller, Fleet};
use std::{
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::{Duration, Instant},
};

const SERVERS: usize = 3;
/// Histories, and how many of them run at a time.
const HISTORIES: usize = 100;
const AT_A_TIME: usize = 20;
/// What a round may take before something is called stuck.
const ROUND_MAX: Duration = Duration::from_secs(600);

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_history_is_linearizable() {
    let seed = number("SECRETHUB_HISTORY_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    let histories = number("SECRETHUB_HISTORIES").map_or(HISTORIES, |count| usize::try_from(count).unwrap());
    println!("SECRETHUB_HISTORY_SEED={seed}");
    let database = Cluster::own(&Setup::default());
    let mut fleet = Fleet::start(&database.url("postgres"), SERVERS);
    let caller = fleet.root().await;
    let mut checks = Vec::new();
    for number in 0..histories.div_ceil(AT_A_TIME) {
        let start = Instant::now();
        let count = AT_A_TIME.min(histories - number * AT_A_TIME);
        let round = Round { number, count, seed };
        let done = round.run(&mut fleet, &database, &caller);
        let done = tokio::time::timeout(ROUND_MAX, done).await.expect("a round ends in time");
        println!("round {}: {:?}", round.number, start.elapsed());
        for (name, history) in done {
            checks.push(tokio::task::spawn_blocking(move || judge(&name, &history)));
        }
    }
    let mut unknown = 0;
    let count = checks.len();
    for check in checks {
        unknown += check.await.unwrap_or_else(|_| panic!("SECRETHUB_HISTORY_SEED={seed}: see above"));
    }
    println!("{count} histories are linearizable, with {unknown} operations whose outcome nobody was told");
}

/// Histories that are made at the same time.
#[derive(Clone, Copy)]
struct Round {
    number: usize,
    count: usize,
    seed: u64,
}

impl Round {
    /// Kills servers in turn while the histories are made, each after as many operations more; in the middle the
    /// database is killed or stopped, and started again.
    async fn run(
        self,
        fleet: &mut Fleet,
        database: &Cluster,
        caller: &Caller,
    ) -> Vec<(String, Arc<History>)> {
        let names = (0..self.count).map(|at| format!("history/{}/{at}", self.number));
        let histories: Vec<_> =
            names.map(|name| (name.clone(), History::new(name, fleet.urls(), caller.clone()))).collect();
        let running: Vec<_> = (0..)
            .zip(&histories)
            .map(|(at, (_, history))| {
                let seed = self.seed.wrapping_add(at) ^ (self.number as u64) << 32;
                tokio::spawn(Arc::clone(history).run(seed))
            })
            .collect();
        let parts = KILLS + 2;
        for part in 1..parts {
            let enough = OPERATIONS * part / parts;
            while histories.iter().any(|(_, history)| history.known() < enough) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            if part == parts / 2 {
                let end = if self.number.is_multiple_of(2) { Cluster::kill } else { Cluster::stop };
                end(database);
                database.restart();
            } else {
                let server = &mut fleet.servers[(self.number + part) % SERVERS];
                server.kill();
                histories.iter().for_each(|(_, history)| history.killed());
                server.restart();
            }
        }
        for history in running {
            history.await.expect("no client panicked");
        }
        histories
    }
}

/// Panics with what is wrong; else says how many outcomes are unknown.
fn judge(name: &str, history: &History) -> usize {
    let mut unknown = 0;
    for (key, operations) in history.keys().iter().enumerate() {
        if let Err(rejected) = checker::check(operations) {
            panic!("{name}/{key} is not linearizable: {rejected:#?}");
        }
        unknown += operations.iter().filter(|operation| !operation.is_known()).count();
    }
    unknown
}
