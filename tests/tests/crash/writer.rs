//! One writer: versions of secrets of its own, one after the other, through every outage.

use super::{
    ledger::{Ledger, Write},
    vault::{Answer, Vault},
};
use std::{sync::Arc, time::Duration};

/// Versions a secret gets before the writer goes on to the next: as many as a mount keeps by default.
const VERSIONS: u64 = 10;

/// Writes until the ledger is stopped. What got no answer is not repeated: it may or may not stand.
pub(crate) async fn run(number: usize, vault: Arc<Vault>, ledger: Arc<Ledger>) {
    for count in 0.. {
        if ledger.is_stopped() {
            return;
        }
        let path = format!("crash/{number}/{}", count / VERSIONS);
        let value = format!("{number}-{count}-{}", "x".repeat(100));
        match ledger.in_flight(vault.write(&path, &value)).await {
            Answer::Written { version, request_id } => ledger.add(Write { path, value, version, request_id }),
            Answer::Refused | Answer::Unanswered => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
