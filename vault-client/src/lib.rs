//! A small typed client of the SecretHub HTTP API, which is Vault's: it works against either.
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), secrethub_client::Error> {
//! use secrethub_client::Client;
//! use serde_json::json;
//!
//! let client = Client::builder("http://127.0.0.1:8200").token("shs.…").build()?;
//! client.kv("secret").put("app", &json!({"password": "s3cret"}), None).await?;
//! let found = client.kv("secret").read("app", None).await?;
//! println!("{}", found.data()["metadata"]["version"]);
//! # Ok(()) }
//! ```
//!
//! What it promises:
//!
//! - A token is never printed, and never follows a redirect to another host: redirects are not followed at all.
//! - A request is sent again only when nothing can have happened: the connection was refused, or the server
//!   answered 429 or 503 with `Retry-After`. What only reads is sent again also when the connection broke, or a gateway
//!   answered in the server's place. Three times at most, unless [`Builder::attempts`] says otherwise.
//! - TLS is verified. To trust a private authority name its file; to verify nothing takes an explicit call.
//! - A proxy from the environment is used for remote servers, never for this machine's own addresses.

mod audit;
mod auth;
mod builder;
mod client;
mod error;
mod kv;
mod lease;
mod mounts;
mod policy;
mod reply;
mod secret_manager;
mod snapshot;
mod sys;
mod token;
mod wrapping;

pub use audit::AuditSearch;
pub use auth::Login;
pub use builder::Builder;
pub use client::{Client, Method};
pub use error::{Error, Kind, Refusal};
pub use kv::Kv;
pub use lease::Revoke;
pub use mounts::Table;
pub use reply::Reply;
pub use snapshot::Download;
pub use sys::{Health, Init, InitKeys, KeyStatus, SealStatus};
