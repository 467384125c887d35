//! [`Queue`]: where changes wait for their lane. Bounded in number and bytes, so that overload is an answer and not
//! a growing heap; a plain mutex, held for a push or a take and never across an await.

use super::{SubmitError, intake::Item, merge};
use crate::{
    limits::{LANE_QUEUE_BYTES_MAX, LANE_QUEUE_MAX},
    store::Batch,
};
use futures::task::AtomicWaker;
use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::Duration,
};

/// Does the lane take changes, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    Closing,
    Closed,
    Lost,
}

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    task: AtomicWaker,
}

#[derive(Debug)]
struct State {
    items: VecDeque<Item>,
    bytes: usize,
    phase: Phase,
    /// How many the task waits for; fewer do not wake it.
    wanted: usize,
}

impl Queue {
    pub(super) fn new() -> Self {
        let state = State { items: VecDeque::new(), bytes: 0, phase: Phase::Open, wanted: 1 };
        Self { state: Mutex::new(state), task: AtomicWaker::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock can panic half-way through a change of the state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn phase(&self) -> Phase {
        self.state().phase
    }

    /// Puts a change at the end, or says at once why not.
    pub(super) fn push(&self, item: Item) -> Result<(), SubmitError> {
        let mut state = self.state();
        match state.phase {
            Phase::Open => {}
            Phase::Lost => return Err(SubmitError::Lost),
            Phase::Closing | Phase::Closed => return Err(SubmitError::Closed),
        }
        if state.items.len() >= LANE_QUEUE_MAX || state.bytes + item.bytes > LANE_QUEUE_BYTES_MAX {
            return Err(SubmitError::Overloaded);
        }
        state.bytes += item.bytes;
        state.items.push_back(item);
        let enough = state.items.len() >= state.wanted;
        drop(state);
        if enough {
            self.task.wake();
        }
        Ok(())
    }

    /// Moves out the changes of the next commit, and says how many at the front were passed over. Only the lane's
    /// task calls it.
    pub(super) fn select(&self) -> (Vec<Item>, usize) {
        let mut state = self.state();
        let (chosen, passed) = merge::select(&mut state.items);
        state.bytes -= chosen.iter().map(|item| item.bytes).sum::<usize>();
        (chosen, passed)
    }

    /// Answers those among the first `passed` that the applied batch has made impossible.
    pub(super) fn settle(&self, passed: usize, applied: &Batch) {
        let mut doomed = Vec::new();
        let mut state = self.state();
        if passed == 0 {
            return;
        }
        let mut kept = std::mem::take(&mut state.items);
        let later = kept.split_off(passed.min(kept.len()));
        for item in std::mem::take(&mut kept) {
            let keys = merge::doomed_keys(&item, applied);
            if keys.is_empty() {
                kept.push_back(item);
            } else {
                state.bytes -= item.bytes;
                doomed.push((item, keys));
            }
        }
        kept.extend(later);
        state.items = kept;
        drop(state);
        for (item, keys) in doomed {
            item.caller.answer(Err(SubmitError::Conflict(keys)));
        }
    }

    /// Lets go of those whose time is over. Their changes keep their places.
    pub(super) fn expire(&self, now: Duration) {
        self.state().items.iter_mut().for_each(|item| item.caller.expire(now));
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.state().items.len()
    }

    /// Completes when `wanted` changes wait, or nothing will come any more. Only the lane's task calls it.
    pub(super) async fn ready(&self, wanted: usize) {
        self.state().wanted = wanted;
        poll_fn(|cx| {
            self.task.register(cx.waker());
            let state = self.state();
            let idle = state.items.len() < wanted && state.phase == Phase::Open;
            if idle { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }

    /// Takes no more changes; what is queued will still be committed.
    pub(super) fn close(&self) {
        let mut state = self.state();
        if state.phase == Phase::Open {
            state.phase = Phase::Closing;
        }
        drop(state);
        self.task.wake();
    }

    /// The task is over: takes no more changes and answers those that still wait.
    pub(super) fn end(&self, phase: Phase) {
        let mut state = self.state();
        if state.phase != Phase::Lost {
            state.phase = phase;
        }
        let phase = state.phase;
        let rest = std::mem::take(&mut state.items);
        state.bytes = 0;
        drop(state);
        for item in rest {
            item.caller.answer(Err(if phase == Phase::Lost {
                SubmitError::Lost
            } else {
                SubmitError::Closed
            }));
        }
    }
}
