//! How one numbered batch gets into the store, whatever the store answers. The whole of the lane's fault handling.
//!
//! `Ok` and `Conflict` are final, but for one trap. After `Unknown` the batch may be on its way still, and a
//! `Conflict` that the re-send earned says only that it could not be applied *at that instant*: a `create` that failed
//! because the key was there will pass once the key has been removed, and then the first sending, late, would be
//! applied whole, with records that nobody counted and changes whose callers were told that they lost. What can never
//! pass again is the compare-and-set on the lane's own key, since revisions are never reused. So before anybody is
//! told of such a conflict, a *fence* is committed: the lane's key alone, replaced by itself. Once it stands, the late
//! batch is dead. If the fence itself meets a conflict, the late batch has won, and its re-send answers `Ok`; or a
//! stranger has taken the key, and the lane is lost.

use super::{Inner, queue::Phase, witness::Witness};
use crate::{
    audit::Chain,
    error::{BoxError, Error},
    id::Rev,
    limits::{LANE_CLOSE_GRACE, LANE_RETRY_MAX, LANE_RETRY_MIN},
    store::{Batch, CommitError, Key, Op, StoreError},
};
use std::{sync::Arc, time::Duration};

/// What became of a batch.
pub(super) enum Sent {
    /// It stands; the witness is at its id.
    Applied,
    /// It never will: the conditions on these keys failed.
    Refused(Vec<Key>),
    /// It never will, for another reason.
    NotApplied(StoreError),
    /// The lane's own key is at a revision that the lane did not write.
    Lost,
    /// The lane is closing and the store does not answer: nobody knows.
    Unresolved,
}

/// The lane's hold on its key in the store.
pub(super) struct Line {
    inner: Arc<Inner>,
    /// Revision of `lane/<boot>`: the last batch of ours that was applied.
    witness: Rev,
    closing_since: Option<Duration>,
}

impl Line {
    pub(super) fn new(inner: Arc<Inner>, witness: Rev) -> Self {
        Self { inner, witness, closing_since: None }
    }

    /// Adds to a batch what makes it the lane's: its key, moved on to where `chain` now stands.
    pub(super) fn claim(&self, batch: &mut Batch, chain: &Chain) -> Result<(), Error> {
        let inner = &self.inner;
        let witness = Witness::of(chain, inner.keys.audit_mac(&chain.link), inner.host.now());
        let sealed = inner.keys.seal(&inner.key, &witness.encode())?;
        batch.stage(inner.key.clone(), Op::Replace(self.witness, sealed)).map_err(Error::internal)
    }

    /// Sends a claimed batch until it is known what became of it. `before` is the chain without it.
    pub(super) async fn send(&mut self, batch: &Batch, before: &Chain) -> Sent {
        let sent = match self.inner.backend.commit(batch).await {
            Ok(()) => Sent::Applied,
            Err(CommitError::Conflict { keys }) => self.refused(keys),
            Err(CommitError::NotApplied(source)) => Sent::NotApplied(source),
            Err(CommitError::Unknown(source)) => self.resolve(batch, before, &source).await,
        };
        if matches!(sent, Sent::Applied) {
            self.witness = batch.id();
        }
        sent
    }

    fn refused(&self, keys: Vec<Key>) -> Sent {
        if keys.contains(&self.inner.key) { Sent::Lost } else { Sent::Refused(keys) }
    }

    /// The outcome of `batch` was lost. See the head of this file.
    async fn resolve(&mut self, batch: &Batch, before: &Chain, source: &BoxError) -> Sent {
        tracing::warn!(boot = %self.inner.boot, error = %source, "commit of unknown outcome: sending it again");
        loop {
            match self.resend(batch).await {
                None => return Sent::Unresolved,
                Some(Ok(())) => return Sent::Applied,
                Some(Err(keys)) => match self.refused(keys) {
                    Sent::Refused(keys) => match self.fence(before).await {
                        None => return Sent::Unresolved,
                        Some(true) => return Sent::Refused(keys),
                        Some(false) => {} // The late batch won after all, or a stranger: the next re-send tells.
                    },
                    lost => return lost,
                },
            }
        }
    }

    /// Makes sure that nothing sent before can be applied any more. `Some(false)` if the key had moved already.
    async fn fence(&mut self, chain: &Chain) -> Option<bool> {
        let mut fence = Batch::new(self.inner.make_rev());
        self.claim(&mut fence, chain).ok()?;
        let held = self.resend(&fence).await?.is_ok();
        if held {
            self.witness = fence.id();
        }
        Some(held)
    }

    /// Sends until `Ok` or `Conflict`. "Not applied" speaks of one sending only, so it ends nothing here. `None` if the
    /// lane is closing and its patience is over.
    async fn resend(&mut self, batch: &Batch) -> Option<Result<(), Vec<Key>>> {
        let mut pause = LANE_RETRY_MIN;
        loop {
            match self.inner.backend.commit(batch).await {
                Ok(()) => return Some(Ok(())),
                Err(CommitError::Conflict { keys }) => return Some(Err(keys)),
                Err(CommitError::NotApplied(_) | CommitError::Unknown(_)) => {}
            }
            if self.is_out_of_patience() {
                return None;
            }
            self.inner.host.sleep(pause).await;
            pause = LANE_RETRY_MAX.min(pause * 2);
        }
    }

    fn is_out_of_patience(&mut self) -> bool {
        if self.inner.queue.phase() == Phase::Open {
            return false;
        }
        let now = self.inner.host.monotonic();
        now.saturating_sub(*self.closing_since.get_or_insert(now)) >= LANE_CLOSE_GRACE
    }
}
