//! Revoking every lease below a path at once, however many there are: one tombstone that every reader of a token obeys,
//! and a job that removes the tokens afterwards.
//!
//! Tombstones are numbered, and a token knows the newest that stood when it was made. A tombstone ends the tokens below
//! its path that are older than it: no clock is asked. A token that is made while the tombstone comes cannot slip
//! through, since its commit is held to its lane's epoch, which the tombstone's commit replaces.

use crate::{
    barrier::Barrier,
    cx::store_error,
    error::Error,
    id::Timestamp,
    limits::SCAN_ENTRIES_MAX,
    store::{Key, Limit, Range, Store},
    token::Token,
};
use serde::{Deserialize, Serialize};

/// Where tombstones stand, by number.
pub(crate) const REVOCATION_PREFIX: &str = "ns/0/revocation/";
/// Where the newest number stands.
pub(crate) const NEWEST_KEY: &str = "ns/0/revocations";

/// A tombstone (format 1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Revocation {
    pub(crate) format: u8,
    pub(crate) number: u64,
    /// A path without a slash at its end.
    pub(crate) prefix: String,
    /// Hash of the last token that the sweep has looked at.
    pub(crate) after: String,
    /// No batch token that is older than this lives longer; absent in those that were written before there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<Timestamp>,
    /// Every stored token that it ends is removed; it stands for batch tokens alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) swept: bool,
}

/// The number of the newest tombstone, swept or not (format 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Newest {
    pub(crate) format: u8,
    pub(crate) newest: u64,
    /// Batch tokens of a lower generation have ended.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) batch_floor: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Revocation {
    /// Does it end this token. What never expires has no lease.
    pub(crate) fn ends(&self, token: &Token) -> bool {
        let rest = token.path.strip_prefix(&self.prefix);
        let below = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        below && token.generation < self.number && token.expires.is_some()
    }
}

/// All tombstones that are not swept yet; kept with the mount table, under the lane's epoch.
#[derive(Debug, Default)]
pub(crate) struct Revocations {
    newest: u64,
    batch_floor: u64,
    standing: Vec<Revocation>,
    /// Swept, and kept for batch tokens.
    kept: Vec<Revocation>,
}

impl Revocations {
    pub(crate) async fn load(store: &dyn Store, barrier: &Barrier) -> Result<Self, Error> {
        let key = Key::new(NEWEST_KEY).map_err(Error::internal)?;
        let Some(entry) = store.get(&[key]).await.map_err(store_error)?.pop().flatten() else {
            return Ok(Self::default());
        };
        // EXPOSE: a number.
        let newest: Newest =
            serde_json::from_slice(barrier.open(&entry)?.expose()).map_err(Error::internal)?;
        check_format(newest.format)?;
        let limit = Limit::entries(SCAN_ENTRIES_MAX);
        let (mut standing, mut kept) = (Vec::new(), Vec::new());
        for entry in store.scan(Range::prefix(REVOCATION_PREFIX), limit).await.map_err(store_error)? {
            // EXPOSE: a path.
            let revocation = parse(barrier.open(&entry)?.expose())?;
            if revocation.swept { &mut kept } else { &mut standing }.push(revocation);
        }
        Ok(Self { newest: newest.newest, batch_floor: newest.batch_floor, standing, kept })
    }

    /// Has a tombstone ended this token.
    pub(crate) fn end(&self, token: &Token) -> bool {
        let any = |revocations: &[Revocation]| revocations.iter().any(|revocation| revocation.ends(token));
        any(&self.standing) || (token.is_batch() && (token.generation < self.batch_floor || any(&self.kept)))
    }

    /// What a token made now remembers.
    pub(crate) fn newest(&self) -> u64 {
        self.newest
    }

    /// How many are being swept.
    pub(crate) fn len(&self) -> usize {
        self.standing.len()
    }
}

/// Reads a tombstone.
pub(crate) fn parse(bytes: &[u8]) -> Result<Revocation, Error> {
    let revocation: Revocation = serde_json::from_slice(bytes).map_err(Error::internal)?;
    check_format(revocation.format)?;
    Ok(revocation)
}

fn check_format(format: u8) -> Result<(), Error> {
    if format == 1 { Ok(()) } else { Err(Error::internal(format!("a revocation of format {format}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::TokenKind;

    #[test]
    fn golden_formats() {
        let golden = r#"{"format":1,"number":2,"prefix":"auth/x","after":"00"}"#;
        let expect = Revocation { after: "00".into(), ..revocation(2) };
        assert_eq!(parse(golden.as_bytes()).unwrap(), expect);
        assert_eq!(serde_json::to_string(&expect).unwrap(), golden);
        let kept = r#"{"format":1,"number":2,"prefix":"auth/x","after":"","until":9,"swept":true}"#;
        let expect = Revocation { until: Some(Timestamp(9)), swept: true, ..revocation(2) };
        assert_eq!(parse(kept.as_bytes()).unwrap(), expect);
        assert_eq!(serde_json::to_string(&expect).unwrap(), kept);
        assert!(parse(golden.replacen('1', "2", 1).as_bytes()).is_err());
        let newest = r#"{"format":1,"newest":2}"#;
        let check = |golden: &str, batch_floor: u64| {
            let expect = Newest { format: 1, newest: 2, batch_floor };
            assert_eq!(serde_json::to_string(&expect).unwrap(), golden);
            assert_eq!(serde_json::from_str::<Newest>(golden).unwrap(), expect);
        };
        check(newest, 0);
        check(r#"{"format":1,"newest":2,"batch_floor":1}"#, 1);
    }

    fn revocation(number: u64) -> Revocation {
        let prefix = "auth/x".into();
        Revocation { format: 1, number, prefix, after: String::new(), until: None, swept: false }
    }

    #[test]
    fn what_is_swept_still_ends_batch_tokens() {
        let kept = Revocation { swept: true, ..revocation(2) };
        let revocations = Revocations { newest: 9, batch_floor: 1, standing: vec![], kept: vec![kept] };
        let check = |kind: TokenKind, path: &str, generation: u64, expect: bool| {
            let token =
                Token { path: path.into(), generation, expires: Some(Timestamp(1)), kind, ..Token::blank() };
            assert_eq!(revocations.end(&token), expect, "{kind:?} {path} {generation}");
        };
        check(TokenKind::Service, "auth/x/login", 1, false);
        check(TokenKind::Batch, "auth/x/login", 1, true);
        check(TokenKind::Batch, "auth/x/login", 2, false);
        check(TokenKind::Batch, "auth/y/login", 1, false);
        check(TokenKind::Batch, "auth/y/login", 0, true);
        check(TokenKind::Service, "auth/y/login", 0, false);
    }

    #[test]
    fn older_tokens_below_the_path_end() {
        let revocation = revocation(2);
        let check = |path: &str, generation: u64, expires: bool, expect: bool| {
            let expires = expires.then_some(Timestamp(1));
            let token = Token { path: path.into(), generation, expires, ..Token::blank() };
            assert_eq!(revocation.ends(&token), expect, "{path} {generation} {expires:?}");
        };
        check("auth/x/login", 1, true, true);
        check("auth/x", 0, true, true);
        check("auth/x/login", 2, true, false);
        check("auth/x/login", 1, false, false);
        check("auth/xy/login", 1, true, false);
        check("auth/y", 1, true, false);
    }
}
