//! [`Limiter`]: token buckets in bounded memory, by the generic cell rate algorithm (ITU-T I.371): one point in time a
//! bucket. Pure: the time is the caller's.
//!
//! Written here because refusals are counted after the fact and asked about before, which the libraries' one `check`
//! cannot do, and because their stores of keys have no bound.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Time between two looks for buckets that may be forgotten: each look goes through all of them.
const SWEEP: Duration = Duration::from_secs(1);

/// Who shares a bucket where addresses are counted: an IPv4 address, or an IPv6 /64 (one subscriber).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
            v4 => v4,
        })
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// How a bucket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// What it holds when it is full.
    pub limit: u64,
    /// What is left in it.
    pub remaining: u64,
    /// Until it is full again.
    pub reset: Duration,
}

/// One more than may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// How long until one is let through.
    pub wait: Duration,
    /// The bucket.
    pub level: Level,
}

/// One bucket a key.
#[derive(Debug)]
pub struct Limiter<K> {
    /// Time that one request takes out of a bucket.
    interval: Duration,
    burst: u32,
    /// How long a key is shut out that asked for too much.
    block: Duration,
    /// Keys that have a bucket of their own.
    keys_max: usize,
    buckets: Mutex<Buckets<K>>,
}

#[derive(Debug)]
struct Buckets<K> {
    /// Under no key: the one of all who no longer fit.
    by_key: HashMap<Option<K>, Bucket>,
    swept: Duration,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// When it will be full again; a full one is not remembered.
    full_at: Duration,
    blocked_until: Duration,
}

impl<K: Eq + Hash> Limiter<K> {
    /// Buckets that hold `burst` and get one more every `interval`.
    pub fn new(interval: Duration, burst: u32, keys_max: usize) -> Self {
        let buckets = Buckets { by_key: HashMap::new(), swept: Duration::ZERO };
        let interval = interval.max(Duration::from_nanos(1));
        Self { interval, burst, block: Duration::ZERO, keys_max, buckets: Mutex::new(buckets) }
    }

    /// The same, and who asks for too much is shut out for a while.
    #[must_use]
    pub fn blocking(self, block: Duration) -> Self {
        Self { block, ..self }
    }

    /// How long until the key may send one more, if it may not now. Takes nothing.
    pub fn wait(&self, key: K, now: Duration) -> Option<Duration> {
        let buckets = self.buckets();
        // Nearly always: nobody was refused lately.
        if buckets.by_key.is_empty() {
            return None;
        }
        let slot = self.slot(&buckets, key);
        self.wait_of(buckets.by_key.get(&slot)?, now)
    }

    /// Takes one, whatever is left.
    pub fn take(&self, key: K, now: Duration) {
        let mut buckets = self.buckets();
        self.sweep(&mut buckets, now);
        let slot = self.slot(&buckets, key);
        self.spend(buckets.by_key.entry(slot).or_default(), now);
    }

    /// Takes one, or says how long to wait.
    pub fn admit(&self, key: K, now: Duration) -> Result<Level, Exceeded> {
        let mut buckets = self.buckets();
        self.sweep(&mut buckets, now);
        let slot = self.slot(&buckets, key);
        let bucket = buckets.by_key.entry(slot).or_default();
        let Some(wait) = self.wait_of(bucket, now) else {
            self.spend(bucket, now);
            return Ok(self.level(bucket, now));
        };
        if bucket.blocked_until <= now && !self.block.is_zero() {
            bucket.blocked_until = now + self.block;
        }
        let wait = wait.max(bucket.blocked_until.saturating_sub(now));
        Err(Exceeded { wait, level: self.level(bucket, now) })
    }

    /// How many buckets are not full.
    pub fn len(&self) -> usize {
        self.buckets().by_key.len()
    }

    /// Is every bucket full.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn depth(&self) -> Duration {
        self.interval.saturating_mul(self.burst)
    }

    fn wait_of(&self, bucket: &Bucket, now: Duration) -> Option<Duration> {
        let spent = (bucket.full_at + self.interval).saturating_sub(now);
        let refill = spent.saturating_sub(self.depth());
        let wait = refill.max(bucket.blocked_until.saturating_sub(now));
        Some(wait).filter(|wait| !wait.is_zero())
    }

    fn spend(&self, bucket: &mut Bucket, now: Duration) {
        bucket.full_at = bucket.full_at.max(now) + self.interval;
    }

    fn level(&self, bucket: &Bucket, now: Duration) -> Level {
        let reset = bucket.full_at.max(bucket.blocked_until).saturating_sub(now);
        let left = self.depth().saturating_sub(bucket.full_at.saturating_sub(now));
        let left = if bucket.blocked_until > now { Duration::ZERO } else { left };
        let remaining = u64::try_from(left.as_nanos() / self.interval.as_nanos()).unwrap_or(u64::MAX);
        Level { limit: u64::from(self.burst), remaining, reset }
    }

    /// The key's own bucket while there is room for one.
    fn slot(&self, buckets: &Buckets<K>, key: K) -> Option<K> {
        let key = Some(key);
        if buckets.by_key.len() >= self.keys_max && !buckets.by_key.contains_key(&key) { None } else { key }
    }

    /// Forgets full buckets once there are many.
    fn sweep(&self, buckets: &mut Buckets<K>, now: Duration) {
        if buckets.by_key.len() >= self.keys_max && now >= buckets.swept + SWEEP {
            buckets.swept = now;
            buckets.by_key.retain(|_, bucket| bucket.full_at > now || bucket.blocked_until > now);
        }
    }

    fn buckets(&self) -> MutexGuard<'_, Buckets<K>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(1_000);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn waits(limiter: &Limiter<&'static str>, key: &'static str, at: Duration) -> Option<Duration> {
        limiter.admit(key, START + at).err().map(|exceeded| exceeded.wait)
    }

    #[test]
    fn bursts_then_refills() {
        let limiter = Limiter::new(millis(100), 3, 10);
        for _ in 0..3 {
            assert_eq!(waits(&limiter, "a", millis(0)), None);
        }
        assert_eq!(waits(&limiter, "a", millis(0)), Some(millis(100)));
        assert_eq!(waits(&limiter, "a", millis(40)), Some(millis(60)), "being refused costs nothing");
        assert_eq!(waits(&limiter, "b", millis(40)), None, "another bucket");
        assert_eq!(waits(&limiter, "a", millis(100)), None);
        assert_eq!(waits(&limiter, "a", millis(100)), Some(millis(100)));
        assert_eq!(limiter.wait("a", START + millis(150)), Some(millis(50)), "asking takes nothing");
    }

    #[test]
    fn what_was_taken_can_be_more_than_there_was() {
        let limiter = Limiter::new(millis(100), 1, 10);
        (0..5).for_each(|_| limiter.take("a", START));
        assert_eq!(limiter.wait("a", START), Some(millis(500)));
        assert_eq!(limiter.wait("a", START + millis(500)), None);
    }

    #[test]
    fn levels() {
        let limiter = Limiter::new(millis(100), 3, 10);
        let level = |remaining, reset| Level { limit: 3, remaining, reset: millis(reset) };
        let admit = |at| limiter.admit("a", START + millis(at)).map_err(|exceeded| exceeded.level);
        assert_eq!(admit(0), Ok(level(2, 100)));
        assert_eq!(admit(0), Ok(level(1, 200)));
        assert_eq!(admit(50), Ok(level(0, 250)));
        assert_eq!(admit(50), Err(level(0, 250)));
        assert_eq!(admit(1_000), Ok(level(2, 100)));
    }

    #[test]
    fn who_asks_for_too_much_is_shut_out_once() {
        let limiter = Limiter::new(millis(100), 1, 10).blocking(millis(1_000));
        assert_eq!(waits(&limiter, "a", millis(0)), None);
        assert_eq!(waits(&limiter, "a", millis(50)), Some(millis(1_000)));
        assert_eq!(waits(&limiter, "a", millis(1_000)), Some(millis(50)), "asking again prolongs nothing");
        assert_eq!(waits(&limiter, "b", millis(1_000)), None);
        assert_eq!(waits(&limiter, "a", millis(1_050)), None);
    }

    #[test]
    fn memory_is_bounded() {
        let limiter = Limiter::new(millis(1_000), 1, 16);
        for key in 0..1_000 {
            limiter.take(key, START);
        }
        assert_eq!(limiter.len(), 17);
        assert!(limiter.admit(5_000, START).is_err(), "strangers share what is left");
        assert!(limiter.admit(5_000, START + millis(2_000_000)).is_ok());
        assert_eq!(limiter.len(), 1, "full buckets are forgotten");
    }

    #[test]
    fn one_subscriber_is_one_network() {
        let check = |a: &str, b: &str, expect: bool| {
            let network = |text: &str| Network::from(text.parse::<IpAddr>().unwrap());
            assert_eq!(network(a) == network(b), expect, "{a} {b}");
        };
        check("2001:db8::1", "2001:db8::2", true);
        check("2001:db8::1", "2001:db8:0:1::1", false);
        check("192.0.2.1", "::ffff:192.0.2.1", true);
        check("192.0.2.1", "192.0.2.2", false);
    }
}
