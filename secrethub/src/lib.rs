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
pub use store::{OpenError, open_store, open_store_read_only};

/// The cryptography this build prefers: AWS-LC where it is built in (feature `aws-lc-rs`), else RustCrypto. Both
/// write the same bytes, so a store may change hands.
#[cfg(any(feature = "aws-lc-rs", feature = "rustcrypto"))]
pub fn default_crypto() -> core::crypto::CryptoProvider {
    #[cfg(feature = "aws-lc-rs")]
    return core::crypto::aws_lc::provider();
    #[cfg(not(feature = "aws-lc-rs"))]
    return core::crypto::rustcrypto::provider();
}
