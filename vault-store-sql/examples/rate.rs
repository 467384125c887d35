//! Rows a second that merged commits reach, and what reading costs: `cargo run --release --example rate [postgres://…]`;
//! without a URL on SQLite, on this disk.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement for people"
)]

use secrethub_core::{
    audit::Columns,
    store::{Backend, Batch, Key, Limit, Range, Sealed},
    testing::store::{columns, linked, rev},
};
use secrethub_store_sql::{postgres::Postgres, sqlite::Sqlite};
use std::{sync::Arc, time::Instant};

/// What the lane would commit for so many reads: their records and its witness.
fn batch(from: u64, records: u64) -> Batch {
    let mut batch = Batch::new(rev());
    batch.put(Key::new("lane/0").unwrap(), Sealed::from_stored(vec![7; 96])).unwrap();
    for n in from..from + records {
        batch.audit(linked(
            1,
            n,
            Columns {
                client_ip: Some("203.0.113.7".to_owned()),
                actor: Some("token-web-frontend".to_owned()),
                accessor: Some("hmac-0123456789abcdef0123".to_owned()),
                mount: Some("secret/".to_owned()),
                user_agent: Some("hvac/2.4.0 python-requests/2.32".to_owned()),
                rule: Some("path \"secret/data/*\" read".to_owned()),
                request_id: format!("1b4e28ba-2fa1-11d2-883f-{n:012x}"),
                elapsed_us: 412,
                ..columns(n, "read", "secret/data/production/database/primary")
            },
        ));
    }
    batch
}

/// The same for so many writes: two entries each.
fn writes(from: u64, requests: u64) -> Batch {
    let mut batch = batch(from, requests);
    for n in from..from + requests {
        let entry = |name: &str| Key::new(format!("ns/0/m/1/{name}/{n}")).unwrap();
        batch.create(entry("meta"), Sealed::from_stored(vec![7; 300])).unwrap();
        batch.create(entry("v"), Sealed::from_stored(vec![7; 300])).unwrap();
    }
    batch
}

async fn commits(store: &dyn Backend, what: &str, next: &mut u64, make: fn(u64, u64) -> Batch) {
    for records in [1, 16, 64, 256, 1_024] {
        let rounds = (20_000 / (records + 100)).max(20);
        let batches: Vec<Batch> = (0..rounds).map(|round| make(*next + round * records, records)).collect();
        *next += rounds * records;
        let start = Instant::now();
        for batch in &batches {
            store.commit(batch).await.unwrap();
        }
        let seconds = start.elapsed().as_secs_f64();
        let (commits, rows) = (rounds as f64 / seconds, (rounds * records) as f64 / seconds);
        println!("{records:>5} {what} a commit: {commits:>6.0} commits/s {rows:>7.0} {what}/s");
    }
}

async fn reads(store: &dyn Backend) {
    let keys: Vec<Key> = (0..1_000).map(|n| Key::new(format!("k/{n}")).unwrap()).collect();
    let mut fill = Batch::new(rev());
    keys.iter().for_each(|key| fill.put(key.clone(), Sealed::from_stored(vec![7; 300])).unwrap());
    store.commit(&fill).await.unwrap();
    for (what, count) in [("1 key", 1), ("4 keys", 4)] {
        let start = Instant::now();
        for n in 0..10_000 {
            store.get(&keys[n % 900..n % 900 + count]).await.unwrap();
        }
        println!("get of {what}: {:.1} us", start.elapsed().as_secs_f64() * 1e6 / 10_000.0);
    }
    let start = Instant::now();
    let page = store.scan(Range::prefix("k/"), Limit::entries(1_000)).await.unwrap();
    println!(
        "scan of {}: {:.1} us an entry",
        page.len(),
        start.elapsed().as_secs_f64() * 1e6 / page.len() as f64
    );
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let folder = tempfile::tempdir_in(".").unwrap();
    let path = folder.path().join("rate.db");
    let store: Arc<dyn Backend> = match std::env::args().nth(1) {
        Some(url) => Postgres::open(&url, Default::default()).await.unwrap(),
        None => Sqlite::open(&path).unwrap(),
    };
    let mut next = 1;
    commits(&*store, "reads", &mut next, batch).await;
    let rows = next;
    drop(store.get(&[]).await);
    if let Ok(file) = std::fs::metadata(&path) {
        println!("{} bytes a row", file.len() / rows);
    }
    commits(&*store, "writes", &mut next, writes).await;
    reads(&*store).await;
}
