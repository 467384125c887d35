//! What every backend asks before it changes anything: are the limits kept, do the conditions hold, was it done
//! before. One function for all of them, so that they cannot disagree.

use super::{Batch, Key, StoreError};
use crate::{id::Rev, limits};

/// What a backend should do with a batch, given the revisions it found.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every condition holds.
    Apply,
    /// A written key is already at the batch's id: it was applied before.
    Applied,
    /// The conditions on these keys do not hold.
    Conflict(Vec<Key>),
}

/// Judges a batch against the revisions found under lock. Every backend calls this one function.
pub fn judge(batch: &Batch, found: impl Fn(&Key) -> Option<Rev>) -> Verdict {
    let mut losers = Vec::new();
    for (key, op) in batch.ops() {
        let rev = found(key);
        if op.writes() && rev == Some(batch.id()) {
            return Verdict::Applied;
        }
        if !op.holds(rev) {
            losers.push(key.clone());
        }
    }
    if losers.is_empty() { Verdict::Apply } else { Verdict::Conflict(losers) }
}

/// Refuses a `get` beyond the contract's limits.
pub fn check_get(keys: &[Key]) -> Result<(), StoreError> {
    at_most("keys in one get", keys.len(), limits::GET_KEYS_MAX)
}

/// Refuses a batch beyond the contract's limits.
pub fn check_batch(batch: &Batch) -> Result<(), StoreError> {
    at_most("operations in one batch", batch.ops().len(), limits::BATCH_OPS_MAX)?;
    let largest = batch.ops().filter_map(|(_, op)| op.value()).map(|value| value.as_bytes().len()).max();
    at_most("bytes in one value", largest.unwrap_or(0), limits::VALUE_BYTES_MAX)
}

fn at_most(what: &'static str, found: usize, limit: usize) -> Result<(), StoreError> {
    if found > limit { Err(StoreError::TooLarge { what, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Op, Sealed};

    #[test]
    fn verdicts() {
        let (id, old, other) = (Rev([1; 16]), Rev([2; 16]), Rev([3; 16]));
        let value = || Sealed::from_stored(Vec::new());
        let check = |ops: &[(&str, Op)], found: &[(&str, Rev)], expect: Verdict| {
            let mut batch = Batch::new(id);
            for (name, op) in ops {
                batch.stage(Key::new(name).unwrap(), op.clone()).unwrap();
            }
            let lookup =
                |key: &Key| found.iter().find(|(name, _)| key.as_str() == *name).map(|(_, rev)| *rev);
            assert_eq!(judge(&batch, lookup), expect, "{ops:?} {found:?}");
        };
        let lost = |names: &[&str]| Verdict::Conflict(names.iter().map(|n| Key::new(n).unwrap()).collect());
        check(&[], &[], Verdict::Apply);
        check(&[("a", Op::Create(value()))], &[], Verdict::Apply);
        check(&[("a", Op::Create(value()))], &[("a", old)], lost(&["a"]));
        check(&[("a", Op::Create(value()))], &[("a", id)], Verdict::Applied);
        check(&[("a", Op::Put(value()))], &[("a", id)], Verdict::Applied);
        check(&[("b", Op::Guard(old)), ("a", Op::Remove(old))], &[("b", other)], lost(&["a", "b"]));
        // A guard at the batch's own id says nothing about whether the batch was applied.
        check(&[("a", Op::Guard(id)), ("b", Op::Put(value()))], &[("a", id)], Verdict::Apply);
        // One loser before the witness in key order does not hide that it was applied.
        check(
            &[("a", Op::Replace(old, value())), ("w", Op::Create(value()))],
            &[("w", id)],
            Verdict::Applied,
        );
    }
}
