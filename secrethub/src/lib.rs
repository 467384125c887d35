//! SecretHub for embedders: the core, a host on tokio, and stores by URL.
//!
//! | what | where |
//! |---|---|
//! | the core, whole | [`core`] |
//! | time, tasks and randomness of a real process | [`TokioHost`] |
//! | a store from a URL | [`open_store`] |
//! | the cryptography this build prefers | [`default_crypto`] |
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use secrethub::{TokioHost, core::host::Host, open_store};
//!
//! let store = open_store("memory:")?;
//! let host = TokioHost::new();
//! println!("{} at {}", store.kind(), host.now().to_rfc3339());
//! # Ok(()) }
//! ```

mod host;
mod store;

pub use host::TokioHost;
pub use secrethub_core as core;
pub use store::{OpenError, open_store};
