//! Removes the tokens that a tombstone has ended, a bounded piece an activation; the tombstone remembers how far it came.
//! No new token can come behind it: the newer ones are not its business. Swept, it stays for the batch tokens that it
//! ends, and goes when the last of them has ended by itself.

use super::{Job, Work, background::Background, expire_tokens::removal};
use crate::{
    error::Error,
    limits::{EXPIRE_PAGE, REVOCATIONS_KEPT_MAX, SCAN_ENTRIES_MAX, SWEEP_PAGES},
    store::{Entry, Key, Op},
    system::{NEWEST_KEY, Newest, REVOCATION_PREFIX, Revocation, parse_revocation},
    token::Token,
};
use std::time::Duration;

pub(super) const JOB: Job = Job {
    name: "sweep-revocations",
    every: Duration::from_secs(5),
    work: Work::Shared { shards: 1, activate: |background| Box::pin(activate(background)) },
};

/// Each token that goes takes three changes; together they stay below what one commit may change.
const TOKENS: usize = EXPIRE_PAGE / 2;
const TOKEN_PREFIX: &str = "ns/0/token/";

async fn activate(background: &Background<'_>) -> Result<(), Error> {
    let mut kept = Vec::new();
    for tombstone in background.page_after(REVOCATION_PREFIX, "", SCAN_ENTRIES_MAX).await? {
        let revocation = background.open(&tombstone, |bytes| parse_revocation(bytes).ok())?;
        if revocation.swept {
            kept.push((tombstone, revocation));
            continue;
        }
        for _ in 0..SWEEP_PAGES {
            if !sweep(background, &tombstone.key).await? {
                break;
            }
        }
    }
    forget(background, kept).await
}

/// Removes what no batch token is old enough for, and raises the floor where too many are kept. Nodes that still know a
/// tombstone end the same tokens by it, so no epoch is told.
async fn forget(background: &Background<'_>, mut kept: Vec<(Entry, Revocation)>) -> Result<(), Error> {
    let now = background.now();
    kept.sort_by_key(|(_, revocation)| revocation.number);
    let over = |revocation: &Revocation| revocation.until.is_none_or(|until| until < now);
    let surplus = kept.len().saturating_sub(REVOCATIONS_KEPT_MAX);
    let floor = kept[..surplus].last().map(|(_, revocation)| revocation.number);
    let mut ops = Vec::new();
    for (at, (entry, revocation)) in kept.into_iter().enumerate() {
        if (at < surplus || over(&revocation)) && ops.len() < EXPIRE_PAGE {
            ops.push((entry.key, Op::Remove(entry.rev)));
        }
    }
    if let Some(floor) = floor {
        ops.extend(raised(background, floor).await?);
    }
    match ops.is_empty() {
        true => Ok(()),
        false => background.submit("sweep", "sys/revocations", ops).await,
    }
}

/// The floor at a tombstone's number: it ended what was older.
async fn raised(background: &Background<'_>, floor: u64) -> Result<Option<(Key, Op)>, Error> {
    let Some((entry, newest)) = background.document::<Newest>(NEWEST_KEY).await? else { return Ok(None) };
    let raised = Newest { batch_floor: newest.batch_floor.max(floor), ..newest };
    let document = serde_json::to_vec(&raised).map_err(Error::internal)?;
    let sealed = background.seal(&entry.key, &document)?;
    Ok(Some((entry.key, Op::Replace(entry.rev, sealed))))
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
    let op = match (last, revocation.until) {
        (None, None) => Op::Remove(entry.rev),
        (last, _) => {
            revocation.swept = last.is_none();
            revocation.after = last.unwrap_or_default();
            let document = serde_json::to_vec(&revocation).map_err(Error::internal)?;
            Op::Replace(entry.rev, background.seal(&entry.key, &document)?)
        }
    };
    ops.push((entry.key.clone(), op));
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
