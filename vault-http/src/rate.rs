//! A rate limiter by client network, in bounded memory: the generic cell rate algorithm (ITU-T I.371), one point
//! in time a network. Written here because refusals are counted after the fact and asked about before, which the
//! libraries' one `check` cannot do.

use crate::limits::{NETWORKS_MAX, Rate};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Who shares a bucket: an IPv4 address, an IPv6 /64 (one subscriber), or all who no longer fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Network {
    Address(IpAddr),
    Rest,
}

impl Network {
    fn of(address: IpAddr) -> Self {
        Self::Address(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        })
    }
}

/// One bucket a network.
#[derive(Debug)]
pub(crate) struct Limiter {
    /// Time that one request takes out of a bucket.
    interval: Duration,
    /// Time that a full bucket holds.
    depth: Duration,
    /// When each bucket will be full again; a full one is not remembered.
    full_at: Mutex<HashMap<Network, Instant>>,
}

impl Limiter {
    pub(crate) fn new(rate: Rate) -> Self {
        let interval = Duration::from_secs(1) / rate.per_second.max(1);
        Self { interval, depth: interval * rate.burst, full_at: Mutex::default() }
    }

    /// How long until the address may send one more, if it may not now. Takes nothing.
    pub(crate) fn wait(&self, address: Option<IpAddr>) -> Option<Duration> {
        let buckets = self.buckets();
        // Nearly always: nobody was refused lately.
        if buckets.is_empty() {
            return None;
        }
        let full_at = *buckets.get(&self.network(&buckets, address?))?;
        let spent = (full_at + self.interval).saturating_duration_since(Instant::now());
        spent.checked_sub(self.depth).filter(|wait| !wait.is_zero())
    }

    /// Takes one from the address's bucket.
    pub(crate) fn take(&self, address: Option<IpAddr>) {
        let Some(address) = address else { return };
        let now = Instant::now();
        let mut buckets = self.buckets();
        if buckets.len() >= NETWORKS_MAX {
            buckets.retain(|_, full_at| *full_at > now);
        }
        let network = self.network(&buckets, address);
        let full_at = buckets.entry(network).or_insert(now);
        *full_at = (*full_at).max(now) + self.interval;
    }

    /// Takes one, or says how long to wait.
    pub(crate) fn admit(&self, address: Option<IpAddr>) -> Result<(), Duration> {
        match self.wait(address) {
            Some(wait) => Err(wait),
            None => {
                self.take(address);
                Ok(())
            }
        }
    }

    fn network(&self, buckets: &HashMap<Network, Instant>, address: IpAddr) -> Network {
        let network = Network::of(address);
        if buckets.len() >= NETWORKS_MAX && !buckets.contains_key(&network) { Network::Rest } else { network }
    }

    fn buckets(&self) -> MutexGuard<'_, HashMap<Network, Instant>> {
        self.full_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn bursts_then_refills() {
        let limiter = Limiter::new(Rate { per_second: 10, burst: 3 });
        let a = address("192.0.2.1");
        for _ in 0..3 {
            assert_eq!(limiter.admit(a), Ok(()));
        }
        assert_eq!(limiter.admit(a), Err(Duration::from_millis(100)));
        assert_eq!(limiter.admit(address("192.0.2.2")), Ok(()), "another bucket");
        assert_eq!(limiter.admit(None), Ok(()), "the same process is not limited");
        tokio::time::advance(Duration::from_millis(100)).await;
        assert_eq!(limiter.admit(a), Ok(()));
        assert!(limiter.admit(a).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn one_subscriber_has_one_bucket() {
        let limiter = Limiter::new(Rate { per_second: 1, burst: 1 });
        assert!(limiter.admit(address("2001:db8::1")).is_ok());
        assert!(limiter.admit(address("2001:db8::2")).is_err());
        assert!(limiter.admit(address("2001:db8:0:1::1")).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded() {
        let limiter = Limiter::new(Rate { per_second: 1, burst: 1 });
        for i in 0..(NETWORKS_MAX as u32 + 50) {
            limiter.take(Some(IpAddr::from(i.to_be_bytes())));
        }
        assert_eq!(limiter.buckets().len(), NETWORKS_MAX + 1);
        assert!(limiter.admit(address("200.0.0.1")).is_err(), "strangers share what is left");
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(limiter.admit(address("200.0.0.1")).is_ok());
        assert_eq!(limiter.buckets().len(), 1, "full buckets are forgotten");
    }
}
