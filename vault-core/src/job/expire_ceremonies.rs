//! Removes ceremonies whose time is up, and with them the shares that were given. Until then they count no more, but
//! lie in the store.

use super::{Job, background::Background};
use crate::{
    error::Error,
    id::Timestamp,
    limits::EXPIRE_PAGE,
    store::Op,
    system::{CEREMONY_PREFIX, System},
};
use serde::Deserialize;
use std::time::Duration;

pub(super) const JOB: Job = Job {
    name: "expire-ceremonies",
    every: Duration::from_secs(60),
    activate: |system| Box::pin(activate(system)),
};

/// The one field of a ceremony that concerns us.
#[derive(Deserialize)]
struct Running {
    expires: Timestamp,
}

async fn activate(system: &System) -> Result<(), Error> {
    let Some(background) = Background::start(system) else { return Ok(()) };
    for entry in background.page(CEREMONY_PREFIX, EXPIRE_PAGE).await? {
        let running: Running = background.open(&entry, |plain| serde_json::from_slice(plain).ok())?;
        if running.expires <= background.now() {
            let ops = vec![(entry.key, Op::Remove(entry.rev))];
            background.submit("ceremony-expired", "sys/ceremony", ops).await?;
        }
    }
    Ok(())
}
