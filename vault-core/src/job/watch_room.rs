//! Watches the room on the store's disk. Every request writes a record, so a full disk stops everything: an operator
//! must hear of it while there is time. Below the watermark it is logged, recorded, and seen in `sys/health`.

use super::{Job, Work, background::Background};
use crate::{cx::store_error, error::Error, store::Room, system::System};
use std::time::Duration;

pub(super) const JOB: Job = Job {
    name: "watch-room",
    every: Duration::from_secs(30),
    work: Work::Own(|system| Box::pin(once(system))),
};

async fn once(system: &System) -> Result<(), Error> {
    let Some(room) = system.backend().room().await.map_err(store_error)? else { return Ok(()) };
    let low = is_low(room, system.settings().disk_watermark_bytes);
    if system.set_room_low(low) == low {
        return Ok(());
    }
    let (free, total) = (room.free, room.total);
    if low {
        tracing::error!(
            free,
            total,
            "the store's disk is nearly full: make room, archive and prune the audit log"
        );
    } else {
        tracing::info!(free, total, "the store's disk has room again");
    }
    let Some(background) = Background::start(system) else { return Ok(()) };
    background.submit(if low { "disk-low" } else { "disk-ok" }, "sys/storage", Vec::new()).await
}

/// A small disk is low when a tenth of it is left: the watermark could be more than all of it.
fn is_low(room: Room, watermark: u64) -> bool {
    room.free < watermark.min(room.total / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watermark() {
        let check = |free: u64, total: u64, watermark: u64, expect: bool| {
            assert_eq!(is_low(Room { free, total }, watermark), expect, "{free} of {total}, {watermark}");
        };
        check(50, 10_000, 100, true);
        check(100, 10_000, 100, false);
        check(60, 500, 100, false);
        check(49, 500, 100, true);
        check(0, 10_000, 0, false);
    }
}
