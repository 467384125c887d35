//! Which of the waiting changes go into one commit, and how a refused commit comes apart again.
//!
//! A merged batch happens at one instant, but its changes were decided one by one. They are merged only if the
//! outcome is that of applying them **in arrival order**, which is also the order of their records: a change may
//! write what an earlier one guards, it may not touch what an earlier one writes. (Without that rule two changes
//! that each guard what the other writes would both pass, though neither order allows it.)

use super::intake::{Caller, Item};
use crate::{
    audit::{AuditRecord, Chain},
    crypto::Hash,
    id::Rev,
    limits::{BATCH_OPS_MAX, LANE_BYTES_MAX, LANE_REQUESTS_MAX},
    store::{Batch, Clash, Key, Op},
};
use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque, hash_map},
    time::Duration,
};

/// Moves the changes of the next commit out of `waiting`, in arrival order. A change that does not fit stays, and
/// so does every later one that would overtake it on a key: nobody starves. Returns them, and how many of those at
/// the front of `waiting` were passed over.
pub(super) fn select(waiting: &mut VecDeque<Item>) -> (Vec<Item>, usize) {
    let mut chosen = Vec::with_capacity(waiting.len().min(LANE_REQUESTS_MAX));
    let mut passed = VecDeque::new();
    let mut taken = Footprint::default();
    let mut reserved = Footprint::default();
    // One operation is the lane's own.
    let (mut bytes, mut ops) = (0, 1);
    while let Some(item) = waiting.pop_front() {
        let first = chosen.is_empty();
        let full = chosen.len() == LANE_REQUESTS_MAX
            || ops + item.ops.len() > BATCH_OPS_MAX
            || bytes + item.bytes > LANE_BYTES_MAX;
        if full && !first {
            waiting.push_front(item);
            break;
        }
        if taken.admits_after(&item.ops) && reserved.admits_before(&item.ops) {
            bytes += item.bytes;
            ops += item.ops.len();
            taken.add(&item.ops);
            chosen.push(item);
        } else {
            reserved.add(&item.ops);
            passed.push_back(item);
        }
    }
    let count = passed.len();
    passed.append(waiting);
    *waiting = passed;
    (chosen, count)
}

/// The keys that a set of changes touches: guarded at a revision, or written.
#[derive(Default)]
struct Footprint(HashMap<Key, Option<Rev>>);

impl Footprint {
    /// May these operations be applied after this set, in one commit.
    fn admits_after(&self, ops: &[(Key, Op)]) -> bool {
        self.all(ops, |guarded, op| match op {
            Op::Guard(rev) | Op::Replace(rev, _) | Op::Remove(rev) => guarded == *rev,
            Op::Create(_) | Op::Put(_) => false,
        })
    }

    /// May these operations be applied before this set, though they came later.
    fn admits_before(&self, ops: &[(Key, Op)]) -> bool {
        self.all(ops, |_, op| !op.writes())
    }

    fn all(&self, ops: &[(Key, Op)], over_guard: impl Fn(Rev, &Op) -> bool) -> bool {
        self.0.is_empty()
            || ops.iter().all(|(key, op)| match self.0.get(key) {
                None => true,
                Some(Some(guarded)) => over_guard(*guarded, op),
                Some(None) => false,
            })
    }

    fn add(&mut self, ops: &[(Key, Op)]) {
        for (key, op) in ops {
            match self.0.entry(key.clone()) {
                hash_map::Entry::Vacant(slot) => {
                    slot.insert(guarded(op));
                }
                hash_map::Entry::Occupied(mut slot) => {
                    // Guards at two revisions cannot both hold: as good as written.
                    if *slot.get() != guarded(op) {
                        slot.insert(None);
                    }
                }
            }
        }
    }
}

fn guarded(op: &Op) -> Option<Rev> {
    if let Op::Guard(rev) = op { Some(*rev) } else { None }
}

/// The keys on which a change must fail now that `batch` is applied: their revisions will never come back. So those
/// who lost a race for a hot key all hear of it at once, instead of one a commit.
pub(super) fn doomed_keys(item: &Item, batch: &Batch) -> Vec<Key> {
    let lost = |(key, op): &&(Key, Op)| match batch.op(key) {
        Some(applied) if applied.writes() => !op.holds(applied.value().map(|_| batch.id())),
        _ => false,
    };
    item.ops.iter().filter(lost).map(|(key, _)| key.clone()).collect()
}

/// A change whose operations and record are in a batch: what is needed to answer it, or to take it out again.
pub(super) struct Member {
    keys: Vec<(Key, Option<Rev>)>,
    received: Duration,
    bytes: usize,
    urgent: bool,
    pub(super) caller: Caller,
}

/// A numbered commit.
pub(super) struct Round {
    pub(super) batch: Batch,
    /// In the order of the batch's records.
    pub(super) members: Vec<Member>,
}

impl Round {
    /// Numbers and links `items` onto `chain`, in order.
    pub(super) fn number(
        items: Vec<Item>,
        id: Rev,
        chain: &mut Chain,
        hash: &dyn Hash,
        now: Duration,
    ) -> Result<Self, Clash> {
        let mut batch = Batch::new(id);
        let mut members = Vec::with_capacity(items.len());
        for Item { ops, mut record, received, bytes, urgent, caller } in items {
            let keys = ops.iter().map(|(key, op)| (key.clone(), guarded(op))).collect();
            for (key, op) in ops {
                batch.stage(key, op)?;
            }
            record.columns.elapsed_us =
                u64::try_from(now.saturating_sub(received).as_micros()).unwrap_or(u64::MAX);
            batch.audit(chain.append(hash, record));
            if urgent {
                batch.hurry();
            }
            members.push(Member { keys, received, bytes, urgent, caller });
        }
        Ok(Self { batch, members })
    }

    /// Takes a refused commit apart: who loses, with the keys it lost on, and who may be numbered again.
    pub(super) fn split(self, lost: &[Key]) -> (Vec<(Member, Vec<Key>)>, Vec<Item>) {
        let lost: HashSet<&Key> = lost.iter().collect();
        let (mut ops, records) = self.batch.into_parts();
        let (mut losers, mut survivors) = (Vec::new(), Vec::new());
        for (member, linked) in self.members.into_iter().zip(records) {
            let keys = member.keys.iter().map(|(key, _)| key).filter(|key| lost.contains(key));
            let keys: Vec<Key> = keys.cloned().collect();
            if keys.is_empty() {
                survivors.push(member.restore(&mut ops, linked.record));
            } else {
                losers.push((member, keys));
            }
        }
        (losers, survivors)
    }
}

impl Member {
    fn restore(self, staged: &mut BTreeMap<Key, Op>, record: AuditRecord) -> Item {
        let op = |(key, guarded): (Key, Option<Rev>)| {
            let op = match guarded {
                Some(rev) => Some(Op::Guard(rev)),
                None => staged.remove(&key),
            };
            op.map(|op| (key, op))
        };
        let ops = self.keys.into_iter().filter_map(op).collect();
        let Self { received, bytes, urgent, caller, .. } = self;
        Item { ops, record, received, bytes, urgent, caller }
    }
}
