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

/// A table of fixed size in which a document has one place; who comes later takes it.
pub(crate) struct Memo {
    places: Box<[Mutex<Option<Parsed>>]>,
    hash: RandomState,
}

struct Parsed {
    key: Key,
    rev: Rev,
    document: Arc<dyn Any + Send + Sync>,
}

impl Memo {
    pub(crate) fn new() -> Self {
        let places = std::iter::repeat_with(Mutex::default).take(MEMO_DOCUMENTS).collect();
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
            let _pushed_out = self.place(&entry.key).replace(parsed);
        }
        Ok(document)
    }

    fn find<T: Any + Send + Sync>(&self, entry: &Entry) -> Option<Arc<T>> {
        let place = self.place(&entry.key);
        let parsed = place.as_ref().filter(|parsed| parsed.rev == entry.rev && parsed.key == entry.key)?;
        Arc::clone(&parsed.document).downcast().ok()
    }

    fn place(&self, key: &Key) -> MutexGuard<'_, Option<Parsed>> {
        // The remainder fits a usize, since the length does.
        let at = self.hash.hash_one(key) % self.places.len() as u64;
        // A whole value is put there or none.
        self.places[at as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        assert_eq!(memo.places.len(), MEMO_DOCUMENTS);
    }
}
