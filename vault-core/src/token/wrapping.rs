//! Wrapping: a reply is put away under a token that is good for taking it out once. The token is an orphan with one
//! use, one policy and its own time; the reply stands sealed in its cubbyhole and goes when the token goes.

use super::{Issued, NewToken, Token, issue_service, make_token_text};
use crate::{
    barrier::Barrier,
    error::Error,
    id::Timestamp,
    request::{Auth, Envelope, LeaseInfo, Reply, WrapInfo},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::time::Duration;
use zeroize::Zeroizing;

/// The policy of wrapping tokens; no other token can have it.
pub const WRAPPING: &str = "response-wrapping";

/// What is to be put away.
pub(crate) struct NewWrapping<'a> {
    /// The path whose reply it is.
    pub(crate) path: &'a str,
    /// How long the token lives; whole seconds.
    pub(crate) ttl: Duration,
    /// The cubbyhole's document, from [`document`].
    pub(crate) document: &'a [u8],
    /// Accessor of the token that is in the reply.
    pub(crate) wrapped_accessor: Option<String>,
    /// See [`NewToken::generation`].
    pub(crate) generation: u64,
}

/// Entries to be created, and what the caller is told.
pub(crate) struct Wrapping {
    /// Key below `ns/0/`, and document.
    pub(crate) entries: Vec<(String, Zeroizing<Vec<u8>>)>,
    pub(crate) info: WrapInfo,
    /// Names the token in the audit record.
    pub(crate) lease_id: String,
}

/// Makes a wrapping token for a document.
pub(crate) fn make_wrapping(
    barrier: &Barrier,
    new: NewWrapping<'_>,
    now: Timestamp,
) -> Result<Wrapping, Error> {
    let text = make_token_text(|bytes| barrier.make_bytes(bytes));
    // EXPOSE: the token's index is a keyed hash of its text.
    let hash = barrier.token_hash(text.expose());
    let token = NewToken {
        policies: vec![WRAPPING.to_owned()],
        no_default_policy: true,
        display_name: "wrapping".to_owned(),
        path: new.path.to_owned(),
        ttl: Some(new.ttl),
        explicit_max_ttl: Some(new.ttl),
        renewable: false,
        num_uses: Some(1),
        generation: new.generation,
        ..NewToken::default()
    };
    let Issued { entries, auth } = issue_service(barrier, token, text, now)?;
    let mut entries: Vec<_> = entries.into_iter().map(|(name, document)| (name, document.into())).collect();
    entries.push((response_name(&hash), new.document.to_vec().into()));
    let info = WrapInfo {
        token: auth.client_token,
        accessor: auth.accessor,
        ttl: new.ttl.as_secs(),
        creation_time: now.to_rfc3339(),
        creation_path: new.path.to_owned(),
        wrapped_accessor: new.wrapped_accessor,
    };
    Ok(Wrapping { entries, info, lease_id: format!("{}/{hash}", new.path) })
}

/// Where a wrapping token's reply stands below `ns/0/`: its holder may also read it as `cubbyhole/response`.
pub(crate) fn response_name(hash: &str) -> String {
    format!("m/cubbyhole/{hash}/response")
}

impl Token {
    /// Is it good for taking one reply out, and nothing else.
    pub fn is_wrapping(&self) -> bool {
        self.policies == [WRAPPING]
    }
}

/// What a client finds in `cubbyhole/response` ([`Envelope`]), read back.
#[derive(Deserialize)]
struct Opened {
    lease_id: String,
    renewable: bool,
    lease_duration: u64,
    data: Option<Box<RawValue>>,
    warnings: Option<Vec<String>>,
    auth: Option<Auth>,
}

/// A secret of the cubbyhole (format 1).
#[derive(Serialize, Deserialize)]
struct Document<T> {
    format: u8,
    data: T,
}

#[derive(Serialize, Deserialize)]
struct Response<T> {
    response: T,
}

/// The cubbyhole's document that holds a reply.
pub(crate) fn document(request_id: &str, reply: &Reply) -> Result<Zeroizing<Vec<u8>>, Error> {
    let envelope = Envelope::new(request_id, reply);
    let text = Zeroizing::new(serde_json::to_string(&envelope).map_err(Error::internal)?);
    let document = Document { format: 1, data: Response { response: text.as_str() } };
    serde_json::to_vec(&document).map(Zeroizing::new).map_err(Error::internal)
}

/// The reply that a cubbyhole's document holds.
pub(crate) fn open(document: &[u8]) -> Result<Reply, Error> {
    let document: Document<Response<String>> = serde_json::from_slice(document).map_err(Error::internal)?;
    if document.format != 1 {
        return Err(Error::internal(format!("a wrapped reply of format {}", document.format)));
    }
    let text = Zeroizing::new(document.data.response);
    let opened: Opened = serde_json::from_str(&text).map_err(Error::internal)?;
    let duration = Duration::from_secs(opened.lease_duration);
    Ok(Reply {
        data: opened.data,
        auth: opened.auth,
        lease: LeaseInfo { id: opened.lease_id, renewable: opened.renewable, duration },
        warnings: opened.warnings.unwrap_or_default(),
        ..Reply::empty()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;
    use serde_json::json;

    #[test]
    fn golden_wrapped_reply_format_1() {
        let golden = r#"{"format":1,"data":{"response":"{\"request_id\":\"r\",\"lease_id\":\"\",\"renewable\":false,\"lease_duration\":9,\"data\":{\"a\":1},\"wrap_info\":null,\"warnings\":[\"w\"],\"auth\":null,\"mount_type\":\"kv\"}"}}"#;
        let lease = LeaseInfo { duration: Duration::from_secs(9), ..LeaseInfo::default() };
        let reply = Reply { lease, mount_type: "kv", ..Reply::data(&json!({ "a": 1 })).unwrap() }.warn("w");
        assert_eq!(*document("r", &reply).unwrap(), golden.as_bytes());
        let opened = open(golden.as_bytes()).unwrap();
        assert_eq!(
            (opened.to_value(), opened.warnings, opened.lease.duration.as_secs()),
            (json!({ "a": 1 }), vec!["w".to_owned()], 9)
        );
        assert!(open(golden.replacen('1', "2", 1).as_bytes()).is_err());
    }

    #[test]
    fn a_wrapped_token_comes_back_whole() {
        let auth = Auth {
            client_token: Secret::new("shs.t".to_owned()),
            accessor: "a".into(),
            policies: vec!["default".into()],
            token_policies: vec!["default".into()],
            metadata: None,
            lease_duration: 60,
            renewable: true,
            entity_id: String::new(),
            token_type: "service".into(),
            orphan: false,
            mfa_requirement: None,
            num_uses: 0,
        };
        let before = serde_json::to_value(&auth).unwrap();
        let after = open(&document("r", &Reply::auth(auth)).unwrap()).unwrap().auth.unwrap();
        assert_eq!(serde_json::to_value(&after).unwrap(), before);
    }
}
