//! What the barrier adds to the bare AEAD call: nonce, header, key of the entry, the allocation that the store gets.
//! Prints the ratio of both in one run, measured in turns so that a busy machine slows both alike.

#![allow(clippy::expect_used, clippy::disallowed_methods, reason = "a bench may panic, and measures time")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures::future::BoxFuture;
use secrethub_core::{
    Secret,
    barrier::{Barrier, MasterKey, NewSeal, make_vault},
    crypto::{self, CipherKey, CryptoProvider},
    host::Host,
    id::{BootId, Rev, Timestamp},
    store::{Entry, Key},
};
use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

const SIZES: [usize; 5] = [32, 256, 1_024, 8 * 1_024, 64 * 1_024];
/// A key as the kv engine makes them: mount id, uid of the secret, version.
const NAME: &str =
    "ns/0/m/0123456789abcdef0123456789abcdef/v/0123456789abcdef0123456789abcdef/0000000000000001";
/// Header and entry key, as the envelope has them; the bare call authenticates the same.
const AAD_BYTES: usize = 33 + NAME.len();

/// Entropy enough for a bench, and nothing else.
#[derive(Debug)]
struct BenchHost;

impl Host for BenchHost {
    fn now(&self) -> Timestamp {
        Timestamp(0)
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
        bytes.fill(7);
    }
    fn process_id(&self) -> u32 {
        1
    }
}

/// One provider, bare and behind the barrier.
struct Pair {
    name: &'static str,
    bare: Box<dyn CipherKey>,
    barrier: Barrier,
    key: Key,
}

impl Pair {
    fn new(crypto: CryptoProvider) -> Self {
        let master = MasterKey::parse(&Secret::new("k".repeat(32))).expect("32 characters");
        let birth = make_vault(crypto, Arc::new(BenchHost), BootId([1; 16]), NewSeal::Static(&master));
        Self {
            name: crypto.name,
            bare: crypto.cipher.key(&Secret::new([7; 32])),
            barrier: birth.expect("a vault is made").barrier,
            key: Key::new(NAME).expect("a key"),
        }
    }

    fn seal_bare(&self, data: &mut [u8]) {
        black_box(self.bare.seal(&[3; 12], &[5; AAD_BYTES], black_box(data)));
    }

    fn seal(&self, plain: &[u8]) {
        black_box(self.barrier.seal(&self.key, black_box(plain)).expect("seals"));
    }

    /// Opens in place, then puts the ciphertext back for the next round: the barrier copies it too.
    fn open_bare(&self, sealed: &[u8], tag: &[u8; 16], buffer: &mut [u8]) {
        buffer.copy_from_slice(sealed);
        self.bare.open(&[3; 12], &[5; AAD_BYTES], black_box(buffer), tag).expect("opens");
    }

    fn open(&self, entry: &Entry) {
        black_box(self.barrier.open(black_box(entry)).expect("opens"));
    }
}

/// The four actions on `size` bytes.
struct Actions<'a> {
    seal_bare: Box<dyn FnMut() + 'a>,
    seal: Box<dyn FnMut() + 'a>,
    open_bare: Box<dyn FnMut() + 'a>,
    open: Box<dyn FnMut() + 'a>,
}

fn actions(pair: &Pair, size: usize) -> Actions<'_> {
    let (plain, mut data, mut buffer) = (vec![1; size], vec![1; size], vec![0; size]);
    let mut sealed = plain.clone();
    let tag = pair.bare.seal(&[3; 12], &[5; AAD_BYTES], &mut sealed);
    let value = pair.barrier.seal(&pair.key, &plain).expect("seals");
    let entry = Entry { key: pair.key.clone(), rev: Rev([0; 16]), value };
    Actions {
        seal_bare: Box::new(move || pair.seal_bare(&mut data)),
        seal: Box::new(move || pair.seal(&plain)),
        open_bare: Box::new(move || pair.open_bare(&sealed, &tag, &mut buffer)),
        open: Box::new(move || pair.open(&entry)),
    }
}

fn pairs() -> [Pair; 2] {
    [crypto::rustcrypto::provider(), crypto::aws_lc::provider()].map(Pair::new)
}

fn envelope(c: &mut Criterion) {
    for pair in pairs() {
        let mut group = c.benchmark_group(format!("envelope/{}", pair.name));
        for size in SIZES {
            let mut acts = actions(&pair, size);
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(BenchmarkId::new("seal/bare", size), |b| b.iter(&mut acts.seal_bare));
            group.bench_function(BenchmarkId::new("seal/barrier", size), |b| b.iter(&mut acts.seal));
            group.bench_function(BenchmarkId::new("open/bare", size), |b| b.iter(&mut acts.open_bare));
            group.bench_function(BenchmarkId::new("open/barrier", size), |b| b.iter(&mut acts.open));
        }
        group.finish();
    }
}

/// Best of many short rounds, taken in turns.
fn compare(bare: &mut dyn FnMut(), barrier: &mut dyn FnMut(), calls: u32) -> (Duration, Duration) {
    let time = |act: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..calls).for_each(|_| act());
        start.elapsed() / calls
    };
    let rounds = (0..60).map(|_| (time(bare), time(barrier)));
    rounds.fold((Duration::MAX, Duration::MAX), |best, now| (best.0.min(now.0), best.1.min(now.1)))
}

#[allow(clippy::print_stdout, reason = "a bench prints what it measured")]
fn ratios(_: &mut Criterion) {
    // Cargo says `--bench` when it measures; a test run only wants to see every benchmark run once.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!("barrier / bare AEAD (target: sealing 256 B at most 1.5)");
    for pair in pairs() {
        for size in SIZES {
            let mut acts = actions(&pair, size);
            let calls = (4_000_000 / (size + 500)) as u32;
            for (act, (bare, barrier)) in [
                ("seal", compare(&mut acts.seal_bare, &mut acts.seal, calls)),
                ("open", compare(&mut acts.open_bare, &mut acts.open, calls)),
            ] {
                let ratio = barrier.as_secs_f64() / bare.as_secs_f64();
                println!(
                    "{:>10} {act} {size:>6} B: {bare:>10.1?} → {barrier:>10.1?}  ×{ratio:.2}",
                    pair.name
                );
            }
        }
    }
}

criterion_group!(benches, envelope, ratios);
criterion_main!(benches);
