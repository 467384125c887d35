//! [`Memo`]: documents that were opened and parsed lately, each under the revision at which it was read.
//!
//! The entry itself is read from the store at every request; only what its bytes *mean* is remembered. A revision is
//! never reused, so that cannot grow old: an entry that has changed has another revision. Tokens and the metadata of
//! secrets are kept here, never a secret itself, and nothing outlives the unsealed vault.

use crate::{
    error::Error,
    id::Rev,
    limits::{MEMO_DOCUMENT_BYTES_MAX, MEMO_DOCUMENTS},
    store::{Entry, Key},
};
use std::{
    any::Any,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A table of fixed size in which a document has two places. Who comes takes the first, and who had it the second: of
/// documents that are read all the time hardly any three share their places, but many a two.
pub(crate) struct Memo {
    places: Box<[Mutex<Places>]>,
    hash: RandomState,
}

type Places = [Option<Parsed>; 2];

struct Parsed {
    key: Key,
    rev: Rev,
    document: Arc<dyn Any + Send + Sync>,
}

impl Memo {
    pub(crate) fn new() -> Self {
        let places = std::iter::repeat_with(Mutex::default).take(MEMO_DOCUMENTS / 2).collect();
        Self { places, hash: RandomState::new() }
    }

    /// What an entry says: remembered, or `read` now. An entry has one type for as long as it lives.
    pub(crate) fn document<T: Any + Send + Sync>(
        &self,
        entry: &Entry,
        read: impl FnOnce() -> Result<T, Error>,
    ) -> Result<Arc<T>, Error> {
        if let Some(document) = self.find(entry) {
            return Ok(document);
        }
        let document = Arc::new(read()?);
        if entry.value.as_bytes().len() <= MEMO_DOCUMENT_BYTES_MAX {
            let kept = Arc::clone(&document) as Arc<dyn Any + Send + Sync>;
            let parsed = Parsed { key: entry.key.clone(), rev: entry.rev, document: kept };
            // What is pushed out is dropped after the lock.
            let _pushed_out = push(&mut self.places(&entry.key), parsed);
        }
        Ok(document)
    }

    fn find<T: Any + Send + Sync>(&self, entry: &Entry) -> Option<Arc<T>> {
        let places = self.places(&entry.key);
        let mut known = places.iter().flatten();
        let parsed = known.find(|parsed| parsed.rev == entry.rev && parsed.key == entry.key)?;
        Arc::clone(&parsed.document).downcast().ok()
    }

    fn places(&self, key: &Key) -> MutexGuard<'_, Places> {
        // The remainder fits a usize, since the length does.
        let at = self.hash.hash_one(key) % self.places.len() as u64;
        // Whole values are put there or none.
        self.places[at as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An older revision of the same document gives up its own place, and pushes nobody out.
fn push(places: &mut Places, parsed: Parsed) -> Option<Parsed> {
    let [first, second] = places;
    let older = first.as_ref().is_some_and(|known| known.key == parsed.key);
    let left = first.replace(parsed);
    if older { left } else { std::mem::replace(second, left) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Sealed;

    fn entry(key: &str, rev: u8, bytes: usize) -> Entry {
        Entry { key: Key::new(key).unwrap(), rev: Rev([rev; 16]), value: Sealed::from_stored(vec![0; bytes]) }
    }

    #[test]
    fn a_document_is_read_once_a_revision() {
        let memo = Memo::new();
        let check = |entry: &Entry, now: u32, expect: u32| {
            assert_eq!(*memo.document(entry, || Ok(now)).unwrap(), expect, "{entry:?}");
        };
        check(&entry("a", 1, 8), 1, 1);
        check(&entry("a", 1, 8), 2, 1);
        check(&entry("a", 2, 8), 3, 3);
        check(&entry("a", 1, 8), 4, 4);
        check(&entry("b", 1, 8), 5, 5);
        check(&entry("large", 1, MEMO_DOCUMENT_BYTES_MAX + 1), 6, 6);
        check(&entry("large", 1, MEMO_DOCUMENT_BYTES_MAX + 1), 7, 7);
    }

    #[test]
    fn two_share_their_places_and_the_third_takes_one() {
        let parsed = |key: &str, rev: u8| {
            let Entry { key, rev, .. } = entry(key, rev, 8);
            Parsed { key, rev, document: Arc::new(()) }
        };
        let mut places = Places::default();
        let mut check = |new: Parsed, expect: &[(&str, u8)], pushed_out: Option<&str>| {
            let left = push(&mut places, new);
            assert_eq!(left.as_ref().map(|parsed| parsed.key.as_str()), pushed_out);
            let known = places.iter().flatten().map(|parsed| (parsed.key.as_str(), parsed.rev.0[0]));
            assert_eq!(known.collect::<Vec<_>>(), expect);
        };
        check(parsed("a", 1), &[("a", 1)], None);
        check(parsed("a", 2), &[("a", 2)], Some("a"));
        check(parsed("b", 1), &[("b", 1), ("a", 2)], None);
        check(parsed("c", 1), &[("c", 1), ("b", 1)], Some("a"));
        check(parsed("b", 2), &[("b", 2), ("c", 1)], Some("b"));
    }

    #[test]
    fn another_type_is_another_document() {
        let (memo, entry) = (Memo::new(), entry("a", 1, 8));
        memo.document(&entry, || Ok(1_u32)).unwrap();
        assert_eq!(*memo.document(&entry, || Ok("text")).unwrap(), "text");
    }

    #[test]
    fn what_cannot_be_read_is_not_kept() {
        let (memo, entry) = (Memo::new(), entry("a", 1, 8));
        memo.document::<u32>(&entry, || Err(Error::sealed())).unwrap_err();
        assert_eq!(*memo.document(&entry, || Ok(2_u32)).unwrap(), 2);
    }

    #[test]
    fn it_never_grows() {
        let memo = Memo::new();
        for n in 0..3 * MEMO_DOCUMENTS {
            memo.document(&entry(&n.to_string(), 1, 8), || Ok(n)).unwrap();
        }
        assert_eq!(
            memo.places.iter().map(|places| places.lock().unwrap().len()).sum::<usize>(),
            MEMO_DOCUMENTS
        );
    }
}
