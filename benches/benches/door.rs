//! The whole door: one caller's latency on memory and SQLite, and what 64 callers get on SQLite compared with a bare
//! loop that inserts the same rows, with the same indexes and settings, in merged transactions. Both are measured in
//! turns within one run; only the ratio means anything.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench panics, times, prints"
)]

use criterion::{Criterion, criterion_group};
use mimalloc::MiMalloc;
use rusqlite::{Connection, params_from_iter, types::Value as Sql};
use secrethub_benches::{Counted, House, SECRETS};
use secrethub_core::store::memory::Memory;
use secrethub_store_sql::sqlite::Sqlite;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;
use zeroizing_alloc::ZeroAlloc;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

const CALLERS: usize = 64;
/// Short and many: on a machine with other work the turns of one round meet the same of it, and the median forgets the rest.
const ROUND: Duration = Duration::from_millis(500);
const ROUNDS: usize = 11;

fn one_caller(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(&folder.path().join("v.db")).unwrap();
    let memory = runtime.block_on(House::build(Arc::new(Memory::default())));
    let sqlite = runtime.block_on(House::build(sqlite));
    let mut group = criterion.benchmark_group("door, one caller");
    group.sample_size(20);
    for (name, house) in [("memory", &memory), ("sqlite", &sqlite)] {
        let mut n = 0;
        group.bench_function(format!("read {name}"), |bencher| {
            n += 1;
            bencher.to_async(&runtime).iter(|| house.read(n));
        });
        group.bench_function(format!("write {name}"), |bencher| {
            n += 1;
            bencher.to_async(&runtime).iter(|| house.write(n));
        });
    }
    group.finish();
    runtime.block_on(async {
        memory.vault.shutdown().await.unwrap();
        sqlite.vault.shutdown().await.unwrap();
    });
}

/// Durable, audited requests a second with [`CALLERS`] callers.
async fn through_the_door(house: &Arc<House>, write: bool) -> f64 {
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let started = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (house, stop, done) = (Arc::clone(house), Arc::clone(&stop), Arc::clone(&done));
            tokio::spawn(async move {
                let mut n = caller * SECRETS / CALLERS;
                while !stop.load(Ordering::Relaxed) {
                    if write {
                        house.write(n).await;
                    } else {
                        house.read(n).await;
                    }
                    n += 1;
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    tokio::time::sleep(ROUND).await;
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64()
}

/// In the form of the column, and ascending, as it is in a log.
fn now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    secrethub_core::id::Timestamp(since.as_micros() as u64).to_rfc3339()
}

/// The same rows, again and again under new times and numbers, [`CALLERS`] a transaction, with the lane's entry in each.
struct Bare {
    db: Connection,
    rows: Vec<Vec<Sql>>,
    seq: i64,
}

impl Bare {
    fn open(path: &Path) -> Self {
        let db = Connection::open(path).unwrap();
        db.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; PRAGMA cell_size_check=ON;")
            .unwrap();
        let mut select = db.prepare("SELECT * FROM audit_logs WHERE operation = 'read' LIMIT 1000").unwrap();
        let columns = select.column_count();
        let rows = select.query_map([], |row| (0..columns).map(|at| row.get(at)).collect()).unwrap();
        let rows: Vec<Vec<Sql>> = rows.collect::<Result<_, _>>().unwrap();
        drop(select);
        assert!(rows.len() > 100, "the vault has left its records");
        Self { db, rows, seq: 1 << 40 }
    }

    /// Rows a second, and commits a second, with `merged` rows a commit.
    fn run(&mut self, merged: usize) -> (f64, f64) {
        let (started, mut rows, mut commits) = (Instant::now(), 0u32, 0u32);
        while started.elapsed() < ROUND {
            let transaction = self.db.transaction().unwrap();
            {
                let marks = vec!["?"; self.rows[0].len()].join(",");
                let mut insert =
                    transaction.prepare_cached(&format!("INSERT INTO audit_logs VALUES ({marks})")).unwrap();
                for _ in 0..merged {
                    self.seq += 1;
                    let mut row = self.rows[self.seq as usize % self.rows.len()].clone();
                    row[0] = Sql::Text(now());
                    row[16] = Sql::Integer(self.seq);
                    insert.execute(params_from_iter(row)).unwrap();
                    rows += 1;
                }
                let lane = "INSERT OR REPLACE INTO kv VALUES ('lane/bare', randomblob(16), randomblob(130))";
                transaction.prepare_cached(lane).unwrap().execute([]).unwrap();
            }
            transaction.commit().unwrap();
            commits += 1;
        }
        let seconds = started.elapsed().as_secs_f64();
        (f64::from(rows) / seconds, f64::from(commits) / seconds)
    }
}

/// Twice the same comparison: with as many rows a transaction as the door merged by itself in the turn before, which
/// is what the door adds to the writing of its own records; and with all callers in each transaction, which no group
/// of callers reaches that has anything to do between two requests.
fn ratios() {
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (ours, bare) = (folder.path().join("ours.db"), folder.path().join("bare.db"));
    let store = Counted::new(Sqlite::open(&ours).unwrap());
    let house = Arc::new(runtime.block_on(House::build(Arc::clone(&store) as _)));
    runtime.block_on(through_the_door(&house, false));
    std::fs::copy(&ours, &bare).unwrap();
    std::fs::copy(ours.with_extension("db-wal"), bare.with_extension("db-wal")).unwrap();
    let mut bare = Bare::open(&bare);
    println!(
        "\n{CALLERS} callers on SQLite, each reply durable and audited; {ROUNDS} rounds of {ROUND:?}, in turns"
    );
    println!(
        "{:>7} {:>10} {:>8} {:>12} {:>9} {:>6} {:>14} {:>9} {:>6}",
        "", "requests/s", "merged", "bare rows/s", "fsync/s", "ratio", "bare of 64/s", "fsync/s", "ratio"
    );
    for write in [false, true] {
        let name = if write { "writes" } else { "reads" };
        let (mut against_same, mut against_all) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            store.merged();
            let requests = runtime.block_on(through_the_door(&house, write));
            let merged = store.merged();
            let (same, same_syncs) = bare.run(merged.round() as usize);
            let (all, all_syncs) = bare.run(CALLERS);
            against_same.push(100.0 * requests / same);
            against_all.push(100.0 * requests / all);
            println!(
                "{name:>7} {requests:>10.0} {merged:>8.1} {same:>12.0} {same_syncs:>9.0} {:>5.0}% {all:>14.0} {all_syncs:>9.0} {:>5.0}%",
                100.0 * requests / same,
                100.0 * requests / all,
            );
        }
        let (same, all) = (median(against_same), median(against_all));
        println!(
            "{name:>7} median ratios: {same:.0}% at the same merging, {all:.0}% against {CALLERS} a transaction"
        );
    }
    runtime.block_on(house.vault.shutdown()).unwrap();
}

fn median(mut ratios: Vec<f64>) -> f64 {
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

/// Nothing but reads, for a profiler.
fn reads() {
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let house = Arc::new(runtime.block_on(House::build(Sqlite::open(&folder.path().join("v.db")).unwrap())));
    for _ in 0..2 * ROUNDS {
        println!("{:.0} reads/s", runtime.block_on(through_the_door(&house, false)));
    }
    runtime.block_on(house.vault.shutdown()).unwrap();
}

criterion_group!(benches, one_caller);

fn main() {
    let asked = |name: &str| std::env::args().any(|argument| argument == name);
    if asked("--reads") {
        return reads();
    }
    if !asked("--ratios") {
        benches();
    }
    // Cargo says `--bench` when it measures; a test run only wants to see every benchmark run once.
    if asked("--bench") {
        ratios();
    }
}
