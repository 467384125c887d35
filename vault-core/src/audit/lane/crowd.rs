//! [`Crowd`]: how long a commit waits for more. Callers that ask again as soon as they are answered would otherwise
//! split in two halves that take turns, each commit half as full as it could be. So a commit waits until as many
//! changes are there as were under way when the last one ended, but never longer than a fraction of the time that a
//! commit takes anyway. A lone caller is alone in the count and waits for nobody.

use super::Inner;
use crate::limits::{LANE_GATHER_DIVISOR, LANE_GATHER_MAX, LANE_REQUESTS_MAX};
use futures::future::select;
use std::{pin::pin, time::Duration};

#[derive(Debug, Default)]
pub(super) struct Crowd {
    /// Changes that the last commit held, and that waited when it ended.
    size: usize,
    /// How long a commit takes at present.
    commit: Duration,
}

impl Crowd {
    /// A commit of `members` changes has ended that `begun` then.
    pub(super) fn note(&mut self, inner: &Inner, members: usize, begun: Duration) {
        let took = inner.host.monotonic().saturating_sub(begun);
        self.commit = (self.commit * 3 + took) / 4;
        self.size = (members + inner.queue.len()).min(LANE_REQUESTS_MAX);
    }

    /// Waits for the others.
    pub(super) async fn gather(&self, inner: &Inner) {
        let patience = (self.commit / LANE_GATHER_DIVISOR).min(LANE_GATHER_MAX);
        if !patience.is_zero() && inner.queue.len() < self.size {
            select(pin!(inner.queue.ready(self.size)), inner.host.sleep(patience)).await;
        }
    }
}
