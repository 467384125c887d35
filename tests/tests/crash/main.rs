//! Crash test: writers hammer the real server while it is killed with SIGKILL again and again. Whatever it acknowledged
//! is there afterwards, each with its audit record, and the chain verifies.
//!
//! SIGKILL proves only the process: what the operating system had in its cache survives it. Loss of power is simulated
//! elsewhere, on the bytes that were synced.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod ledger;
mod mongo;
mod vault;
mod writer;

use ledger::Ledger;
use secrethub_testkit::{Server, Settings};
use std::{sync::Arc, time::Duration};
use vault::Vault;

/// Writers at a time.
const WRITERS: usize = 16;
/// Kills.
const KILLS: usize = 30;
/// Writes acknowledged before each kill, and after the last: 31 × 700 > 20,000.
const WRITES_A_ROUND: u64 = 700;
/// Writes that must have been acknowledged in all.
const WRITES_MIN: usize = 20_000;
/// What a round may take before something is called stuck.
const ROUND_MAX: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut server = Server::start(folder.path(), Settings::default());
    let vault = Arc::new(Vault::init(&server.url("")).await);
    let ledger = Arc::new(Ledger::default());
    let writers: Vec<_> =
        (0..WRITERS).map(|number| tokio::spawn(writer::run(number, vault.clone(), ledger.clone()))).collect();
    for round in 0..KILLS {
        ledger.wait_for_writes(WRITES_A_ROUND, ROUND_MAX).await;
        let unanswered = ledger.unanswered();
        ledger.wait_in_flight(ROUND_MAX).await;
        server.kill();
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
    assert!(writes.len() >= WRITES_MIN, "only {} writes were acknowledged", writes.len());
    assert!(ledger.unanswered() >= KILLS as u64, "a kill left no request unanswered");

    vault.check_all_values(&writes).await;
    let root = vault.check_heads(&ledger.secrets()).await;
    vault.check_chain();
    assert_eq!(server.terminate(), Some(0), "the server ends in order:\n{}", server.log());
    ledger::check_records(&folder.path().join("vault.db"), &writes, &root);
}
