//! Epochs: an entry for each lane, whose revision tells the lane that mounts, policies or keys have changed.

use super::System;
use crate::{
    audit::LANES_KEY,
    barrier::Barrier,
    cx::store_error,
    error::Error,
    limits::SCAN_ENTRIES_MAX,
    store::{Key, Limit, Op, Range},
};

impl System {
    /// Changes that replace every lane's epoch entry, so that each lane's next request sees what is committed with
    /// them. A lane that registers meanwhile replaces `lanes`, which is guarded.
    pub(crate) async fn epoch_changes(&self, barrier: &Barrier) -> Result<Vec<(Key, Op)>, Error> {
        let lanes = self.entry(LANES_KEY).await?;
        let lanes = lanes.ok_or_else(|| Error::internal("the list of lanes is missing"))?;
        let mut changes = vec![(lanes.key.clone(), Op::Guard(lanes.rev))];
        let mut range = Range::prefix("epoch/");
        loop {
            let limit = Limit::entries(SCAN_ENTRIES_MAX);
            let page = self.backend().scan(range.clone(), limit).await.map_err(store_error)?;
            let Some(last) = page.last() else { return Ok(changes) };
            range = range.after(last.key.as_str());
            for entry in &page {
                let sealed = barrier.seal(&entry.key, &[])?;
                changes.push((entry.key.clone(), Op::Replace(entry.rev, sealed)));
            }
        }
    }
}
