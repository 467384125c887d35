//! [`Error`]: what a caller is told, in two voices. The public message says what to do; the private source says
//! what happened and goes to the log of the operator alone. No HTTP here: a front-end maps [`ErrorKind`] once.

use crate::rate::Level;
use std::{borrow::Cow, fmt, time::Duration};

/// A boxed cause.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What the caller should do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Change the request: it can never succeed as it stands.
    Invalid,
    /// Come with a token that is valid. (Vault answers 403, not 401.)
    Unauthenticated,
    /// Come with other credentials: what was shown to prove who asks is not good. (Vault answers 400.)
    Credentials,
    /// Ask for the right: the token is good, the policy says no.
    Denied,
    /// It is not there.
    NotFound,
    /// The path exists, the operation on it does not.
    Unsupported,
    /// Send less.
    TooLarge,
    /// Send it in another media type.
    MediaType,
    /// Wait, then send it again.
    RateLimited {
        /// How long to wait.
        retry_after: Duration,
    },
    /// Unseal the vault first.
    Sealed,
    /// Initialise the vault first.
    Uninitialized,
    /// Somebody changed it meanwhile; nothing was done. The door runs such a request again until its deadline.
    Conflict,
    /// Nothing was changed, or the outcome will be known later; try again.
    Unavailable,
    /// A bug or a broken invariant; the operator finds the cause under the request id.
    Internal,
}

/// A failure, typed by what the caller should do.
pub struct Error {
    kind: ErrorKind,
    messages: Vec<Cow<'static, str>>,
    source: Option<BoxError>,
    level: Option<Box<Level>>,
}

impl Error {
    /// An error with a public message. An empty message leaves only the kind (Vault's plain 404).
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        let messages = if message.is_empty() { Vec::new() } else { vec![message] };
        Self { kind, messages, source: None, level: None }
    }

    /// The request can never succeed as it stands; `message` says what to change.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// Not there, with no more to say.
    pub fn not_found() -> Self {
        Self::new(ErrorKind::NotFound, "")
    }

    /// The policy says no. Every denial reads alike to a stranger.
    pub fn denied() -> Self {
        Self::new(ErrorKind::Denied, "permission denied")
    }

    /// No token, or one that is not good. Reads exactly like a denial.
    pub fn unauthenticated() -> Self {
        Self::new(ErrorKind::Unauthenticated, "permission denied")
    }

    /// The vault is sealed.
    pub fn sealed() -> Self {
        Self::new(ErrorKind::Sealed, "Vault is sealed")
    }

    /// A snapshot was brought to a vault.
    pub fn vault_stands() -> Self {
        Self::invalid(
            "a vault is here already and is never overwritten; post the snapshot to a server on an empty store, or \
             see `operator snapshot restore`",
        )
    }

    /// A failure that the caller may retry.
    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// The store's disk is full.
    pub fn full() -> Self {
        Self::unavailable(
            "the store's disk is full and nothing was changed: make room, or prune the audit log",
        )
    }

    /// A bug or a broken invariant. The public message never carries the cause.
    pub fn internal(source: impl Into<BoxError>) -> Self {
        Self::new(ErrorKind::Internal, "internal error; the server's log has the cause under this request id")
            .with_source(source)
    }

    /// Attaches the private cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds a further public message (Vault's second item, such as the rule that denied).
    #[must_use]
    pub fn with_message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.messages.push(message.into());
        self
    }

    /// Adds how the caller's bucket stands.
    #[must_use]
    pub fn with_level(mut self, level: Level) -> Self {
        self.level = Some(Box::new(level));
        self
    }

    /// How the caller's bucket stands, where a quota counts it and that is to be told.
    pub fn level(&self) -> Option<Level> {
        self.level.as_deref().copied()
    }

    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The public messages, in order; empty for a plain "not there".
    pub fn messages(&self) -> &[Cow<'static, str>] {
        &self.messages
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.messages.first() {
            Some(first) => f.write_str(first),
            None => write!(f, "{:?}", self.kind),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.kind)
            .field("messages", &self.messages)
            .field("source", &self.source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
