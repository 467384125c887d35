//! Random bytes without an OS call each: ChaCha20 (RFC 8439) with fast key erasure, seeded and reseeded from the host.
//!
//! Of every kibibyte of key stream the first 32 bytes become the next key and the rest is given out, once; the old key
//! and each byte given are wiped at once. So a state that leaks tells nothing of the past (D. J. Bernstein, "Fast-key-
//! erasure random-number generators", 2017), and of the future no more than [`RNG_RESEED_BYTES`]. Everything is wiped
//! on drop, by the `zeroize` of `chacha20` too; copies in registers and on the stack are beyond our reach.
//!
//! A fork would duplicate the state: a vault refuses to work in a fork of the process that opened it.

use crate::limits::{RNG_RESEED_BYTES, RNG_SHARDS};
use crate::{Key32, Secret};
use chacha20::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::{array, cell::Cell, fmt};

/// Where seeds come from, usually `Host::fill_random`.
pub type Entropy = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

const BLOCK_BYTES: usize = 1024;
const KEY_BYTES: usize = 32;
const BLOCKS_PER_SEED: usize = RNG_RESEED_BYTES / (BLOCK_BYTES - KEY_BYTES);

/// One generator, for one thread at a time. See [`SharedCsprng`] for many.
pub struct Csprng {
    entropy: Entropy,
    key: Key32,
    block: Secret<[u8; BLOCK_BYTES]>,
    used: usize,
    blocks_left: usize,
}

/// Compiles only while `chacha20`'s `zeroize` feature is on.
const fn assert_wiped<T: zeroize::ZeroizeOnDrop>() {}
const _: () = assert_wiped::<ChaCha20Rng>();

impl Csprng {
    /// A generator that takes its first seed when the first byte is asked for.
    pub fn new(entropy: Entropy) -> Self {
        let (key, block) = (Secret::new([0; KEY_BYTES]), Secret::new([0; BLOCK_BYTES]));
        Self { entropy, key, block, used: BLOCK_BYTES, blocks_left: 0 }
    }

    /// Fills `out` with bytes that nobody else gets.
    pub fn fill(&mut self, out: &mut [u8]) {
        let mut rest = out;
        while !rest.is_empty() {
            if self.used == BLOCK_BYTES {
                self.refill();
            }
            let (now, later) = rest.split_at_mut(rest.len().min(BLOCK_BYTES - self.used));
            let given = &mut self.block.expose_mut()[self.used..][..now.len()];
            now.copy_from_slice(given);
            given.fill(0);
            self.used += now.len();
            rest = later;
        }
    }

    fn refill(&mut self) {
        if self.blocks_left == 0 {
            self.reseed();
        }
        ChaCha20Rng::from_seed(*self.key.expose()).fill_bytes(self.block.expose_mut());
        let next = &mut self.block.expose_mut()[..KEY_BYTES];
        self.key.expose_mut().copy_from_slice(next);
        next.fill(0);
        self.used = KEY_BYTES;
        self.blocks_left -= 1;
    }

    /// Adds entropy to the key, so that a source that fails or lies cannot make it worse.
    fn reseed(&mut self) {
        let fresh = Secret::init(|seed: &mut [u8; KEY_BYTES]| (self.entropy)(seed));
        self.key.expose_mut().iter_mut().zip(fresh.expose()).for_each(|(key, new)| *key ^= new);
        self.blocks_left = BLOCKS_PER_SEED;
    }
}

impl fmt::Debug for Csprng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Csprng")
    }
}

/// A generator for many threads: each thread has its home shard, and a shard is seeded when first used. One thread
/// alone therefore always sees one stream, which is what the simulation replays.
pub struct SharedCsprng {
    shards: [Shard; RNG_SHARDS],
}

/// Two cache lines each, so that neighbours do not slow each other down.
#[repr(align(128))]
struct Shard(Mutex<Csprng>);

impl SharedCsprng {
    /// Generators over one source of entropy; takes none of it yet.
    pub fn new(entropy: &Entropy) -> Self {
        Self { shards: array::from_fn(|_| Shard(Mutex::new(Csprng::new(Arc::clone(entropy))))) }
    }

    /// Fills `out` with bytes that nobody else gets.
    pub fn fill(&self, out: &mut [u8]) {
        let shard = &self.shards[home() % RNG_SHARDS].0;
        // A poisoned lock means the entropy source panicked, which happens before any byte of the state changes.
        shard.lock().unwrap_or_else(PoisonError::into_inner).fill(out);
    }
}

impl fmt::Debug for SharedCsprng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedCsprng")
    }
}

/// The number of this thread, in the order in which threads first asked.
pub(crate) fn home() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    thread_local!(static HOME: Cell<usize> = const { Cell::new(0) });
    HOME.with(|home| {
        if home.get() == 0 {
            home.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        home.get()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Entropy that is `first` in every byte, then one more at each call.
    fn counting(first: u8) -> (Entropy, Arc<AtomicUsize>) {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let entropy = Arc::new(move |seed: &mut [u8]| {
            let call = u8::try_from(counter.fetch_add(1, Ordering::SeqCst)).unwrap();
            seed.fill(first + call);
        });
        (entropy, calls)
    }

    /// The first block of ChaCha20 under an all-zero key and nonce (RFC 8439 §A.1, vector 1).
    #[test]
    fn gives_the_key_stream_after_the_bytes_of_the_next_key() {
        let mut out = [0; 32];
        Csprng::new(counting(0).0).fill(&mut out);
        assert_eq!(hex::encode(out), "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586");
    }

    #[test]
    fn the_next_block_is_keyed_by_the_first_bytes_of_this_one() {
        let key = hex::decode("76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7").unwrap();
        let mut expect = [0; BLOCK_BYTES];
        ChaCha20Rng::from_seed(key.try_into().unwrap()).fill_bytes(&mut expect);
        let mut rng = Csprng::new(counting(0).0);
        rng.fill(&mut [0; BLOCK_BYTES - KEY_BYTES]);
        let mut out = [0; 64];
        rng.fill(&mut out);
        assert_eq!(out, expect[KEY_BYTES..][..64]);
    }

    #[test]
    fn pieces_join_to_the_same_stream_as_a_whole() {
        let mut whole = vec![0; 5_000];
        Csprng::new(counting(7).0).fill(&mut whole);
        let mut rng = Csprng::new(counting(7).0);
        let mut pieces = vec![0; 5_000];
        let mut rest = &mut pieces[..];
        for size in (0..).map(|i| i % 37) {
            let (now, later) = rest.split_at_mut(size.min(rest.len()));
            rng.fill(now);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        assert_eq!(whole, pieces);
    }

    #[test]
    fn reseeds_on_its_bound_and_what_was_given_is_wiped() {
        let (entropy, calls) = counting(1);
        let mut rng = Csprng::new(entropy);
        assert_eq!(calls.load(Ordering::SeqCst), 0);
        rng.fill(&mut vec![0; BLOCKS_PER_SEED * (BLOCK_BYTES - KEY_BYTES)]);
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert!(rng.block.expose().iter().all(|byte| *byte == 0));
        rng.fill(&mut [0]);
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn entropy_that_repeats_does_not_repeat_the_stream() {
        let mut rng = Csprng::new(Arc::new(|seed: &mut [u8]| seed.fill(9)));
        let mut seen = HashSet::new();
        for _ in 0..3 {
            let mut out = vec![0; BLOCKS_PER_SEED * (BLOCK_BYTES - KEY_BYTES)];
            rng.fill(&mut out);
            assert!(seen.insert(out));
        }
    }

    #[test]
    fn threads_never_get_the_same_nonce_and_a_panicking_source_stops_nobody() {
        let calls = AtomicUsize::new(0);
        let entropy: Entropy = Arc::new(move |seed: &mut [u8]| {
            let call = calls.fetch_add(1, Ordering::SeqCst);
            assert!(call != 0, "the first call finds no entropy");
            seed.fill(u8::try_from(call).unwrap());
        });
        let rng = SharedCsprng::new(&entropy);
        std::thread::scope(|scope| assert!(scope.spawn(|| rng.fill(&mut [0])).join().is_err()));
        let nonces = std::thread::scope(|scope| {
            let draw = || (0..2_000).map(|_| array_of(&rng)).collect::<Vec<_>>();
            let threads: Vec<_> = (0..2 * RNG_SHARDS).map(|_| scope.spawn(draw)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(nonces.iter().collect::<HashSet<_>>().len(), nonces.len());
    }

    fn array_of(rng: &SharedCsprng) -> [u8; 12] {
        let mut nonce = [0; 12];
        rng.fill(&mut nonce);
        nonce
    }
}
