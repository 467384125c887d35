//! What a thread seals with, behind one lock that is nearly always its own: the data key, a generator of nonces, and
//! encryptions that were counted in advance. Shared parts would each cost an atomic step or two, and of a small value
//! those steps cost as much as the encryption.

use super::{data_keys::DataKey, envelope, envelope::Header, keyring::Keyring};
use crate::{
    crypto::rng::{Csprng, Entropy, home},
    id::BootId,
    limits::RNG_SHARDS,
    store::{Key, Sealed},
};
use std::{
    array,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Encryptions that a sealer takes from the data key's account at once.
const RESERVED_AT_ONCE: u64 = 64;
/// Larger values are encrypted without the lock: they take longer than a thread should wait that shares it.
const LOCKED_BYTES_MAX: usize = 4 * 1024;

/// The keyring in force and the data key that new values are sealed under.
pub(super) struct State {
    pub(super) keyring: Arc<Keyring>,
    pub(super) term: u32,
    /// Salt of the data key. The node's boot id at first; a fresh one after each 2³⁰ encryptions or change of the
    /// keyring, so the boot in an envelope's header may differ from the boot that names the audit chain.
    pub(super) salt: BootId,
    pub(super) key: DataKey,
}

/// The state, and the account of its encryptions.
pub(super) struct Current {
    pub(super) state: Arc<State>,
    /// Encryptions under this data key, done or reserved.
    reserved: u64,
    /// Encryptions under earlier data keys of the term that the keyring has not recorded.
    before: u64,
}

impl Current {
    pub(super) fn new(state: State, before: u64) -> Self {
        Self { state: Arc::new(state), reserved: 0, before }
    }

    /// Takes encryptions off the account of `max`; 0 when it is used up.
    pub(super) fn reserve(&mut self, max: u64) -> u64 {
        let count = RESERVED_AT_ONCE.min(max - self.reserved);
        self.reserved += count;
        count
    }

    /// Encryptions of this node under the term that the keyring has not recorded, with those that are reserved.
    pub(super) fn unrecorded(&self) -> u64 {
        self.before + self.reserved
    }
}

/// A sealer for each thread, up to a number; beyond it threads share.
pub(super) struct Sealers([Home; RNG_SHARDS]);

/// One thread's place, two cache lines wide so that neighbours do not slow each other down.
#[repr(align(128))]
pub(super) struct Home(Mutex<Sealer>);

struct Sealer {
    rng: Csprng,
    state: Arc<State>,
    /// Encryptions that are reserved and not done.
    left: u64,
}

impl Sealers {
    pub(super) fn new(entropy: &Entropy, state: &Arc<State>) -> Self {
        let sealer = |_| Sealer { rng: Csprng::new(Arc::clone(entropy)), state: Arc::clone(state), left: 0 };
        Self(array::from_fn(|at| Home(Mutex::new(sealer(at)))))
    }

    /// This thread's own.
    pub(super) fn home(&self) -> &Home {
        &self.0[home() % RNG_SHARDS]
    }

    /// Puts every sealer under a new state: when it returns, nothing more is sealed under the old one, but for values
    /// that are being encrypted at this moment.
    pub(super) fn adopt(&self, state: &Arc<State>) {
        for home in &self.0 {
            let mut sealer = home.lock();
            (sealer.state, sealer.left) = (Arc::clone(state), 0);
        }
    }

    /// Encryptions that are reserved and not done.
    pub(super) fn left(&self) -> u64 {
        self.0.iter().map(|home| home.lock().left).sum()
    }
}

impl Home {
    /// Seals a value; `None` when what was reserved is used up.
    pub(super) fn seal(&self, name: &Key, plain: &[u8]) -> Option<Sealed> {
        let mut sealer = self.lock();
        sealer.left = sealer.left.checked_sub(1)?;
        let header = sealer.make_header();
        if plain.len() <= LOCKED_BYTES_MAX {
            return Some(envelope::seal(&**sealer.state.key, header, name, plain));
        }
        let state = Arc::clone(&sealer.state);
        drop(sealer);
        Some(envelope::seal(&**state.key, header, name, plain))
    }

    /// Adds what was reserved under `state`.
    pub(super) fn refill(&self, state: &Arc<State>, count: u64) {
        let mut sealer = self.lock();
        sealer.state = Arc::clone(state);
        sealer.left += count;
    }

    fn lock(&self) -> MutexGuard<'_, Sealer> {
        // A panic in the source of entropy leaves a sealer that has counted once too often, and nothing else.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sealer {
    fn make_header(&mut self) -> Header {
        let mut nonce = [0; 12];
        self.rng.fill(&mut nonce);
        Header { format: envelope::ENTRY, term: self.state.term, boot: self.state.salt, nonce }
    }
}
