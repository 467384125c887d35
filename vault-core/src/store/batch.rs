//! [`Batch`]: everything that changes at one instant, with the conditions under which it may.

use super::{Entry, Key, Sealed};
use crate::{audit::Linked, id::Rev};
use std::{
    collections::{BTreeMap, btree_map},
    sync::Arc,
};

/// What happens to one key, and under which condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// The key must be absent; it gets the value.
    Create(Sealed),
    /// The key must be at the revision; it gets the value.
    Replace(Rev, Sealed),
    /// The key must be at the revision; it goes.
    Remove(Rev),
    /// The key must be at the revision; nothing changes.
    Guard(Rev),
    /// The key gets the value whatever it was.
    Put(Sealed),
}

impl Op {
    /// Does the condition hold for the revision that was found. Every backend asks this one function.
    pub fn holds(&self, found: Option<Rev>) -> bool {
        match self {
            Self::Create(_) => found.is_none(),
            Self::Replace(rev, _) | Self::Remove(rev) | Self::Guard(rev) => found == Some(*rev),
            Self::Put(_) => true,
        }
    }

    /// The value that the key gets, if it gets one.
    pub fn value(&self) -> Option<&Sealed> {
        match self {
            Self::Create(value) | Self::Replace(_, value) | Self::Put(value) => Some(value),
            Self::Remove(_) | Self::Guard(_) => None,
        }
    }

    /// Can one operation stand for both: `Some(false)` this one, `Some(true)` the new one, `None` neither.
    /// A guard merges with an equal guard and gives way to a change that demands the same revision.
    pub(crate) fn merge(&self, new: &Self) -> Option<bool> {
        match (self, new) {
            (Self::Guard(a) | Self::Replace(a, _) | Self::Remove(a), Self::Guard(b)) if a == b => Some(false),
            (Self::Guard(a), Self::Replace(b, _) | Self::Remove(b)) if a == b => Some(true),
            _ => None,
        }
    }

    /// Does it change the key (a guard does not).
    pub fn writes(&self) -> bool {
        !matches!(self, Self::Guard(_))
    }
}

/// Two operations on one key that are not the same guard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("two operations on {0} in one batch")]
pub struct Clash(pub Key);

/// An atomic, conditional change. Its id becomes the revision of every entry that it writes.
///
/// Sending the same batch again is harmless as long as it creates or replaces a key that only its sender ever
/// writes (the lane's `lane/<boot>` is that witness): a backend that finds any key already at `id` answers `Ok`.
///
/// A clone shares everything with the original until one of them is added to, so a backend may take one to its thread.
#[derive(Clone, Debug)]
pub struct Batch {
    id: Rev,
    ops: Arc<BTreeMap<Key, Op>>,
    records: Arc<Vec<Linked>>,
    urgent: bool,
}

impl Batch {
    /// An empty batch under a fresh, random id.
    pub fn new(id: Rev) -> Self {
        Self { id, ops: Arc::default(), records: Arc::default(), urgent: false }
    }

    /// The id, which becomes [`Entry::rev`].
    pub fn id(&self) -> Rev {
        self.id
    }

    /// The key must be absent.
    pub fn create(&mut self, key: Key, value: Sealed) -> Result<(), Clash> {
        self.stage(key, Op::Create(value))
    }

    /// The key must still be as it was read: you cannot overwrite what you have not seen.
    pub fn replace(&mut self, read: &Entry, value: Sealed) -> Result<(), Clash> {
        self.stage(read.key.clone(), Op::Replace(read.rev, value))
    }

    /// The key must still be as it was read; it goes.
    pub fn remove(&mut self, read: &Entry) -> Result<(), Clash> {
        self.stage(read.key.clone(), Op::Remove(read.rev))
    }

    /// The key must still be as it was read; nothing changes. Equal guards merge.
    pub fn guard(&mut self, read: &Entry) -> Result<(), Clash> {
        self.stage(read.key.clone(), Op::Guard(read.rev))
    }

    /// Unconditional: heartbeats and derived indexes only.
    pub fn put(&mut self, key: Key, value: Sealed) -> Result<(), Clash> {
        self.stage(key, Op::Put(value))
    }

    /// Adds an operation. A guard merges with an equal guard and gives way to a change that demands the same
    /// revision; anything else on a key that is already staged is a [`Clash`].
    pub fn stage(&mut self, key: Key, op: Op) -> Result<(), Clash> {
        match Arc::make_mut(&mut self.ops).entry(key) {
            btree_map::Entry::Vacant(slot) => {
                slot.insert(op);
                Ok(())
            }
            btree_map::Entry::Occupied(mut slot) => match slot.get().merge(&op) {
                Some(false) => Ok(()),
                Some(true) => {
                    slot.insert(op);
                    Ok(())
                }
                None => Err(Clash(slot.key().clone())),
            },
        }
    }

    /// Appends a record in the same transaction.
    pub fn audit(&mut self, record: Linked) {
        Arc::make_mut(&mut self.records).push(record);
    }

    /// Operations in key order, which is the order in which a backend locks.
    pub fn ops(&self) -> impl ExactSizeIterator<Item = (&Key, &Op)> {
        self.ops.iter()
    }

    /// The operation staged on a key.
    pub fn op(&self, key: &Key) -> Option<&Op> {
        self.ops.get(key)
    }

    /// Records in the order of their chain.
    pub fn records(&self) -> &[Linked] {
        &self.records
    }

    /// Takes the batch apart again: operations by key, and records in order. For a sender whose batch was refused.
    pub fn into_parts(self) -> (BTreeMap<Key, Op>, Vec<Linked>) {
        (Arc::unwrap_or_clone(self.ops), Arc::unwrap_or_clone(self.records))
    }

    /// Lets the batch use what the store keeps in reserve for when its disk is full: what operates the vault or makes
    /// room must still work then.
    pub fn hurry(&mut self) {
        self.urgent = true;
    }

    /// May it use the reserve.
    pub fn is_urgent(&self) -> bool {
        self.urgent
    }

    /// Is there nothing to do.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty() && self.records.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(byte: u8) -> Sealed {
        Sealed::from_stored(vec![byte])
    }

    #[test]
    fn only_equal_guards_merge() {
        let (a, b) = (Rev([1; 16]), Rev([2; 16]));
        let check = |first: Op, second: Op, expect: Option<Op>| {
            let key = Key::new("k").unwrap();
            let mut batch = Batch::new(Rev([9; 16]));
            batch.stage(key.clone(), first.clone()).unwrap();
            let staged = batch.stage(key.clone(), second.clone());
            assert_eq!(staged.is_ok(), expect.is_some(), "{first:?} + {second:?}");
            assert_eq!(batch.op(&key), Some(&expect.unwrap_or(first)));
        };
        check(Op::Guard(a), Op::Guard(a), Some(Op::Guard(a)));
        check(Op::Guard(a), Op::Guard(b), None);
        check(Op::Guard(a), Op::Replace(a, value(1)), Some(Op::Replace(a, value(1))));
        check(Op::Replace(a, value(1)), Op::Guard(a), Some(Op::Replace(a, value(1))));
        check(Op::Remove(a), Op::Guard(a), Some(Op::Remove(a)));
        check(Op::Replace(a, value(1)), Op::Guard(b), None);
        check(Op::Create(value(1)), Op::Create(value(1)), None);
        check(Op::Put(value(1)), Op::Put(value(2)), None);
        check(Op::Put(value(1)), Op::Guard(a), None);
    }
}
