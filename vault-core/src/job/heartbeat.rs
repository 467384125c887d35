//! Shows the other nodes that this one is there, and looks whether they are.

use super::{Job, Work};
use crate::limits::HEARTBEAT;

pub(super) const JOB: Job =
    Job { name: "heartbeat", every: HEARTBEAT, work: Work::Own(|system| Box::pin(system.beat())) };
