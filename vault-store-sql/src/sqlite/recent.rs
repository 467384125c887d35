//! [`Recent`]: entries that were read lately, in memory. SQLite forgets all its pages on a connection as soon as
//! another connection commits, which here happens hundreds of times a second; but only this process writes the file,
//! so this process knows which entries a commit did not touch.
//!
//! What is in here is what the file says, at every instant: the keys that a commit writes are taken out *before* it
//! begins and not let in again until it has ended. An answer is given only if all of its keys are in here, so it is
//! one instant: that before a commit under way and that after it are, for these keys, the same. Whatever is read from
//! the file while a commit begins or ends is not kept, as it may be older than that commit.

use hashlink::LruCache;
use secrethub_core::store::{Batch, Entry, Key};
use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Bytes of entries kept: some hundred thousand of the usual size.
const BYTES_MAX: usize = 64 << 20;
/// A larger entry is not kept: reading it costs more than finding it.
const ENTRY_BYTES_MAX: usize = 64 << 10;
/// What an entry costs beside its text and value.
const ENTRY_OVERHEAD: usize = 160;

/// The entries, under a lock that is held for less than a microsecond.
#[derive(Debug)]
pub(super) struct Recent(Mutex<State>);

#[derive(Debug)]
struct State {
    entries: LruCache<Key, Entry>,
    bytes: usize,
    /// Written by the commit under way.
    in_flight: HashSet<Key>,
    /// Moves when a commit begins and when it ends.
    moves: u64,
}

/// Says when a read of the file began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment(u64);

impl Recent {
    pub(super) fn new() -> Self {
        let (entries, in_flight) = (LruCache::new_unbounded(), HashSet::new());
        Self(Mutex::new(State { entries, bytes: 0, in_flight, moves: 0 }))
    }

    /// All of the keys, or the moment from which they must be read.
    pub(super) fn find(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>, Moment> {
        let mut state = self.lock();
        let found: Option<Vec<_>> =
            keys.iter().map(|key| state.entries.get(key).cloned().map(Some)).collect();
        found.ok_or(Moment(state.moves))
    }

    /// Keeps what was read since `moment`.
    pub(super) fn keep(&self, moment: Moment, found: &[Option<Entry>]) {
        let mut state = self.lock();
        if state.moves == moment.0 {
            found.iter().flatten().for_each(|entry| state.insert(entry));
        }
    }

    /// Runs a commit of `batch`, during and after which nothing older can be found.
    pub(super) fn during<T>(&self, batch: &Batch, commit: impl FnOnce() -> T) -> T {
        let written = batch.ops().filter(|(_, op)| op.writes()).map(|(key, _)| key.clone());
        {
            let mut state = self.lock();
            state.moves += 1;
            for key in written {
                state.remove(&key);
                state.in_flight.insert(key);
            }
        }
        let ending = Ending(self);
        let answer = commit();
        drop(ending);
        answer
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a commit, even if it panicked.
struct Ending<'a>(&'a Recent);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.moves += 1;
        state.in_flight.clear();
    }
}

impl State {
    fn insert(&mut self, entry: &Entry) {
        let size = size(entry);
        if size > ENTRY_BYTES_MAX || self.in_flight.contains(&entry.key) {
            return;
        }
        self.remove(&entry.key);
        self.bytes += size;
        self.entries.insert(entry.key.clone(), entry.clone());
        while self.bytes > BYTES_MAX {
            let Some((_, oldest)) = self.entries.remove_lru() else { break };
            self.bytes -= self::size(&oldest);
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= size(&entry);
        }
    }
}

fn size(entry: &Entry) -> usize {
    entry.key.as_str().len() + entry.value.as_bytes().len() + ENTRY_OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrethub_core::{id::Rev, store::Sealed};

    fn key(name: &str) -> Key {
        Key::new(name).unwrap()
    }

    fn entry(name: &str, rev: u8, bytes: usize) -> Option<Entry> {
        Some(Entry { key: key(name), rev: Rev([rev; 16]), value: Sealed::from_stored(vec![rev; bytes]) })
    }

    fn putting(name: &str) -> Batch {
        let mut batch = Batch::new(Rev([9; 16]));
        batch.put(key(name), Sealed::from_stored(vec![])).unwrap();
        batch
    }

    fn moment(recent: &Recent) -> Moment {
        recent.find(&[key("never")]).unwrap_err()
    }

    #[test]
    fn all_keys_or_none() {
        let recent = Recent::new();
        recent.keep(moment(&recent), &[entry("a", 1, 4), None, entry("b", 1, 4)]);
        let check = |names: &[&str], expect: bool| {
            let keys: Vec<Key> = names.iter().map(|name| key(name)).collect();
            assert_eq!(recent.find(&keys).is_ok(), expect, "{names:?}");
        };
        check(&["a"], true);
        check(&["b", "a"], true);
        check(&["a", "c"], false);
        check(&[], true);
    }

    #[test]
    fn nothing_older_than_a_commit_is_kept() {
        let recent = Recent::new();
        let kept = |name: &str| recent.find(&[key(name)]).is_ok();
        recent.keep(moment(&recent), &[entry("a", 1, 4), entry("b", 1, 4)]);
        let before = moment(&recent);
        recent.during(&putting("a"), || {
            assert!(!kept("a") && kept("b"), "what is being written is not known, the rest is");
            recent.keep(before, &[entry("b", 0, 4)]);
            assert_eq!(recent.find(&[key("b")]).unwrap(), [entry("b", 1, 4)], "read before the commit began");
            recent.keep(moment(&recent), &[entry("a", 1, 4), entry("c", 1, 4)]);
            assert!(!kept("a") && kept("c"), "read during the commit");
        });
        let during = Moment(before.0 + 1);
        recent.keep(during, &[entry("a", 1, 4)]);
        assert!(!kept("a"), "read during the commit, told after it");
        recent.keep(moment(&recent), &[entry("a", 9, 4)]);
        assert!(kept("a"));
    }

    #[test]
    fn a_commit_that_panics_ends_too() {
        let recent = Recent::new();
        let commit = || recent.during(&putting("a"), || panic!("the disk is on fire"));
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(commit)).unwrap_err();
        recent.keep(moment(&recent), &[entry("a", 1, 4)]);
        assert!(recent.find(&[key("a")]).is_ok());
    }

    #[test]
    fn the_least_recently_used_go_first() {
        let recent = Recent::new();
        let big = ENTRY_BYTES_MAX - ENTRY_OVERHEAD - 8;
        for n in 0..BYTES_MAX / ENTRY_BYTES_MAX + 10 {
            recent.keep(moment(&recent), &[entry(&format!("{n:08}"), 1, big)]);
            assert!(recent.find(&[key("00000000")]).is_ok(), "used all the time");
        }
        assert!(recent.find(&[key("00000001")]).is_err());
        assert!(recent.lock().bytes <= BYTES_MAX);
        recent.keep(moment(&recent), &[entry("large", 1, ENTRY_BYTES_MAX)]);
        assert!(recent.find(&[key("large")]).is_err());
    }
}
