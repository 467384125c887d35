//! The static seal: the environment guards the vault with `MASTER_KEY`. The key that wraps the root is derived from
//! it; the raw key itself only ever opens documents of the first seed.

use super::{
    RootKey, Seal,
    wrap::{Guard, Wrap},
};
use crate::{Error, Key32, Secret, crypto::CryptoProvider, host::Host};
use async_trait::async_trait;
use base64::{
    Engine, alphabet,
    engine::{GeneralPurpose, GeneralPurposeConfig},
};
use std::fmt;
use zeroize::Zeroizing;

/// Padding demanded, loose bits of the last character ignored: what the first seed's decoder does.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// The 32 bytes of `MASTER_KEY`.
#[allow(missing_debug_implementations, reason = "holds a key")]
pub struct MasterKey(Key32);

impl MasterKey {
    /// The first seed's rule: more than 32 characters are base64 (whatever is not of its alphabet is skipped), else
    /// the key is the text's UTF-8 bytes; either way exactly 32 bytes. Beyond that rule a line end behind the key,
    /// as files have it, is forgiven. The error never repeats the text.
    pub fn parse(text: &Secret<String>) -> Result<Self, Error> {
        let text = text.expose().as_str();
        let bare = text.trim_end_matches(['\r', '\n']);
        let key = by_rule(text).or_else(|| by_rule(bare)).ok_or_else(|| {
            Error::invalid(
                "MASTER_KEY must be 32 bytes: give the base64 of 32 random bytes (44 characters; \
                 `openssl rand -base64 32` makes one) or exactly 32 characters",
            )
        })?;
        Ok(Self(key))
    }

    /// The key itself.
    pub(super) fn into_key(self) -> Key32 {
        self.0
    }

    /// For deriving the wrapping key.
    pub(super) fn expose(&self) -> &Key32 {
        &self.0
    }
}

fn by_rule(text: &str) -> Option<Key32> {
    if text.chars().count() <= 32 {
        return key(text.as_bytes());
    }
    let in_alphabet = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    let mut clean = Zeroizing::new(Vec::with_capacity(text.len()));
    clean.extend(text.bytes().filter(in_alphabet));
    // One spare group, so that a key of the right size always fits and a longer text is refused.
    let mut bytes = Zeroizing::new([0; 36]);
    let len = BASE64.decode_slice(clean.as_slice(), bytes.as_mut_slice()).ok()?;
    key(bytes.get(..len)?)
}

fn key(bytes: &[u8]) -> Option<Key32> {
    let bytes: &[u8; 32] = bytes.try_into().ok()?;
    Some(Secret::init(|key: &mut [u8; 32]| key.copy_from_slice(bytes)))
}

/// Wraps under a master key.
pub struct StaticSeal<'a> {
    crypto: CryptoProvider,
    host: &'a dyn Host,
    master: &'a MasterKey,
}

impl<'a> StaticSeal<'a> {
    /// The guard that holds `master`.
    pub fn new(crypto: CryptoProvider, host: &'a dyn Host, master: &'a MasterKey) -> Self {
        Self { crypto, host, master }
    }

    /// What [`Seal::wrap`] does; nothing here needs to wait.
    pub(super) fn wrap_now(&self, root: &RootKey) -> Wrap {
        Wrap::make(self.crypto, self.host, Guard::Static, &self.master.0, root)
    }

    pub(super) fn wrong_key() -> Error {
        Error::invalid(
            "MASTER_KEY does not open this vault: it was initialised under another key, or sys/seal was changed; \
             give the key that it was initialised under",
        )
    }
}

#[async_trait]
impl Seal for StaticSeal<'_> {
    async fn wrap(&self, root: &RootKey) -> Result<Wrap, Error> {
        Ok(self.wrap_now(root))
    }

    async fn open(&self, wrap: &Wrap) -> Result<RootKey, Error> {
        wrap.open(self.crypto, &self.master.0).map_err(|_| Self::wrong_key())
    }
}

impl fmt::Debug for StaticSeal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StaticSeal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::BASE64_STANDARD;

    /// Every row was checked against the first seed's own rule (Python's `len`, `encode`, `b64decode`); the last rows
    /// are what we forgive beyond it.
    #[test]
    fn a_master_key_is_read_as_the_first_seed_reads_it() {
        let check = |text: &str, expect: Option<&[u8]>| {
            let parsed = MasterKey::parse(&Secret::new(text.to_owned()));
            match (parsed, expect) {
                (Ok(key), Some(bytes)) => assert!(key.expose().same_bytes(bytes), "{text}"),
                (Ok(_), None) => panic!("{text:?} was accepted"),
                (Err(error), None) => {
                    assert_eq!(error.kind(), crate::ErrorKind::Invalid);
                    let shown = format!("{error} {error:?}");
                    assert!(text.len() < 8 || !shown.contains(text), "{text:?} is echoed");
                }
                (Err(error), Some(_)) => panic!("{text:?} was refused: {error}"),
            }
        };
        let raw = [b'k'; 32];
        let bytes: [u8; 32] = std::array::from_fn(|i| 0xE0 | i as u8);
        let encoded = BASE64_STANDARD.encode(bytes);
        check(&"k".repeat(32), Some(&raw));
        check(&encoded, Some(&bytes));
        check(&"é".repeat(16), Some("é".repeat(16).as_bytes())); // 16 characters, 32 bytes
        check(&"é".repeat(17), None); // 17 characters, 34 bytes
        check(&"é".repeat(32), None); // 32 characters, 64 bytes
        check("", None);
        check("password", None);
        check(&"k".repeat(31), None);
        check(&"k".repeat(33), None); // base64 of 24 bytes, without padding
        check(&BASE64_STANDARD.encode([1; 31]), None);
        check(&BASE64_STANDARD.encode([1; 33]), None);
        check(&BASE64_STANDARD.encode([1; 64]), None);
        check(encoded.trim_end_matches('='), None); // padding is demanded
        check(&format!(" {}\n{}", &encoded[..20], &encoded[20..]), Some(&bytes)); // white space is skipped
        check(&format!("-{encoded}_"), Some(&bytes)); // and so is whatever is no base64
        check("<<paste_32_byte_base64_here>>", None);
        check(&format!("{}\n", "k".repeat(31)), Some(format!("{}\n", "k".repeat(31)).as_bytes()));
        check(&format!("{encoded}\n"), Some(&bytes));
        // Beyond the rule: the line end of a file.
        check(&format!("{}\n", "k".repeat(32)), Some(&raw));
        check(&format!("{}\r\n", "k".repeat(32)), Some(&raw));
    }
}
