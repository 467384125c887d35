//! [`World`]: a deterministic executor with a clock that moves only when nobody can, and [`SimHost`], a node in it.
//! One seed decides which of the runnable tasks goes next and what is random, so every schedule can be run again.
//!
//! ```
//! use secrethub_core::{host::Host, testing::World};
//! use std::time::Duration;
//!
//! let world = World::new(1);
//! let host = world.node();
//! let slept = world.run(host.sleep(Duration::from_secs(3_600))); // takes no time at all
//! assert_eq!((slept, host.monotonic()), (Some(()), Duration::from_secs(3_600)));
//! ```

use super::Seed;
use crate::{host::Host, id::Timestamp};
use futures::{FutureExt, channel::oneshot, future::BoxFuture};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

/// 2025-01-01T00:00:00Z: when every world begins.
const EPOCH: Timestamp = Timestamp(1_735_689_600_000_000);

/// The executor. Cheap to clone: all clones are the same world.
#[derive(Clone)]
pub struct World(Arc<Mutex<State>>);

struct State {
    seed: Seed,
    clock: Duration,
    tasks: BTreeMap<u64, Task>,
    timers: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
    /// Nodes none of whose tasks goes on.
    paused: BTreeSet<u32>,
    next: u64,
}

struct Task {
    node: u32,
    future: BoxFuture<'static, ()>,
    ready: Arc<Ready>,
}

/// A task's waker: it only marks, the world looks.
struct Ready(AtomicBool);

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

impl World {
    /// An empty world whose schedule follows from `seed`.
    pub fn new(seed: u64) -> Self {
        let seed = Seed::new(seed);
        let (tasks, timers, paused) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self(Arc::new(Mutex::new(State { seed, clock: Duration::ZERO, tasks, timers, paused, next: 0 })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new node: tasks spawned on it live until they end or it is killed.
    pub fn node(&self) -> Arc<SimHost> {
        let node = u32::try_from(self.state().number()).unwrap_or(u32::MAX);
        Arc::new(SimHost { world: self.clone(), node, skew: AtomicI64::new(0) })
    }

    /// Drops every task of a node where it stands, as a power cut would.
    pub fn kill(&self, host: &SimHost) {
        let killed: Vec<Task> = self
            .state()
            .tasks
            .extract_if(.., |_, task| task.node == host.node)
            .map(|(_, task)| task)
            .collect();
        drop(killed); // Outside the lock: what is dropped may wake others.
    }

    /// Stops every task of a node where it stands, as SIGSTOP does, until [`World::resume`]. Time goes on.
    pub fn pause(&self, host: &SimHost) {
        self.state().paused.insert(host.node);
    }

    /// Lets a paused node go on.
    pub fn resume(&self, host: &SimHost) {
        self.state().paused.remove(&host.node);
    }

    /// How many tasks of a node have not ended.
    pub fn tasks(&self, host: &SimHost) -> usize {
        self.state().tasks.values().filter(|task| task.node == host.node).count()
    }

    /// Polls one runnable task. If there is none, moves the clock to the next timer. `false` if there is neither.
    pub fn step(&self) -> bool {
        let Some((id, mut task)) = self.state().choose() else { return self.state().tick() };
        task.ready.0.store(false, Ordering::Release);
        let waker = Waker::from(Arc::clone(&task.ready));
        if task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            self.state().tasks.insert(id, task);
        }
        true
    }

    /// Spawns a future on a node of its own and steps until it is done; `None` if everything stands still before.
    pub fn run<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (done, mut answer) = oneshot::channel();
        let task = future.map(|output| drop(done.send(output)));
        self.node().spawn("run", task.boxed());
        loop {
            match answer.try_recv() {
                Ok(Some(output)) => return Some(output),
                Ok(None) if self.step() => {}
                _ => return None,
            }
        }
    }

    /// Steps until everything stands still, but at most `limit` times. `true` if it does stand still.
    pub fn settle(&self, limit: usize) -> bool {
        (0..limit).any(|_| !self.step())
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn choose(&mut self) -> Option<(u64, Task)> {
        let runnable = |(id, task): (&u64, &Task)| {
            let runs = !self.paused.contains(&task.node) && task.ready.0.load(Ordering::Acquire);
            runs.then_some(*id)
        };
        let ids: Vec<u64> = self.tasks.iter().filter_map(runnable).collect();
        let id = (!ids.is_empty()).then(|| *self.seed.pick(&ids))?;
        self.tasks.remove(&id).map(|task| (id, task))
    }

    fn tick(&mut self) -> bool {
        let Some(((at, _), timer)) = self.timers.pop_first() else { return false };
        self.clock = self.clock.max(at);
        let _ = timer.send(()); // Whoever slept may be gone.
        true
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

/// A node of a [`World`].
#[derive(Debug)]
pub struct SimHost {
    world: World,
    node: u32,
    skew: AtomicI64,
}

impl SimHost {
    /// Sets the node's wall clock this many microseconds off the world's.
    pub fn set_skew(&self, micros: i64) {
        self.skew.store(micros, Ordering::Relaxed);
    }
}

impl Host for SimHost {
    fn now(&self) -> Timestamp {
        let now = EPOCH.plus(self.world.state().clock);
        Timestamp(now.0.saturating_add_signed(self.skew.load(Ordering::Relaxed)))
    }

    fn monotonic(&self) -> Duration {
        self.world.state().clock
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let (timer, fired) = oneshot::channel();
        let mut state = self.world.state();
        let at = (state.clock + duration, state.number());
        state.timers.insert(at, timer);
        fired.map(|_| ()).boxed()
    }

    fn spawn(&self, _: &'static str, future: BoxFuture<'static, ()>) {
        let mut state = self.world.state();
        let id = state.number();
        let ready = Arc::new(Ready(AtomicBool::new(true)));
        state.tasks.insert(id, Task { node: self.node, future, ready });
    }

    fn run_blocking(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        async move { work() }.boxed()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        let mut state = self.world.state();
        bytes.chunks_mut(16).for_each(|chunk| chunk.copy_from_slice(&state.seed.id()[..chunk.len()]));
    }

    fn process_id(&self) -> u32 {
        1
    }
}

/// Polls a future once, by hand, without anybody to wake.
pub fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    future.poll_unpin(&mut Context::from_waker(Waker::noop()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of three sleepers and two busy tasks ran when.
    fn schedule(seed: u64) -> Vec<(u32, Duration)> {
        let world = World::new(seed);
        let log = Arc::new(Mutex::new(Vec::new()));
        for task in 0..5 {
            let (host, log) = (world.node(), Arc::clone(&log));
            let work = async move {
                for round in 0..4 {
                    match task {
                        0..3 => host.sleep(Duration::from_secs(u64::from(task * round))).await,
                        _ => crate::testing::pause().await,
                    }
                    log.lock().unwrap().push((task, host.monotonic()));
                }
            };
            world.node().spawn("test", work.boxed());
        }
        assert!(world.settle(1_000));
        Arc::try_unwrap(log).unwrap().into_inner().unwrap()
    }

    #[test]
    fn the_seed_is_the_schedule() {
        assert_eq!(schedule(1), schedule(1));
        assert!((2..20).any(|seed| schedule(seed) != schedule(1)));
        assert_eq!(schedule(1).len(), 20);
    }

    #[test]
    fn a_killed_node_does_nothing_more() {
        let world = World::new(1);
        let (host, other) = (world.node(), world.node());
        let (done, mut answer) = oneshot::channel();
        let sleep = host.sleep(Duration::from_secs(1));
        host.spawn("test", sleep.map(|()| done.send(()).unwrap_or_default()).boxed());
        world.step();
        world.kill(&other);
        assert_eq!(answer.try_recv(), Ok(None), "another node's death is not ours");
        world.kill(&host);
        assert!(world.settle(10));
        assert!(answer.try_recv().is_err());
    }
}
