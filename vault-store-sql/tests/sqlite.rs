//! The store battery on SQLite.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use secrethub_core::testing::store::{Case, Shared};
use secrethub_store_sql::sqlite::Sqlite;

fn run(_: &str, case: Case) {
    let folder = tempfile::tempdir().unwrap();
    let store: Shared = Sqlite::open(&folder.path().join("new/battery.db")).unwrap();
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(case(&store));
}

secrethub_core::store_battery!(run);
