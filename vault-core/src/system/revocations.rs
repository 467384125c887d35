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
    limits::SCAN_ENTRIES_MAX,
    store::{Key, Limit, Range, Store},
    token::Token,
};
use serde::{Deserialize, Serialize};

/// Where tombstones stand, by number.
pub(crate) const REVOCATION_PREFIX: &str = "ns/0/revocation/";
/// Where the newest number stands.
const NEWEST_KEY: &str = "ns/0/revocations";

/// A tombstone (format 1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Revocation {
    pub(crate) format: u8,
    pub(crate) number: u64,
    /// A path without a slash at its end.
    pub(crate) prefix: String,
    /// Hash of the last token that the sweep has looked at.
    pub(crate) after: String,
}

/// The number of the newest tombstone, swept or not (format 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Newest {
    pub(crate) format: u8,
    pub(crate) newest: u64,
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
    standing: Vec<Revocation>,
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
        let mut standing = Vec::new();
        for entry in store.scan(Range::prefix(REVOCATION_PREFIX), limit).await.map_err(store_error)? {
            // EXPOSE: a path.
            standing.push(parse(barrier.open(&entry)?.expose())?);
        }
        Ok(Self { newest: newest.newest, standing })
    }

    /// Has a tombstone ended this token.
    pub(crate) fn end(&self, token: &Token) -> bool {
        self.standing.iter().any(|revocation| revocation.ends(token))
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
    use crate::id::Timestamp;

    #[test]
    fn golden_formats() {
        let golden = r#"{"format":1,"number":2,"prefix":"auth/x","after":"00"}"#;
        let expect = Revocation { format: 1, number: 2, prefix: "auth/x".into(), after: "00".into() };
        assert_eq!(parse(golden.as_bytes()).unwrap(), expect);
        assert_eq!(serde_json::to_string(&expect).unwrap(), golden);
        assert!(parse(golden.replacen('1', "2", 1).as_bytes()).is_err());
        let newest = r#"{"format":1,"newest":2}"#;
        assert_eq!(serde_json::to_string(&Newest { format: 1, newest: 2 }).unwrap(), newest);
    }

    #[test]
    fn older_tokens_below_the_path_end() {
        let revocation = Revocation { format: 1, number: 2, prefix: "auth/x".into(), after: String::new() };
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
