//! [`TokioHost`]: the core's door to time, tasks and randomness in a real process.

use futures::future::BoxFuture;
use secrethub_core::{host::Host, id::Timestamp};
use std::{
    fmt,
    time::{Duration, Instant, SystemTime},
};
use tokio::runtime::Handle;
use tracing::Instrument;

/// A [`Host`] on tokio: its tasks run on the runtime that was current when it was made, so that they outlive
/// whoever calls the vault from another runtime or thread.
pub struct TokioHost {
    runtime: Handle,
    start: Instant,
}

impl TokioHost {
    /// A host on the current runtime, which must have its time driver enabled.
    ///
    /// # Panics
    /// Outside a tokio runtime; use [`TokioHost::on`] there.
    pub fn new() -> Self {
        Self::on(Handle::current())
    }

    /// A host on a given runtime.
    pub fn on(runtime: Handle) -> Self {
        Self { runtime, start: Instant::now() }
    }
}

impl Default for TokioHost {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TokioHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokioHost").finish_non_exhaustive()
    }
}

impl Host for TokioHost {
    #[expect(clippy::disallowed_methods, reason = "this is the Host that everybody else goes through")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        // The timer must be made inside the runtime; who awaits it may be outside.
        let _inside = self.runtime.enter();
        Box::pin(tokio::time::sleep(duration))
    }

    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) {
        self.runtime.spawn(task.instrument(tracing::info_span!("task", name)));
    }

    fn run_blocking(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        let running = self.runtime.spawn_blocking(work);
        Box::pin(async move {
            // A panic belongs to who asked for the work. A cancelled runtime is going away anyhow.
            if let Err(error) = running.await
                && let Ok(panic) = error.try_into_panic()
            {
                std::panic::resume_unwind(panic);
            }
        })
    }

    #[allow(clippy::expect_used, reason = "going on without entropy would make guessable keys")]
    fn fill_random(&self, bytes: &mut [u8]) {
        // Never: getrandom(2) blocks until it is seeded and cannot fail later on any supported system.
        getrandom::fill(bytes).expect("the operating system gives no random bytes");
    }

    fn process_id(&self) -> u32 {
        std::process::id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, mpsc};

    #[test]
    fn works_for_callers_outside_its_runtime() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let host = Arc::new(TokioHost::on(runtime.handle().clone()));
        let (tell, told) = mpsc::channel();
        let inner = Arc::clone(&host);
        // Made here, outside any runtime: this is what an embedder's own thread does.
        let sleep = host.sleep(Duration::from_millis(1));
        let task = async move {
            sleep.await;
            let again = tell.clone();
            inner.run_blocking(Box::new(move || again.send("blocking").unwrap())).await;
            tell.send("task").unwrap();
        };
        host.spawn("test", Box::pin(task));
        assert_eq!(told.iter().collect::<Vec<_>>(), ["blocking", "task"]);
    }

    #[tokio::test]
    async fn clocks_and_entropy_move() {
        let host = TokioHost::new();
        let (wall, steady) = (host.now(), host.monotonic());
        assert!(wall > Timestamp::from_rfc3339("2025-01-01T00:00:00Z").unwrap());
        assert!(host.monotonic() >= steady);
        let (mut a, mut b) = ([0; 32], [0; 32]);
        host.fill_random(&mut a);
        host.fill_random(&mut b);
        assert_ne!(a, b);
        assert_ne!(a, [0; 32]);
    }

    #[tokio::test]
    #[should_panic(expected = "in the work")]
    async fn a_panic_reaches_who_asked() {
        TokioHost::new().run_blocking(Box::new(|| panic!("in the work"))).await;
    }
}
