//! Lets a node that nobody asks anything heed what was changed elsewhere: requests do it by themselves, at once.

use super::{Job, Work};
use std::time::Duration;

pub(super) const JOB: Job = Job {
    name: "look-around",
    every: Duration::from_secs(5),
    work: Work::Own(|system| {
        Box::pin(async {
            system.refresh().await;
            Ok(())
        })
    }),
};
