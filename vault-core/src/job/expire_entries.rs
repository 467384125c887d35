//! Removes what engines have left to time and to the sweep ([`Cx::expire_later`](crate::cx::Cx::expire_later),
//! [`Cx::sweep_later`](crate::cx::Cx::sweep_later)), a bounded piece an activation.

use super::{Job, Work, background::Background};
use crate::{
    cx::{DUE_PREFIX, Due, SWEEP_PREFIX, Sweep, due_name},
    error::Error,
    id::Timestamp,
    limits::{EXPIRE_PAGE, SWEEP_PAGES},
    store::{Entry, Key, Op},
};
use serde::Deserialize;
use std::time::Duration;

pub(super) const JOB: Job = Job {
    name: "expire-entries",
    every: Duration::from_secs(5),
    work: Work::Shared { shards: 1, activate: |background| Box::pin(activate(background)) },
};

/// What a document says that ends by time; it may say more.
#[derive(Deserialize)]
struct Expiring {
    expires: Option<Timestamp>,
}

async fn activate(background: &Background<'_>) -> Result<(), Error> {
    for due in background.page(DUE_PREFIX, EXPIRE_PAGE).await? {
        if !expire(background, due).await? {
            break;
        }
    }
    for tombstone in background.page(SWEEP_PREFIX, EXPIRE_PAGE).await? {
        sweep(background, &tombstone).await?;
    }
    Ok(())
}

/// One entry of the index; `false` where its time, and so that of all behind it, has not come.
async fn expire(background: &Background<'_>, due: Entry) -> Result<bool, Error> {
    let now = background.now();
    let rest = due.key.as_str()[DUE_PREFIX.len()..].split_once('/');
    let Some((time, id)) = rest.map(|(time, id)| (time.to_owned(), id.to_owned())) else { return Ok(true) };
    if u64::from_str_radix(&time, 16).is_ok_and(|time| time > now.0) {
        return Ok(false);
    }
    let Due { format, keys } = background.open(&due, |bytes| serde_json::from_slice(bytes).ok())?;
    if format != 1 {
        return Err(Error::internal(format!("{} is of format {format}", due.key)));
    }
    let mut ops = vec![(due.key.clone(), Op::Remove(due.rev))];
    let mut found = Vec::new();
    for key in &keys {
        found.extend(background.entry(key).await?);
    }
    // One that lives longer meanwhile is looked at again.
    match later(background, &keys, &found, now)? {
        Some(later) => {
            let key = Key::new(format!("ns/0/{}", due_name(later, &id))).map_err(Error::internal)?;
            let document = serde_json::to_vec(&Due { format, keys }).map_err(Error::internal)?;
            let sealed = background.seal(&key, &document)?;
            ops.push((key, Op::Put(sealed)));
        }
        None => ops.extend(found.into_iter().map(|entry| (entry.key, Op::Remove(entry.rev)))),
    }
    background.submit("expire", "sys/due", ops).await?;
    Ok(true)
}

/// When the first of the entries ends, if that is later than now.
fn later(
    background: &Background<'_>,
    keys: &[String],
    found: &[Entry],
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let first = found.iter().find(|entry| keys.first().is_some_and(|key| key == entry.key.as_str()));
    let Some(first) = first else { return Ok(None) };
    let document: Expiring = background.open(first, |bytes| serde_json::from_slice(bytes).ok())?;
    Ok(document.expires.filter(|end| *end > now))
}

/// A bounded piece of what stands below a prefix; the tombstone goes last.
async fn sweep(background: &Background<'_>, tombstone: &Entry) -> Result<(), Error> {
    let Sweep { format, below } = background.open(tombstone, |bytes| serde_json::from_slice(bytes).ok())?;
    if format != 1 || !below.starts_with("ns/0/m/") {
        return Err(Error::internal(format!("{} cannot be read", tombstone.key)));
    }
    for _ in 0..SWEEP_PAGES {
        let page = background.page(&below, EXPIRE_PAGE).await?;
        let mut ops: Vec<(Key, Op)> =
            page.into_iter().map(|entry| (entry.key, Op::Remove(entry.rev))).collect();
        let done = ops.is_empty();
        if done {
            ops.push((tombstone.key.clone(), Op::Remove(tombstone.rev)));
        }
        // If another node was first, it goes on with it.
        if !background.try_submit("sweep", "sys/sweep", ops).await? || done {
            break;
        }
    }
    Ok(())
}
