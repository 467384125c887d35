//! Provider two: AWS-LC through `aws-lc-rs`, assembler with a FIPS build. The binary's default. Bytes are the same
//! as [`super::rustcrypto`]'s. Argon2id is shared with it, because AWS-LC has none.
//!
//! AWS-LC wipes every allocation before it frees it, so keys and contexts need nothing of ours.

use super::{
    Argon2Cost, Cipher, CipherKey, CryptoProvider, Hash, Hmac, HmacKey, InvalidCost, Kdf, Label, Signer,
    SigningKey, Unauthentic, argon2id, stack::wiped, strict,
};
use crate::{Key32, Secret};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, VerificationAlgorithm};
use aws_lc_rs::{digest, hkdf, hmac, pbkdf2};
use std::{fmt, num::NonZeroU32};

/// The parts made of AWS-LC.
pub fn provider() -> CryptoProvider {
    CryptoProvider {
        name: if cfg!(feature = "fips") { "aws-lc-fips" } else { "aws-lc" },
        cipher: &AwsLc,
        hash: &AwsLc,
        hmac: &AwsLc,
        kdf: &AwsLc,
        signer: &AwsLc,
    }
}

#[derive(Debug)]
struct AwsLc;

struct AesKey(LessSafeKey);

impl fmt::Debug for AesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AesKey")
    }
}

impl Cipher for AwsLc {
    #[allow(clippy::expect_used, reason = "Never: fails on a wrong key length or when memory is out")]
    fn key(&self, key: &Key32) -> Box<dyn CipherKey> {
        let key = UnboundKey::new(&AES_256_GCM, key.expose()).expect("32 bytes are an AES-256 key");
        Box::new(AesKey(LessSafeKey::new(key)))
    }
}

impl CipherKey for AesKey {
    #[allow(clippy::expect_used, reason = "Never: fails above 64 GiB alone, and limits.rs stops at 8 MiB")]
    fn seal(&self, nonce: &[u8; 12], aad: &[u8], data: &mut [u8]) -> [u8; 16] {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(aad), data)
            .expect("data is within GCM's limit");
        tag.as_ref().try_into().expect("GCM's tag has 16 bytes")
    }

    // AWS-LC decrypts while it authenticates and wipes its output on failure; as its binding does not promise that,
    // it is done again.
    fn open(&self, nonce: &[u8; 12], aad: &[u8], data: &mut [u8], tag: &[u8; 16]) -> Result<(), Unauthentic> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.0.open_in_place_separate_tag(nonce, Aad::from(aad), tag, data).is_ok();
        if opened {
            return Ok(());
        }
        data.fill(0);
        Err(Unauthentic)
    }
}

impl Hash for AwsLc {
    #[allow(clippy::expect_used, reason = "Never: SHA-256 has 32 bytes")]
    fn sha256(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut hash = digest::Context::new(&digest::SHA256);
        parts.iter().for_each(|part| hash.update(part));
        hash.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
}

struct MacKey(hmac::Key);

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey")
    }
}

impl Hmac for AwsLc {
    fn key(&self, key: &[u8]) -> Box<dyn HmacKey> {
        Box::new(MacKey(hmac::Key::new(hmac::HMAC_SHA256, key)))
    }
}

impl HmacKey for MacKey {
    #[allow(clippy::expect_used, reason = "Never: HMAC-SHA-256 has 32 bytes")]
    fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        wiped(|| {
            let mut mac = hmac::Context::with_key(&self.0);
            parts.iter().for_each(|part| mac.update(part));
            mac.sign().as_ref().try_into().expect("HMAC-SHA-256 has 32 bytes")
        })
    }
}

/// A length of output for `aws_lc_rs::hkdf`.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF as RFC 5869 writes it, for the tests of the primitive; `out` is at most 8,160 bytes.
#[allow(clippy::expect_used, reason = "Never: callers ask for 32 bytes, the tests for 82")]
pub(crate) fn hkdf_raw(salt: &[u8], key: &[u8], info: &[&[u8]], out: &mut [u8]) {
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(key);
    let okm = prk.expand(info, Length(out.len())).expect("out is at most 255 blocks");
    okm.fill(out).expect("the length is out's");
}

/// PBKDF2 with an output of any length, for the tests of the primitive.
pub(crate) fn pbkdf2_raw(password: &[u8], salt: &[u8], iterations: u32, out: &mut [u8]) {
    let iterations = NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, password, out);
}

impl Kdf for AwsLc {
    // 32 zero bytes are what RFC 5869 §2.2 means by no salt; spelt out, because the FIPS module refuses an empty one.
    fn hkdf(&self, key: &[u8], label: Label, context: &[u8]) -> Key32 {
        Secret::init(|out: &mut [u8; 32]| hkdf_raw(&[0; 32], key, &[label.as_bytes(), &[0], context], out))
    }

    fn pbkdf2(&self, password: &[u8], salt: &[u8], iterations: u32) -> Key32 {
        Secret::init(|out: &mut [u8; 32]| pbkdf2_raw(password, salt, iterations, out))
    }

    fn argon2id(&self, password: &[u8], salt: &[u8], cost: Argon2Cost) -> Result<Key32, InvalidCost> {
        argon2id::derive_key(password, salt, cost)
    }
}

struct Ed25519Key(Ed25519KeyPair);

impl fmt::Debug for Ed25519Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ed25519Key")
    }
}

impl Signer for AwsLc {
    #[allow(clippy::expect_used, reason = "Never: every 32 bytes are a seed (RFC 8032 §5.1.5)")]
    fn key(&self, seed: &Key32) -> Box<dyn SigningKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose());
        Box::new(Ed25519Key(pair.expect("32 bytes are a seed")))
    }

    fn verify(&self, public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Result<(), Unauthentic> {
        strict::check(public, signature)?;
        ED25519.verify_sig(public, message, signature).map_err(|_| Unauthentic)
    }
}

impl SigningKey for Ed25519Key {
    #[allow(clippy::expect_used, reason = "Never: Ed25519's public key has 32 bytes")]
    fn public(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().expect("Ed25519's public key has 32 bytes")
    }

    #[allow(clippy::expect_used, reason = "Never: Ed25519's signature has 64 bytes")]
    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).as_ref().try_into().expect("Ed25519's signature has 64 bytes")
    }
}

#[cfg(test)]
mod tests {
    crate::crypto::battery::run!(super::provider(), super::hkdf_raw, super::pbkdf2_raw);
}
