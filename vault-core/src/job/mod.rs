//! Everything that time does. A job is activated again and again, takes no input, must be idempotent, and may run in
//! every node at once; it never assumes that its last run finished.

mod background;
mod count_usage;
mod expire_ceremonies;
mod expire_tokens;
mod heartbeat;
mod look_around;
mod note_version;
mod prune_audit;
mod rewrap;
mod rotate_keyring;
mod sweep_mounts;
mod sweep_revocations;
mod sweep_versions;
mod watch_room;

pub(crate) use prune_audit::once as prune_audit_once;

use crate::{barrier::Fault, error::Error, system::System};
use futures::future::{BoxFuture, join_all};
use std::time::Duration;

/// One kind of background work.
#[allow(missing_debug_implementations, reason = "only a name and a function")]
pub(crate) struct Job {
    /// For logs.
    pub(crate) name: &'static str,
    /// Time between two activations.
    pub(crate) every: Duration,
    /// Does a bounded piece of the work.
    pub(crate) activate: for<'a> fn(&'a System) -> BoxFuture<'a, Result<(), Error>>,
}

/// Every job of the product.
const JOBS: &[Job] = &[
    count_usage::JOB,
    expire_ceremonies::JOB,
    expire_tokens::JOB,
    heartbeat::JOB,
    look_around::JOB,
    note_version::JOB,
    prune_audit::JOB,
    rewrap::JOB,
    rotate_keyring::JOB,
    sweep_mounts::JOB,
    sweep_revocations::JOB,
    sweep_versions::JOB,
    watch_room::JOB,
];

/// Runs all jobs until dropped. A failure is logged and the job tried again at its next turn.
pub(crate) async fn run(system: &System) {
    join_all(JOBS.iter().map(|job| run_one(system, job))).await;
}

async fn run_one(system: &System, job: &Job) {
    loop {
        system.host().sleep(job.every).await;
        if system.unsealed().is_none() {
            continue;
        }
        if let Err(error) = activate(system, job).await {
            tracing::warn!(job = job.name, %error, "background work failed and will be tried again");
        }
    }
}

/// A node that no request has told of a new key learns of it here.
async fn activate(system: &System, job: &Job) -> Result<(), Error> {
    match (job.activate)(system).await {
        Err(error) if Fault::is_behind(&error) => {
            system.reload_keyring().await?;
            (job.activate)(system).await
        }
        done => done,
    }
}
