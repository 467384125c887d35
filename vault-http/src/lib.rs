//! The thin HTTP front-end of SecretHub: it turns HTTP into a core `Request`, asks the one [`Door`], and turns the
//! `Reply` back. It holds no decision about secrets.
//!
//! | module | what it is |
//! |---|---|
//! | [`router`] | every path of the server; pure |
//! | `decode`, `query`, `json`, `body`, `alias` | the way in: Vault's wire rules, the seeds' paths |
//! | `encode`, `envelope`, `health` | the way out; `encode` is the one file with status codes |
//! | `secret_manager` | the first seed's `/vault/secret/*` |
//! | `docs`, `openapi`, `help`, `metrics`, `in_flight` | what the server says about itself |
//! | `rate`, `admission`, `address`, [`limits`] | who, how much, how fast |
//! | [`Server`], [`Tls`], `idle` | connections |

mod address;
mod admission;
mod alias;
mod archive;
mod body;
mod decode;
mod docs;
mod door;
mod encode;
mod envelope;
mod health;
mod help;
mod idle;
mod in_flight;
mod json;
pub mod limits;
mod metrics;
mod openapi;
mod query;
mod rate;
mod router;
mod secret_manager;
mod server;
mod settings;
mod snapshot;
mod tls;

pub use address::{ForwardedHeader, Peer, Proxies};
pub use archive::Unpack;
pub use door::{Answer, Door, Restoring};
pub use in_flight::Requests;
pub use limits::Limits;
pub use metrics::{Metrics, metrics_router};
pub use router::router;
pub use server::{Listening, Server, bind};
pub use settings::Settings;
pub use tls::{ClientCa, Pem, Tls, TlsError};
