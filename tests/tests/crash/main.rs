//! Crash test: writers hammer the real server while it is killed with SIGKILL again and again. Whatever it acknowledged
//! is there afterwards, each with its audit record, and the chain verifies.
//!
//! SIGKILL proves only the process: what the operating system had in its cache survives it. Loss of power is simulated
//! elsewhere, on the bytes that were synced.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod ledger;
mod mongo;
mod vault;
mod writer;

use ledger::Ledger;
use secrethub_testkit::{Cluster, Server, Settings, Setup};
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};
use vault::Vault;

/// Writers at a time.
const WRITERS: usize = 16;
/// Writes acknowledged before each kill, and after the last.
const WRITES_A_ROUND: u64 = 700;
/// What a round may take before something is called stuck.
const ROUND_MAX: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // 31 × 700 > 20,000.
    let (writes, versions) = run(folder.path(), Settings::default(), 30, |_| ()).await;
    assert!(writes.len() >= 20_000, "only {} writes were acknowledged", writes.len());
    let records = ledger::read_sqlite(&folder.path().join("vault.db"));
    ledger::check_records(&records, &writes, &versions);
}

/// The database is killed too, two times of three.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_on_postgresql() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cluster = Cluster::own(&Setup::default());
    let url = cluster.url("postgres");
    let settings = Settings { store: Some(url.clone()), ..Settings::default() };
    let kill_database = |round: usize| {
        if !round.is_multiple_of(3) {
            cluster.kill();
            cluster.restart();
        }
    };
    let (writes, versions) = run(folder.path(), settings, 9, kill_database).await;
    ledger::check_records(&ledger::read_postgres(&url), &writes, &versions);
}

/// Hammers a server, kills it so many times, and does something else to its store each time; checks through the server that
/// nothing is lost. Answers what was acknowledged, and the newest version of every secret.
async fn run(
    folder: &Path,
    settings: Settings,
    kills: usize,
    meanwhile: impl Fn(usize),
) -> (Vec<ledger::Write>, BTreeMap<String, u64>) {
    let mut server = Server::start(folder, settings);
    let vault = Arc::new(Vault::init(&server.url("")).await);
    let ledger = Arc::new(Ledger::default());
    let writers: Vec<_> =
        (0..WRITERS).map(|number| tokio::spawn(writer::run(number, vault.clone(), ledger.clone()))).collect();
    for round in 0..kills {
        ledger.wait_for_writes(WRITES_A_ROUND, ROUND_MAX).await;
        let unanswered = ledger.unanswered();
        ledger.wait_in_flight(ROUND_MAX).await;
        server.kill();
        meanwhile(round);
        ledger.wait_unanswered(unanswered + 1, ROUND_MAX).await;
        server.restart();
        vault.unseal().await;
        println!("kill {}: {} acknowledged, {} unanswered", round + 1, ledger.written(), ledger.unanswered());
    }
    ledger.wait_for_writes(WRITES_A_ROUND, ROUND_MAX).await;
    ledger.stop();
    for writer in writers {
        writer.await.expect("no writer panicked");
    }
    let writes = ledger.writes();
    assert!(ledger.unanswered() >= kills as u64, "a kill left no request unanswered");

    vault.check_all_values(&writes).await;
    let versions = vault.check_heads(&ledger.secrets()).await;
    vault.check_chain();
    assert_eq!(server.terminate(), Some(0), "the server ends in order:\n{}", server.log());
    (writes, versions)
}
