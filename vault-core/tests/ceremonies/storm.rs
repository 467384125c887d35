//! Verified rekeys while stores fail and nodes die: whatever is lost, somebody holds shares that open the vault, and
//! who holds them knows it. `SECRETHUB_SIM_SEED` replays one run.

use crate::house::{decode, keys};
use secrethub_core::{
    Operation::{self, Delete, Read, Write},
    Parts, Request, Vault,
    crypto::rustcrypto,
    store::memory::Memory,
    system::Settings,
    testing::{Rates, Seed, SimHost, Unreliable, World},
};
use serde_json::{Value, json};
use std::sync::Arc;

const STORM: Rates = Rates { before: 20, after: 40, later: 60, reads: 5, pauses: 200 };
const NODES: usize = 3;

struct Node {
    vault: Arc<Vault>,
    host: Arc<SimHost>,
    link: Arc<Unreliable<Memory>>,
}

struct Storm {
    world: World,
    memory: Arc<Memory>,
    seed: Seed,
    nodes: Vec<Node>,
    root: String,
    /// The shares that are in force, as far as their holders know.
    shares: Vec<String>,
    /// New shares that wait to be verified, and under which nonce.
    new: Option<(String, Vec<String>)>,
    rekeyed: usize,
    lost: usize,
}

impl Storm {
    fn begin(number: u64) -> Self {
        let (world, memory, seed) = (World::new(number), Arc::new(Memory::default()), Seed::new(!number));
        let (nodes, root, shares, new) = (Vec::new(), String::new(), Vec::new(), None);
        let mut storm = Self { world, memory, seed, nodes, root, shares, new, rekeyed: 0, lost: 0 };
        let node = storm.open().unwrap();
        storm.nodes.push(node);
        let fields = json!({ "secret_shares": 3, "secret_threshold": 2 });
        let init = storm.ask(0, Write, "sys/init", fields).unwrap();
        storm.root = init["root_token"].as_str().unwrap().to_owned();
        storm.shares = keys(&init);
        assert!(storm.unseals(0, &storm.shares.clone()));
        while storm.nodes.len() < NODES {
            storm.join();
        }
        storm
    }

    fn open(&mut self) -> Option<Node> {
        let host = self.world.node();
        let link = Arc::new(Unreliable::new(Arc::clone(&self.memory), self.seed.bits()));
        let (backend, crypto, settings) = (Arc::clone(&link), rustcrypto::provider(), Settings::default());
        let parts = Parts { backend, host: Arc::clone(&host) as _, crypto, settings };
        let vault = self.world.run(async move { Vault::open(parts).await.ok() }).flatten()?;
        Some(Node { vault, host, link })
    }

    /// A node on a quiet line, unsealed by whichever shares do it; then its line is as bad as the others'.
    fn join(&mut self) {
        let Some(node) = self.open() else { return };
        self.nodes.push(node);
        let at = self.nodes.len() - 1;
        let candidates = [Some(self.shares.clone()), self.new.as_ref().map(|(_, new)| new.clone())];
        let fits = candidates.into_iter().flatten().find(|shares| self.unseals(at, shares));
        assert!(fits.is_some(), "nobody holds shares that open the vault");
        self.nodes[at].link.rates(STORM);
    }

    fn unseals(&mut self, at: usize, shares: &[String]) -> bool {
        let reset = json!({ "reset": true });
        self.ask(at, Write, "sys/unseal", reset);
        let sealed = |status: Option<Value>| status.is_none_or(|status| status["sealed"] != false);
        !shares[..2].iter().all(|share| sealed(self.ask(at, Write, "sys/unseal", json!({ "key": share }))))
    }

    /// An answer, or none: the request was refused, or the node died over it.
    fn ask(&mut self, at: usize, operation: Operation, path: &str, fields: Value) -> Option<Value> {
        let request = Request::new("id", operation, path).with_fields(fields).with_token(&self.root);
        let vault = Arc::clone(&self.nodes[at].vault);
        self.world
            .run(async move { vault.handle(request).await.ok() })
            .flatten()
            .map(|reply| reply.to_value())
    }

    /// The same on any node; sometimes one dies before, with what it had under way.
    fn anywhere(&mut self, operation: Operation, path: &str, fields: Value) -> Option<Value> {
        if self.seed.chance(60) {
            let node = self.nodes.swap_remove(self.seed.below(NODES));
            self.world.kill(&node.host);
            self.lost += 1;
            while self.nodes.len() < NODES {
                self.join();
            }
        }
        let at = self.seed.below(NODES);
        self.ask(at, operation, path, fields)
    }

    /// What whoever leads a rekey does next, from what its status says.
    fn lead(&mut self) {
        let Some(status) = self.anywhere(Read, "sys/rekey/init", json!({})) else { return };
        let pending = status["verification_nonce"].as_str().unwrap_or_default().to_owned();
        match (status["started"] == true, pending.is_empty(), self.new.take()) {
            (false, _, Some((_, new))) => self.settle(new),
            (false, _, None) => {
                let fields =
                    json!({ "secret_shares": 3, "secret_threshold": 2, "require_verification": true });
                self.anywhere(Write, "sys/rekey/init", fields);
            }
            (true, true, _) => {
                let share = self.seed.pick(&self.shares).clone();
                let fields = json!({ "key": share, "nonce": status["nonce"] });
                let done = self.anywhere(Write, "sys/rekey/update", fields);
                self.new = done
                    .filter(|done| done["complete"] == true)
                    .map(|done| (done["verification_nonce"].as_str().unwrap().to_owned(), keys(&done)));
            }
            (true, false, Some((nonce, new))) if nonce == pending => {
                let fields = json!({ "key": self.seed.pick(&new), "nonce": nonce });
                self.new = Some((nonce, new));
                self.anywhere(Write, "sys/rekey/verify", fields);
            }
            // The answer that told the new shares was lost.
            (true, false, _) => drop(self.anywhere(Delete, "sys/rekey/init", json!({}))),
        }
    }

    /// A verification is over, well or not: which shares are in force, a new node tells.
    fn settle(&mut self, new: Vec<String>) {
        self.new = Some((String::new(), new));
        let Some(node) = self.open() else { return };
        self.nodes.push(node);
        let (at, old) = (self.nodes.len() - 1, self.shares.clone());
        let Some((_, new)) = self.new.take() else { return };
        if self.unseals(at, &new) {
            self.shares = new;
            self.rekeyed += 1;
        } else {
            assert!(self.unseals(at, &old), "neither the old nor the new shares open the vault");
        }
        let node = self.nodes.swap_remove(at);
        self.world.kill(&node.host);
    }

    fn heal(&self) {
        for node in &self.nodes {
            node.link.rates(Rates::default());
        }
    }

    /// On a healed store the shares do what they are for.
    fn check(&mut self) {
        self.heal();
        self.world.settle(300_000);
        for _ in 0..20 {
            self.lead();
            // A node that joined meanwhile has a bad line.
            self.heal();
            self.ask(0, Delete, "sys/rekey/init", json!({}));
        }
        let otp = "0123456789ABCDEFGHIJKLMNOPQR";
        let begun = self.ask(0, Write, "sys/generate-root/attempt", json!({ "otp": otp })).unwrap();
        let mut done = Value::Null;
        for share in self.shares.clone().iter().take(2) {
            let fields = json!({ "key": share, "nonce": begun["nonce"] });
            done = self.ask(1, Write, "sys/generate-root/update", fields).unwrap();
        }
        self.root = decode(&done["encoded_token"], otp);
        assert!(self.ask(2, Read, "sys/mounts", json!({})).is_some());
    }
}

#[test]
fn nobody_is_locked_out_by_a_verified_rekey() {
    let only: Option<u64> = std::env::var("SECRETHUB_SIM_SEED").ok().and_then(|seed| seed.parse().ok());
    let (mut rekeyed, mut lost) = (0, 0);
    for number in only.map_or(0..6, |seed| seed..seed + 1) {
        let mut storm = Storm::begin(number);
        for _ in 0..150 {
            storm.lead();
        }
        storm.check();
        (rekeyed, lost) = (rekeyed + storm.rekeyed, lost + storm.lost);
    }
    assert!(only.is_some() || rekeyed >= 20 && lost >= 20, "too little happened: {rekeyed} {lost}");
}
