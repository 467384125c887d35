//! SecretHub for embedders: the core, a host on tokio, and stores by URL.
//!
//! | what | where |
//! |---|---|
//! | the core, whole | [`core`] |
//! | time, tasks and randomness of a real process | [`TokioHost`] |
//! | a vault from a URL | [`open`] |
//! | a store from a URL | [`open_store`] |
//! | the first seed's database, to be taken over | `first_seed` (feature `mongo`) |
//! | the cryptography this build prefers | [`default_crypto`] |
//!
//! A vault in twenty lines:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use secrethub::core::{Operation::{Read, Write}, Request, system::Settings};
//! use serde_json::json;
//!
//! let vault = secrethub::open("memory:", Settings::default()).await?; // or "sqlite:PATH", "postgres://…"
//! let init = Request::new("1", Write, "sys/init").with_fields(json!({"secret_shares": 1, "secret_threshold": 1}));
//! let keys = vault.handle(init).await?.to_value(); // the only copy
//! let unseal = Request::new("2", Write, "sys/unseal").with_fields(json!({"key": keys["keys_base64"][0]}));
//! vault.handle(unseal).await?;
//!
//! let root = keys["root_token"].as_str().ok_or("no token")?;
//! let put = Request::new("3", Write, "secret/data/app").with_token(root);
//! vault.handle(put.with_fields(json!({"data": {"password": "s3cret"}}))).await?;
//! let found = vault.handle(Request::new("4", Read, "secret/data/app").with_token(root)).await?.to_value();
//! assert_eq!(found["data"]["password"], "s3cret");
//! vault.shutdown().await?; // flushes the audit chain and seals
//! # Ok(()) }
//! ```
//!
//! [`Vault::run_jobs`](core::Vault::run_jobs) does the background work (pruning, re-wrapping) where an embedder wants it.

mod address;
#[cfg(feature = "mongo")]
pub mod first_seed;
mod host;
mod store;

use std::sync::Arc;

pub use address::{has_password, shown_store};
pub use host::TokioHost;
pub use secrethub_core as core;
pub use store::{OpenError, StoreOptions, open_store, open_store_with};

/// The cryptography this build prefers: AWS-LC where it is built in (feature `aws-lc-rs`), else RustCrypto. Both
/// write the same bytes, so a store may change hands.
#[cfg(any(feature = "aws-lc-rs", feature = "rustcrypto"))]
pub fn default_crypto() -> core::crypto::CryptoProvider {
    #[cfg(feature = "aws-lc-rs")]
    return core::crypto::aws_lc::provider();
    #[cfg(not(feature = "aws-lc-rs"))]
    return core::crypto::rustcrypto::provider();
}

/// Opens a vault on the store that `url` names, with tokio's runtime and the build's own cryptography.
///
/// # Errors
/// [`OpenError`], when the store cannot be opened, or holds what this vault cannot read.
#[cfg(any(feature = "aws-lc-rs", feature = "rustcrypto"))]
pub async fn open(url: &str, settings: core::system::Settings) -> Result<Arc<core::Vault>, OpenError> {
    open_with(url, StoreOptions::default(), settings).await
}

/// Opens a vault as [`open`] does, on a store that is opened in a certain way.
///
/// # Errors
/// As [`open`].
#[cfg(any(feature = "aws-lc-rs", feature = "rustcrypto"))]
pub async fn open_with(
    url: &str,
    options: StoreOptions,
    settings: core::system::Settings,
) -> Result<Arc<core::Vault>, OpenError> {
    let (backend, host) = (open_store_with(url, options).await?, Arc::new(TokioHost::new()));
    let parts = core::Parts { backend, host, crypto: default_crypto(), settings };
    core::Vault::open(parts)
        .await
        .map_err(|error| OpenError::Store { url: shown_store(url), source: error.into() })
}
