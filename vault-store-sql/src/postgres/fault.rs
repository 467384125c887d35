//! What went wrong, by what is known of the transaction. That alone decides between "not applied" and "unknown".
//!
//! An `ERROR` ends the transaction: it is rolled back before the server says so. `FATAL` and `PANIC` end the session,
//! and so may a broken wire or our own patience: then the commit may have happened, or may happen still.

use super::BACKEND;
use secrethub_core::{
    error::BoxError,
    store::{CommitError, StoreError},
};
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// How a statement ended that has no answer.
#[derive(Debug)]
pub(super) enum Fault {
    /// It was never sent: no connection could be had.
    Unsent(BoxError),
    /// The server refused it and rolled it back.
    Refused(Box<PgDatabaseError>),
    /// It was sent, and what became of it is not known.
    Lost(BoxError),
    /// The answer is not what this version asked for.
    Garbled(String),
}

impl Fault {
    /// What a connection that was in use said.
    pub(super) fn of(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => match error.try_downcast::<PgDatabaseError>() {
                Ok(error) if is_rolled_back(error.severity()) => Self::Refused(error),
                Ok(error) => Self::Lost(error),
                Err(error) => Self::Lost(error.into()),
            },
            sqlx::Error::ColumnDecode { index, .. } => Self::Garbled(format!("column {index}")),
            other => Self::Lost(other.into()),
        }
    }

    /// Somebody else was first with a key, or the server broke a deadlock: the same batch may well pass now. 40001 is
    /// also what the commit's function says when it lost a race.
    pub(super) fn is_lost_race(&self) -> bool {
        matches!(self.code(), Some("40001" | "40P01"))
    }

    /// Is the session of no more use. A primary that became a standby (25006, 0A000) or is another version of itself
    /// answers well on a new connection, which may lead elsewhere.
    pub(super) fn ends_session(&self) -> bool {
        match self {
            Self::Refused(_) => matches!(self.code(), Some("25006" | "0A000")),
            Self::Unsent(_) | Self::Lost(_) => true,
            Self::Garbled(_) => false,
        }
    }

    /// The server's code for it: <https://www.postgresql.org/docs/current/errcodes-appendix.html>
    pub(super) fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(error) => Some(error.code()),
            _ => None,
        }
    }

    /// For who only read, or changed what may be changed twice.
    pub(super) fn into_store(self) -> StoreError {
        match self {
            // 53100 disk_full; 58030 io_error may be anything else.
            Self::Refused(error) if error.code() == "53100" => StoreError::Full { backend: BACKEND },
            // XX001 data_corrupted, XX002 index_corrupted.
            Self::Refused(error) if matches!(error.code(), "XX001" | "XX002") => {
                StoreError::Corrupt { backend: BACKEND, what: error.message().to_owned() }
            }
            Self::Refused(error) => unavailable(error),
            Self::Unsent(source) | Self::Lost(source) => unavailable(source),
            Self::Garbled(what) => StoreError::Corrupt { backend: BACKEND, what },
        }
    }

    /// For a commit.
    pub(super) fn into_commit(self) -> CommitError {
        match self {
            Self::Lost(source) => CommitError::Unknown(source),
            // The answer came, so the transaction ended, and ended well.
            Self::Garbled(what) => CommitError::Unknown(what.into()),
            known => CommitError::NotApplied(known.into_store()),
        }
    }
}

fn is_rolled_back(severity: PgSeverity) -> bool {
    !matches!(severity, PgSeverity::Fatal | PgSeverity::Panic)
}

pub(super) fn unavailable(source: impl Into<BoxError>) -> StoreError {
    StoreError::Unavailable { backend: BACKEND, source: source.into() }
}
