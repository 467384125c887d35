//! Golden vectors of our own derivations: part of format 1. `tests/golden/crypto.json` was written by another
//! implementation in another language and is never changed; a new label adds a line.

use super::bytes;
use crate::Secret;
use crate::crypto::{CryptoProvider, Label, shamir};
use serde::Deserialize;
use std::{array, collections::BTreeMap, iter};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    /// HKDF of key 00 01 … 1f with context "context", by label.
    hkdf: BTreeMap<String, String>,
    /// PBKDF2 of "correct horse" with salt 00 01 … 0f and 1,000 iterations.
    pbkdf2: String,
    /// Ed25519 with seed 00 01 … 1f: public key, and signature of "message".
    ed25519: [String; 2],
    /// AES-256-GCM with key 00 01 … 1f, nonce 00 01 … 0b, associated data "header", plaintext "plaintext": data ‖ tag.
    aes_gcm: String,
    /// Shares 1 to 3 of "secret", threshold 2, every random byte one more than the last, from 01.
    shamir: [String; 3],
}

#[allow(clippy::expect_used, reason = "Never: a file of ours, compiled in; and a battery may panic")]
fn load() -> Golden {
    serde_json::from_str(include_str!("../../../tests/golden/crypto.json"))
        .expect("the golden vectors are readable")
}

/// The label after `label`. It compiles only while it names them all: whoever adds one adds its vector.
fn next(label: Label) -> Option<Label> {
    match label {
        Label::DataKey => Some(Label::StaticSeal),
        Label::StaticSeal => Some(Label::ShamirSeal),
        Label::ShamirSeal => Some(Label::PassphraseSeal),
        Label::PassphraseSeal => Some(Label::Keyring),
        Label::Keyring => Some(Label::KeyCheck),
        Label::KeyCheck => Some(Label::Audit),
        Label::Audit => Some(Label::Snapshot),
        Label::Snapshot => None,
    }
}

fn counted<const N: usize>() -> [u8; N] {
    array::from_fn(|i| i.to_le_bytes()[0])
}

/// Keys from every label, from a passphrase, and from a seed.
pub(super) fn derivations(provider: &CryptoProvider) {
    let golden = load();
    let derived: BTreeMap<String, String> = iter::successors(Some(Label::DataKey), |label| next(*label))
        .map(|label| (label, provider.kdf.hkdf(&counted::<32>(), label, b"context")))
        .map(|(label, key)| (format!("{label:?}"), hex::encode(key.expose())))
        .collect();
    assert_eq!(derived, golden.hkdf);
    let key = provider.kdf.pbkdf2(b"correct horse", &counted::<16>(), 1_000);
    assert_eq!(hex::encode(key.expose()), golden.pbkdf2);
    let signer = provider.signer.key(&Secret::new(counted()));
    assert_eq!([hex::encode(signer.public()), hex::encode(signer.sign(b"message"))], golden.ed25519);
}

/// What is stored: sealed bytes, and shares in people's hands.
pub(super) fn ciphertext(provider: &CryptoProvider) {
    let golden = load();
    let key = provider.cipher.key(&Secret::new(counted()));
    let mut data = *b"plaintext";
    let tag = key.seal(&counted(), b"header", &mut data);
    assert_eq!([&data[..], &tag].concat(), bytes(&golden.aes_gcm));

    let mut last = 0;
    let mut count_up = |out: &mut [u8]| {
        for byte in out {
            last += 1;
            *byte = last;
        }
    };
    let shares = shamir::split(b"secret", 3, 2, &mut count_up).unwrap_or_default();
    let shares: Vec<String> = shares.iter().map(|share| hex::encode(share.expose())).collect();
    assert_eq!(shares, golden.shamir);
}
