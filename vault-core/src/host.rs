//! [`Host`]: the core's only door to time, tasks and randomness. A program passes a real one; the simulation
//! passes one that is deterministic, so that every schedule can be replayed from its seed.

use crate::id::Timestamp;
use futures::future::BoxFuture;
use std::{fmt, time::Duration};

/// What the world around the core provides.
pub trait Host: fmt::Debug + Send + Sync + 'static {
    /// The wall clock. May jump; nothing but stored times may depend on it.
    fn now(&self) -> Timestamp;

    /// A clock that never goes back, from an arbitrary start.
    fn monotonic(&self) -> Duration;

    /// Completes after `duration` on the monotonic clock.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// Runs a task to its end, whatever happens to who spawned it.
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>);

    /// Runs work that holds a processor for long (password hashing, key derivation) where it blocks nobody.
    fn run_blocking(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()>;

    /// Fills `bytes` with entropy of the operating system, fit for keys. Does not return before it can.
    fn fill_random(&self, bytes: &mut [u8]);

    /// The process we are in: a vault refuses to work in a fork of the process that opened it.
    fn process_id(&self) -> u32;
}
