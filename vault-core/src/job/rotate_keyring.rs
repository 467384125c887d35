//! Rotates the data key when the operator's policy says that it is old enough or has encrypted enough. Of several
//! nodes one wins; the others find a young key at their next turn.

use super::{Job, Work, background::Background};
use crate::{
    barrier::KEYRING_KEY,
    error::Error,
    store::Op,
    system::{ROTATE_POLICY_KEY, RotatePolicy},
};
use std::time::Duration;

pub(super) const JOB: Job = Job {
    name: "rotate-keyring",
    every: Duration::from_secs(60),
    work: Work::Shared { shards: 1, activate: |background| Box::pin(activate(background)) },
};

async fn activate(background: &Background<'_>) -> Result<(), Error> {
    let policy = background.document::<RotatePolicy>(ROTATE_POLICY_KEY).await?;
    let policy = policy.map(|(_, policy)| policy).unwrap_or_default();
    let barrier = background.barrier();
    if !policy.is_due(barrier.key_status(), background.now()) {
        return Ok(());
    }
    let Some(read) = background.entry(KEYRING_KEY).await? else { return Ok(()) };
    // Another node may have rotated since this one last looked.
    barrier.reload(&read)?;
    if !policy.is_due(barrier.key_status(), background.now()) {
        return Ok(());
    }
    let (sealed, keyring) = barrier.rotate(&read)?;
    let mut ops = vec![(read.key.clone(), Op::Replace(read.rev, sealed))];
    ops.extend(background.system().epoch_changes(barrier).await?);
    if background.try_submit("rotate", "sys/rotate", ops).await? {
        barrier.adopt(keyring);
    }
    Ok(())
}
