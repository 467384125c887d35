//! [`Error`]: what went wrong, sorted by what the caller should do about it.

use reqwest::StatusCode;
use serde_json::Value;
use std::fmt;

/// What an answer's status means in this API (Vault's meanings, which are not always HTTP's).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// 400, 422: change the request.
    Invalid,
    /// 403 (and 401): no token, a bad one, or one without the right.
    Denied,
    /// 404: not there.
    NotFound,
    /// 405: the path exists, the operation on it does not.
    Unsupported,
    /// 413: send less.
    TooLarge,
    /// 415: another media type.
    MediaType,
    /// 429: wait.
    RateLimited,
    /// 501: initialise first.
    Uninitialized,
    /// 503 with `Vault is sealed`: unseal first.
    Sealed,
    /// 502, 503, 504: try again later.
    Unavailable,
    /// 500 and everything else from 500 on: the server's log has the cause.
    Internal,
    /// A status this API does not use; something else may be listening there.
    Unexpected,
}

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The client was set up with something unusable.
    #[error("{0}")]
    Setup(String),
    /// Nobody answers at the address.
    #[error("cannot connect to {address}")]
    Connect {
        /// Scheme, host and port.
        address: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// No answer in time; a change may or may not have happened.
    #[error("{address} did not answer in time")]
    Timeout {
        /// Scheme, host and port.
        address: String,
    },
    /// The connection broke; a change may or may not have happened.
    #[error("the connection to {address} broke")]
    Broken {
        /// Scheme, host and port.
        address: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The server answered, and the answer is no.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The answer is not of this API.
    #[error("the answer from {address} is not JSON of this API: is a SecretHub server listening there?")]
    Foreign {
        /// Scheme, host and port.
        address: String,
    },
}

/// An answer that says no.
#[derive(Debug)]
#[non_exhaustive]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// What it means.
    pub kind: Kind,
    /// What the server says; often one line, sometimes none.
    pub messages: Vec<String>,
    /// The request's id, to be found in the audit log and the server's log.
    pub request_id: Option<String>,
    /// The whole body, where it says more (KV v2 shows the metadata of a deleted version in a 404).
    pub body: Value,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.messages.as_slice() {
            [] => write!(f, "status {}", self.status),
            messages => f.write_str(&messages.join("; ")),
        }
    }
}

impl Error {
    /// What the server's refusal means; `None` where no server answered.
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Self::Refused(refusal) => Some(refusal.kind),
            _ => None,
        }
    }

    /// An error from the transport, sorted.
    pub(crate) fn transport(address: &str, source: reqwest::Error) -> Self {
        let (address, source) = (address.to_owned(), source.without_url());
        match () {
            () if source.is_connect() => Self::Connect { address, source },
            () if source.is_timeout() => Self::Timeout { address },
            () => Self::Broken { address, source },
        }
    }

    /// A refusal, from a status and what came with it.
    pub(crate) fn refused(status: StatusCode, request_id: Option<String>, body: Value) -> Self {
        let messages = messages(&body);
        let kind = kind(status, &messages);
        Self::Refused(Box::new(Refusal { status: status.as_u16(), kind, messages, request_id, body }))
    }
}

/// `{"errors": [...]}` is Vault's shape, `{"detail": …}` the first seed's.
fn messages(body: &Value) -> Vec<String> {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match (&body["errors"], &body["detail"]) {
        (Value::Array(errors), _) => errors.iter().map(plain).collect(),
        (_, Value::Array(items)) => items.iter().map(|item| plain(&item["msg"])).collect(),
        (_, Value::Null) => Vec::new(),
        (_, detail) => vec![plain(detail)],
    }
}

fn kind(status: StatusCode, messages: &[String]) -> Kind {
    match status.as_u16() {
        400 | 422 => Kind::Invalid,
        401 | 403 => Kind::Denied,
        404 => Kind::NotFound,
        405 => Kind::Unsupported,
        413 => Kind::TooLarge,
        415 => Kind::MediaType,
        429 => Kind::RateLimited,
        501 => Kind::Uninitialized,
        503 if messages.iter().any(|message| message.contains("sealed")) => Kind::Sealed,
        502..=504 => Kind::Unavailable,
        500.. => Kind::Internal,
        _ => Kind::Unexpected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn statuses_and_bodies_become_kinds_and_messages() {
        let check = |status: u16, body: Value, expect: Kind, text: &str| {
            let error = Error::refused(StatusCode::from_u16(status).unwrap(), None, body);
            assert_eq!((error.kind(), error.to_string().as_str()), (Some(expect), text), "{status}");
        };
        check(400, json!({"errors": ["a", "b"]}), Kind::Invalid, "a; b");
        check(403, json!({"errors": ["permission denied"]}), Kind::Denied, "permission denied");
        check(404, json!({"errors": []}), Kind::NotFound, "status 404");
        check(404, json!({"detail": "Secret not found"}), Kind::NotFound, "Secret not found");
        check(422, json!({"detail": [{"msg": "Field required"}]}), Kind::Invalid, "Field required");
        check(503, json!({"errors": ["Vault is sealed"]}), Kind::Sealed, "Vault is sealed");
        check(
            503,
            json!({"errors": ["the store does not answer"]}),
            Kind::Unavailable,
            "the store does not answer",
        );
        check(502, Value::Null, Kind::Unavailable, "status 502");
        check(500, json!({"errors": [7]}), Kind::Internal, "7");
        check(307, Value::Null, Kind::Unexpected, "status 307");
    }
}
