//! [`Board`]: where the lane's task leaves word of how far it has come, for whoever signs checkpoints. The head is
//! handed over in memory and never read back from the store.

use super::Ended;
use crate::{audit::Chain, limits::CHECKPOINT_RECORDS};
use futures::task::AtomicWaker;
use std::{
    future::poll_fn,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
};

#[derive(Debug)]
pub(super) struct Board {
    state: Mutex<State>,
    signer: AtomicWaker,
}

#[derive(Clone, Copy, Debug)]
struct State {
    chain: Chain,
    end: Option<Result<(), Ended>>,
}

/// What the signer waits for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wait {
    /// Anything at all after this record.
    Activity(u64),
    /// As much after this record as is worth a checkpoint of its own.
    Plenty(u64),
}

impl Board {
    pub(super) fn new(chain: Chain) -> Self {
        Self { state: Mutex::new(State { chain, end: None }), signer: AtomicWaker::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is replaced by plain assignments: there is no half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn publish(&self, chain: Chain) {
        self.state().chain = chain;
        self.signer.wake();
    }

    /// No more will come. The first who says how it ended is believed.
    pub(super) fn end(&self, how: Result<(), Ended>) {
        self.state().end.get_or_insert(how);
        self.signer.wake();
    }

    /// Where the chain stands, and how it ended, if it has.
    pub(super) fn read(&self) -> (Chain, Option<Result<(), Ended>>) {
        let State { chain, end } = *self.state();
        (chain, end)
    }

    /// Completes when there is what `wait` asks for, or the end has come.
    pub(super) async fn wait(&self, wait: Wait) {
        poll_fn(|cx| {
            self.signer.register(cx.waker());
            let (chain, end) = self.read();
            let enough = match wait {
                Wait::Activity(after) => chain.seq > after,
                Wait::Plenty(after) => chain.seq >= after.saturating_add(CHECKPOINT_RECORDS),
            };
            if enough || end.is_some() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
