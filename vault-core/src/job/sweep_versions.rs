//! Removes what is left of secrets that had more versions than one commit may remove. No name leads to them any more;
//! this frees the room, and makes "removed" true in the store as well.

use super::{Job, Work, background::Background};
use crate::{
    engine::Mount,
    error::Error,
    limits::EXPIRE_PAGE,
    store::{Key, Op},
};
use std::time::Duration;

pub(super) const JOB: Job = Job {
    name: "sweep-versions",
    every: Duration::from_secs(30),
    work: Work::Shared { shards: 1, activate: |background| Box::pin(activate(background)) },
};

async fn activate(background: &Background<'_>) -> Result<(), Error> {
    for mount in background.system().mounts().await?.iter().filter(|mount| mount.kind == "kv") {
        sweep(background, mount).await?;
    }
    Ok(())
}

/// A bounded piece of each removed secret; its tombstone goes last.
async fn sweep(background: &Background<'_>, mount: &Mount) -> Result<(), Error> {
    let tombstones = format!("{}gone/", mount.scope());
    for tombstone in background.page(&tombstones, EXPIRE_PAGE).await? {
        let uid = &tombstone.key.as_str()[tombstones.len()..];
        let versions = background.page(&format!("{}v/{uid}/", mount.scope()), EXPIRE_PAGE).await?;
        let mut ops: Vec<(Key, Op)> =
            versions.into_iter().map(|version| (version.key, Op::Remove(version.rev))).collect();
        if ops.is_empty() {
            ops.push((tombstone.key, Op::Remove(tombstone.rev)));
        }
        if !background.try_submit("sweep", &mount.path, ops).await? {
            break; // Another node is at it.
        }
    }
    Ok(())
}
