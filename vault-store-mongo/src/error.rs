//! What an error of the driver means to the caller. None of its texts repeats the URL: it may hold a password.

use mongodb::error::{Error, ErrorKind, WriteFailure};
use secrethub_core::{error::BoxError, limits::REQUEST_DEADLINE, store::StoreError};

/// The name of this backend in errors, logs and `seal-status`.
pub(crate) const BACKEND: &str = "mongodb";

// https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
pub(crate) const NAMESPACE_EXISTS: i32 = 48;
/// An index of this name or these keys is there, with other options.
pub(crate) const INDEX_CONFLICTS: [i32; 2] = [85, 86];
pub(crate) const UNAUTHORIZED: i32 = 13;
pub(crate) const WRITE_CONFLICT: i32 = 112;
pub(crate) const DUPLICATE_KEY: i32 = 11_000;
const SNAPSHOT_TOO_OLD: i32 = 239;
const OUT_OF_DISK_SPACE: i32 = 14_031;

/// The store's error for one of the driver's.
#[allow(clippy::needless_pass_by_value, reason = "stands in `map_err`")]
pub(crate) fn refused(error: Error) -> StoreError {
    match code(&error) {
        Some(OUT_OF_DISK_SPACE) => StoreError::Full { backend: BACKEND },
        Some(SNAPSHOT_TOO_OLD) => unavailable(
            "the snapshot is older than the server's history (minSnapshotHistoryWindowInSeconds, 300 unless set)",
        ),
        _ => unavailable(told(&error)),
    }
}

/// The error without the server's whole reply in hexadecimal, which the driver's own text ends with.
pub(crate) fn told(error: &Error) -> String {
    error.kind.to_string()
}

pub(crate) fn unavailable(source: impl Into<BoxError>) -> StoreError {
    StoreError::Unavailable { backend: BACKEND, source: source.into() }
}

/// What a stored document must be and is not; names the field, never its content.
pub(crate) fn unreadable(field: &str) -> StoreError {
    StoreError::Corrupt { backend: BACKEND, what: field.to_owned() }
}

/// The server's code, if it was the server that refused.
pub(crate) fn code(error: &Error) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(error) => Some(error.code),
        ErrorKind::Write(WriteFailure::WriteError(error)) => Some(error.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(error)) => Some(error.code),
        ErrorKind::InsertMany(many) => {
            many.write_errors.as_ref().and_then(|errors| errors.first()).map(|error| error.code)
        }
        _ => None,
    }
}

/// A read or a removal must answer while its caller still waits, even when a server takes the question and says nothing.
pub(crate) async fn bounded<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let answer = tokio::time::timeout(REQUEST_DEADLINE, work).await;
    answer.unwrap_or_else(|_| Err(unavailable("no answer within the time limit")))
}
