//! Removes counts of failed logins that are over. They stand in the order of time, so the first that is not over ends it.

use super::{Job, Work, background::Background};
use crate::{
    error::Error,
    limits::{EXPIRE_PAGE, SWEEP_PAGES},
    store::Op,
    system::login_failures,
};
use std::time::Duration;

pub(super) const JOB: Job = Job {
    name: "sweep-logins",
    every: Duration::from_secs(60),
    work: Work::Shared { shards: 1, activate: |background| Box::pin(activate(background)) },
};

const ROOT: &str = "ns/0/";

async fn activate(background: &Background<'_>) -> Result<(), Error> {
    let prefix = format!("{ROOT}{}", login_failures::LOGIN_FAILURES);
    for _ in 0..SWEEP_PAGES {
        let page = background.page(&prefix, EXPIRE_PAGE).await?;
        let now = background.now();
        let over = page.into_iter().filter(|entry| {
            entry.key.as_str().strip_prefix(ROOT).is_some_and(|name| login_failures::is_over(name, now))
        });
        let ops: Vec<_> = over.map(|entry| (entry.key, Op::Remove(entry.rev))).collect();
        // If another node was first, it goes on with it.
        if ops.is_empty() || !background.try_submit("sweep", "sys/login-failures", ops).await? {
            return Ok(());
        }
    }
    Ok(())
}
