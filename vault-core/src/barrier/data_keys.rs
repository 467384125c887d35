//! Data keys of other boots and earlier terms, kept scheduled up to a bound: a value is read far more often than its
//! boot changes, and scheduling costs more than opening a small value.

use crate::{crypto::CipherKey, id::BootId, limits};
use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

/// A scheduled key, boxed inside the `Arc`: moving the schedule itself into the `Arc` would leave an unwiped copy.
pub(super) type DataKey = Arc<Box<dyn CipherKey>>;
/// Term and boot, as they stand in an envelope's header.
pub(super) type DataKeyId = (u32, BootId);

/// At most `limits::DATA_KEYS_CACHED` keys, the oldest leaving first.
#[derive(Default)]
pub(super) struct DataKeys(RwLock<Known>);

#[derive(Default)]
struct Known {
    keys: HashMap<DataKeyId, DataKey>,
    order: VecDeque<DataKeyId>,
}

impl DataKeys {
    pub(super) fn get(&self, id: DataKeyId) -> Option<DataKey> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).keys.get(&id).cloned()
    }

    /// Keeps a key that has just opened something: a forged header must not push out a key that is in use.
    pub(super) fn keep(&self, id: DataKeyId, key: DataKey) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.keys.insert(id, key).is_some() {
            return;
        }
        known.order.push_back(id);
        if known.order.len() > limits::DATA_KEYS_CACHED
            && let Some(oldest) = known.order.pop_front()
        {
            known.keys.remove(&oldest);
        }
    }

    /// Forgets everything, so that keys of a retired term do not outlive it.
    pub(super) fn clear(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Known::default();
    }
}

impl fmt::Debug for DataKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        write!(f, "DataKeys({} cached)", known.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Secret, barrier::fixture::providers};

    #[test]
    fn keeps_the_newest_up_to_the_bound() {
        let (known, crypto) = (DataKeys::default(), providers()[0]);
        let key: DataKey = Arc::new(crypto.cipher.key(&Secret::new([0; 32])));
        let id = |n: usize| (n as u32, BootId([0; 16]));
        for n in 0..=limits::DATA_KEYS_CACHED {
            known.keep(id(n), Arc::clone(&key));
            known.keep(id(n), Arc::clone(&key));
        }
        assert!(known.get(id(0)).is_none());
        assert!(known.get(id(1)).is_some());
        assert!(known.get(id(limits::DATA_KEYS_CACHED)).is_some());
        known.clear();
        assert!(known.get(id(1)).is_none());
        assert_eq!(Arc::strong_count(&key), 1);
    }
}
