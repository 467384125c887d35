//! The lane's task: choose, number, send, answer; round after round until the lane is closed or lost.

use super::{
    Ended, Inner, SubmitError,
    crowd::Crowd,
    intake::Item,
    merge::{Member, Round},
    queue::Phase,
    register,
    send::{Line, Sent},
};
use crate::{audit::Chain, error::BoxError, limits::LANE_LATENESS_MAX, store::StoreError};
use futures::future::{Either, select};
use std::{fmt, pin::pin, sync::Arc};

pub(super) struct Task {
    inner: Arc<Inner>,
    line: Line,
    /// The chain as it stands in the store.
    chain: Chain,
    crowd: Crowd,
    /// Dropped with the task, however that happens.
    _last_word: LastWord,
}

/// Ends the queue when the task goes, even if its host drops it half-way or never polls it: nobody waits for ever.
struct LastWord(Arc<Inner>);

impl Drop for LastWord {
    fn drop(&mut self) {
        self.0.queue.end(Phase::Closed);
        self.0.board.end(Err(Ended::Unfinished));
    }
}

impl Task {
    pub(super) fn new(inner: Arc<Inner>, line: Line, chain: Chain) -> Self {
        Self { _last_word: LastWord(Arc::clone(&inner)), inner, line, chain, crowd: Crowd::default() }
    }

    pub(super) async fn run(mut self) {
        let end = loop {
            self.inner.queue.ready(1).await;
            self.crowd.gather(&self.inner).await;
            let (chosen, passed) = self.inner.queue.select();
            if chosen.is_empty() {
                break self.leave().await;
            }
            if let Some(end) = self.settle(chosen, passed).await {
                break Err(end);
            }
        };
        if let Err(how) = end {
            tracing::error!(boot = %self.inner.boot, %how, "the audit lane ends");
        }
        let lost = matches!(end, Err(Ended::Lost));
        self.inner.queue.end(if lost { Phase::Lost } else { Phase::Closed });
        self.inner.board.end(end);
    }

    /// Commits the chosen changes, without those that lose on the way. Returns why the lane must end, if it must.
    async fn settle(&mut self, chosen: Vec<Item>, passed: usize) -> Option<Ended> {
        let mut items = chosen;
        while !items.is_empty() {
            let mut chain = self.chain;
            let Some(mut round) = self.number(items, &mut chain) else { return Some(Ended::Unfinished) };
            let begun = self.inner.host.monotonic();
            match self.send(&mut round).await {
                Sent::Applied => {
                    self.chain = chain;
                    self.crowd.note(&self.inner, round.members.len(), begun);
                    self.finish(round, passed);
                    return None;
                }
                Sent::Refused(keys) => {
                    let (losers, survivors) = round.split(&keys);
                    if losers.is_empty() {
                        return Some(fail(survivors, "the store refused a batch and named no key of it"));
                    }
                    losers
                        .into_iter()
                        .for_each(|(who, keys)| who.caller.answer(Err(SubmitError::Conflict(keys))));
                    items = survivors;
                }
                Sent::NotApplied(StoreError::Full { .. }) => {
                    round.members.into_iter().for_each(|who| who.caller.answer(Err(SubmitError::Full)));
                    return None;
                }
                Sent::NotApplied(source) => {
                    refuse(round.members, source);
                    return None;
                }
                Sent::Lost => {
                    round.members.into_iter().for_each(|who| who.caller.answer(Err(SubmitError::Lost)));
                    return Some(Ended::Lost);
                }
                // Whoever waits hears `Unknown` as the members go.
                Sent::Unresolved => return Some(Ended::Unfinished),
            }
        }
        None
    }

    /// Sends a round, however long that takes, and looks after those whose time is over meanwhile.
    async fn send(&mut self, round: &mut Round) -> Sent {
        let inner = &self.inner;
        let mut sending = pin!(self.line.send(&round.batch, &self.chain));
        loop {
            match select(sending.as_mut(), inner.host.sleep(LANE_LATENESS_MAX)).await {
                Either::Left((sent, _)) => return sent,
                Either::Right(_) => {
                    let now = inner.host.monotonic();
                    round.members.iter_mut().for_each(|member| member.caller.expire(now));
                    inner.queue.expire(now);
                }
            }
        }
    }

    /// Takes the lane out of the row, with the last record of its chain. As long as others do so too, it tries again.
    async fn leave(&mut self) -> Result<(), Ended> {
        while let Some(change) = register::leaving(&self.inner).await.map_err(|_| Ended::Unfinished)? {
            let made = Item::new(change, self.inner.crypto.hash, &self.inner.key, true);
            // Never an error: the lane's own change is small and sound.
            let (item, mut answer) = made.map_err(|_| Ended::Unfinished)?;
            if let Some(end) = self.settle(vec![item], 0).await {
                return Err(end);
            }
            match answer.try_recv() {
                Ok(Some(Err(SubmitError::Conflict(_)))) => {}
                Ok(Some(Ok(()))) => break,
                _ => return Err(Ended::Unfinished),
            }
        }
        Ok(())
    }

    /// Numbers the items onto `chain` and claims the batch. `None` if that cannot be; then their callers know.
    fn number(&self, items: Vec<Item>, chain: &mut Chain) -> Option<Round> {
        let inner = &self.inner;
        let (id, hash, now) = (inner.make_rev(), inner.crypto.hash, inner.host.monotonic());
        // Never: `select` lets only changes into a round that a batch can hold.
        let mut round = Round::number(items, id, chain, hash, now).ok()?;
        match self.line.claim(&mut round.batch, chain) {
            Ok(()) => Some(round),
            Err(error) => {
                refuse(round.members, error);
                None
            }
        }
    }

    fn finish(&self, round: Round, passed: usize) {
        round.members.into_iter().for_each(|member| member.caller.answer(Ok(())));
        self.inner.queue.settle(passed, &round.batch);
        self.inner.board.publish(self.chain);
        self.inner.follow(round.batch.records());
    }
}

/// Nothing was applied; all of them hear the same reason.
fn refuse(members: Vec<Member>, source: impl Into<BoxError>) {
    let source = Shared(Arc::new(source.into()));
    for member in members {
        member.caller.answer(Err(SubmitError::Unavailable(Box::new(source.clone()))));
    }
}

fn fail(items: Vec<Item>, why: &'static str) -> Ended {
    tracing::error!(why, "a store that breaks its contract");
    items.into_iter().for_each(|item| item.caller.answer(Err(SubmitError::Unavailable(why.into()))));
    Ended::Unfinished
}

/// One cause that many callers are told.
#[derive(Clone, Debug)]
struct Shared(Arc<BoxError>);

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Shared {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}
