//! What a link costs, and how many durably audited requests a lane commits with 64 callers, on memory and on SQLite.

#![allow(clippy::expect_used, clippy::disallowed_methods, reason = "a bench may panic, and measures time")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use secrethub::{TokioHost, open_store};
use secrethub_core::{
    audit::{AuditRecord, Chain, Change, Columns, Draft, Lane, LaneParts, chain},
    barrier::{NewSeal, make_vault},
    crypto::{CryptoProvider, aws_lc, rustcrypto},
    host::Host,
    id::{BootId, Timestamp},
    store::Backend,
};
use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

const CALLERS: u64 = 64;
/// Requests of one caller in one round.
const REQUESTS: u64 = 50;

/// What a read of a secret leaves behind.
fn columns() -> Columns {
    Columns {
        timestamp: Timestamp(1_735_689_600_000_000),
        operation: "read".into(),
        client_ip: Some("192.0.2.17".into()),
        actor: Some("token-app".into()),
        accessor: Some("3kHs9QzBpX2mW7vLr4TnYc8d".into()),
        path: "secret/data/app/database".into(),
        mount: Some("secret/".into()),
        user_agent: Some("hvac/2.3.0".into()),
        rule: Some("app-read: secret/data/app/*".into()),
        request_id: "6f1b1c1e-8d6a-4f43-9d55-0c2d6a1c7a90".into(),
        ..Columns::default()
    }
}

fn providers() -> [CryptoProvider; 2] {
    [rustcrypto::provider(), aws_lc::provider()]
}

fn links(c: &mut Criterion) {
    let record = AuditRecord {
        chain: BootId([1; 16]),
        seq: 1,
        columns: columns(),
        writes: Vec::new(),
        fields: Vec::new(),
        headers: Vec::new(),
    };
    let canonical = record.canonical();
    let mut group = c.benchmark_group("link");
    group.throughput(Throughput::Bytes(canonical.len() as u64));
    for crypto in providers() {
        group.bench_function(crypto.name, |b| {
            b.iter(|| chain::link(crypto.hash, &[7; 32], black_box(&canonical)));
        });
        group.bench_function(format!("{} with canonical bytes", crypto.name), |b| {
            let mut chain = Chain::new(BootId([1; 16]));
            b.iter_batched(
                || record.clone(),
                |record| chain.append(crypto.hash, record),
                criterion::BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

async fn start(backend: Arc<dyn Backend>, crypto: CryptoProvider) -> Lane {
    let host: Arc<dyn Host> = Arc::new(TokioHost::new());
    let mut boot = [0; 16];
    host.fill_random(&mut boot);
    let boot = BootId(boot);
    let seal = NewSeal::Shamir { shares: 1, threshold: 1 };
    let birth = make_vault(crypto, Arc::clone(&host), boot, seal).expect("a vault");
    let barrier = Arc::new(birth.barrier);
    let parts = LaneParts { backend, host, crypto, barrier, boot, audit_enabled: true };
    Lane::start(parts).await.expect("a lane")
}

/// 64 callers, each with one request at a time, as connections have them.
async fn round(lane: &Lane, rounds: u64) -> Duration {
    let begin = Instant::now();
    let caller = |lane: Lane| async move {
        for _ in 0..rounds * REQUESTS {
            let draft = Draft { columns: columns(), fields: Vec::new(), headers: Vec::new() };
            lane.submit(Change {
                ops: Vec::new(),
                draft,
                received: Duration::ZERO,
                deadline: None,
                urgent: false,
            })
            .await
            .expect("a commit");
        }
    };
    let callers: Vec<_> = (0..CALLERS).map(|_| tokio::spawn(caller(lane.clone()))).collect();
    for caller in callers {
        caller.await.expect("a caller");
    }
    begin.elapsed()
}

fn throughput(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let sqlite = format!("sqlite:{}", folder.path().join("bench.db").display());
    let mut group = c.benchmark_group("lane with 64 callers");
    group.sample_size(10).throughput(Throughput::Elements(CALLERS * REQUESTS));
    for (name, url) in [("memory", "memory:"), ("sqlite", sqlite.as_str())] {
        let lane = runtime
            .block_on(async { start(open_store(url).await.expect("a store"), aws_lc::provider()).await });
        group.bench_function(name, |b| b.iter_custom(|rounds| runtime.block_on(round(&lane, rounds))));
        runtime.block_on(lane.close()).expect("an end");
    }
    group.finish();
}

criterion_group!(benches, links, throughput);
criterion_main!(benches);
