//! Launchers of real servers, for tests. A missing program is a failure that names the command which brings it: a test
//! that skips in silence protects nobody.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's tool fails by panicking"
)]

pub mod bouncer;
pub mod mongo;
pub mod postgres;
pub mod proxy;
pub mod server;

pub use bouncer::Bouncer;
pub use mongo::Mongo;
pub use postgres::{Cluster, Setup};
pub use proxy::{Proxy, Wire};
pub use server::{Server, Settings};
