//! The same on MongoDB, where there are two to kill: the server, and the database under it. The server outlives its
//! database: it answers 503 meanwhile, is not restarted, and goes on.
//!
//! Fewer rounds than on SQLite, since the stand-in for MongoDB is slow.

use super::{ROUND_MAX, WRITERS, ledger::Ledger, vault::Vault, writer};
use mongodb::{Client, bson::doc};
use secrethub_testkit::{Mongo, Server, Settings};
use std::sync::Arc;

/// Kills, of the server and of the database in turn.
const KILLS: usize = 6;
/// Writes acknowledged before each kill, and after the last.
const WRITES_A_ROUND: u64 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_on_mongodb() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = Mongo::start_own(&[]);
    let store = database.url("vault");
    let mut server =
        Server::start(folder.path(), Settings { store: Some(store.clone()), ..Settings::default() });
    let vault = Arc::new(Vault::init(&server.url("")).await);
    let ledger = Arc::new(Ledger::default());
    let writers: Vec<_> =
        (0..WRITERS).map(|number| tokio::spawn(writer::run(number, vault.clone(), ledger.clone()))).collect();
    for round in 0..KILLS {
        ledger.wait_for_writes(WRITES_A_ROUND, ROUND_MAX).await;
        ledger.wait_in_flight(ROUND_MAX).await;
        if round.is_multiple_of(2) {
            database.kill();
            database.restart();
        } else {
            server.kill();
            release_locks(&store).await;
            server.restart();
            vault.unseal().await;
        }
        println!("kill {}: {} acknowledged, {} unanswered", round + 1, ledger.written(), ledger.unanswered());
    }
    ledger.wait_for_writes(WRITES_A_ROUND, ROUND_MAX).await;
    ledger.stop();
    for writer in writers {
        writer.await.expect("no writer panicked");
    }
    let writes = ledger.writes();
    vault.check_all_values(&writes).await;
    let heads = vault.check_heads(&ledger.secrets()).await;
    vault.check_chain();
    assert_eq!(server.terminate(), Some(0), "the server ends in order:\n{}", server.log());
    for (path, version) in heads {
        assert_eq!(records(&store, &path).await, version, "records of {path} against its versions");
    }
}

/// What a minute would do: the transactions of a server that died keep their locks for so long.
async fn release_locks(store: &str) {
    let client = Client::with_uri_str(store).await.expect("a client");
    client.database("admin").run_command(doc! { "killAllSessions": [] }).await.expect("sessions are ended");
}

/// Successful writes of a secret in the collection that operators are promised.
async fn records(store: &str, path: &str) -> u64 {
    let client = Client::with_uri_str(store).await.expect("a client");
    let rows = client.database("vault").collection::<mongodb::bson::Document>("audit_logs");
    let wanted = doc! {
        "status": "success",
        "path": format!("secret/data/{path}"),
        "operation": { "$in": ["create", "update"] },
    };
    rows.count_documents(wanted).await.expect("the collection can be counted")
}
