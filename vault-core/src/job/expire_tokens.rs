//! Removes tokens whose time has come, and clears away what revoked ones left: children, accessors, cubbyholes. The
//! due-index is in the store, so nothing is loaded at start however many tokens there are.

use super::{Job, background::Background};
use crate::{
    error::Error,
    id::Timestamp,
    limits::EXPIRE_PAGE,
    store::{Entry, Op},
    system::System,
    token::{Token, due_key},
};
use std::time::Duration;

pub(super) const JOB: Job = Job {
    name: "expire-tokens",
    every: Duration::from_secs(5),
    activate: |system| Box::pin(activate(system)),
};

/// How long a husk is left alone before it is asked again whether its children are gone.
const HUSK_PATIENCE: Duration = Duration::from_secs(3_600);

async fn activate(system: &System) -> Result<(), Error> {
    let Some(background) = Background::start(system) else { return Ok(()) };
    for shard in 0..16 {
        expire_shard(&background, shard).await?;
    }
    sweep(&background).await
}

async fn expire_shard(background: &Background<'_>, shard: u8) -> Result<(), Error> {
    let now = background.now();
    let prefix = format!("ns/0/lease-due/{shard:x}/");
    for due in background.page(&prefix, EXPIRE_PAGE).await? {
        let Some((time, hash)) = parse_due(&due, &prefix) else { continue };
        if time > now {
            break;
        }
        expire(background, &due, &hash, now).await?;
    }
    Ok(())
}

fn parse_due(due: &Entry, prefix: &str) -> Option<(Timestamp, String)> {
    let (time, name) = due.key.as_str().strip_prefix(prefix)?.split_once('/')?;
    let time = u64::from_str_radix(time, 16).ok()?;
    Some((Timestamp(time), name.strip_prefix("t-")?.to_owned()))
}

async fn expire(background: &Background<'_>, due: &Entry, hash: &str, now: Timestamp) -> Result<(), Error> {
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
    background.submit("expire", "auth/token/expire", ops).await
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

/// Takes up tombstones: each piece of work is bounded, and what is left is taken up next time.
async fn sweep(background: &Background<'_>) -> Result<(), Error> {
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
        background.submit("sweep", "auth/token/sweep", ops).await?;
    }
    Ok(())
}
