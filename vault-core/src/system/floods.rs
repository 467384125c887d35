//! [`Floods`]: requests that were turned away before they were recorded. They leave one record an address and window, so
//! that a flood is in the log and the log is not flooded.

use super::System;
use crate::{
    audit::{Change, Columns, Draft, Status},
    limits::{FLOOD_WINDOW, NETWORKS_MAX},
};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How many, by address, in the window that began with the first.
#[derive(Debug, Default)]
pub(super) struct Floods(Mutex<HashMap<Option<IpAddr>, u64>>);

impl Floods {
    fn counts(&self) -> MutexGuard<'_, HashMap<Option<IpAddr>, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl System {
    /// Counts one; the first of a window has the record written at its end. Beyond so many addresses at a time the rest
    /// are not counted.
    pub(crate) fn count_turned_away(&self, address: Option<IpAddr>) {
        let mut counts = self.0.floods.counts();
        if let Some(count) = counts.get_mut(&address) {
            *count += 1;
        } else if counts.len() < NETWORKS_MAX {
            counts.insert(address, 1);
            let system = self.clone();
            let task = async move {
                system.host().sleep(FLOOD_WINDOW).await;
                let count = system.0.floods.counts().remove(&address).unwrap_or_default();
                system.note_flood(address, count).await;
            };
            self.host().spawn("flood", Box::pin(task));
        }
    }

    async fn note_flood(&self, address: Option<IpAddr>, count: u64) {
        let columns = Columns {
            timestamp: self.host().now(),
            operation: "turned-away".to_owned(),
            client_ip: address.map(|address| address.to_string()),
            status: Status::Failure,
            path: "sys/flood".to_owned(),
            rule: Some("rate limit".to_owned()),
            error: Some(format!("{count} requests of this address were turned away unread")),
            ..Columns::default()
        };
        let draft = Draft { columns, fields: Vec::new(), headers: Vec::new() };
        let Some(unsealed) = self.unsealed() else { return self.remember(draft) };
        let received = self.host().monotonic();
        let change = Change { ops: Vec::new(), draft, received, deadline: None, urgent: false };
        if let Err(error) = unsealed.lane().submit(change).await {
            tracing::warn!(%error, ?address, count, "requests were turned away, and that was not recorded");
        }
    }
}
