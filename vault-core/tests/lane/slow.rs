//! A store that takes its time, and one that stops answering: not even with an error.

use crate::fixture::change;
use async_trait::async_trait;
use futures::{FutureExt as _, future::pending};
use secrethub_core::{
    audit::{AuditPage, AuditQuery, AuditRow, Change, Cursor, Head, Lane, LaneParts, SubmitError},
    crypto::rustcrypto,
    host::Host as _,
    id::BootId,
    limits::{LANE_CLOSE_GRACE, LANE_LATENESS_MAX},
    store::{
        AuditLog, Batch, CommitError, Entry, Key, Limit, Range, SnapshotReader, Store, StoreError,
        memory::Memory,
    },
    testing::{PlainKeys, SimHost, World},
};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

/// How long a commit takes.
const COMMIT: Duration = Duration::from_millis(4);

#[derive(Debug)]
struct Slow {
    memory: Memory,
    host: Arc<SimHost>,
    silent: AtomicBool,
    /// Records in each commit.
    merged: Mutex<Vec<usize>>,
}

impl Slow {
    fn new(host: &Arc<SimHost>) -> Arc<Self> {
        let (memory, host) = (Memory::default(), Arc::clone(host));
        Arc::new(Self { memory, host, silent: AtomicBool::new(false), merged: Mutex::default() })
    }

    fn lane(self: &Arc<Self>, world: &World) -> Lane {
        let crypto = rustcrypto::provider();
        let parts = LaneParts {
            backend: Arc::clone(self) as _,
            host: Arc::clone(&self.host) as _,
            crypto,
            barrier: Arc::new(PlainKeys::new(&crypto, 1)),
            boot: BootId([1; 16]),
            audit_enabled: true,
        };
        let lane = world.run(Lane::start(parts)).unwrap().unwrap();
        self.merged.lock().unwrap().clear();
        lane
    }

    async fn answer<T>(&self, answer: impl Future<Output = T> + Send) -> T {
        if self.silent.load(Relaxed) { pending().await } else { answer.await }
    }
}

#[async_trait]
impl Store for Slow {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>, StoreError> {
        self.answer(self.memory.get(keys)).await
    }
    async fn scan(&self, range: Range, limit: Limit) -> Result<Vec<Entry>, StoreError> {
        self.answer(self.memory.scan(range, limit)).await
    }
    async fn commit(&self, batch: &Batch) -> Result<(), CommitError> {
        if !batch.records().is_empty() {
            self.merged.lock().unwrap().push(batch.records().len()); // A checkpoint has none.
        }
        self.host.sleep(COMMIT).await;
        self.answer(self.memory.commit(batch)).await
    }
    async fn snapshot(&self) -> Result<Box<dyn SnapshotReader>, StoreError> {
        self.answer(self.memory.snapshot()).await
    }
    fn kind(&self) -> &'static str {
        "slow"
    }
}

#[async_trait]
impl AuditLog for Slow {
    async fn search(&self, _: &AuditQuery, _: Option<Cursor>, _: usize) -> Result<AuditPage, StoreError> {
        pending().await
    }
    async fn read(&self, _: BootId, _: u64, _: usize) -> Result<Vec<AuditRow>, StoreError> {
        pending().await
    }
    async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        pending().await
    }
    async fn prune(&self, _: BootId, _: u64, _: usize) -> Result<u64, StoreError> {
        pending().await
    }
}

#[test]
fn close_ends_though_the_store_is_mute() {
    let world = World::new(1);
    let host = world.node();
    let store = Slow::new(&host);
    let lane = store.lane(&world);
    store.silent.store(true, Relaxed);
    let caller = lane.clone();
    host.spawn("caller", async move { drop(caller.submit(change("r", [])).await) }.boxed());
    let closed = world.run(async move { lane.close().await });
    assert!(closed.expect("it ends").is_err());
    assert!(host.monotonic() <= 4 * LANE_CLOSE_GRACE);
}

/// One in the commit under way and one that waits behind it: each is let go at its time, and one without a time is not.
#[test]
fn who_has_waited_long_enough_is_told() {
    let world = World::new(1);
    let host = world.node();
    let store = Slow::new(&host);
    let lane = store.lane(&world);
    store.silent.store(true, Relaxed);
    let told: Arc<Mutex<Vec<(&str, Duration)>>> = Arc::default();
    let begun = host.monotonic();
    for (id, seconds) in [("sent", Some(3)), ("waits", Some(5)), ("patient", None)] {
        let (lane, clock, told) = (lane.clone(), Arc::clone(&host), Arc::clone(&told));
        let deadline = seconds.map(|seconds| begun + Duration::from_secs(seconds));
        let asking = async move {
            let answer = lane.submit(Change { deadline, ..change(id, []) }).await;
            assert!(matches!(answer, Err(SubmitError::Unknown)), "{id}: {answer:?}");
            told.lock().unwrap().push((id, clock.monotonic() - begun));
        };
        host.spawn("caller", asking.boxed());
        while store.merged.lock().unwrap().is_empty() && world.step() {} // The first is on its way.
    }
    let clock = Arc::clone(&host);
    world.run(async move { clock.sleep(Duration::from_secs(60)).await }).unwrap();
    let told = told.lock().unwrap().clone();
    let check = |at: usize, name: &str, seconds: u64| {
        let (id, when) = told[at];
        let (least, most) = (Duration::from_secs(seconds), Duration::from_secs(seconds) + LANE_LATENESS_MAX);
        assert!(id == name && when >= least && when <= most, "{told:?}");
    };
    check(0, "sent", 3);
    check(1, "waits", 5);
    assert_eq!(told.len(), 2, "who has no deadline waits on: {told:?}");
}

/// Callers that ask again `thinking` after each answer, some at another moment than the rest: the records of each
/// commit, and how long it all took.
fn crowd(callers: usize, thinking: Duration) -> (Vec<usize>, Duration) {
    const ROUNDS: usize = 12;
    let world = World::new(7);
    let host = world.node();
    let store = Slow::new(&host);
    let lane = store.lane(&world);
    let begun = host.monotonic();
    let all = (0..callers).map(|caller| {
        let (lane, host) = (lane.clone(), Arc::clone(&host));
        async move {
            host.sleep(COMMIT / 2 * (caller % 2) as u32).await;
            for _ in 0..ROUNDS {
                lane.submit(change("r", [])).await.unwrap();
                host.sleep(thinking).await;
            }
        }
    });
    world.run(futures::future::join_all(all.collect::<Vec<_>>())).unwrap();
    let merged = store.merged.lock().unwrap().clone();
    (merged, host.monotonic() - begun)
}

#[test]
fn callers_that_come_at_two_moments_end_up_in_one_commit() {
    let (merged, _) = crowd(8, COMMIT / 10);
    assert!(merged[4..10].iter().all(|size| *size == 8), "{merged:?}");
}

#[test]
fn nobody_waits_for_who_does_not_come() {
    let (merged, took) = crowd(1, COMMIT / 10);
    assert!(merged.iter().all(|size| *size == 1), "{merged:?}");
    assert!(took < 12 * (COMMIT + COMMIT / 10) + COMMIT, "a lone caller waits for nobody: {took:?}");
}

#[test]
fn a_wait_in_vain_is_short() {
    let world = World::new(7);
    let host = world.node();
    let store = Slow::new(&host);
    let lane = store.lane(&world);
    let submit = |lane: &Lane| {
        let lane = lane.clone();
        async move { lane.submit(change("r", [])).await.unwrap() }
    };
    let four: Vec<_> = (0..4).map(|_| submit(&lane)).collect();
    for _ in 0..8 {
        world.run(submit(&lane)).unwrap(); // Now it is known how long a commit takes.
    }
    world.run(futures::future::join_all(four)).unwrap();
    let begun = host.monotonic();
    world.run(submit(&lane)).unwrap();
    let took = host.monotonic() - begun;
    assert!(took > COMMIT && took <= COMMIT + COMMIT / 4, "{took:?}");
}
