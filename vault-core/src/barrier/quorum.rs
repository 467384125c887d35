//! [`Quorum`]: the key shares that were given for one wrap. Distinct shares count, nothing is believed before a check
//! value and an authenticated decryption agree, and a full set that was wrong is forgotten whole.
//!
//! It can be stored, so that any node takes the next share: always sealed, by whoever keeps it.

use super::{
    Given, RootKey,
    shamir_seal::{SHARE_BYTES, point},
    wrap::Wrap,
};
use crate::{
    Error, Key32, Secret,
    crypto::{CryptoProvider, same, shamir},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{collections::BTreeMap, fmt};
use uuid::Uuid;
use zeroize::Zeroize;

/// Shares on their way to a quorum; wiped on drop.
pub struct Quorum {
    wrap: Uuid,
    shares: BTreeMap<u8, Secret<Vec<u8>>>,
}

/// What a quorum opened: the guard's key, proved by its wrap, and the root under it. It lives within one request.
#[allow(missing_debug_implementations, reason = "holds keys")]
pub struct Opened {
    pub(super) key: Key32,
    pub(super) root: RootKey,
}

impl Quorum {
    /// Nothing was given yet for this wrap.
    pub fn of(wrap: &Wrap) -> Self {
        Self { wrap: wrap.id, shares: BTreeMap::new() }
    }

    /// Are these shares of this wrap? Another guard in its place makes them worthless.
    pub fn is_of(&self, wrap: &Wrap) -> bool {
        self.wrap == wrap.id
    }

    /// Distinct shares given so far.
    pub fn count(&self) -> u8 {
        // A point is a non-zero byte, so there are at most 255.
        self.shares.len() as u8
    }

    /// Adds a share. `Some` when it completes a right set; what was given is then forgotten.
    ///
    /// A share that was already given counts once. `Invalid`, and not counted: a malformed share, and another share
    /// under a number already given. `Invalid`, and all are forgotten: a full set that does not open the wrap.
    pub fn give(
        &mut self,
        crypto: CryptoProvider,
        wrap: &Wrap,
        share: &Secret<Vec<u8>>,
    ) -> Result<Option<Opened>, Error> {
        if !self.is_of(wrap) {
            *self = Self::of(wrap);
        }
        self.count_in(share)?;
        if self.count() < wrap.guard.counts().1 {
            return Ok(None);
        }
        let opened = self.combine(crypto, wrap);
        self.shares.clear();
        opened.map(Some)
    }

    /// The same with what a person typed: a share, or the whole key of a guard without shares.
    pub fn take(
        &mut self,
        crypto: CryptoProvider,
        wrap: &Wrap,
        given: Given,
    ) -> Result<Option<Opened>, Error> {
        match given {
            Given::Share(share) => self.give(crypto, wrap, &share),
            Given::Whole(opened) => Ok(Some(opened)),
        }
    }

    fn count_in(&mut self, share: &Secret<Vec<u8>>) -> Result<(), Error> {
        let point = point(share)?;
        let bytes = share.expose();
        match self.shares.get(&point) {
            Some(known) if same(known.expose(), bytes) => Ok(()),
            Some(_) => Err(Error::invalid(format!(
                "another key share with the number {point} was already given; this one was not counted. \
                 If the first was wrong, start over: reset the unseal, or cancel the ceremony"
            ))),
            None => {
                self.shares.insert(point, Secret::new(bytes.clone()));
                Ok(())
            }
        }
    }

    fn combine(&self, crypto: CryptoProvider, wrap: &Wrap) -> Result<Opened, Error> {
        let shares: Vec<&[u8]> = self.shares.values().map(|share| share.expose().as_slice()).collect();
        let wrong = || {
            Error::invalid(
                "these key shares do not open this vault: at least one is wrong or of another vault (or sys/seal \
                 was changed). None was kept; start again with the first share",
            )
        };
        let combined = shamir::combine(&shares).map_err(|_| wrong())?;
        let key = key32(combined.expose()).ok_or_else(wrong)?;
        let root = wrap.open(crypto, &key).map_err(|_| wrong())?;
        Ok(Opened { key, root })
    }
}

impl Opened {
    /// The root key alone.
    pub fn into_root(self) -> RootKey {
        self.root
    }
}

fn key32(bytes: &[u8]) -> Option<Key32> {
    let bytes: &[u8; 32] = bytes.try_into().ok()?;
    Some(Secret::init(|key: &mut [u8; 32]| key.copy_from_slice(bytes)))
}

/// A quorum as it is stored (format 1): the wrap's id, and the shares in hex in the order of their numbers.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct QuorumText {
    wrap: String,
    shares: Vec<String>,
}

impl Drop for QuorumText {
    fn drop(&mut self) {
        self.shares.zeroize();
    }
}

impl Serialize for Quorum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shares = self.shares.values().map(|share| hex::encode(share.expose())).collect();
        QuorumText { wrap: self.wrap.to_string(), shares }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Quorum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = QuorumText::deserialize(deserializer)?;
        let wrap = Uuid::parse_str(&text.wrap).map_err(|_| D::Error::custom("not a wrap's id"))?;
        let mut quorum = Self { wrap, shares: BTreeMap::new() };
        for hex in &text.shares {
            let mut share = Secret::new(vec![0; SHARE_BYTES]);
            let read = hex::decode_to_slice(hex, share.expose_mut()).is_ok();
            if !read || quorum.count_in(&share).is_err() {
                return Err(D::Error::custom("not a key share"));
            }
        }
        Ok(quorum)
    }
}

impl fmt::Debug for Quorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Quorum({} shares of {})", self.shares.len(), self.wrap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barrier::{
        NewSeal, SEAL_KEY, SealFile,
        fixture::{Seeded, boot, entry, master, providers},
        make_vault,
    };

    fn sealed(seal: NewSeal<'_>) -> (SealFile, Vec<String>) {
        let birth = make_vault(providers()[0], Seeded::new(3), boot(1), seal).unwrap();
        let shares = birth.shares.iter().map(|share| hex::encode(share.expose())).collect();
        (SealFile::parse(&entry(SEAL_KEY, birth.seal)).unwrap(), shares)
    }

    /// `None` refused, else whether it opened; and how many are counted then.
    fn give(quorum: &mut Quorum, wrap: &Wrap, text: &str) -> (Option<bool>, u8) {
        let given = crate::barrier::fixture::given(wrap, text);
        let given = given.and_then(|given| quorum.take(providers()[0], wrap, given));
        (given.ok().map(|opened| opened.is_some()), quorum.count())
    }

    #[test]
    fn what_was_stored_goes_on_elsewhere() {
        let (file, shares) = sealed(NewSeal::Shamir { shares: 5, threshold: 3 });
        let mut quorum = Quorum::of(file.authority());
        let stored = |quorum: &Quorum| serde_json::to_string(quorum).unwrap();
        assert_eq!(give(&mut quorum, file.authority(), &shares[4]), (Some(false), 1));
        let mut quorum: Quorum = serde_json::from_str(&stored(&quorum)).unwrap();
        assert_eq!(give(&mut quorum, file.authority(), &shares[4]), (Some(false), 1), "a duplicate");
        assert_eq!(give(&mut quorum, file.authority(), &shares[1]), (Some(false), 2));
        let mut quorum: Quorum = serde_json::from_str(&stored(&quorum)).unwrap();
        assert_eq!(give(&mut quorum, file.authority(), &shares[0]), (Some(true), 0));
    }

    #[test]
    fn format_1_is_what_it_always_was() {
        const GOLDEN: &str = concat!(
            r#"{"wrap":"96676174-8e5c-43cb-a14f-560177dc7567","shares":["#,
            r#""eecc49fe8d90532778e903583479b1e0e7ee9bf55e86a67dfb69042c824e0a1801"]}"#
        );
        let quorum: Quorum = serde_json::from_str(GOLDEN).unwrap();
        assert_eq!((quorum.count(), serde_json::to_string(&quorum).unwrap().as_str()), (1, GOLDEN));
        for (from, to) in [("eecc", "zzcc"), ("1801\"", "1800\""), ("9667", "x"), ("\"shares", "\"more")] {
            assert!(GOLDEN.contains(from));
            assert!(serde_json::from_str::<Quorum>(&GOLDEN.replace(from, to)).is_err(), "{from} → {to}");
        }
    }

    #[test]
    fn a_guard_without_shares_is_asked_for_its_key() {
        let key = master(b'k');
        let (file, _) = sealed(NewSeal::Static(&key));
        let mut quorum = Quorum::of(file.authority());
        assert_eq!(give(&mut quorum, file.authority(), &"k".repeat(32)), (Some(true), 0));
        assert_eq!(give(&mut quorum, file.authority(), &"x".repeat(32)), (None, 0));
        assert_eq!(give(&mut quorum, file.authority(), &"ab".repeat(33)), (None, 0));
    }
}
