//! The machine itself: its clock, and whether a process's memory stays within the process.

use super::Finding;
use crate::memory_lock::{self, Permission};
use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};
use secrethub::{
    TokioHost,
    core::{host::Host, id::Timestamp},
};

/// No server of this version ran before this: 2026-01-01. A clock below it was never set.
const EPOCH_OF_THIS_VERSION: u64 = 1_767_225_600;
/// Nor will one run after this: 2100-01-01.
const END: u64 = 4_102_444_800;
/// Clocks of nodes on one store may differ by so much without anybody noticing.
const DRIFT_SECONDS: u64 = 60;

/// Seconds of the Unix era, by the clock that the server goes by.
pub(super) fn now() -> u64 {
    TokioHost::new().now().unix_seconds()
}

/// Is the time plausible, and not before what the log says has happened.
pub(super) fn clock(now: u64, newest_record: Option<Timestamp>) -> Finding {
    let shown = Timestamp(now.saturating_mul(1_000_000)).to_rfc3339();
    let next = "set the clock and keep it set (chrony, systemd-timesyncd): tokens and leases end by it";
    if !(EPOCH_OF_THIS_VERSION..END).contains(&now) {
        return Finding::fail("clock", format!("it says {shown}, which cannot be"), next);
    }
    match newest_record {
        Some(newest) if newest.unix_seconds() > now + DRIFT_SECONDS => Finding::fail(
            "clock",
            format!("it says {shown}, before the newest audit record of {}", newest.to_rfc3339()),
            next,
        ),
        Some(newest) => Finding::ok("clock", format!("{shown}; newest audit record {}", newest.to_rfc3339())),
        None => Finding::ok("clock", shown),
    }
}

/// Can what the server knows reach a disk.
pub(super) fn swap(mlock_disabled: bool) -> [Finding; 2] {
    let devices = memory_lock::swap_devices();
    judge_swap(mlock_disabled, memory_lock::permission(), devices.as_deref())
}

/// `None` where the system does not tell of swap: it may be there.
pub(super) fn judge_swap(
    mlock_disabled: bool,
    permission: Permission,
    devices: Option<&[String]>,
) -> [Finding; 2] {
    let (locked, how) = match (mlock_disabled, permission) {
        (true, _) => (false, "off (disable_mlock)".to_owned()),
        (false, Permission::All) => (true, "this user may lock all of a server's memory".to_owned()),
        (false, Permission::Upto(bytes)) => (false, format!("this user may lock {} KiB only", bytes >> 10)),
    };
    let danger = !locked && devices.is_none_or(|devices| !devices.is_empty());
    let judge = |check, message: String| match danger {
        true => Finding::warn(check, message, memory_lock::NEXT),
        false => Finding::ok(check, message),
    };
    let swap = match devices {
        None => "the system does not tell whether there is any".to_owned(),
        Some([]) => "none that is on a disk".to_owned(),
        Some(devices) if locked => format!("on {}, which locked memory does not reach", devices.join(", ")),
        Some(devices) => format!("on {}: keys may be written there and stay", devices.join(", ")),
    };
    [judge("memory lock", how), judge("swap", swap)]
}

/// This process hardened itself as a server does: did the system let it.
pub(super) fn memory() -> [Finding; 2] {
    let core = match getrlimit(Resource::Core).current {
        Some(0) => Finding::ok("core dumps", "off (RLIMIT_CORE 0)"),
        _ => Finding::warn(
            "core dumps",
            "on: a crash would write keys to disk",
            "start the server with `ulimit -c 0`, or LimitCORE=0 in its unit",
        ),
    };
    let dumpable = match dumpable_behavior() {
        Ok(DumpableBehavior::NotDumpable) => Finding::ok("memory", "closed to other processes of its user"),
        _ => Finding::warn(
            "memory",
            "other processes of the server's user can read it",
            "give the server a user of its own, and allow prctl(PR_SET_DUMPABLE)",
        ),
    };
    [core, dumpable]
}
