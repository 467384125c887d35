//! One way to the root key: the root, encrypted under a key that somebody outside guards, with a check value by which
//! a wrong key is recognised before anything is believed.
//!
//! Check value, wrapping key and the associated data of the encryption all cover [`Wrap::about`]: identity, time, kind,
//! shares and threshold cannot be changed without the wrap refusing every key.

use super::{passphrase_seal::Stretch, root::RootKey};
use crate::{
    Key32, Secret,
    crypto::{self, CryptoProvider, Label},
    host::Host,
    id::Timestamp,
};
use std::fmt;
use uuid::Uuid;

const ABOUT: &[u8] = b"secrethub v1 wrap\0";
/// Bytes of a check value: 128 bits of a PRF, so no wrong key passes and the key does not show.
pub(super) const CHECK_BYTES: usize = 16;
/// Nonce, encrypted root, tag.
pub(super) const WRAPPED_BYTES: usize = 12 + 32 + 16;

/// Who guards the key that opens a wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// People, each with a share; any `threshold` of them suffice.
    Shamir {
        /// How many shares were given out.
        shares: u8,
        /// How many are needed.
        threshold: u8,
    },
    /// The environment, with the master key.
    Static,
    /// Who knows a passphrase.
    Passphrase(Stretch),
    /// People, beside a guard without shares: they authorise what its shares would, and take over if it is lost.
    Recovery {
        /// How many shares were given out.
        shares: u8,
        /// How many are needed.
        threshold: u8,
    },
}

impl Guard {
    /// `shamir`, `static`, `passphrase` or `recovery`, as it stands in `sys/seal`.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Shamir { .. } => "shamir",
            Self::Static => "static",
            Self::Passphrase(_) => "passphrase",
            Self::Recovery { .. } => "recovery",
        }
    }

    /// Shares given out and shares needed; one of one where nobody shares.
    pub fn counts(self) -> (u8, u8) {
        match self {
            Self::Shamir { shares, threshold } | Self::Recovery { shares, threshold } => (shares, threshold),
            Self::Static | Self::Passphrase(_) => (1, 1),
        }
    }

    fn label(self) -> Label {
        match self {
            // The two differ in `about`, which is the derivation's context.
            Self::Shamir { .. } | Self::Recovery { .. } => Label::ShamirSeal,
            Self::Static => Label::StaticSeal,
            Self::Passphrase(_) => Label::PassphraseSeal,
        }
    }

    /// What a kind has of its own, and every key of it is bound to.
    fn about(self) -> Vec<u8> {
        match self {
            Self::Passphrase(stretch) => stretch.about(),
            Self::Shamir { .. } | Self::Static | Self::Recovery { .. } => Vec::new(),
        }
    }
}

/// The key does not open the wrap: it is another key, or the wrap was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key does not open this wrap")]
pub(super) struct WrongKey;

/// The root key under one guard's key.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrap {
    pub(super) id: Uuid,
    pub(super) created: Timestamp,
    pub(super) guard: Guard,
    pub(super) check: [u8; CHECK_BYTES],
    pub(super) wrapped: [u8; WRAPPED_BYTES],
}

impl Wrap {
    /// Who guards the key.
    pub fn guard(&self) -> Guard {
        self.guard
    }

    /// Wraps the root under a guard's key.
    pub(super) fn make(
        crypto: CryptoProvider,
        host: &dyn Host,
        guard: Guard,
        key: &Key32,
        root: &RootKey,
    ) -> Self {
        let (check, mut wrapped) = ([0; CHECK_BYTES], [0; WRAPPED_BYTES]);
        host.fill_random(&mut wrapped[..12]);
        let mut wrap = Self { id: make_uuid(host), created: host.now(), guard, check, wrapped };
        wrap.seal(crypto, key, root);
        wrap
    }

    /// Fills check value and ciphertext; the nonce already stands in front.
    pub(super) fn seal(&mut self, crypto: CryptoProvider, key: &Key32, root: &RootKey) {
        let about = self.about();
        self.check = check_value(crypto, key, &about);
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&self.wrapped[..12]);
        self.wrapped[12..44].copy_from_slice(root.expose());
        let cipher = crypto.cipher.key(&self.wrapping_key(crypto, key, &about));
        let tag = cipher.seal(&nonce, &about, &mut self.wrapped[12..44]);
        self.wrapped[44..].copy_from_slice(&tag);
    }

    /// Unwraps the root, if `key` is the guard's and nothing was changed.
    pub(super) fn open(&self, crypto: CryptoProvider, key: &Key32) -> Result<RootKey, WrongKey> {
        let about = self.about();
        if !crypto::same(&check_value(crypto, key, &about), &self.check) {
            return Err(WrongKey);
        }
        let (nonce, rest) = self.wrapped.split_first_chunk().ok_or(WrongKey)?;
        let (body, tag) = rest.split_last_chunk().ok_or(WrongKey)?;
        let mut root = Secret::init(|bytes: &mut [u8; 32]| bytes.copy_from_slice(body));
        let cipher = crypto.cipher.key(&self.wrapping_key(crypto, key, &about));
        cipher.open(nonce, &about, root.expose_mut(), tag).map_err(|_| WrongKey)?;
        Ok(RootKey::new(root))
    }

    /// Format 1: domain ‖ id(16) ‖ created in µs(8) ‖ length of kind(1) ‖ kind ‖ shares(1) ‖ threshold(1) ‖ what the kind has of
    /// its own.
    fn about(&self) -> Vec<u8> {
        let (shares, threshold) = self.guard.counts();
        let kind = self.guard.kind();
        let (id, created) = (self.id.into_bytes(), self.created.0.to_be_bytes());
        let own = self.guard.about();
        [ABOUT, &id, &created, &[kind.len() as u8], kind.as_bytes(), &[shares, threshold], &own].concat()
    }

    fn wrapping_key(&self, crypto: CryptoProvider, key: &Key32, about: &[u8]) -> Key32 {
        crypto.kdf.hkdf(key.expose(), self.guard.label(), about)
    }
}

fn check_value(crypto: CryptoProvider, key: &Key32, about: &[u8]) -> [u8; CHECK_BYTES] {
    let long = crypto.kdf.hkdf(key.expose(), Label::KeyCheck, about);
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&long.expose()[..CHECK_BYTES]);
    check
}

/// A random (version 4) UUID.
pub(super) fn make_uuid(host: &dyn Host) -> Uuid {
    let mut bytes = [0; 16];
    host.fill_random(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

impl fmt::Debug for Wrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wrap({} {:?})", self.id, self.guard)
    }
}
