//! Removes the tokens that a tombstone has ended, a bounded piece an activation; the tombstone remembers how far it came
//! and goes last. No new token can come behind it: the newer ones are not its business.

use super::{Job, background::Background, expire_tokens::removal};
use crate::{
    error::Error,
    limits::{EXPIRE_PAGE, SWEEP_PAGES},
    store::{Entry, Key, Op},
    system::{REVOCATION_PREFIX, Revocation, System, parse_revocation},
    token::Token,
};
use std::time::Duration;

pub(super) const JOB: Job = Job {
    name: "sweep-revocations",
    every: Duration::from_secs(5),
    activate: |system| Box::pin(activate(system)),
};

/// Each token that goes takes three changes; together they stay below what one commit may change.
const TOKENS: usize = EXPIRE_PAGE / 2;
const TOKEN_PREFIX: &str = "ns/0/token/";

async fn activate(system: &System) -> Result<(), Error> {
    let Some(background) = Background::start(system) else { return Ok(()) };
    for tombstone in background.page(REVOCATION_PREFIX, EXPIRE_PAGE).await? {
        for _ in 0..SWEEP_PAGES {
            if !sweep(&background, &tombstone.key).await? {
                break;
            }
        }
    }
    Ok(())
}

/// One page of tokens; `false` where there is no more to do now.
async fn sweep(background: &Background<'_>, tombstone: &Key) -> Result<bool, Error> {
    let Some(entry) = background.entry(tombstone.as_str()).await? else { return Ok(false) };
    let mut revocation = background.open(&entry, |bytes| parse_revocation(bytes).ok())?;
    let after = match revocation.after.as_str() {
        "" => String::new(),
        hash => format!("{TOKEN_PREFIX}{hash}"),
    };
    let page = background.page_after(TOKEN_PREFIX, &after, TOKENS).await?;
    let last = page.last().map(|entry| entry.key.as_str()[TOKEN_PREFIX.len()..].to_owned());
    let mut ops = ended(background, &revocation, page).await?;
    let more = last.is_some();
    ops.push(match last {
        Some(last) => {
            revocation.after = last;
            let document = serde_json::to_vec(&revocation).map_err(Error::internal)?;
            (entry.key.clone(), Op::Replace(entry.rev, background.seal(&entry.key, &document)?))
        }
        None => (entry.key.clone(), Op::Remove(entry.rev)),
    });
    // If another node was first, it goes on with it.
    Ok(background.try_submit("sweep", &revocation.prefix, ops).await? && more)
}

async fn ended(
    background: &Background<'_>,
    revocation: &Revocation,
    page: Vec<Entry>,
) -> Result<Vec<(Key, Op)>, Error> {
    let mut ops = Vec::new();
    for entry in page {
        let token: Token = background.open(&entry, |bytes| serde_json::from_slice(bytes).ok())?;
        if revocation.ends(&token) {
            let hash = entry.key.as_str()[TOKEN_PREFIX.len()..].to_owned();
            ops.extend(removal(background, entry, &token, &hash).await?);
        }
    }
    Ok(ops)
}
