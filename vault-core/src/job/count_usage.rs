//! Counts tokens and leases now and then, for metrics: what a node knew of its own changes would not tell of others'. Where
//! there are more than a node should read for that, there is no count.

use super::{Job, Work, background::Background};
use crate::{
    error::Error,
    limits::{LEASES_SCANNED_MAX, SCAN_ENTRIES_MAX},
    system::{System, Usage},
    token::Token,
};
use std::time::Duration;

/// As often as Vault does it.
pub(super) const JOB: Job = Job {
    name: "count-usage",
    every: Duration::from_secs(600),
    work: Work::Own(|system| Box::pin(activate(system))),
};

const PREFIX: &str = "ns/0/token/";

async fn activate(system: &System) -> Result<(), Error> {
    let Some(background) = Background::start(system) else { return Ok(()) };
    let usage = count(&background).await?;
    system.meter().used(usage);
    Ok(())
}

async fn count(background: &Background<'_>) -> Result<Option<Usage>, Error> {
    let (mut usage, mut after, mut scanned) = (Usage::default(), String::new(), 0);
    while scanned < LEASES_SCANNED_MAX {
        let page = background.page_after(PREFIX, &after, SCAN_ENTRIES_MAX).await?;
        let Some(last) = page.last() else { return Ok(Some(usage)) };
        after = last.key.as_str().to_owned();
        scanned += page.len();
        for entry in &page {
            let token: Token = background.open(entry, |bytes| serde_json::from_slice(bytes).ok())?;
            if !token.husk && token.is_good(background.now()) {
                usage.tokens += 1;
                usage.leases += u64::from(token.expires.is_some());
            }
        }
    }
    Ok(None)
}
