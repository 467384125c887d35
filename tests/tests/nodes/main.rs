//! Three real servers on one PostgreSQL: what is promised to whoever asks any of them, while they are at work, paused,
//! and restarted in turn.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod fenced;
mod promises;
mod rolling;

use secrethub_testkit::{Cluster, Setup};
use secrethub_tests::Fleet;
use std::{
    process::Command,
    time::{Duration, Instant},
};

const SERVERS: usize = 3;
/// What a step may take before it is called stuck; generous, because tests share the machine.
const STEP_MAX: Duration = Duration::from_secs(180);

/// Three servers, and the database under them.
fn build() -> (Cluster, Fleet) {
    let database = Cluster::own(&Setup::default());
    let fleet = Fleet::start(&database.url("postgres"), SERVERS);
    (database, fleet)
}

/// Asks again and again until it is so.
async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + STEP_MAX;
    while !so().await {
        assert!(Instant::now() < deadline, "{what}: not within {STEP_MAX:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What the database's own shell says.
fn query(store: &str, sql: &str) -> String {
    let mut psql = Command::new("psql");
    let asked = psql.args(["-X", "-A", "-t", "-d", store, "-c", sql]).output().expect("psql runs");
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    String::from_utf8(asked.stdout).expect("psql answers in UTF-8").trim().to_owned()
}
