//! The nodes of a run, what happens to them, and what must be in the store at its end.

use crate::callers::{Caller, Log, spawn};
use futures::FutureExt as _;
use secrethub_core::{
    Operation, Parts, Request, Vault,
    audit::{
        AuditRow, Status,
        chain::{self, GENESIS},
    },
    crypto::rustcrypto,
    id::BootId,
    store::{AuditLog as _, memory::Memory},
    system::Settings,
    testing::{Rates, Seed, SimHost, Unreliable, World},
};
use serde_json::{Value, json};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

const NODES: usize = 3;
/// Few writes each, so that no version is pruned.
const PATHS: usize = 40;

type Slot = Arc<Mutex<Option<Arc<Vault>>>>;

struct Node {
    host: Arc<SimHost>,
    link: Arc<Unreliable<Memory>>,
    /// The vault, once it is unsealed.
    vault: Slot,
    callers: Vec<Arc<SimHost>>,
}

pub(crate) struct Cluster {
    pub(crate) world: World,
    seed: Seed,
    memory: Arc<Memory>,
    nodes: Vec<Node>,
    orphans: Vec<Arc<Unreliable<Memory>>>,
    log: Arc<Log>,
    share: Value,
    root: String,
    /// Records seen of each chain.
    seen: HashMap<BootId, u64>,
}

async fn ask(vault: &Vault, operation: Operation, path: &str, fields: Value, token: &str) -> Option<Value> {
    let request = Request::new("setup", operation, path).with_fields(fields);
    let request = if token.is_empty() { request } else { request.with_token(token) };
    vault.handle(request).await.ok().map(|reply| reply.to_value())
}

async fn open(link: Arc<Unreliable<Memory>>, host: Arc<SimHost>) -> Option<Arc<Vault>> {
    let (crypto, settings) = (rustcrypto::provider(), Settings::default());
    Vault::open(Parts { backend: link, host, crypto, settings }).await.ok()
}

impl Cluster {
    /// Initialises the vault on a quiet day, then lets the nodes come up in the storm.
    pub(crate) fn new(number: u64, log: Arc<Log>) -> Self {
        let (world, memory) = (World::new(number), Arc::new(Memory::default()));
        let (link, host) = (Arc::new(Unreliable::new(Arc::clone(&memory), number)), world.node());
        let init = world.run(async move {
            let vault = open(link, host).await.unwrap();
            let fields = json!({ "secret_shares": 1, "secret_threshold": 1 });
            ask(&vault, Operation::Write, "sys/init", fields, "").await.unwrap()
        });
        let init = init.unwrap();
        let (share, root) = (init["keys"][0].clone(), init["root_token"].as_str().unwrap().to_owned());
        let (nodes, orphans, seed) = (Vec::new(), Vec::new(), Seed::new(!number));
        let seen = HashMap::new();
        let mut cluster = Self { world, seed, memory, nodes, orphans, log, share, root, seen };
        for _ in 0..NODES {
            let node = cluster.make_node();
            cluster.nodes.push(node);
        }
        cluster
    }

    /// A process that opens the vault and unseals it, as often as it takes.
    fn make_node(&mut self) -> Node {
        let host = self.world.node();
        let link = Arc::new(Unreliable::new(Arc::clone(&self.memory), self.seed.bits()));
        link.rates(Rates { before: 20, after: 40, later: 60, reads: 5, pauses: 300 });
        let vault = Slot::default();
        let (slot, share) = (Arc::clone(&vault), self.share.clone());
        let (its_host, its_link) = (Arc::clone(&host), Arc::clone(&link));
        spawn(&host, async move {
            while slot.lock().unwrap().is_none() {
                let Some(vault) = open(Arc::clone(&its_link), Arc::clone(&its_host)).await else { continue };
                let fields = json!({ "key": share });
                let status = ask(&vault, Operation::Write, "sys/unseal", fields, "").await;
                if status.is_some_and(|status| status["sealed"] == false) {
                    *slot.lock().unwrap() = Some(vault);
                }
            }
        });
        Node { host, link, vault, callers: Vec::new() }
    }

    /// One step of one task. What it brings into the store may not be the work of a token that was dead before.
    pub(crate) fn step(&mut self) -> bool {
        let dead = self.log.dead();
        let moved = self.world.step();
        for head in self.memory.heads().now_or_never().unwrap().unwrap() {
            let seen = self.seen.entry(head.chain).or_default();
            if *seen == head.last {
                continue;
            }
            let rows = self.memory.read(head.chain, *seen + 1, 1_000).now_or_never().unwrap().unwrap();
            *seen = head.last;
            let works = |row: &&AuditRow| row.columns.status == Status::Success;
            let by = rows.iter().filter(works).filter_map(|row| row.columns.accessor.as_ref());
            if by.clone().any(|accessor| dead.contains(accessor)) {
                self.log.accuse("a change in flight outlived its token".to_owned());
            }
        }
        moved
    }

    /// Something that happens, or nothing.
    pub(crate) fn act(&mut self) {
        let at = self.seed.below(NODES);
        match self.seed.below(1_000) {
            0..2 => self.crash(at),
            2..6 => self.drop_caller(at),
            6..16 => self.arrive(at),
            16..66 => self.call(at),
            66..76 => self.duel(at),
            _ => {}
        }
    }

    fn call(&mut self, at: usize) {
        let Some(vault) = self.nodes[at].vault.lock().unwrap().clone() else { return };
        let path = format!("secret/data/s{}", self.seed.below(PATHS));
        let (log, token) = (Arc::clone(&self.log), self.root.clone());
        let some_token = log.token(self.seed.below(1_000));
        let caller = Caller { vault, log, token };
        let host = self.world.node();
        match (self.seed.below(10), some_token) {
            (0..3, _) => spawn(&host, caller.write(path)),
            (3..5, _) => spawn(&host, caller.read(path)),
            (5..7, _) | (_, None) => spawn(&host, caller.create_token()),
            (7, Some(token)) => spawn(&host, caller.revoke(token)),
            (_, Some(token)) => {
                spawn(&host, Caller { token, ..caller }.use_token("secret/data/token".to_owned()));
            }
        }
        self.nodes[at].callers.push(host);
    }

    /// A token is used on one node while it is revoked on another.
    fn duel(&mut self, at: usize) {
        let vault = |node: &Node| node.vault.lock().unwrap().clone();
        let (mine, other) = (&self.nodes[at], &self.nodes[(at + 1) % NODES]);
        let token = self.log.token(self.seed.below(1_000));
        let (Some(user), Some(revoker), Some(token)) = (vault(mine), vault(other), token) else { return };
        let user = Caller { vault: user, log: Arc::clone(&self.log), token: token.clone() };
        let revoker = Caller { vault: revoker, log: Arc::clone(&self.log), token: self.root.clone() };
        let path = format!("secret/data/t{}", self.seed.below(PATHS));
        let (one, two) = (self.world.node(), self.world.node());
        spawn(&one, user.use_token(path));
        spawn(&two, revoker.revoke(token));
        self.nodes[at].callers.extend([one, two]);
    }

    fn crash(&mut self, at: usize) {
        let fresh = self.make_node();
        let dead = std::mem::replace(&mut self.nodes[at], fresh);
        self.world.kill(&dead.host);
        dead.callers.iter().for_each(|host| self.world.kill(host));
        self.orphans.push(dead.link);
    }

    fn drop_caller(&mut self, at: usize) {
        let callers = &mut self.nodes[at].callers;
        if !callers.is_empty() {
            let host = callers.swap_remove(self.seed.below(callers.len()));
            self.world.kill(&host);
        }
    }

    /// What was under way on a connection arrives, or never will.
    fn arrive(&mut self, at: usize) {
        let link = self.orphans.pop().unwrap_or_else(|| Arc::clone(&self.nodes[at].link));
        if self.seed.chance(700) {
            link.settle().now_or_never().expect("the memory store answers at once");
        } else {
            link.lose();
        }
    }

    /// The store works again: everybody must be answered and everything come to rest.
    pub(crate) fn heal(&mut self) -> Result<(), String> {
        for link in self.nodes.iter().map(|node| &node.link).chain(&self.orphans) {
            link.rates(Rates::default());
        }
        if (0..300_000).all(|_| self.step()) {
            return Err("the healed cluster does not come to rest".to_owned());
        }
        let hangs = |host: &Arc<SimHost>| self.world.tasks(host) > 0;
        let anybody = self.nodes.iter().any(|node| node.callers.iter().any(hangs));
        if anybody { Err("a caller hangs".to_owned()) } else { Ok(()) }
    }

    /// Every acknowledged write is there, at its own version.
    pub(crate) fn check_writes(&self) -> Result<(), String> {
        let vault = self.nodes[0].vault.lock().unwrap().clone().ok_or("node 0 is not unsealed")?;
        let mut taken = HashMap::new();
        for (path, version, content) in self.log.acks() {
            if let Some(other) = taken.insert((path.clone(), version), content.clone()) {
                return Err(format!("{path}: version {version} was promised to {other} and {content}"));
            }
            let (vault, root, at) = (Arc::clone(&vault), self.root.clone(), path.clone());
            let fields = json!({ "version": version });
            let found = self.world.run(async move { ask(&vault, Operation::Read, &at, fields, &root).await });
            let found = found.flatten().ok_or_else(|| format!("{path}: version {version} is gone"))?;
            if found["data"]["content"] != content.as_str() {
                return Err(format!("{path}: version {version} holds {}, not {content}", found["data"]));
            }
        }
        Ok(())
    }

    /// Every chain verifies, and every reply has its record.
    pub(crate) fn check_records(&self) -> Result<(), String> {
        let (crypto, mut known) = (rustcrypto::provider(), HashSet::new());
        let heads = self.memory.heads().now_or_never().unwrap().unwrap();
        for head in heads {
            let (mut link, mut next) = (GENESIS, 1);
            while next <= head.last {
                let rows = self.memory.read(head.chain, next, 1_000).now_or_never().unwrap().unwrap();
                for row in rows {
                    link = chain::link(crypto.hash, &link, &row.canonical);
                    if (row.seq, row.link) != (next, link) {
                        return Err(format!("{}:{next} does not verify", head.chain));
                    }
                    known.insert(row.columns.request_id);
                    next += 1;
                }
            }
        }
        match self.log.replies().into_iter().find(|id| !known.contains(id)) {
            Some(id) => Err(format!("{id} was answered and is not on record")),
            None => Ok(()),
        }
    }
}
