//! Provider one: the RustCrypto crates, pure Rust. The library's default.
//!
//! Scheduled keys wipe themselves: the `zeroize` features of `aes-gcm`, `sha2`, `hmac` and `ed25519-dalek` are on.

use super::{
    Argon2Cost, Cipher, CipherKey, CryptoProvider, Hash, Hmac, HmacKey, InvalidCost, Kdf, Label, Signer,
    SigningKey, Unauthentic, argon2id, stack::wiped, strict,
};
use crate::{Key32, Secret};
use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use hmac::Mac;
use sha2::{Digest, Sha256};
use std::fmt;

type HmacSha256 = hmac::Hmac<Sha256>;

/// The parts made of RustCrypto's crates.
pub fn provider() -> CryptoProvider {
    CryptoProvider {
        name: "rustcrypto",
        cipher: &RustCrypto,
        hash: &RustCrypto,
        hmac: &RustCrypto,
        kdf: &RustCrypto,
        signer: &RustCrypto,
    }
}

/// Compiles only while the crates' `zeroize` features are on.
const fn assert_wiped<T: zeroize::ZeroizeOnDrop>() {}
const _: () = {
    assert_wiped::<Aes256Gcm>();
    assert_wiped::<Sha256>(); // an HMAC key is two states of it
    assert_wiped::<ed25519_dalek::SigningKey>();
};

#[derive(Debug)]
struct RustCrypto;

struct AesKey(Aes256Gcm);

impl fmt::Debug for AesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AesKey")
    }
}

impl Cipher for RustCrypto {
    fn key(&self, key: &Key32) -> Box<dyn CipherKey> {
        Box::new(AesKey(Aes256Gcm::new(key.expose().into())))
    }
}

impl CipherKey for AesKey {
    #[allow(clippy::expect_used, reason = "Never: fails above 64 GiB alone, and limits.rs stops at 8 MiB")]
    fn seal(&self, nonce: &[u8; 12], aad: &[u8], data: &mut [u8]) -> [u8; 16] {
        let tag = self.0.encrypt_inout_detached(nonce.into(), aad, data.into());
        tag.expect("data is far below GCM's limit").into()
    }

    // The crate checks the tag before it decrypts the first byte. The wipe makes both providers behave alike.
    fn open(&self, nonce: &[u8; 12], aad: &[u8], data: &mut [u8], tag: &[u8; 16]) -> Result<(), Unauthentic> {
        if self.0.decrypt_inout_detached(nonce.into(), aad, (&mut *data).into(), tag.into()).is_ok() {
            return Ok(());
        }
        data.fill(0);
        Err(Unauthentic)
    }
}

impl Hash for RustCrypto {
    fn sha256(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut hash = Sha256::new();
        parts.iter().for_each(|part| hash.update(part));
        hash.finalize().into()
    }
}

struct MacKey(HmacSha256);

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey")
    }
}

impl Hmac for RustCrypto {
    #[allow(clippy::expect_used, reason = "Never: HMAC takes keys of any length (RFC 2104)")]
    fn key(&self, key: &[u8]) -> Box<dyn HmacKey> {
        Box::new(MacKey(HmacSha256::new_from_slice(key).expect("any length is a key")))
    }
}

impl HmacKey for MacKey {
    fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        wiped(|| {
            let mut mac = self.0.clone();
            parts.iter().for_each(|part| mac.update(part));
            mac.finalize().into_bytes().into()
        })
    }
}

/// HKDF as RFC 5869 writes it, for the tests of the primitive; `out` is at most 8,160 bytes.
#[allow(clippy::expect_used, reason = "Never: callers ask for 32 bytes, the tests for 82")]
pub(crate) fn hkdf_raw(salt: &[u8], key: &[u8], info: &[&[u8]], out: &mut [u8]) {
    hkdf::Hkdf::<Sha256>::new(Some(salt), key)
        .expand_multi_info(info, out)
        .expect("out is at most 255 blocks");
}

/// PBKDF2 with an output of any length, for the tests of the primitive.
pub(crate) fn pbkdf2_raw(password: &[u8], salt: &[u8], iterations: u32, out: &mut [u8]) {
    pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, out);
}

impl Kdf for RustCrypto {
    fn hkdf(&self, key: &[u8], label: Label, context: &[u8]) -> Key32 {
        Secret::init(|out: &mut [u8; 32]| hkdf_raw(&[], key, &[label.as_bytes(), &[0], context], out))
    }

    fn pbkdf2(&self, password: &[u8], salt: &[u8], iterations: u32) -> Key32 {
        Secret::init(|out: &mut [u8; 32]| pbkdf2_raw(password, salt, iterations, out))
    }

    fn argon2id(&self, password: &[u8], salt: &[u8], cost: Argon2Cost) -> Result<Key32, InvalidCost> {
        argon2id::derive_key(password, salt, cost)
    }
}

struct Ed25519Key(ed25519_dalek::SigningKey);

impl fmt::Debug for Ed25519Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ed25519Key")
    }
}

impl Signer for RustCrypto {
    fn key(&self, seed: &Key32) -> Box<dyn SigningKey> {
        Box::new(Ed25519Key(ed25519_dalek::SigningKey::from_bytes(seed.expose())))
    }

    fn verify(&self, public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Result<(), Unauthentic> {
        strict::check(public, signature)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(public).map_err(|_| Unauthentic)?;
        key.verify_strict(message, &signature.into()).map_err(|_| Unauthentic)
    }
}

impl SigningKey for Ed25519Key {
    fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        use ed25519_dalek::Signer as _;
        self.0.sign(message).to_bytes()
    }
}

#[cfg(test)]
mod tests {
    crate::crypto::battery::run!(super::provider(), super::hkdf_raw, super::pbkdf2_raw);
}
