//! One run: what happens to the nodes, step by step, as one seed decides.

use crate::{
    callers::{Book, Told, call, choose},
    check::Checker,
    liars::{Lie, Link},
};
use secrethub_core::{
    audit::{Lane, LaneParts},
    crypto::rustcrypto,
    host::Host,
    id::BootId,
    store::memory::Memory,
    testing::{PlainKeys, Rates, Seed, SimHost, World},
};
use std::sync::{Arc, Mutex};

const NODES: usize = 3;
const STEPS: usize = 1_500;

/// What a run saw: a run in which nothing happens proves nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stats {
    steps: u64,
    done: u64,
    refused: u64,
    unknown: u64,
    silent: u64,
    crashes: u64,
    records: u64,
    late: u64,
    checkpoints: u64,
}

impl Stats {
    pub(crate) fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.done += other.done;
        self.refused += other.refused;
        self.unknown += other.unknown;
        self.silent += other.silent;
        self.crashes += other.crashes;
        self.records += other.records;
        self.late += other.late;
        self.checkpoints += other.checkpoints;
    }

    /// Every kind of event happened, and often.
    pub(crate) fn assert_eventful(&self) {
        let Self { steps, done, refused, unknown, silent, crashes, records, late, checkpoints } = *self;
        for (what, count, least) in [
            ("steps", steps, 50_000),
            ("acknowledged", done, 1_000),
            ("refused", refused, 300),
            ("unknown", unknown, 1),
            ("never told", silent, 100),
            ("crashes", crashes, 50),
            ("records", records, 1_500),
            ("late commits", late, 20),
            ("checkpoints", checkpoints, 100),
        ] {
            assert!(count >= least, "only {count} {what}: {self:?}");
        }
    }
}

/// A place in the cluster: the process that runs there now, if one does.
struct Node {
    host: Arc<SimHost>,
    link: Arc<Link>,
    lane: Arc<Mutex<Option<Lane>>>,
    callers: Vec<Arc<SimHost>>,
    starting: bool,
}

/// What kind of run it is: how busy the callers are, how bad the network.
#[derive(Clone, Copy)]
struct Climate {
    calls: usize,
    churn: u16,
    rates: Rates,
}

impl Climate {
    fn of(seed: &mut Seed) -> Self {
        let busy = Rates { before: 40, after: 40, later: 80, reads: 20, pauses: 400 };
        let stormy = Rates { before: 200, after: 50, later: 400, reads: 20, pauses: 600 };
        match seed.below(3) {
            0 => Self { calls: 250, churn: 0, rates: busy },
            1 => Self { calls: 60, churn: 800, rates: stormy },
            _ => Self { calls: 120, churn: 400, rates: stormy },
        }
    }
}

struct Run {
    seed: Seed,
    climate: Climate,
    lie: Lie,
    world: World,
    memory: Arc<Memory>,
    nodes: Vec<Node>,
    /// Connections of processes that are gone: what was under way may still arrive.
    orphans: Vec<Arc<Link>>,
    book: Book,
    checker: Checker,
    next: u64,
    stats: Stats,
}

/// Runs one seed. `Err` says which promise was broken, and when.
pub(crate) fn simulate(seed: u64, lie: Lie) -> Result<Stats, String> {
    let mut run = Run::new(seed, lie);
    for step in 0..STEPS {
        run.act();
        run.world.step();
        run.check().map_err(|what| format!("step {step}: {what}"))?;
    }
    run.heal()?;
    run.check().map_err(|what| format!("after healing: {what}"))?;
    run.finish()
}

impl Run {
    fn new(number: u64, lie: Lie) -> Self {
        let (world, memory) = (World::new(number), Arc::new(Memory::default()));
        let (nodes, orphans, book) = (Vec::new(), Vec::new(), Book::default());
        let (mut seed, checker) = (Seed::new(!number), Checker::new(Arc::clone(&memory), Arc::clone(&book)));
        let (climate, stats) = (Climate::of(&mut seed), Stats::default());
        let mut run =
            Self { seed, climate, lie, world, memory, nodes, orphans, book, checker, next: 0, stats };
        for _ in 0..NODES {
            let node = run.make_node();
            run.nodes.push(node);
        }
        run
    }

    fn make_node(&mut self) -> Node {
        let host = self.world.node();
        host.set_skew(i64::try_from(self.seed.below(4_000_000)).unwrap() - 2_000_000);
        let link = Arc::new(Link::new(Arc::clone(&self.memory), self.seed.bits(), self.lie));
        link.honest.rates(self.climate.rates);
        Node { host, link, lane: Arc::default(), callers: Vec::new(), starting: false }
    }

    /// Something that the world does to the nodes, or nothing.
    fn act(&mut self) {
        let at = self.seed.below(NODES);
        match self.seed.below(1_000) {
            0..4 => self.crash(at),
            4..8 => self.drop_caller(at),
            8..11 => self.close(at),
            11..35 => self.arrive(),
            35..60 => self.start(at),
            n if n < 60 + self.climate.calls => self.call(at),
            _ => {}
        }
    }

    fn start(&mut self, at: usize) {
        let running = self.nodes[at].lane.lock().unwrap().is_some();
        if running || self.nodes[at].starting {
            return;
        }
        let crypto = rustcrypto::provider();
        let (boot, keys) = (BootId(self.seed.id()), PlainKeys::new(&crypto, self.seed.bits()));
        let node = &mut self.nodes[at];
        node.starting = true;
        let parts = LaneParts {
            backend: Arc::clone(&node.link) as _,
            host: Arc::clone(&node.host) as _,
            crypto,
            barrier: Arc::new(keys),
            boot,
            audit_enabled: true,
        };
        self.checker.expect_chain(boot);
        let slot = Arc::clone(&node.lane);
        let task = async move { *slot.lock().unwrap() = Lane::start(parts).await.ok() };
        node.host.spawn("start", Box::pin(task));
    }

    fn call(&mut self, at: usize) {
        let lane = self.nodes[at].lane.lock().unwrap().clone();
        let Some(lane) = lane else { return };
        self.next += 1;
        let host = self.world.node();
        let node = &mut self.nodes[at];
        let deed = choose(&mut self.seed, self.climate.churn);
        call(&host, &node.link, &lane, format!("r{}", self.next), deed, &self.book);
        node.callers.push(host);
    }

    /// The process is gone, mostly with its callers; what it had sent may still arrive. Another takes its place.
    fn crash(&mut self, at: usize) {
        let fresh = self.make_node();
        let dead = std::mem::replace(&mut self.nodes[at], fresh);
        self.world.kill(&dead.host);
        if self.seed.chance(700) {
            dead.callers.iter().for_each(|host| self.world.kill(host));
        }
        self.orphans.push(dead.link);
        self.stats.crashes += 1;
    }

    fn drop_caller(&mut self, at: usize) {
        let callers = &mut self.nodes[at].callers;
        if !callers.is_empty() {
            let host = callers.swap_remove(self.seed.below(callers.len()));
            self.world.kill(&host);
        }
    }

    /// An orderly end. The place stays empty until somebody starts a lane there again.
    fn close(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let lane = node.lane.lock().unwrap().take();
        if let Some(lane) = lane {
            let task = async move { drop(lane.close().await) };
            node.host.spawn("close", Box::pin(task));
            node.starting = false;
        }
    }

    /// What was under way on one connection arrives, or is lost for good.
    fn arrive(&mut self) {
        let live = self.nodes.iter().map(|node| &node.link);
        let links: Vec<Arc<Link>> =
            live.chain(&self.orphans).filter(|l| l.honest.pending() > 0).cloned().collect();
        if links.is_empty() {
            return;
        }
        let link = self.seed.pick(&links);
        if self.seed.chance(800) {
            self.stats.late += link.honest.pending() as u64;
            let settled = futures::FutureExt::now_or_never(link.honest.settle());
            settled.expect("the memory store answers at once");
        } else {
            link.honest.lose();
        }
    }

    fn check(&mut self) -> Result<(), String> {
        self.stats.steps += 1;
        self.checker.step()
    }

    /// The store works again. Now everything must come to rest, and everybody who waits must be told.
    fn heal(&mut self) -> Result<(), String> {
        for link in self.nodes.iter().map(|node| &node.link).chain(&self.orphans) {
            link.honest.rates(Rates::default());
        }
        for step in 0..200_000 {
            if !self.world.step() {
                return Ok(());
            }
            self.check().map_err(|what| format!("healing, step {step}: {what}"))?;
        }
        Err("the healed cluster does not come to rest".to_owned())
    }

    fn finish(mut self) -> Result<Stats, String> {
        for node in &self.nodes {
            if node.callers.iter().any(|host| self.world.tasks(host) > 0) {
                return Err("a caller hangs".to_owned());
            }
        }
        self.stats.checkpoints = self.checker.checkpoints()?;
        self.stats.records = self.checker.records();
        for told in self.book.lock().unwrap().values() {
            *match told {
                Told::Done => &mut self.stats.done,
                Told::Refused => &mut self.stats.refused,
                Told::Unknown | Told::Lost => &mut self.stats.unknown,
                Told::Nothing => &mut self.stats.silent,
            } += 1;
        }
        Ok(self.stats)
    }
}
