//! Everything that time does. A job is activated again and again, takes no input, must be idempotent, and never assumes
//! that its last run finished. What the nodes share is done by one of them at a time, under a [`lock`].

mod background;
mod count_usage;
mod expire_ceremonies;
mod expire_entries;
mod expire_tokens;
mod heartbeat;
mod lock;
mod look_around;
mod note_version;
mod prune_audit;
mod rewrap;
mod rotate_keyring;
mod sweep_logins;
mod sweep_mounts;
mod sweep_revocations;
mod sweep_tokens;
mod sweep_versions;
mod watch_room;

pub(crate) use prune_audit::once as prune_audit_once;

use crate::{barrier::Fault, error::Error, system::System};
use background::Background;
use futures::future::{BoxFuture, join_all};
use lock::{Lock, Watch};
use std::time::Duration;

/// One kind of background work.
#[allow(missing_debug_implementations, reason = "only a name and functions")]
pub(crate) struct Job {
    /// For logs, and names its locks.
    pub(crate) name: &'static str,
    /// Time between two activations.
    pub(crate) every: Duration,
    /// Who does it.
    work: Work,
}

/// Does a bounded piece of a job.
type Activate<T> = for<'a> fn(&'a T) -> BoxFuture<'a, Result<(), Error>>;

enum Work {
    /// Every node: it is about the node itself.
    Own(Activate<System>),
    /// Each shard one node at a time, and none whose clock is off.
    Shared { shards: u8, activate: for<'a> fn(&'a Background<'a>) -> BoxFuture<'a, Result<(), Error>> },
}

/// Every job of the product.
const JOBS: &[Job] = &[
    count_usage::JOB,
    expire_ceremonies::JOB,
    expire_entries::JOB,
    expire_tokens::JOB,
    heartbeat::JOB,
    look_around::JOB,
    note_version::JOB,
    prune_audit::JOB,
    rewrap::JOB,
    rotate_keyring::JOB,
    sweep_logins::JOB,
    sweep_mounts::JOB,
    sweep_revocations::JOB,
    sweep_tokens::JOB,
    sweep_versions::JOB,
    watch_room::JOB,
];

/// Runs all jobs until dropped. A failure is logged and the job tried again at its next turn.
pub(crate) async fn run(system: &System) {
    let watch = Watch::default();
    join_all(JOBS.iter().map(|job| run_one(system, job, &watch))).await;
}

async fn run_one(system: &System, job: &Job, watch: &Watch) {
    loop {
        system.host().sleep(job.every).await;
        if system.unsealed().is_none() {
            continue;
        }
        if let Err(error) = activate(system, job, watch).await {
            tracing::warn!(job = job.name, %error, "background work failed and will be tried again");
        }
    }
}

/// A node that no request has told of a new key learns of it here.
async fn activate(system: &System, job: &Job, watch: &Watch) -> Result<(), Error> {
    match work(system, job, watch).await {
        Err(error) if Fault::is_behind(&error) => {
            system.reload_keyring().await?;
            work(system, job, watch).await
        }
        done => done,
    }
}

async fn work(system: &System, job: &Job, watch: &Watch) -> Result<(), Error> {
    match job.work {
        Work::Own(activate) => activate(system).await,
        Work::Shared { .. } if !system.may_share_work().await? => {
            tracing::debug!(job = job.name, "left to nodes whose clocks are known to be right");
            Ok(())
        }
        Work::Shared { shards, activate } => {
            // Nodes begin at different shards, so that they meet seldom.
            let first = system.unsealed().map_or(0, |unsealed| unsealed.lane().boot().0[0] % shards);
            for shard in (first..shards).chain(0..first) {
                let lock = Lock::new(job.name, shard, watch)?;
                let Some(background) = Background::share(system, shard, lock) else { return Ok(()) };
                let done = activate(&background).await;
                background.end().await;
                done?;
            }
            Ok(())
        }
    }
}
