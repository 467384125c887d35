//! [`Fault`]: what is wrong with sealed bytes. It rides as the private source of an [`Error`], so that a caller can
//! tell a tampered entry from one under a term that this node has yet to load, and a client cannot.

use crate::Error;

/// Sealed bytes that do not open, and where they stood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {what}")]
pub struct Fault {
    /// The entry's key.
    pub at: String,
    /// What is wrong with it.
    pub what: Broken,
}

/// What is wrong with sealed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Broken {
    /// Too short, too long, or fields that contradict each other.
    #[error("malformed")]
    Malformed,
    /// Written by another release, or not by this product at all.
    #[error("format {0} is unknown to this version")]
    UnknownFormat(u8),
    /// Sealed under a term that the keyring does not hold (yet): reload the keyring and try again.
    #[error("sealed under term {0}, which the keyring does not hold")]
    UnknownTerm(u32),
    /// Changed, moved from another key, or sealed under another root key.
    #[error("does not authenticate: it was changed, moved, or sealed by another vault")]
    Unauthentic,
}

impl Fault {
    /// The fault behind an error, if that is its cause.
    pub fn of(error: &Error) -> Option<&Self> {
        std::error::Error::source(error)?.downcast_ref()
    }
}

impl Fault {
    /// Does a value fail to open only because this node has yet to load the newest keyring.
    pub fn is_behind(error: &Error) -> bool {
        Self::of(error).is_some_and(|fault| matches!(fault.what, Broken::UnknownTerm(_)))
    }
}

impl Broken {
    /// The error that a caller gets; only an unknown term is worth another try.
    pub(super) fn at(self, key: &str) -> Error {
        let fault = Fault { at: key.to_owned(), what: self };
        match self {
            Self::UnknownTerm(_) => {
                Error::unavailable("this node does not hold the newest encryption key yet; try again")
                    .with_source(fault)
            }
            _ => Error::internal(fault),
        }
    }
}
