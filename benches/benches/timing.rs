//! Does the time of a comparison or of combining shares depend on what is secret. The method of dudect (Reparaz, Balasch,
//! Verbauwhede, 2017): two classes of inputs in random order, and Welch's t-test on their times, whole and with the slow
//! tail cut off. |t| above 10 is a leak, below 4.5 nothing is seen. An early exit is measured beside, to show that the
//! method would see one.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench panics, times, prints"
)]

use secrethub_core::crypto::{same, shamir};
use std::{hint::black_box, time::Instant};

/// Calls timed together: one alone is below the clock's resolution.
const CALLS: usize = 40;
const SAMPLES: usize = 200_000;
/// Parts of the samples, fastest first, that are tested by themselves.
const CROPS: [f64; 4] = [1.0, 0.99, 0.9, 0.5];

/// xorshift64*: which class comes next, and random inputs.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| (self.next() >> 56) as u8);
    }
}

/// Welch's t for two samples.
fn welch(a: &[f64], b: &[f64]) -> f64 {
    let moments = |x: &[f64]| {
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (x.len() - 1) as f64;
        (mean, variance / x.len() as f64)
    };
    let ((mean_a, error_a), (mean_b, error_b)) = (moments(a), moments(b));
    (mean_a - mean_b) / (error_a + error_b).sqrt()
}

/// The largest |t| over all crops. `input` makes the input of a class, `act` is timed.
fn test<I>(samples: usize, mut input: impl FnMut(&mut Dice, bool) -> I, mut act: impl FnMut(&I)) -> f64 {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..samples {
        let class = dice.next() >> 63 == 1;
        let given = input(&mut dice, class);
        let start = Instant::now();
        for _ in 0..CALLS {
            act(black_box(&given));
        }
        times[usize::from(class)].push(start.elapsed().as_nanos() as f64);
    }
    let mut all: Vec<f64> = times.iter().flatten().copied().collect();
    all.sort_unstable_by(f64::total_cmp);
    let worst = |crop: f64| {
        let bound = all[((all.len() - 1) as f64 * crop) as usize];
        let cut = |x: &Vec<f64>| x.iter().copied().filter(|time| *time <= bound).collect::<Vec<_>>();
        welch(&cut(&times[0]), &cut(&times[1])).abs()
    };
    CROPS.into_iter().map(worst).fold(0.0, f64::max)
}

/// A secret of 32 bytes and a guess: right but for its last byte, or wrong from the first.
fn guess(dice: &mut Dice, near: bool) -> ([u8; 32], [u8; 32]) {
    let mut secret = [0; 32];
    dice.fill(&mut secret);
    let mut guess = secret;
    guess[if near { 31 } else { 0 }] ^= 1;
    (secret, guess)
}

/// Three shares of a secret that is all zeros, or random.
fn shares(dice: &mut Dice, zeros: bool) -> Vec<Vec<u8>> {
    let mut secret = [0; 32];
    if !zeros {
        dice.fill(&mut secret);
    }
    let made = shamir::split(&secret, 3, 3, &mut |bytes: &mut [u8]| dice.fill(bytes)).unwrap();
    made.iter().map(|share| share.expose().clone()).collect()
}

fn main() {
    // Cargo says `--bench` when it measures; a test run only wants to see that everything runs.
    let samples = if std::env::args().any(|argument| argument == "--bench") { SAMPLES } else { 200 };
    println!("largest |t| of {samples} samples; above 10 is a leak, below 4.5 nothing is seen");
    let early = test(samples, guess, |(a, b)| {
        black_box(a.iter().zip(b).all(|(x, y)| black_box(x) == y));
    });
    println!("{:>36}  {early:>8.1}", "an early exit, to compare with");
    let token = test(samples, guess, |(a, b)| {
        black_box(same(a, b));
    });
    println!("{:>36}  {token:>8.1}", "comparing tokens and check values");
    let combine = test(samples / 10, shares, |shares| {
        let shares: Vec<&[u8]> = shares.iter().map(Vec::as_slice).collect();
        black_box(shamir::combine(&shares).unwrap());
    });
    println!("{:>36}  {combine:>8.1}", "combining Shamir shares");
}
