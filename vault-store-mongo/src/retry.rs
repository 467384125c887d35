//! How one attempt at a transaction ended, and how often a batch starts over.
//!
//! Whoever meets another's change is aborted at once instead of waiting for it, so contention is settled here: by pauses
//! that grow and are drawn at random, within a bound after which the caller is told.

use crate::error::{DUPLICATE_KEY, WRITE_CONFLICT, code, refused, told, unavailable};
use mongodb::error::{Error, ErrorKind, TRANSIENT_TRANSACTION_ERROR};
use secrethub_core::store::{CommitError, StoreError};
use std::{
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

/// First pause before a batch starts over; doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(2);
const PAUSE_MAX: Duration = Duration::from_millis(128);
/// How long a batch starts over. Others wait behind it, and what is locked for longer is locked by somebody who died.
const PATIENCE: Duration = Duration::from_secs(3);

/// How one attempt ended without success.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Nothing was applied, and the next attempt may well be: somebody changed the same document, or a server went.
    Again(StoreError),
    /// Nothing was applied: a condition did not hold. Which ones is yet to be asked.
    Refused,
    /// Nothing was applied: rows of this number are there already.
    RowsAreThere,
    Answer(CommitError),
}

impl Stop {
    /// For an error before `commitTransaction` was sent: nothing was applied, and nothing will be.
    pub(crate) fn before_commit(error: Error) -> Self {
        // Waiting for a server has been the driver's part, and it is over.
        let waited = matches!(*error.kind, ErrorKind::ServerSelection { .. });
        match code(&error) {
            Some(DUPLICATE_KEY) => Self::Refused,
            Some(WRITE_CONFLICT) => Self::Again(refused(error)),
            _ if error.contains_label(TRANSIENT_TRANSACTION_ERROR) && !waited => Self::Again(refused(error)),
            _ => Self::from(refused(error)),
        }
    }

    /// For an error after `commitTransaction` was sent, whatever its labels say: not knowing costs one re-send, and
    /// knowing wrongly costs a commit.
    pub(crate) fn after_commit(error: &Error) -> Self {
        Self::Answer(CommitError::Unknown(told(error).into()))
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Answer(CommitError::NotApplied(error))
    }
}

/// Attempts until one ends with an answer, or patience is over.
pub(crate) async fn until_answered<F>(attempt: impl Fn() -> F) -> Result<(), CommitError>
where
    F: Future<Output = Result<(), Stop>>,
{
    let (start, mut pauses) = (Instant::now(), Pauses::default());
    loop {
        let source = match attempt().await {
            Ok(()) => return Ok(()),
            Err(Stop::Answer(error)) => return Err(error),
            Err(Stop::Again(source)) => source,
            Err(Stop::Refused | Stop::RowsAreThere) => unavailable("others were faster every time"),
        };
        if start.elapsed() >= PATIENCE {
            return Err(CommitError::NotApplied(source));
        }
        pauses.wait().await;
    }
}

/// Pauses that grow.
#[derive(Debug, Default)]
pub(crate) struct Pauses(u32);

impl Pauses {
    /// How many there were.
    pub(crate) fn count(&self) -> u32 {
        self.0
    }

    pub(crate) async fn wait(&mut self) {
        let doubled = PAUSE_MIN.saturating_mul(2_u32.saturating_pow(self.0));
        self.0 = self.0.saturating_add(1);
        tokio::time::sleep(jittered(doubled.min(PAUSE_MAX))).await;
    }
}

/// Between nothing and all of `pause`. Only spreads callers; nobody gains by guessing it.
fn jittered(pause: Duration) -> Duration {
    let draw = u32::try_from(RandomState::new().hash_one(0u8) & 0xFFFF).unwrap_or(0);
    pause * draw / 0xFFFF
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn again() -> Stop {
        Stop::Again(unavailable("conflict"))
    }

    /// How a script of attempts ends, and after how many of them.
    async fn ends(script: &[fn() -> Result<(), Stop>]) -> (Result<(), CommitError>, usize) {
        let made = AtomicUsize::new(0);
        let answer =
            until_answered(|| async { script[made.fetch_add(1, Ordering::Relaxed).min(script.len() - 1)]() });
        (answer.await, made.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_was_surely_not_applied_starts_over() {
        let unknown = || Err(Stop::after_commit(&Error::custom("gone")));
        assert!(matches!(ends(&[|| Ok(())]).await, (Ok(()), 1)));
        assert!(matches!(ends(&[|| Err(again()), || Err(again()), || Ok(())]).await, (Ok(()), 3)));
        assert!(matches!(ends(&[|| Err(Stop::Refused), || Ok(())]).await, (Ok(()), 2)));
        assert!(matches!(ends(&[unknown, || Ok(())]).await, (Err(CommitError::Unknown(_)), 1)));
        let full = || Err(Stop::from(StoreError::Full { backend: "mongodb" }));
        assert!(matches!(
            ends(&[full, || Ok(())]).await,
            (Err(CommitError::NotApplied(StoreError::Full { .. })), 1)
        ));
    }

    #[test]
    fn pauses_stay_within_their_bound() {
        assert!((0..1_000).all(|_| jittered(PAUSE_MAX) <= PAUSE_MAX));
        assert!((0..1_000).any(|_| jittered(PAUSE_MAX) > PAUSE_MAX / 2));
    }
}
