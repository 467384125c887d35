//! Cryptography as a value. [`CryptoProvider`] is a struct of parts: replace one with `..provider`. This module is
//! the only one that names a crypto crate; the parts are named after what they are, the algorithms are fixed.

use crate::{Key32, Secret};
use std::fmt;

#[cfg(any(feature = "rustcrypto", feature = "aws-lc-rs"))]
mod argon2id;
#[cfg(feature = "aws-lc-rs")]
pub mod aws_lc;
#[cfg(any(test, feature = "testing"))]
pub mod battery;
pub mod rng;
#[cfg(feature = "rustcrypto")]
pub mod rustcrypto;
pub mod shamir;
#[cfg(any(feature = "rustcrypto", feature = "aws-lc-rs"))]
mod stack;
#[cfg(any(feature = "rustcrypto", feature = "aws-lc-rs"))]
mod strict;

/// Authentication failed: the data, its associated data, its key or its signature is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("authentication failed")]
pub struct Unauthentic;

/// AES-256-GCM with a 96-bit nonce and a 128-bit tag (NIST SP 800-38D).
pub trait Cipher: fmt::Debug + Send + Sync {
    /// Schedules a key once, for many uses.
    fn key(&self, key: &Key32) -> Box<dyn CipherKey>;
}

/// A scheduled key; wiped on drop.
pub trait CipherKey: fmt::Debug + Send + Sync {
    /// Encrypts in place and returns the tag. A nonce is used once.
    fn seal(&self, nonce: &[u8; 12], aad: &[u8], data: &mut [u8]) -> [u8; 16];
    /// Decrypts in place; on failure `data` is all zeros.
    fn open(&self, nonce: &[u8; 12], aad: &[u8], data: &mut [u8], tag: &[u8; 16]) -> Result<(), Unauthentic>;
}

/// SHA-256 (FIPS 180-4).
pub trait Hash: fmt::Debug + Send + Sync {
    /// Digest of the parts joined.
    fn sha256(&self, parts: &[&[u8]]) -> [u8; 32];
}

/// HMAC-SHA-256 (RFC 2104).
pub trait Hmac: fmt::Debug + Send + Sync {
    /// Prepares a key of any length once, for many uses.
    fn key(&self, key: &[u8]) -> Box<dyn HmacKey>;
}

/// A prepared key; wiped on drop.
pub trait HmacKey: fmt::Debug + Send + Sync {
    /// Tag of the parts joined. To be compared through [`same`].
    fn tag(&self, parts: &[&[u8]]) -> [u8; 32];
}

/// What a derived key is for. Each label separates its keys from all others (RFC 5869 `info`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// Data key of a boot under a term key; context is the boot id.
    DataKey,
    /// Key that wraps the root key under a key that was shared out.
    ShamirSeal,
    /// Key that wraps the root key under a static seal's master key.
    StaticSeal,
    /// Key that wraps the root key under a passphrase.
    PassphraseSeal,
    /// Key that seals the keyring, under the root key.
    Keyring,
    /// Check value of a guard's key: recognises a wrong key before anything is believed.
    KeyCheck,
    /// Key of the audit lane's HMAC.
    Audit,
    /// Key of an encrypted snapshot.
    Snapshot,
}

impl Label {
    /// The bytes that go into the derivation; part of format 1, never changed.
    pub fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::DataKey => b"secrethub v1 data key",
            Self::ShamirSeal => b"secrethub v1 shamir seal",
            Self::StaticSeal => b"secrethub v1 static seal",
            Self::PassphraseSeal => b"secrethub v1 passphrase seal",
            Self::Keyring => b"secrethub v1 keyring",
            Self::KeyCheck => b"secrethub v1 key check",
            Self::Audit => b"secrethub v1 audit",
            Self::Snapshot => b"secrethub v1 snapshot",
        }
    }
}

/// Key derivation: HKDF-SHA-256 (RFC 5869), PBKDF2-HMAC-SHA-256 (NIST SP 800-132), Argon2id (RFC 9106).
pub trait Kdf: fmt::Debug + Send + Sync {
    /// HKDF with `info` = label ‖ 0x00 ‖ context and an empty salt.
    fn hkdf(&self, key: &[u8], label: Label, context: &[u8]) -> Key32;
    /// PBKDF2; no iterations count as one. Runs long: call it through `Host::run_blocking`.
    fn pbkdf2(&self, password: &[u8], salt: &[u8], iterations: u32) -> Key32;
    /// Argon2id, version 0x13. Runs long and takes much memory.
    fn argon2id(&self, password: &[u8], salt: &[u8], cost: Argon2Cost) -> Result<Key32, InvalidCost>;
}

/// What an Argon2id hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for Argon2Cost {
    /// 19 MiB, 2 passes, 1 lane: OWASP's minimum for interactive logins.
    fn default() -> Self {
        Self { memory_kib: 19_456, passes: 2, lanes: 1 }
    }
}

/// Argon2 parameters or a salt outside RFC 9106's bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Argon2 parameters are out of bounds")]
pub struct InvalidCost;

/// Ed25519 (RFC 8032).
pub trait Signer: fmt::Debug + Send + Sync {
    /// Makes a key ready from its 32-byte seed.
    fn key(&self, seed: &Key32) -> Box<dyn SigningKey>;
    /// Verifies strictly: small-order keys and non-canonical signatures are refused.
    fn verify(&self, public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Result<(), Unauthentic>;
}

/// A signing key; wiped on drop.
pub trait SigningKey: fmt::Debug + Send + Sync {
    /// The public half.
    fn public(&self) -> [u8; 32];
    /// Signs a message.
    fn sign(&self, message: &[u8]) -> [u8; 64];
}

/// The parts. Values are cheap to copy; a vault is given one at open.
#[derive(Clone, Copy, Debug)]
pub struct CryptoProvider {
    /// Who made it, for logs.
    pub name: &'static str,
    /// AES-256-GCM.
    pub cipher: &'static dyn Cipher,
    /// SHA-256.
    pub hash: &'static dyn Hash,
    /// HMAC-SHA-256.
    pub hmac: &'static dyn Hmac,
    /// Key derivation.
    pub kdf: &'static dyn Kdf,
    /// Ed25519.
    pub signer: &'static dyn Signer,
}

/// Compares in time that depends on the lengths alone.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    use subtle::ConstantTimeEq;
    bool::from(a.ct_eq(b))
}

/// A random 256-bit key from a source of entropy.
pub fn make_key(fill_random: impl FnOnce(&mut [u8])) -> Key32 {
    Secret::init(|bytes: &mut [u8; 32]| fill_random(bytes))
}
