//! SecretHub's stores on SQL databases. Both keep the contract of [`secrethub_core::store`], both use one table `kv`
//! and one table `audit_logs` whose columns an operator can query with the database's own shell.
//!
//! | module | feature | what it is |
//! |---|---|---|
//! | [`sqlite`] | `sqlite` | the embedded default: one file, one process |
//! | [`postgres`] | `postgres` | one database for any number of nodes |

mod columns;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "sqlite")]
pub mod sqlite;
