//! [`Failure`]: how a command ends that did not do its work: what happened, what to do next, and an exit code.

use secrethub_client::{Error, Kind};
use std::{borrow::Cow, fmt, io};

/// Done.
pub(crate) const OK: u8 = 0;
/// The mistake is on this side: arguments, files, configuration.
pub(crate) const LOCAL: u8 = 1;
/// The server refused or does not answer; for `status`: it is sealed.
pub(crate) const REMOTE: u8 = 2;

/// A command that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What the process exits with.
    pub(crate) code: u8,
    message: String,
    hint: Option<Cow<'static, str>>,
    request_id: Option<String>,
}

impl Failure {
    /// A mistake on this side.
    pub(crate) fn local(message: impl Into<String>) -> Self {
        Self { code: LOCAL, message: message.into(), hint: None, request_id: None }
    }

    /// A refusal of the other side.
    pub(crate) fn remote(message: impl Into<String>) -> Self {
        Self { code: REMOTE, ..Self::local(message) }
    }

    /// The same with what to do next.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, said about something.
    #[must_use]
    pub(crate) fn about(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// The same with another exit code.
    #[must_use]
    pub(crate) fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// What happened, in one line: of several the first and the last, as errors of TOML repeat the file between them.
    pub(crate) fn one_line(&self) -> String {
        let mut lines = self.message.lines().map(str::trim).filter(|line| !line.is_empty());
        let first = lines.next().unwrap_or_default();
        lines.next_back().map_or_else(|| first.to_owned(), |last| format!("{first}: {last}"))
    }

    /// What to do next, where that is known.
    pub(crate) fn next_step(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Whoever read our output went away (`| head`): no failure worth words.
    pub(crate) fn is_silent(&self) -> bool {
        self.message.is_empty()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  next: {hint}")?;
        }
        match &self.request_id {
            Some(id) => write!(f, "\n  request id: {id}"),
            None => Ok(()),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let cause = root_cause(&error);
        let (message, hint) = match &error {
            Error::Setup(_) => return Self::local(error.to_string()),
            Error::Connect { .. } => (format!("{error}: {cause}"), Some(connect_hint(&cause))),
            Error::Timeout { .. } | Error::Broken { .. } => (
                error.to_string(),
                Some("the change may or may not have been made: read before you try again"),
            ),
            Error::Refused(refusal) => (refusal.to_string(), refusal_hint(refusal.kind)),
            _ => (error.to_string(), None),
        };
        let request_id = match error {
            Error::Refused(refusal) => refusal.request_id,
            _ => None,
        };
        Self { code: REMOTE, message, hint: hint.map(Cow::Borrowed), request_id }
    }
}

impl From<secrethub::core::Error> for Failure {
    fn from(error: secrethub::core::Error) -> Self {
        Self::local(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::local(""),
            _ => Self::local(error.to_string()),
        }
    }
}

/// The last cause in a chain says what really happened (`Connection refused`).
fn root_cause(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

fn connect_hint(cause: &str) -> &'static str {
    if cause.contains("certificate") || cause.contains("UnknownIssuer") {
        "name the file of the authority that signed the server's certificate: --ca-cert FILE"
    } else if cause.contains("corrupt message") || cause.contains("InvalidContentType") {
        "the server speaks plain HTTP: use http:// in SECRETHUB_ADDR or --address"
    } else {
        "is the server running? start it with: secrethub server (another address: --address or SECRETHUB_ADDR)"
    }
}

fn refusal_hint(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Sealed => "unseal it: secrethub operator unseal",
        Kind::Uninitialized => "initialise it: secrethub operator init",
        Kind::Denied => "log in with a token that has the right: secrethub login (or set SECRETHUB_TOKEN)",
        Kind::RateLimited => "wait a moment, then try again",
        Kind::Unavailable => "try again; if it goes on, look at the server's log",
        Kind::Internal => "the server's log has the cause under the request id",
        Kind::Unexpected => "is a SecretHub server listening at that address?",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_refused_connection_says_how_to_start_a_server() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let client = secrethub_client::Client::new(&format!("http://{free}")).unwrap();
        let failure = Failure::from(client.seal_status().await.unwrap_err());
        let text = failure.to_string();
        assert_eq!(failure.code, REMOTE);
        assert!(text.contains("refused") && text.contains("secrethub server"), "{text}");
    }

    #[test]
    fn every_line_says_its_part() {
        let failure = Failure::local("no such file").about("--config").hint("make it");
        assert_eq!(failure.to_string(), "error: --config: no such file\n  next: make it");
        assert!(Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)).is_silent());
    }
}
