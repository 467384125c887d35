//! [`Quantiles`]: how long the slowest tenth took, lately. Counts by time, eight to an octave, so that a quantile is at most
//! an eighth too high; what is older than two minutes no longer counts.

use std::{
    array::from_fn,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Counts up to 2^27 µs, two minutes; what takes longer is counted with the last.
const COUNTS: usize = 200;
/// Time after which a mark is set; a quantile is of what came after the mark before the last.
const WINDOW: Duration = Duration::from_secs(60);
/// Those that Vault tells.
const ASKED: [f64; 3] = [0.5, 0.9, 0.99];

type Counts = [u64; COUNTS];

/// All there is.
#[derive(Debug)]
pub(crate) struct Quantiles {
    counts: [AtomicU64; COUNTS],
    marks: Mutex<Marks>,
}

/// The counts as they stood.
#[derive(Debug)]
struct Marks {
    set: Instant,
    last: Counts,
    before: Counts,
}

impl Default for Quantiles {
    fn default() -> Self {
        let marks = Marks { set: Instant::now(), last: [0; COUNTS], before: [0; COUNTS] };
        Self { counts: from_fn(|_| AtomicU64::new(0)), marks: Mutex::new(marks) }
    }
}

impl Quantiles {
    pub(crate) fn observe(&self, micros: u64) {
        self.counts[index(micros)].fetch_add(1, Ordering::Relaxed);
    }

    /// Each quantile that Vault tells, with its time in µs; not a number if nothing came lately.
    pub(crate) fn lately(&self) -> Vec<(f64, f64)> {
        let now: Counts = from_fn(|at| self.counts[at].load(Ordering::Relaxed));
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let lately: Counts = from_fn(|at| now[at] - marks.before[at]);
        if marks.set.elapsed() >= WINDOW {
            *marks = Marks { set: Instant::now(), last: now, before: marks.last };
        }
        ASKED.iter().map(|asked| (*asked, quantile(&lately, *asked))).collect()
    }
}

fn quantile(counts: &Counts, asked: f64) -> f64 {
    let all: u64 = counts.iter().sum();
    let mut below = 0;
    for (at, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        below += count;
        if below as f64 >= asked * all as f64 {
            return upper(at) as f64;
        }
    }
    f64::NAN
}

/// The eight below 8 µs have a count each; then each octave has eight.
fn index(micros: u64) -> usize {
    if micros < 8 {
        return micros as usize;
    }
    let octave = micros.ilog2() as usize;
    let part = (micros >> (octave - 3)) as usize & 7;
    ((octave - 2) * 8 + part).min(COUNTS - 1)
}

/// What is counted there is below this.
fn upper(index: usize) -> u64 {
    if index < 8 { index as u64 + 1 } else { (index as u64 % 8 + 9) << (index / 8 - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_holds_an_eighth_of_an_octave() {
        for micros in (0..5_000).chain([65_535, 65_536, 1 << 20, (1 << 27) - 1]) {
            let at = index(micros);
            assert!(micros < upper(at) && (at == 0 || micros >= upper(at - 1)), "{micros} {at}");
        }
        assert_eq!(index(u64::MAX), COUNTS - 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_old_no_longer_counts() {
        let quantiles = Quantiles::default();
        let check = |expect: [Option<f64>; 3]| {
            let found =
                quantiles.lately().into_iter().map(|(_, micros)| Some(micros).filter(|m| !m.is_nan()));
            assert_eq!(found.collect::<Vec<_>>(), expect);
        };
        check([None; 3]);
        (0..90).for_each(|_| quantiles.observe(3));
        (0..10).for_each(|_| quantiles.observe(1_000));
        check([Some(4.0), Some(4.0), Some(1_024.0)]);
        for _ in 0..2 {
            tokio::time::advance(WINDOW).await;
            check([Some(4.0), Some(4.0), Some(1_024.0)]);
        }
        check([None; 3]);
    }
}
