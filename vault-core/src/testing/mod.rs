//! For whoever implements a contract (feature `testing`): batteries that every implementation must pass, a wrapper
//! that makes any store fail in the three ways a store can, and a seeded generator so that failures replay.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod keys;
mod seed;
pub mod sim;
pub mod store;
pub mod unreliable;

pub use keys::PlainKeys;
pub use seed::Seed;
pub use sim::{SimHost, World};
pub use unreliable::{Fault, Rates, Unreliable};

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// Lets every other task run once. Belongs to no runtime: it wakes itself and answers at the second poll.
pub fn pause() -> impl Future<Output = ()> + Send {
    Pause(false)
}

struct Pause(bool);

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
