//! What the tests of this module share: a host whose randomness can be replayed, both providers, and entries.

use super::{Birth, Given, MasterKey, NewSeal, Passphrase, Wrap, make_vault};
use crate::{
    Secret,
    crypto::{self, CryptoProvider},
    host::Host,
    id::{BootId, Rev, Timestamp},
    store::{Entry, Key, Sealed},
};
use futures::{FutureExt, future::BoxFuture};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Random numbers from a seed (splitmix64), and a clock that stands still.
#[derive(Debug)]
pub(super) struct Seeded(AtomicU64);

impl Seeded {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(seed)))
    }
}

impl Host for Seeded {
    fn now(&self) -> Timestamp {
        Timestamp(1_763_769_600_000_000)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    fn spawn(&self, _: &'static str, _: BoxFuture<'static, ()>) {}

    fn run_blocking(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        work();
        Box::pin(std::future::ready(()))
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let mut x = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            chunk.copy_from_slice(&(x ^ (x >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }

    fn process_id(&self) -> u32 {
        1
    }
}

/// Runs a battery over every provider: formats do not depend on who computes them.
pub(crate) fn providers() -> [CryptoProvider; 2] {
    [crypto::rustcrypto::provider(), crypto::aws_lc::provider()]
}

/// A boot that starts with `byte`.
pub(super) fn boot(byte: u8) -> BootId {
    BootId([byte; 16])
}

/// A key of the store.
pub(crate) fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

/// An entry as a store would give it back.
pub(crate) fn entry(name: &str, value: Sealed) -> Entry {
    Entry { key: key(name), rev: Rev([1; 16]), value }
}

/// The same entry with other bytes.
pub(super) fn with_bytes(entry: &Entry, bytes: Vec<u8>) -> Entry {
    Entry { value: Sealed::from_stored(bytes), ..entry.clone() }
}

/// The master key that the tests use.
pub(super) fn master(byte: u8) -> MasterKey {
    MasterKey::parse(&Secret::new(char::from(byte).to_string().repeat(32))).unwrap()
}

/// A passphrase that the tests use.
pub(super) fn passphrase(text: &str) -> Passphrase {
    Passphrase::parse(&Secret::new(text.to_owned())).unwrap()
}

/// What was typed, as a wrap of the first provider asks for it.
pub(super) fn given(wrap: &Wrap, text: &str) -> Result<Given, crate::Error> {
    let (host, text) = (Seeded::new(9), Secret::new(text.to_owned()));
    // This host waits for nothing.
    Given::read(providers()[0], &*host, wrap, &text).now_or_never().unwrap()
}

/// A vault under a static seal.
pub(crate) fn vault(crypto: CryptoProvider, seed: u64) -> Birth {
    make_vault(crypto, Seeded::new(seed), boot(1), NewSeal::Static(&master(b'k'))).unwrap()
}

/// Every copy of `bytes` with one bit flipped.
pub(super) fn flips(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        (bit, flipped)
    })
}
