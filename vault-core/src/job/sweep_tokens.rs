//! Clears away what tokens left that are gone: children, accessors, cubbyholes. A tombstone each tells of them, and goes
//! last.

use super::{Job, Work, background::Background, expire_tokens::removal};
use crate::{error::Error, limits::EXPIRE_PAGE, store::Op, token::Token};
use std::time::Duration;

pub(super) const JOB: Job = Job {
    name: "sweep-tokens",
    every: Duration::from_secs(5),
    work: Work::Shared { shards: 1, activate: |background| Box::pin(activate(background)) },
};

/// Each piece of work is bounded, and what is left is taken up next time.
async fn activate(background: &Background<'_>) -> Result<(), Error> {
    const PREFIX: &str = "ns/0/token-sweep/";
    for tombstone in background.page(PREFIX, EXPIRE_PAGE).await? {
        let hash = tombstone.key.as_str()[PREFIX.len()..].to_owned();
        let mut ops = Vec::new();
        let links = format!("ns/0/token-child/{hash}/");
        for link in background.page(&links, EXPIRE_PAGE / 4).await? {
            let child = link.key.as_str()[links.len()..].to_owned();
            if let Some((entry, token)) = background.document::<Token>(&format!("ns/0/token/{child}")).await?
            {
                ops.extend(removal(background, entry, &token, &child).await?);
            }
            ops.push((link.key, Op::Remove(link.rev)));
        }
        for own in background.page(&format!("ns/0/m/cubbyhole/{hash}/"), EXPIRE_PAGE).await? {
            ops.push((own.key, Op::Remove(own.rev)));
        }
        if ops.is_empty() {
            ops.push((tombstone.key, Op::Remove(tombstone.rev)));
        }
        if !background.try_submit("sweep", "auth/token/sweep", ops).await? {
            break; // Another node is at it.
        }
    }
    Ok(())
}
