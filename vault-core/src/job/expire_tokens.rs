//! Removes tokens whose time has come. The due-index is in the store, so nothing is loaded at start however many tokens
//! there are. What is below a token is cut off with it, and swept by another job.

use super::{Job, Work, background::Background};
use crate::{
    error::Error,
    id::Timestamp,
    limits::EXPIRE_PAGE,
    store::{Entry, Op},
    token::{Token, due_key},
};
use std::time::Duration;

pub(super) const JOB: Job = Job {
    name: "expire-tokens",
    every: Duration::from_secs(5),
    work: Work::Shared { shards: 16, activate: |background| Box::pin(activate(background)) },
};

/// How long a husk is left alone before it is asked again whether its children are gone.
const HUSK_PATIENCE: Duration = Duration::from_secs(3_600);

async fn activate(background: &Background<'_>) -> Result<(), Error> {
    let now = background.now();
    let prefix = format!("ns/0/lease-due/{:x}/", background.shard());
    for due in background.page(&prefix, EXPIRE_PAGE).await? {
        let Some((time, hash)) = parse_due(&due, &prefix) else { continue };
        if time > now || !expire(background, &due, &hash, now).await? {
            break;
        }
    }
    Ok(())
}

fn parse_due(due: &Entry, prefix: &str) -> Option<(Timestamp, String)> {
    let (time, name) = due.key.as_str().strip_prefix(prefix)?.split_once('/')?;
    let time = u64::from_str_radix(time, 16).ok()?;
    Some((Timestamp(time), name.strip_prefix("t-")?.to_owned()))
}

/// `false`: not now. Another node is at it, or somebody changed the token meanwhile.
async fn expire(background: &Background<'_>, due: &Entry, hash: &str, now: Timestamp) -> Result<bool, Error> {
    let mut ops = vec![(due.key.clone(), Op::Remove(due.rev))];
    if let Some((entry, token)) = background.document::<Token>(&format!("ns/0/token/{hash}")).await? {
        let children = !background.page(&format!("ns/0/token-child/{hash}/"), 1).await?.is_empty();
        let later = match token.expires {
            Some(end) if end > now => Some(end),
            _ if token.husk && children => Some(now.plus(HUSK_PATIENCE)),
            _ => None,
        };
        match later {
            Some(later) => ops.push(background.mark(&format!("ns/0/{}", due_key(hash, later)))?),
            None => ops.extend(removal(background, entry, &token, hash).await?),
        }
    }
    background.try_submit("expire", "auth/token/expire", ops).await
}

/// What goes when a token goes. What is below it is cut off at once and swept later.
pub(super) async fn removal(
    background: &Background<'_>,
    entry: Entry,
    token: &Token,
    hash: &str,
) -> Result<Vec<(crate::store::Key, Op)>, Error> {
    let mut ops =
        vec![(entry.key, Op::Remove(entry.rev)), background.mark(&format!("ns/0/token-sweep/{hash}"))?];
    if let Some(accessor) = background.entry(&format!("ns/0/accessor/{}", token.accessor)).await? {
        ops.push((accessor.key, Op::Remove(accessor.rev)));
    }
    Ok(ops)
}
