//! The pure core of SecretHub: no runtime, sockets, files, environment, SQL or HTTP.
//!
//! | module | what it is |
//! |---|---|
//! | [`request`], [`error`] | what goes in at the one door, and what comes out |
//! | [`store`] | the contract of a store, and the reference model in memory |
//! | [`audit`] | records, chain, lane, checkpoints, verify |
//! | [`backup`] | snapshots, and moving from one store to another |
//! | [`crypto`] | cryptography as a value |
//! | [`barrier`] | seal, keyring, envelope: nothing secret reaches a store in the clear |
//! | [`first_seed`] | the database of the first seed, which a vault takes over |
//! | [`host`] | the only door to time, tasks and randomness |
//! | [`vault`](Vault), [`cx`], [`engine`] | the one door, what an engine may touch, and the engines |
//! | [`token`], [`policy`], [`system`] | who asks, what they may, and operating the vault |
//! | [`secret`], [`id`], [`cidr`], [`rate`], [`limits`] | types and bounds that everything shares |
//! | `testing` (feature) | batteries, fault wrapper, simulation: for whoever implements a contract |

pub mod audit;
pub mod backup;
pub mod barrier;
pub mod cidr;
pub mod crypto;
pub mod cx;
pub mod engine;
pub mod error;
pub mod first_seed;
pub mod host;
pub mod id;
mod job;
pub mod limits;
pub mod policy;
pub mod rate;
pub mod request;
pub mod secret;
pub mod store;
pub mod system;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod token;
mod vault;

pub use error::{BoxError, Error, ErrorKind};
pub use request::{Operation, Reply, Request};
pub use secret::{Key32, Secret};
pub use vault::{Parts, Vault};
