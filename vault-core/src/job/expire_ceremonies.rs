//! Removes ceremonies whose time is up, and with them the shares that were given. Until then they count no more, but
//! lie in the store.

use super::{Job, Work, background::Background};
use crate::{error::Error, id::Timestamp, limits::EXPIRE_PAGE, store::Op, system::CEREMONY_PREFIX};
use serde::Deserialize;
use std::time::Duration;

pub(super) const JOB: Job = Job {
    name: "expire-ceremonies",
    every: Duration::from_secs(60),
    work: Work::Shared { shards: 1, activate: |background| Box::pin(activate(background)) },
};

/// The one field of a ceremony that concerns us.
#[derive(Deserialize)]
struct Running {
    expires: Timestamp,
}

async fn activate(background: &Background<'_>) -> Result<(), Error> {
    for entry in background.page(CEREMONY_PREFIX, EXPIRE_PAGE).await? {
        let running: Running = background.open(&entry, |plain| serde_json::from_slice(plain).ok())?;
        if running.expires <= background.now() {
            let ops = vec![(entry.key, Op::Remove(entry.rev))];
            background.submit("ceremony-expired", "sys/ceremony", ops).await?;
        }
    }
    Ok(())
}
