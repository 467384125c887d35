//! The hot paths alone, for a profiler or a counter of instructions (`valgrind --tool=callgrind`): `hot PATH TIMES`. What twice the
//! times take less what the times take is what the path costs, without what was set up for it.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench panics and prints")]

use futures::future::join_all;
use mimalloc::MiMalloc;
use secrethub_benches::House;
use secrethub_core::store::{Backend, memory::Memory};
use secrethub_store_sql::sqlite::Sqlite;
use std::sync::Arc;
use tokio::runtime::Builder;
use zeroizing_alloc::ZeroAlloc;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

const CALLERS: usize = 64;
/// Before anything is counted.
const WARM: usize = 20;

/// `times` requests of each of the callers, through the door.
fn door(backend: impl FnOnce() -> Arc<dyn Backend>, write: bool, times: usize) {
    // One thread for all callers: who runs where shall not matter.
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let house = House::build(backend()).await;
        let caller = |caller: usize, times: usize| {
            let house = &house;
            async move {
                for n in 0..times {
                    if write { house.write(caller).await } else { house.read(caller * 15 + n).await }
                }
            }
        };
        join_all((0..CALLERS).map(|n| caller(n, WARM))).await;
        join_all((0..CALLERS).map(|n| caller(n, times))).await;
        house.vault.shutdown().await.unwrap();
    });
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|one| one != "--bench").collect();
    // A test run only wants to see that everything runs.
    let (path, times) = match arguments.as_slice() {
        [path, times] => (path.as_str(), times.parse().unwrap()),
        _ => ("all", 1),
    };
    let folder = tempfile::tempdir().unwrap();
    let is = |name: &str| path == name || path == "all";
    let memory = || Arc::new(Memory::default()) as Arc<dyn Backend>;
    let sqlite = |name: &str| Sqlite::open(&folder.path().join(name)).unwrap() as Arc<dyn Backend>;
    if is("read-memory") {
        door(memory, false, times);
    }
    if is("write-memory") {
        door(memory, true, times);
    }
    if is("read-sqlite") {
        door(|| sqlite("r.db"), false, times);
    }
    if is("write-sqlite") {
        door(|| sqlite("w.db"), true, times);
    }
}
