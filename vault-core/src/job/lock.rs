//! [`Lock`]: the right to do one shard of a job, which one node has at a time. It spares the nodes each other's work, and
//! it fences: every commit of the work demands the lock's entry as its holder wrote it last, so a node that was paused
//! for longer than the lock lasts cannot change the store when it wakes.
//!
//! The entry stands at `lock/<job>/<shard>` while the work is done, and its holder replaces it now and then. Whether a
//! holder still lives is told by that, as who wants the lock sees it: no clocks are compared. Nothing depends on the lock
//! being kept, since every change names the revision that it saw.

use crate::{
    barrier::Barrier,
    error::Error,
    id::{BootId, Rev},
    limits::{LOCK_RENEW, LOCK_TTL},
    store::{Batch, Entry, Key, Op},
    system::System,
};
use futures::lock::Mutex;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
    time::Duration,
};

const PREFIX: &str = "lock/";

/// What a lock says (format 1). Nobody reads it to decide: it is for whoever looks into the store with the keys.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    format: u8,
    /// Boot id of the node.
    node: String,
}

/// The locks that a node found taken: their revision, and since when it is that. One an entry of `JOBS` and shard.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch(Arc<std::sync::Mutex<BTreeMap<Key, (Rev, Duration)>>>);

impl Watch {
    /// Has a lock not changed for as long as it lasts, by all that this node saw.
    fn is_abandoned(&self, entry: &Entry, monotonic: Duration) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (rev, since) = seen.entry(entry.key.clone()).or_insert((entry.rev, monotonic));
        if *rev != entry.rev {
            (*rev, *since) = (entry.rev, monotonic);
        }
        monotonic.saturating_sub(*since) >= LOCK_TTL
    }
}

/// A lock that is taken when the first change wants it, and given back at the end.
pub(super) struct Lock {
    key: Key,
    watch: Watch,
    held: Mutex<Option<Held>>,
}

#[derive(Clone, Copy)]
struct Held {
    rev: Rev,
    /// When the commit of this revision began.
    since: Duration,
}

impl Lock {
    pub(super) fn new(job: &str, shard: u8, watch: &Watch) -> Result<Self, Error> {
        let key = Key::new(format!("{PREFIX}{job}/{shard:x}")).map_err(Error::internal)?;
        Ok(Self { key, watch: watch.clone(), held: Mutex::new(None) })
    }

    /// What a batch of the work must demand; takes the lock or renews it first if it is time. `None`: another node has
    /// it.
    pub(super) async fn guard(
        &self,
        system: &System,
        barrier: &Barrier,
        node: BootId,
    ) -> Result<Option<(Key, Op)>, Error> {
        let mut held = self.held.lock().await;
        let since = system.host().monotonic();
        let before = match *held {
            Some(Held { rev, since: renewed }) if since.saturating_sub(renewed) < LOCK_RENEW => {
                return Ok(Some((self.key.clone(), Op::Guard(rev))));
            }
            Some(Held { rev, .. }) => Some(rev),
            None => match system.entry(self.key.as_str()).await? {
                Some(entry) if !self.watch.is_abandoned(&entry, since) => return Ok(None),
                found => found.map(|entry| entry.rev),
            },
        };
        *held = None;
        let holder = Holder { format: 1, node: node.to_string() };
        let sealed = barrier.seal(&self.key, &serde_json::to_vec(&holder).map_err(Error::internal)?)?;
        let op = match before {
            Some(rev) => Op::Replace(rev, sealed),
            None => Op::Create(sealed),
        };
        let Some(rev) = self.commit(system, op).await? else { return Ok(None) };
        *held = Some(Held { rev, since });
        Ok(Some((self.key.clone(), Op::Guard(rev))))
    }

    /// Gives the lock back. If that fails, it lasts for its time.
    pub(super) async fn release(&self, system: &System) {
        let Some(Held { rev, .. }) = self.held.lock().await.take() else { return };
        if let Err(error) = self.commit(system, Op::Remove(rev)).await {
            tracing::debug!(lock = %self.key, %error, "a lock was not given back, and others wait until it ends");
        }
    }

    /// Urgent: some jobs make room on a full disk.
    async fn commit(&self, system: &System, op: Op) -> Result<Option<Rev>, Error> {
        let rev = system.make_rev();
        let mut batch = Batch::new(rev);
        batch.stage(self.key.clone(), op).map_err(Error::internal)?;
        batch.hurry();
        Ok(system.commit_aside(&batch).await?.then_some(rev))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Secret,
        barrier::MasterKey,
        crypto::rustcrypto,
        host::Host as _,
        job::background::Background,
        store::{Store as _, memory::Memory},
        system::{Guardian, Settings},
        testing::{SimHost, World},
    };
    use futures::FutureExt as _;
    use std::sync::atomic::{AtomicBool, Ordering};

    const THING: &str = "ns/0/thing";

    #[test]
    fn golden() {
        let golden = r#"{"format":1,"node":"07"}"#;
        let holder = Holder { format: 1, node: "07".to_owned() };
        assert_eq!(serde_json::to_string(&holder).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Holder>(golden).unwrap(), holder);
    }

    /// A node over a store, unsealed; the first makes the vault.
    async fn open(memory: Arc<Memory>, host: Arc<SimHost>) -> System {
        let master = MasterKey::parse(&Secret::new("k".repeat(32))).unwrap();
        let settings = Settings { guardian: Guardian::MasterKey(master), ..Settings::default() };
        let system = System::new(memory, host, rustcrypto::provider(), settings);
        system.unseal_alone().await.unwrap();
        system
    }

    fn share<'s>(system: &'s System, watch: &Watch) -> Background<'s> {
        Background::share(system, 0, Lock::new("test", 0, watch).unwrap()).unwrap()
    }

    async fn change(background: &Background<'_>, name: &str) -> bool {
        let op = background.mark(name).unwrap();
        background.try_submit("test", "test", vec![op]).await.unwrap()
    }

    fn stands(memory: &Memory, name: &str) -> bool {
        let found = memory.get(&[Key::new(name).unwrap()]).now_or_never().unwrap().unwrap();
        found[0].is_some()
    }

    #[test]
    fn one_node_at_a_time_and_the_next_after_it_or_after_its_time() {
        let (world, memory) = (World::new(1), Arc::new(Memory::default()));
        let (one, two) = (world.node(), world.node());
        let done = world.run(async move {
            let (one, two) = (open(memory.clone(), one).await, open(memory.clone(), two).await);
            let watch = Watch::default();
            let (first, second) = (share(&one, &Watch::default()), share(&two, &watch));
            assert!(!stands(&memory, "lock/test/0"), "nobody wants to change anything");
            assert!(change(&first, THING).await && !change(&second, THING).await);
            first.end().await;
            assert!(!stands(&memory, "lock/test/0") && change(&second, THING).await, "given back");
            second.end().await;

            // One that is renewed lasts; one that is not ends. Each time another activation asks.
            let first = share(&one, &Watch::default());
            assert!(change(&first, THING).await);
            for _ in 0..4 {
                one.host().sleep(LOCK_TTL / 2).await;
                assert!(change(&first, THING).await && !change(&share(&two, &watch), THING).await);
            }
            one.host().sleep(LOCK_TTL - Duration::from_millis(1)).await;
            assert!(!change(&share(&two, &watch), THING).await);
            one.host().sleep(Duration::from_millis(1)).await;
            let second = share(&two, &watch);
            assert!(change(&second, THING).await && !change(&first, THING).await, "it has ended");
            second.end().await;
            assert!(change(&first, THING).await, "and begins anew");
        });
        assert!(done.is_some());
    }

    /// A node is paused after so many steps of its change, for longer than the lock lasts, while another wants the lock.
    /// Once that one has it, what the first one was about to do is done or never will be.
    #[test]
    fn a_paused_node_changes_nothing_when_it_wakes() {
        let mut outcomes = [0, 0];
        for steps in 0..60 {
            let (world, memory) = (World::new(steps), Arc::new(Memory::default()));
            let hosts = [world.node(), world.node()];
            let [one, two] = hosts.clone().map(|host| {
                let memory = memory.clone();
                world.run(async move { open(memory, host).await }).unwrap()
            });
            let said = Arc::new(AtomicBool::new(false));
            let (told, its) = (said.clone(), one.clone());
            hosts[0].spawn(
                "job",
                async move {
                    let background = share(&its, &Watch::default());
                    change(&background, "ns/0/first").await;
                    its.host().sleep(Duration::from_secs(1)).await;
                    told.store(change(&background, THING).await, Ordering::SeqCst);
                    background.end().await;
                }
                .boxed(),
            );
            while !stands(&memory, "ns/0/first") {
                assert!(world.step());
            }
            for _ in 0..steps {
                world.step();
            }
            world.pause(&hosts[0]);
            world.run(async move {
                let watch = Watch::default();
                while !change(&share(&two, &watch), "ns/0/other").await {
                    two.host().sleep(LOCK_TTL / 3).await;
                }
            });
            let before = stands(&memory, THING);
            world.resume(&hosts[0]);
            // Its lane lives on: a while is enough.
            world.run(async move { one.host().sleep(LOCK_TTL * 4).await });
            assert_eq!((stands(&memory, THING), said.load(Ordering::SeqCst)), (before, before), "{steps}");
            outcomes[usize::from(before)] += 1;
        }
        assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
    }
}
