//! The Shamir seal: people guard the vault. What they share is a key of its own, not the root key: new shares can be
//! given out, to other people in other numbers, without the root ever changing.

use super::{
    RootKey, Seal,
    wrap::{Guard, Wrap},
};
use crate::{
    Error, Key32, Secret,
    crypto::{CryptoProvider, make_key, shamir},
    host::Host,
    limits::SHARES_MAX,
};
use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE};
use std::fmt;

/// A share: 32 bytes of the polynomials' values, then the point at which they were taken (1 … 255).
pub const SHARE_BYTES: usize = 33;

/// Shares of one key, to be given to as many people.
pub type Shares = Vec<Secret<Vec<u8>>>;

/// Wraps under a key that was shared out, or that was combined from shares.
pub struct ShamirSeal<'a> {
    crypto: CryptoProvider,
    host: &'a dyn Host,
    guard: Guard,
    key: Key32,
}

impl<'a> ShamirSeal<'a> {
    /// A new key, and its shares. `Invalid` unless 1 ≤ threshold ≤ shares ≤ 255.
    pub fn make(
        crypto: CryptoProvider,
        host: &'a dyn Host,
        shares: u8,
        threshold: u8,
    ) -> Result<(Self, Shares), Error> {
        let key = make_key(|bytes| host.fill_random(bytes));
        let made = shamir::split(key.expose(), shares, threshold, &mut |bytes| host.fill_random(bytes));
        let made = made.map_err(|_| {
            Error::invalid(format!(
                "secret_shares and secret_threshold must fulfil 1 ≤ threshold ≤ shares ≤ {SHARES_MAX}"
            ))
        })?;
        Ok((Self { crypto, host, guard: Guard::Shamir { shares, threshold }, key }, made))
    }

    /// The same people beside a guard without shares, not in its place.
    #[must_use]
    pub fn for_recovery(self) -> Self {
        let (shares, threshold) = self.guard.counts();
        Self { guard: Guard::Recovery { shares, threshold }, ..self }
    }

    /// What [`Seal::wrap`] does; nothing here needs to wait.
    pub(super) fn wrap_now(&self, root: &RootKey) -> Wrap {
        Wrap::make(self.crypto, self.host, self.guard, &self.key, root)
    }
}

#[async_trait]
impl Seal for ShamirSeal<'_> {
    async fn wrap(&self, root: &RootKey) -> Result<Wrap, Error> {
        Ok(self.wrap_now(root))
    }

    async fn open(&self, wrap: &Wrap) -> Result<RootKey, Error> {
        wrap.open(self.crypto, &self.key)
            .map_err(|_| Error::invalid("these key shares do not open this vault, or sys/seal was changed"))
    }
}

impl fmt::Debug for ShamirSeal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShamirSeal({:?})", self.guard)
    }
}

/// Reads a share as people type it: 66 hex digits, or 44 characters of base64 in either alphabet. White space around
/// it is ignored. The error never repeats the text.
pub fn parse_share(text: &str) -> Result<Secret<Vec<u8>>, Error> {
    let text = text.trim();
    let mut share = Secret::new(vec![0; SHARE_BYTES]);
    let read = match text.len() {
        66 => hex::decode_to_slice(text, share.expose_mut()).ok(),
        44 if text.contains(['-', '_']) => {
            BASE64_URL_SAFE.decode_slice(text, share.expose_mut()).ok().map(drop)
        }
        44 => BASE64_STANDARD.decode_slice(text, share.expose_mut()).ok().map(drop),
        _ => None,
    };
    read.ok_or_else(malformed_share)?;
    point(&share)?;
    Ok(share)
}

/// The point that tells one share from another.
pub(super) fn point(share: &Secret<Vec<u8>>) -> Result<u8, Error> {
    match share.expose().as_slice() {
        [.., point] if share.expose().len() == SHARE_BYTES && *point != 0 => Ok(*point),
        _ => Err(malformed_share()),
    }
}

fn malformed_share() -> Error {
    Error::invalid(format!(
        "a key share has {SHARE_BYTES} bytes, written as 66 hex digits or 44 characters of base64; \
         this one was not counted"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barrier::fixture::{Seeded, providers};

    #[test]
    fn shares_are_read_as_people_type_them() {
        let check = |text: &str, expect: bool| {
            let parsed = parse_share(text);
            let right = parsed.as_ref().is_ok_and(|share| share.same_bytes(&[0xFB; SHARE_BYTES]));
            assert_eq!(right, expect, "{text}");
            if let Err(error) = parsed {
                assert!(text.len() < 8 || !format!("{error} {error:?}").contains(text), "{text:?} is echoed");
            }
        };
        let (hex, base64) = ("fb".repeat(SHARE_BYTES), BASE64_STANDARD.encode([0xFB; SHARE_BYTES]));
        check(&hex, true);
        check(&hex.to_uppercase(), true);
        check(&base64, true);
        check(&BASE64_URL_SAFE.encode([0xFB; SHARE_BYTES]), true);
        check(&format!("  {base64}\n"), true);
        check("", false);
        check(&hex[2..], false);
        check(&hex.replace('f', "g"), false);
        check(&base64[1..], false);
        check(&format!("{base64}="), false);
        check(&base64.replace('+', "*"), false);
        check(&format!("{}00", "fb".repeat(32)), false); // number 0 would be the key itself
        check(&BASE64_STANDARD.encode([0xFB; 32]), false);
    }

    #[test]
    fn only_sensible_numbers_of_shares() {
        let host = Seeded::new(1);
        let check = |shares: u8, threshold: u8, expect: bool| {
            let made = ShamirSeal::make(providers()[0], &*host, shares, threshold);
            assert_eq!(
                made.is_ok_and(|(_, made)| made.len() == usize::from(shares)),
                expect,
                "{shares}/{threshold}"
            );
        };
        check(1, 1, true);
        check(5, 3, true);
        check(255, 255, true);
        check(255, 1, true);
        check(0, 0, false);
        check(3, 0, false);
        check(3, 4, false);
    }
}
