//! The store on a real PostgreSQL server: the battery, and what is PostgreSQL's own.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod outage;
mod server;
#[path = "../support/mod.rs"]
mod support;
mod tls;

use secrethub_core::testing::store::{Case, Shared};
use secrethub_store_sql::postgres::{Options, Postgres};

fn run(name: &str, case: Case) {
    support::block_on(async {
        let database = support::Database::create(name).await;
        let store: Shared = Postgres::open(&database.url, Options::default()).await.unwrap();
        case(&store).await;
        drop(store);
        database.remove().await;
    });
}

secrethub_core::store_battery!(run);

/// Many nodes that start together make the tables once.
#[test]
fn tables_are_made_once() {
    support::block_on(async {
        let database = support::Database::create("tables").await;
        let opened =
            futures::future::join_all((0..4).map(|_| Postgres::open(&database.url, Options::default())))
                .await;
        assert!(opened.iter().all(Result::is_ok), "{opened:?}");
    });
}
