//! SecretHub for embedders: the core, a host on tokio, stores by URL, and sessions over the door.
//!
//! # A vault in a program
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use secrethub::{Embed, core::system::Settings};
//! use serde_json::json;
//!
//! let vault = secrethub::open("memory:", Settings::default()).await?; // or "sqlite:PATH", "postgres://…"
//! let keys = vault.init(3, 2).await?; // the only copy: give each share to another person
//! vault.unseal(&keys.shares[0]).await?;
//! vault.unseal(&keys.shares[2]).await?;
//!
//! let root = vault.session(&keys.root_token);
//! root.kv("secret").put("app", json!({"password": "s3cret"})).await?;
//! let found = root.kv("secret").get("app").await?;
//! assert_eq!(found.text("password"), Some("s3cret"));
//!
//! vault.shutdown().await?; // flushes the audit chain and seals
//! # Ok(()) }
//! ```
//!
//! A vault that unseals itself has a [`Guardian`](core::system::Guardian) in its
//! [`Settings`](core::system::Settings). What time does (expiring, pruning, re-wrapping) an embedder starts where it
//! wants it, and ends with a future of its own:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let vault = secrethub::open("memory:", secrethub::core::system::Settings::default()).await?;
//! let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
//! let worker = std::sync::Arc::clone(&vault);
//! let jobs = tokio::spawn(async move { worker.run_jobs(async { drop(stopped.await) }).await });
//! // … the program …
//! drop(stop);
//! jobs.await?;
//! # Ok(()) }
//! ```
//!
//! # The map
//!
//! | you want | see |
//! |---|---|
//! | a vault from a URL | [`open`], [`open_with`] |
//! | to initialise and unseal it | [`Embed`] |
//! | secrets, and any other request of a token | [`Session`], [`Kv`] |
//! | any request at all | [`Vault::handle`](core::Vault::handle), [`Request`](core::Request), [`Reply`](core::Reply) |
//! | to know what went wrong | [`Error`](core::Error), [`ErrorKind`](core::ErrorKind), [`OpenError`] |
//! | settings: seal, mounts, audit | [`Settings`](core::system::Settings) |
//! | every audit record as it is committed | [`Vault::follow`](core::Vault::follow) |
//! | a store from a URL, for a [`Vault`](core::Vault) of your own parts | [`open_store`], [`StoreOptions`], [`Parts`](core::Parts) |
//! | a store of your own | [`core::store`], and `examples/custom-store` in the repository |
//! | time, tasks and randomness of a real process | [`TokioHost`], [`core::host`] |
//! | cryptography | [`default_crypto`], [`core::crypto`] |
//! | snapshots, and moving to another store | [`core::backup`] |
//! | the first seed's database, to be taken over | `first_seed` (feature `mongo`) |
//! | the core, whole | [`core`] |
//!
//! # Features
//!
//! | feature | brings | by default |
//! |---|---|---|
//! | `sqlite` | files: `sqlite:PATH`, with SQLite compiled in | yes |
//! | `postgres` | `postgres://…` | no |
//! | `mongo` | `mongodb://…`, `mongodb+srv://…` | no |
//! | `rustcrypto` | cryptography in Rust alone | yes |
//! | `aws-lc-rs` | AWS-LC, which is preferred where it is there; needs a C compiler | no |
//!
//! Without `rustcrypto` and `aws-lc-rs` there is no [`open`]: bring a provider in [`Parts`](core::Parts).
//!
//! A vault belongs to the process that opened it: after a fork, open another. The one that is inherited answers every
//! request with an error that says so.

mod address;
#[cfg(feature = "mongo")]
pub mod first_seed;
mod host;
mod kv;
mod session;
mod store;

use std::sync::Arc;

pub use address::{has_password, shown_store};
pub use host::TokioHost;
pub use kv::{Found, Kv};
pub use secrethub_core as core;
pub use session::{Embed, InitKeys, Session};
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
