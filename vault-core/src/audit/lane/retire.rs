//! How the dead are taken out of the row of lanes. A node that is killed leaves its lane behind; a starting node takes
//! out those that have been silent for long, and the most silent ones if the row is full.
//!
//! Nobody can know that a lane is dead, so nothing depends on it: the witness of a retired lane is replaced by itself.
//! Should its node be alive after all, its next commit meets a conflict on its own key, and it takes a new boot id. The
//! chain, its witness and its MAC stay as they are.

use super::{Inner, register::epoch_key, witness::Witness};
use crate::{
    error::Error,
    id::{BootId, Timestamp},
    limits::{LANE_IDLE_MAX, LANES_MAX},
    store::{Entry, Key, Op},
};

/// What a registration takes along.
#[derive(Default)]
pub(super) struct Retired {
    pub(super) boots: Vec<BootId>,
    pub(super) ops: Vec<(Key, Op)>,
}

/// A lane of the row as the store has it.
struct Found {
    boot: BootId,
    witness: Option<Entry>,
    epoch: Option<Entry>,
    time: Timestamp,
}

/// Which of the row to retire, so that there is room for one more.
pub(super) async fn stale(inner: &Inner, row: &[BootId]) -> Result<Retired, Error> {
    let mut retired = Retired::default();
    let row = &row[..row.len().min(LANES_MAX)];
    let mut found = read(inner, row).await?;
    found.sort_by_key(|lane| lane.time);
    let surplus = (row.len() + 1).saturating_sub(LANES_MAX);
    let now = inner.host.now();
    for (at, lane) in found.into_iter().enumerate() {
        if at < surplus || now.since(lane.time) >= LANE_IDLE_MAX {
            retired.take(inner, lane)?;
        }
    }
    Ok(retired)
}

async fn read(inner: &Inner, row: &[BootId]) -> Result<Vec<Found>, Error> {
    let mut keys = Vec::with_capacity(2 * row.len());
    for &boot in row {
        keys.extend([Witness::key(boot)?, epoch_key(boot)?]);
    }
    let unavailable = |source| Error::unavailable("the store does not answer").with_source(source);
    let mut entries = inner.backend.get(&keys).await.map_err(unavailable)?.into_iter();
    let mut next = |boot: BootId| {
        let (witness, epoch) = (entries.next().flatten(), entries.next().flatten());
        let time = witness.as_ref().map_or(Some(Timestamp::default()), |entry| time_of(inner, entry));
        // A witness that cannot be read is for an operator to see, not for us to touch.
        Some(Found { boot, witness, epoch, time: time? })
    };
    Ok(row.iter().filter_map(|&boot| next(boot)).collect())
}

fn time_of(inner: &Inner, entry: &Entry) -> Option<Timestamp> {
    let plain = inner.keys.open(entry).ok()?;
    // EXPOSE: a witness holds no secret; it is sealed so that a store cannot make one up.
    Witness::parse(plain.expose()).map(|witness| witness.time)
}

impl Retired {
    fn take(&mut self, inner: &Inner, lane: Found) -> Result<(), Error> {
        self.boots.push(lane.boot);
        if let Some(entry) = lane.witness {
            let plain = inner.keys.open(&entry)?;
            // EXPOSE: sealed again at once, under the same key.
            let sealed = inner.keys.seal(&entry.key, plain.expose())?;
            self.ops.push((entry.key, Op::Replace(entry.rev, sealed)));
        }
        if let Some(entry) = lane.epoch {
            self.ops.push((entry.key, Op::Remove(entry.rev)));
        }
        Ok(())
    }
}
