//! The signer: a task beside the lane that makes its checkpoints, so that no reply ever waits for one. One at the
//! start, one whenever enough records or enough time have gone by, one at the end.

use super::{Ended, Inner, board::Wait};
use crate::{
    audit::{
        Chain,
        checkpoint::{self, Checkpoint, Mark},
    },
    error::Error,
    limits::{CHECKPOINT_INTERVAL, LANE_CLOSE_GRACE, LANE_RETRY_MAX, LANE_RETRY_MIN},
    store::{Batch, CommitError, Entry, Key, Sealed},
};
use futures::{channel::oneshot, future::select};
use std::{pin::pin, sync::Arc};

/// Where the prune job keeps the last removed record of every chain: a sealed list of [`Mark`]s.
pub const FLOORS_KEY: &str = "audit/floors";

pub(super) struct Signer {
    inner: Arc<Inner>,
    /// Last record under a checkpoint of ours; `None` before the first.
    signed: Option<u64>,
    /// A checkpoint that exists: where the search for the newest starts.
    known: u64,
    done: oneshot::Sender<Result<(), Ended>>,
}

impl Signer {
    pub(super) fn new(inner: Arc<Inner>, done: oneshot::Sender<Result<(), Ended>>) -> Self {
        Self { inner, signed: None, known: 0, done }
    }

    pub(super) async fn run(mut self) {
        let end = loop {
            let (chain, end) = self.inner.board.read();
            if self.signed != Some(chain.seq) {
                if self.sign(&chain).await.is_err() {
                    break Err(Ended::Unfinished);
                }
            } else if let Some(end) = end {
                break end;
            } else {
                self.rest(chain.seq).await;
            }
        };
        let _ = self.done.send(end); // Nobody may be closing.
    }

    /// Until the next checkpoint is due.
    async fn rest(&self, signed: u64) {
        self.inner.board.wait(Wait::Activity(signed)).await;
        let plenty = pin!(self.inner.board.wait(Wait::Plenty(signed)));
        select(plenty, self.inner.host.sleep(CHECKPOINT_INTERVAL)).await;
    }

    /// Commits a checkpoint over `chain`, as often as it takes. Gives up only when the lane has ended.
    async fn sign(&mut self, chain: &Chain) -> Result<(), Error> {
        let mut pause = LANE_RETRY_MIN;
        let mut ending = None;
        loop {
            match self.attempt(chain).await {
                Ok(Some(number)) => {
                    (self.known, self.signed) = (number, Some(chain.seq));
                    return Ok(());
                }
                Ok(None) => pause = LANE_RETRY_MIN, // Another node took the number.
                Err(error) => {
                    tracing::warn!(boot = %self.inner.boot, ?error, "no checkpoint yet");
                    let now = self.inner.host.monotonic();
                    let patient = self.inner.board.read().1.is_none()
                        || now.saturating_sub(*ending.get_or_insert(now)) < LANE_CLOSE_GRACE;
                    if !patient {
                        return Err(error);
                    }
                    self.inner.host.sleep(pause).await;
                    pause = LANE_RETRY_MAX.min(pause * 2);
                }
            }
        }
    }

    /// One attempt: `Some(number)` if it stands, `None` if another signer was faster.
    async fn attempt(&self, chain: &Chain) -> Result<Option<u64>, Error> {
        let Inner { backend, keys, crypto, host, .. } = &*self.inner;
        let unavailable = |source| Error::unavailable("the store does not answer").with_source(source);
        let newest = checkpoint::newest(&**backend, self.known).await.map_err(unavailable)?;
        let newest = newest.as_ref().map(|(number, entry)| (*number, entry.value.as_bytes()));
        let head = Mark { chain: chain.boot, seq: chain.seq, link: chain.link };
        let floors = self.floors().await?;
        let next = checkpoint::after(newest, crypto, vec![head], floors, host.now())?;
        let key = Checkpoint::key(next.number).map_err(Error::internal)?;
        let mut batch = Batch::new(self.inner.make_rev());
        batch.hurry(); // Only what a checkpoint covers may be pruned.
        let signed = Sealed::public(next.sign(keys.audit_signer()));
        batch.create(key, signed).map_err(Error::internal)?;
        self.commit(&batch).await.map(|stands| stands.then_some(next.number))
    }

    /// A checkpoint is created once and never replaced: its own key tells whether it was this batch that made it.
    async fn commit(&self, batch: &Batch) -> Result<bool, Error> {
        match self.inner.backend.commit(batch).await {
            Ok(()) => Ok(true),
            Err(CommitError::Conflict { .. }) => Ok(false),
            Err(error) => Err(Error::unavailable("the store does not answer").with_source(error)),
        }
    }

    async fn floors(&self) -> Result<Vec<Mark>, Error> {
        let key = Key::new(FLOORS_KEY).map_err(Error::internal)?;
        match self.inner.backend.get(&[key]).await.map_err(Error::internal)?.pop().flatten() {
            Some(entry) => open_floors(&self.inner, &entry),
            None => Ok(Vec::new()),
        }
    }
}

fn open_floors(inner: &Inner, entry: &Entry) -> Result<Vec<Mark>, Error> {
    let plain = inner.keys.open(entry)?;
    // EXPOSE: chains, numbers and links are public; they are about to be signed for everyone to read.
    match checkpoint::take_marks(plain.expose()) {
        Some((floors, [])) => Ok(floors),
        _ => Err(Error::internal("audit/floors holds no list of marks")),
    }
}
