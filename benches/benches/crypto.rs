//! Criterion on both providers: AEAD by size, hashes, derivation, signatures; and Shamir and nonces, which are ours.
//! `cargo bench -p secrethub-benches --bench crypto -- aead` runs a part.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use secrethub_core::Secret;
use secrethub_core::crypto::rng::{Csprng, SharedCsprng};
use secrethub_core::crypto::{CryptoProvider, Label, aws_lc, rustcrypto, shamir};
use std::{hint::black_box, sync::Arc, time::Duration};

const SIZES: [usize; 5] = [32, 256, 1024, 64 * 1024, 1024 * 1024];

fn providers() -> [CryptoProvider; 2] {
    [rustcrypto::provider(), aws_lc::provider()]
}

/// The same nonce for each call: a bench keeps no secret.
fn aead(criterion: &mut Criterion) {
    for provider in providers() {
        let key = provider.cipher.key(&Secret::new([7; 32]));
        let mut group = criterion.benchmark_group(format!("aead/{}", provider.name));
        for size in SIZES {
            group.throughput(Throughput::Bytes(size as u64));
            let mut data = vec![0; size];
            group.bench_function(BenchmarkId::new("seal", size), |bench| {
                bench.iter(|| key.seal(&[1; 12], b"ns/0/m/mount/v/secret", black_box(&mut data)));
            });
            let mut sealed = vec![0; size];
            let tag = key.seal(&[1; 12], &[], &mut sealed);
            group.bench_function(BenchmarkId::new("copy and open", size), |bench| {
                bench.iter(|| {
                    data.copy_from_slice(&sealed);
                    key.open(&[1; 12], &[], black_box(&mut data), &tag)
                });
            });
        }
    }
}

fn primitives(criterion: &mut Criterion) {
    for provider in providers() {
        let mut group = criterion.benchmark_group(format!("primitives/{}", provider.name));
        let data = [5; 256];
        group.bench_function("aes key", |bench| {
            let key = Secret::new([7; 32]);
            bench.iter(|| provider.cipher.key(&key));
        });
        group.bench_function("sha256 of 256", |bench| {
            bench.iter(|| provider.hash.sha256(&[black_box(&data)]));
        });
        let mac = provider.hmac.key(&[7; 32]);
        group.bench_function("hmac of 32", |bench| bench.iter(|| mac.tag(&[black_box(&data[..32])])));
        group.bench_function("hkdf", |bench| {
            bench.iter(|| provider.kdf.hkdf(black_box(&data[..32]), Label::DataKey, &[1; 16]));
        });
        let signer = provider.signer.key(&Secret::new([7; 32]));
        let (public, signature) = (signer.public(), signer.sign(&data));
        group.bench_function("ed25519 sign", |bench| bench.iter(|| signer.sign(black_box(&data))));
        group.bench_function("ed25519 verify", |bench| {
            bench.iter(|| provider.signer.verify(&public, black_box(&data), &signature));
        });
    }
}

fn shamir(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("shamir");
    let split = || shamir::split(black_box(&[7; 32]), 5, 3, &mut |out| out.fill(9));
    group.bench_function("split 32 bytes 5/3", |bench| bench.iter(split));
    let Ok(shares) = split() else { unreachable!("3 of 5 is a split") };
    let shares: Vec<&[u8]> = shares[..3].iter().map(|share| &share.expose()[..]).collect();
    group.bench_function("combine 3", |bench| bench.iter(|| shamir::combine(black_box(&shares))));
}

/// The entropy here costs nothing, so what is seen is the generator and one reseed's arithmetic in 87,000 nonces.
fn nonce(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("nonce");
    let mut alone = Csprng::new(Arc::new(|seed: &mut [u8]| seed.fill(1)));
    group.bench_function("one thread's own", |bench| {
        bench.iter(|| {
            let mut nonce = [0; 12];
            alone.fill(&mut nonce);
            nonce
        });
    });
    let shared = SharedCsprng::new(&(Arc::new(|seed: &mut [u8]| seed.fill(1)) as _));
    group.bench_function("shared, uncontended", |bench| {
        bench.iter(|| {
            let mut nonce = [0; 12];
            shared.fill(&mut nonce);
            nonce
        });
    });
}

fn short() -> Criterion {
    let (warm, measure) = (Duration::from_millis(100), Duration::from_millis(400));
    Criterion::default().warm_up_time(warm).measurement_time(measure).sample_size(20).without_plots()
}

criterion_group! { name = benches; config = short(); targets = aead, primitives, shamir, nonce }
criterion_main!(benches);
