//! What can go wrong, said so that an operator knows what to do next.

use rusqlite::ErrorCode;
use secrethub_core::{error::BoxError, store::StoreError};
use std::path::PathBuf;

/// The name of this backend in errors, logs and `seal-status`.
pub(super) const BACKEND: &str = "sqlite";

/// Why a database file could not be opened. Whatever the reason, the file was left as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it. Two would not see each other's audit chain.
    #[error(
        "{path} is in use by process {pid}: talk to that one instead, with `secrethub status` \
         and SECRETHUB_ADDR set to its address"
    )]
    InUse {
        /// The database.
        path: PathBuf,
        /// The process that holds it, as it wrote itself down; `unknown` if it has not yet.
        pid: String,
    },
    /// A file, but not a database of SQLite.
    #[error("{0} is not a SQLite database: choose another path, or restore a backup")]
    NotADatabase(PathBuf),
    /// A database of SQLite, but not ours.
    #[error("{0} belongs to another program: choose another path")]
    Foreign(PathBuf),
    /// Ours, but of a later release.
    #[error("{path} has format {found}, and this release reads formats up to {known}: use the newer release")]
    Newer {
        /// The database.
        path: PathBuf,
        /// The format it says it has.
        found: u32,
        /// The newest format of this release.
        known: u32,
    },
    /// Ours, and damaged.
    #[error("{path} is damaged ({what}): restore a backup")]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// What does not hold.
        what: String,
    },
    /// The file may not be written.
    #[error("{0} is read-only: make it writable for this user")]
    ReadOnly(PathBuf),
    /// There is nothing to read.
    #[error("there is no database at {0}")]
    Missing(PathBuf),
    /// The file or its folder cannot be used.
    #[error("cannot use {path}: check that the folder exists, belongs to this user and has room")]
    Io {
        /// What was touched.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// SQLite does not grant a setting that durability or secrecy rests on.
    #[error(
        "SQLite has {name} = {found} where {wanted} is needed: use a local disk and an unmodified SQLite"
    )]
    Setting {
        /// The pragma.
        name: &'static str,
        /// What is needed.
        wanted: &'static str,
        /// What it is.
        found: String,
    },
    /// SQLite refused for another reason.
    #[error("cannot open {path}")]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
}

/// A failure of a read, or of a write of which nothing was applied.
pub(super) fn refused(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => corrupt(&error),
        Some(ErrorCode::DiskFull) => super::reserve::full(),
        Some(_) => unavailable(error),
        None if is_shape(&error) => corrupt(&error),
        None => unavailable(error),
    }
}

/// Something else than SQLite is in the way.
pub(super) fn unavailable(source: impl Into<BoxError>) -> StoreError {
    StoreError::Unavailable { backend: BACKEND, source: source.into() }
}

/// Did a worker's thread end, so that nothing was or will be done.
pub(super) fn stopped() -> StoreError {
    unavailable("its thread has stopped; restart the process")
}

fn corrupt(error: &rusqlite::Error) -> StoreError {
    StoreError::Corrupt { backend: BACKEND, what: error.to_string() }
}

/// A value of another type or width than the schema allows.
fn is_shape(error: &rusqlite::Error) -> bool {
    use rusqlite::Error as E;
    matches!(
        error,
        E::InvalidColumnType(..) | E::FromSqlConversionFailure(..) | E::IntegralValueOutOfRange(..)
    )
}
