//! The core's token buckets, by client address and on the runtime's clock.

use crate::limits::{NETWORKS_MAX, Rate};
use secrethub_core::rate::{self, Network};
use std::{net::IpAddr, time::Duration};
use tokio::time::Instant;

/// One bucket a network. Who is in the same process has none.
#[derive(Debug)]
pub(crate) struct Limiter {
    start: Instant,
    buckets: rate::Limiter<Network>,
}

impl Limiter {
    pub(crate) fn new(rate: Rate) -> Self {
        let interval = Duration::from_secs(1) / rate.per_second.max(1);
        Self { start: Instant::now(), buckets: rate::Limiter::new(interval, rate.burst, NETWORKS_MAX) }
    }

    /// How long until the address may send one more, if it may not now. Takes nothing.
    pub(crate) fn wait(&self, address: Option<IpAddr>) -> Option<Duration> {
        self.buckets.wait(address?.into(), self.start.elapsed())
    }

    /// Takes one from the address's bucket.
    pub(crate) fn take(&self, address: Option<IpAddr>) {
        if let Some(address) = address {
            self.buckets.take(address.into(), self.start.elapsed());
        }
    }

    /// Takes one, or says how long to wait.
    pub(crate) fn admit(&self, address: Option<IpAddr>) -> Result<(), Duration> {
        let Some(address) = address else { return Ok(()) };
        let admitted = self.buckets.admit(address.into(), self.start.elapsed());
        admitted.map(drop).map_err(|exceeded| exceeded.wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_is_the_runtimes() {
        let limiter = Limiter::new(Rate { per_second: 10, burst: 1 });
        let a = Some("192.0.2.1".parse().unwrap());
        assert_eq!(limiter.admit(a), Ok(()));
        assert_eq!(limiter.admit(a), Err(Duration::from_millis(100)));
        assert_eq!(limiter.admit(None), Ok(()), "the same process is not limited");
        tokio::time::advance(Duration::from_millis(100)).await;
        assert_eq!(limiter.wait(a), None);
        limiter.take(a);
        assert_eq!(limiter.wait(a), Some(Duration::from_millis(100)));
    }
}
