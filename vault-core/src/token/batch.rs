//! Batch tokens: a token that its holder carries, whole, as a ciphertext. Nothing is stored of it, so that a thousand
//! logins cost a thousand audit records and no more. It is sealed like an entry of the store at a name where no entry
//! can stand, so that neither passes for the other; who cannot seal cannot make one.
//!
//! It is good while its term is in the keyring (a term stays at least [`BATCH_TTL_MAX`] after it was replaced), its time
//! has not come, everything above and below it stands, and no revocation by path has ended it: those are remembered for
//! as long as a batch token may live.

use super::{Token, TokenKind};
use crate::{
    Secret,
    barrier::{Barrier, Fault},
    cidr::Cidr,
    error::Error,
    id::{Rev, Timestamp},
    limits::BATCH_TOKEN_BYTES_MAX,
    store::{Entry, Key, Sealed},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a batch token starts with.
pub const BATCH_PREFIX: &str = "shb.";
/// The name under which claims are sealed. No entry of the store is called so: entries stand below `sys/`, `ns/` …
const NAME: &str = "claim/batch-token";

/// What a batch token says (format 1). Names are short: it travels with every request.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claim {
    /// Format.
    v: u8,
    /// Policies.
    p: Vec<String>,
    /// Display name.
    d: String,
    /// The path that made it.
    a: String,
    /// When it was made.
    c: Timestamp,
    /// When it ends.
    e: Timestamp,
    /// Seconds of its explicit bound.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    x: u64,
    /// Number of the newest revocation by path.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    g: u64,
    /// Hashes of the tokens above it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    t: Vec<String>,
    /// Holders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    h: Vec<String>,
    /// Entities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    n: Vec<String>,
    /// Addresses it is bound to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    b: Vec<Cidr>,
    /// Metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    m: Option<Map<String, Value>>,
    /// Token role.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    r: String,
}

fn name() -> Result<Key, Error> {
    Key::new(NAME).map_err(Error::internal)
}

/// The text of a batch token.
pub(super) fn make(barrier: &Barrier, token: &Token) -> Result<Secret<String>, Error> {
    let sealed = barrier.seal(&name()?, &to_bytes(token)?)?;
    let text = format!("{BATCH_PREFIX}{}", URL_SAFE_NO_PAD.encode(sealed.as_bytes()));
    if text.len() > BATCH_TOKEN_BYTES_MAX {
        return Err(Error::invalid(format!(
            "a batch token carries its policies and metadata and may have {BATCH_TOKEN_BYTES_MAX} bytes: give it less, \
             or use a service token"
        )));
    }
    Ok(Secret::new(text))
}

fn to_bytes(token: &Token) -> Result<Vec<u8>, Error> {
    let expires = token.expires.ok_or_else(|| Error::internal("a batch token without an end"))?;
    let claim = Claim {
        v: 1,
        p: token.policies.clone(),
        d: token.display_name.clone(),
        a: token.path.clone(),
        c: token.created,
        e: expires,
        x: token.explicit_max_ttl,
        g: token.generation,
        t: token.ancestors.clone(),
        h: token.holders.clone(),
        n: token.entities.clone(),
        b: token.bound_cidrs.clone(),
        m: token.meta.clone(),
        r: token.role.clone(),
    };
    serde_json::to_vec(&claim).map_err(Error::internal)
}

/// What a text says that a stranger brought; `None` if it is no batch token of this vault. Fails only where the node does
/// not hold the newest key yet ([`Fault::is_behind`]).
pub(crate) fn open(barrier: &Barrier, text: &str) -> Result<Option<Token>, Error> {
    let body = text.strip_prefix(BATCH_PREFIX).filter(|_| text.len() <= BATCH_TOKEN_BYTES_MAX);
    let Some(bytes) = body.and_then(|body| URL_SAFE_NO_PAD.decode(body).ok()) else { return Ok(None) };
    let entry = Entry { key: name()?, rev: Rev([0; 16]), value: Sealed::from_stored(bytes) };
    match barrier.open(&entry) {
        // EXPOSE: a token without its text.
        Ok(plain) => Ok(parse(plain.expose())),
        Err(error) if Fault::is_behind(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

fn parse(bytes: &[u8]) -> Option<Token> {
    let claim: Claim = serde_json::from_slice(bytes).ok().filter(|claim: &Claim| claim.v == 1)?;
    Some(Token {
        format: 1,
        accessor: String::new(),
        policies: claim.p,
        meta: claim.m,
        display_name: claim.d,
        path: claim.a,
        created: claim.c,
        expires: Some(claim.e),
        creation_ttl: claim.e.since(claim.c).as_secs(),
        explicit_max_ttl: claim.x,
        period: 0,
        renewable: false,
        last_renewal: None,
        uses_left: None,
        ancestors: claim.t,
        generation: claim.g,
        husk: false,
        holders: claim.h,
        entities: claim.n,
        bound_cidrs: claim.b,
        max_ttl: 0,
        role: claim.r,
        kind: TokenKind::Batch,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barrier::fixture::{entry, key, providers, vault};
    use serde_json::json;
    use std::time::Duration;

    fn token() -> Token {
        let meta = json!({ "role_name": "web" });
        Token {
            accessor: String::new(),
            created: Timestamp(5_000_000),
            expires: Some(Timestamp(65_000_000)),
            creation_ttl: 60,
            renewable: false,
            kind: TokenKind::Batch,
            path: "auth/approle/login".into(),
            holders: vec!["standing/m/s".into()],
            entities: vec!["approle/web".into()],
            bound_cidrs: vec!["10.0.0.0/8".parse().unwrap()],
            ancestors: vec!["00".into()],
            generation: 3,
            meta: meta.as_object().cloned(),
            ..Token::blank()
        }
    }

    #[test]
    fn golden_claim_format_1() {
        let golden = r#"{"v":1,"p":["default"],"d":"token","a":"auth/approle/login","c":5000000,"e":65000000,"g":3,"t":["00"],"h":["standing/m/s"],"n":["approle/web"],"b":["10.0.0.0/8"],"m":{"role_name":"web"}}"#;
        assert_eq!(String::from_utf8(to_bytes(&token()).unwrap()).unwrap(), golden);
        assert_eq!(parse(golden.as_bytes()), Some(token()));
        assert_eq!(parse(golden.replacen('1', "2", 1).as_bytes()), None);
        assert_eq!(parse(golden.replacen("\"v\"", "\"w\":1,\"v\"", 1).as_bytes()), None, "unknown means no");
    }

    #[test]
    fn only_what_was_sealed_opens() {
        for crypto in providers() {
            let birth = vault(crypto, 1);
            let barrier = &birth.barrier;
            let text = make(barrier, &token()).unwrap();
            let text = text.expose();
            assert!(text.starts_with(BATCH_PREFIX) && text.len() < 500, "{text}");
            assert_eq!(open(barrier, text).unwrap(), Some(token()));
            for at in (BATCH_PREFIX.len() + 28..text.len()).step_by(7) {
                let mut bytes = text.clone().into_bytes();
                bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
                assert_eq!(open(barrier, std::str::from_utf8(&bytes).unwrap()).unwrap(), None, "{at}");
            }
            // An entry of the store is no token, and a token is no entry.
            let sealed = barrier.seal(&key("ns/0/token/x"), &to_bytes(&token()).unwrap()).unwrap();
            let stolen = format!("{BATCH_PREFIX}{}", URL_SAFE_NO_PAD.encode(sealed.as_bytes()));
            assert_eq!(open(barrier, &stolen).unwrap(), None);
            let bytes = URL_SAFE_NO_PAD.decode(&text[BATCH_PREFIX.len()..]).unwrap();
            assert!(barrier.open(&entry("ns/0/token/x", Sealed::from_stored(bytes))).is_err());
            for foreign in ["", "shb.", "shb.AA", "shs.AAAA", "shb.!"] {
                assert_eq!(open(barrier, foreign).unwrap(), None, "{foreign}");
            }
        }
    }

    #[test]
    fn it_outlives_a_rotation_and_ends_with_its_term() {
        let birth = vault(providers()[0], 1);
        let barrier = &birth.barrier;
        let text = make(barrier, &token()).unwrap();
        let ring = entry("sys/keyring", birth.keyring);
        let (sealed, keyring) = barrier.rotate(&ring).unwrap();
        barrier.adopt(keyring);
        assert_eq!(open(barrier, text.expose()).unwrap(), Some(token()));
        barrier.adopt(barrier.retire(&entry("sys/keyring", sealed), 1).unwrap().1);
        let error = open(barrier, text.expose()).unwrap_err();
        assert!(Fault::is_behind(&error), "the node asks for the newest keyring first");
    }

    #[test]
    fn it_has_bounds() {
        let birth = vault(providers()[0], 1);
        let long = Token { display_name: "x".repeat(BATCH_TOKEN_BYTES_MAX), ..token() };
        assert!(make(&birth.barrier, &long).is_err());
        assert!(make(&birth.barrier, &Token { expires: None, ..token() }).is_err());
        assert!(crate::limits::BATCH_TTL_MAX <= Duration::from_secs(32 * 24 * 3_600));
    }
}
