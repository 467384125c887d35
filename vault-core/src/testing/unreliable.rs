//! [`Unreliable`]: a store whose commits fail in the three ways in which a remote store's can: before anything
//! happened, after everything happened, and — the one that is always forgotten — *later*: the caller is told
//! "unknown", looks, finds nothing, and only then does the original arrive.

use super::{Seed, pause};
use crate::{
    audit::{AuditPage, AuditQuery, AuditRow, Cursor, Head},
    error::BoxError,
    id::BootId,
    store::{
        AuditLog, Backend, Batch, CommitError, Entry, Key, Limit, Range, SnapshotReader, Store, StoreError,
    },
};
use async_trait::async_trait;
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What happens to one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It works.
    None,
    /// Nothing is applied, the answer is `NotApplied`.
    Before,
    /// It is applied (or conflicts), the answer is `Unknown`.
    After,
    /// The answer is `Unknown` now; the batch is applied just before the store's n-th following call (n ≥ 1).
    Later(u32),
}

/// How often each fault happens when no script says otherwise, in per mille.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    /// [`Fault::Before`].
    pub before: u16,
    /// [`Fault::After`].
    pub after: u16,
    /// [`Fault::Later`], one to eight calls later.
    pub later: u16,
    /// Reads of every kind that answer `Unavailable`.
    pub reads: u16,
    /// Calls that let other tasks run before the store is asked, and again before it answers.
    pub pauses: u16,
}

/// Wraps a backend. Many may wrap the same one, as many nodes use one database.
pub struct Unreliable<S: ?Sized> {
    inner: Arc<S>,
    state: Mutex<State>,
}

struct State {
    seed: Seed,
    rates: Rates,
    script: VecDeque<Fault>,
    calls: u64,
    pending: Vec<(u64, Batch)>,
}

/// What one call has to do.
struct Plan {
    due: Vec<Batch>,
    pause: bool,
}

impl<S: Backend + ?Sized> Unreliable<S> {
    /// Works like `inner` until rates or a script say otherwise.
    pub fn new(inner: Arc<S>, seed: u64) -> Self {
        let state = State {
            seed: Seed::new(seed),
            rates: Rates::default(),
            script: VecDeque::new(),
            calls: 0,
            pending: Vec::new(),
        };
        Self { inner, state: Mutex::new(state) }
    }

    /// What happens from now on to commits that no script covers.
    pub fn rates(&self, rates: Rates) {
        self.state().rates = rates;
    }

    /// What happens to the next commits, one fault each.
    pub fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().script.extend(faults);
    }

    /// The backend itself, which never fails: for checks from outside.
    pub fn inner(&self) -> &Arc<S> {
        &self.inner
    }

    /// Calls that it was asked so far.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Batches that were answered `Unknown` and have not arrived yet.
    pub fn pending(&self) -> usize {
        self.state().pending.len()
    }

    /// Lets everything that is under way arrive now, oldest first.
    pub async fn settle(&self) {
        let pending = std::mem::take(&mut self.state().pending);
        self.arrive(pending.into_iter().map(|(_, batch)| batch)).await;
    }

    /// Loses everything that is under way, as when the network swallowed it.
    pub fn lose(&self) {
        self.state().pending.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody waits for a late commit any more, so nobody learns its outcome.
    async fn arrive(&self, batches: impl Iterator<Item = Batch> + Send) {
        for batch in batches.collect::<Vec<_>>() {
            drop(self.inner.commit(&batch).await);
        }
    }

    async fn enter(&self) -> bool {
        let plan = self.state().plan();
        self.arrive(plan.due.into_iter()).await;
        if plan.pause {
            pause().await;
        }
        plan.pause
    }

    async fn enter_read(&self) -> Result<bool, StoreError> {
        let paused = self.enter().await;
        let mut state = self.state();
        let rate = state.rates.reads;
        if state.seed.chance(rate) { Err(unavailable()) } else { Ok(paused) }
    }
}

impl State {
    fn plan(&mut self) -> Plan {
        self.calls += 1;
        let calls = self.calls;
        let due = self.pending.extract_if(.., |(at, _)| *at <= calls).map(|(_, batch)| batch).collect();
        Plan { due, pause: self.seed.chance(self.rates.pauses) }
    }

    fn fault(&mut self) -> Fault {
        if let Some(fault) = self.script.pop_front() {
            return fault;
        }
        let Rates { before, after, later, .. } = self.rates;
        let roll = self.seed.below(1_000);
        let (before, after, later) = (usize::from(before), usize::from(after), usize::from(later));
        match roll {
            _ if roll < before => Fault::Before,
            _ if roll < before + after => Fault::After,
            _ if roll < before + after + later => Fault::Later(1 + u32::from(self.seed.id()[0] % 8)),
            _ => Fault::None,
        }
    }
}

#[async_trait]
impl<S: Backend + ?Sized> Store for Unreliable<S> {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>, StoreError> {
        let paused = self.enter_read().await?;
        let found = self.inner.get(keys).await;
        leave(paused, found).await
    }

    async fn scan(&self, range: Range, limit: Limit) -> Result<Vec<Entry>, StoreError> {
        let paused = self.enter_read().await?;
        let found = self.inner.scan(range, limit).await;
        leave(paused, found).await
    }

    async fn commit(&self, batch: &Batch) -> Result<(), CommitError> {
        let paused = self.enter().await;
        let fault = self.state().fault();
        let answer = match fault {
            Fault::None => self.inner.commit(batch).await,
            Fault::Before => Err(CommitError::NotApplied(unavailable())),
            Fault::After => {
                drop(self.inner.commit(batch).await);
                Err(CommitError::Unknown(broken()))
            }
            Fault::Later(calls) => {
                let mut state = self.state();
                let at = state.calls + u64::from(calls.max(1));
                state.pending.push((at, batch.clone()));
                Err(CommitError::Unknown(broken()))
            }
        };
        leave(paused, answer).await
    }

    async fn snapshot(&self) -> Result<Box<dyn SnapshotReader>, StoreError> {
        self.enter_read().await?;
        self.inner.snapshot().await
    }

    fn kind(&self) -> &'static str {
        self.inner.kind()
    }
}

#[async_trait]
impl<S: Backend + ?Sized> AuditLog for Unreliable<S> {
    async fn search(
        &self,
        query: &AuditQuery,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<AuditPage, StoreError> {
        self.enter_read().await?;
        self.inner.search(query, after, limit).await
    }

    async fn read(&self, chain: BootId, from: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        self.enter_read().await?;
        self.inner.read(chain, from, limit).await
    }

    async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        self.enter_read().await?;
        self.inner.heads().await
    }

    async fn prune(&self, chain: BootId, below: u64, limit: usize) -> Result<u64, StoreError> {
        self.enter_read().await?;
        self.inner.prune(chain, below, limit).await
    }
}

impl<S: Backend + ?Sized> fmt::Debug for Unreliable<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Unreliable").field(&self.inner).finish()
    }
}

async fn leave<T>(paused: bool, answer: T) -> T {
    if paused {
        pause().await;
    }
    answer
}

fn unavailable() -> StoreError {
    StoreError::Unavailable { backend: "unreliable", source: broken() }
}

fn broken() -> BoxError {
    "the connection broke (injected)".into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::Rev,
        store::{Sealed, memory::Memory},
    };

    fn create(id: u8, name: &str) -> Batch {
        let mut batch = Batch::new(Rev([id; 16]));
        batch.create(Key::new(name).unwrap(), Sealed::from_stored(vec![id])).unwrap();
        batch
    }

    async fn there<S: Backend + ?Sized>(store: &S, name: &str) -> bool {
        store.get(&[Key::new(name).unwrap()]).await.unwrap()[0].is_some()
    }

    #[tokio::test]
    async fn each_fault_is_what_it_says() {
        let store = Unreliable::new(Arc::new(Memory::default()), 1);
        store.script([Fault::Before, Fault::After, Fault::Later(2), Fault::None]);

        assert!(matches!(store.commit(&create(1, "a")).await, Err(CommitError::NotApplied(_))));
        assert!(!there(&**store.inner(), "a").await);

        assert!(matches!(store.commit(&create(2, "b")).await, Err(CommitError::Unknown(_))));
        assert!(there(&**store.inner(), "b").await);

        assert!(matches!(store.commit(&create(3, "c")).await, Err(CommitError::Unknown(_))));
        assert!(!there(&store, "c").await, "one call later it has not arrived");
        assert!(there(&store, "c").await, "two calls later it has");
        assert!(store.commit(&create(3, "c")).await.is_ok(), "and may be sent again");
    }

    #[tokio::test]
    async fn settle_and_lose_end_the_wait() {
        let store = Unreliable::new(Arc::new(Memory::default()), 1);
        store.script([Fault::Later(100), Fault::Later(100)]);
        drop(store.commit(&create(1, "a")).await);
        store.settle().await;
        drop(store.commit(&create(2, "b")).await);
        assert_eq!(store.pending(), 1);
        store.lose();
        assert!(there(&store, "a").await && !there(&store, "b").await);
    }

    #[tokio::test]
    async fn rates_follow_the_seed() {
        let rates = Rates { before: 200, after: 200, later: 200, reads: 200, pauses: 500 };
        let mut seen = Vec::new();
        for _ in 0..2 {
            let store = Unreliable::new(Arc::new(Memory::default()), 7);
            store.rates(rates);
            let mut answers = String::new();
            for id in 0..200_u8 {
                answers.push(match store.commit(&create(id, &format!("k{id}"))).await {
                    Ok(()) => '.',
                    Err(CommitError::NotApplied(_)) => 'b',
                    Err(_) => 'u',
                });
            }
            seen.push(answers);
        }
        assert_eq!(seen[0], seen[1]);
        assert!(['.', 'b', 'u'].iter().all(|kind| seen[0].matches(*kind).count() > 20), "{}", seen[0]);
    }
}
