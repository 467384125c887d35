//! What every provider must pass. [`check_provider`] is for whoever replaces a part; the two providers of this crate
//! also run Wycheproof and the primitives beneath the traits, through one macro, and must agree on every byte.

#[cfg(all(test, feature = "rustcrypto", feature = "aws-lc-rs"))]
mod agree;
mod golden;
mod known;
#[cfg(test)]
pub(super) mod primitives;
#[cfg(test)]
pub(super) mod wycheproof;

use super::CryptoProvider;

/// A case of the battery: panics when the provider fails it.
pub type Case = fn(&CryptoProvider);

/// The cases that use the traits alone, by name.
pub const CASES: &[(&str, Case)] = &[
    ("aes_gcm_known", known::aes_gcm),
    ("aes_gcm_refuses_every_flipped_bit", known::aes_gcm_refuses),
    ("sha256_known", known::sha256),
    ("hmac_rfc_4231", known::hmac),
    ("pbkdf2_rfc_7914", known::pbkdf2),
    ("argon2id_reference", known::argon2id),
    ("ed25519_rfc_8032", known::ed25519),
    ("ed25519_is_strict", known::ed25519_is_strict),
    ("golden_derivations", golden::derivations),
    ("golden_ciphertext", golden::ciphertext),
];

/// Runs all [`CASES`].
pub fn check_provider(provider: &CryptoProvider) {
    CASES.iter().for_each(|(_, case)| case(provider));
}

/// The battery of one provider: its parts, its HKDF and its PBKDF2 beneath the trait.
#[cfg(test)]
macro_rules! run {
    ($provider:expr, $hkdf:expr, $pbkdf2:expr) => {
        use crate::crypto::battery::{CASES, primitives, wycheproof};

        #[test]
        fn cases() {
            for (name, case) in CASES {
                println!("{}: {name}", $provider.name);
                case(&$provider);
            }
        }

        #[test]
        fn wycheproof_aes_gcm() {
            wycheproof::aes_gcm(&$provider);
        }

        #[test]
        fn wycheproof_hmac() {
            wycheproof::hmac(&$provider);
        }

        #[test]
        fn wycheproof_ed25519() {
            wycheproof::ed25519(&$provider);
        }

        #[test]
        fn wycheproof_hkdf() {
            wycheproof::hkdf($hkdf);
        }

        #[test]
        fn wycheproof_pbkdf2() {
            wycheproof::pbkdf2($pbkdf2);
        }

        #[test]
        fn hkdf_rfc_5869() {
            primitives::hkdf($hkdf);
        }

        #[test]
        fn pbkdf2_rfc_7914_whole_output() {
            primitives::pbkdf2($pbkdf2);
        }
    };
}
#[cfg(test)]
pub(super) use run;

/// Bytes of a hex literal of a test vector.
#[allow(clippy::expect_used, reason = "Never: a literal of ours; and a battery may panic")]
fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).expect("a test vector is hex")
}

/// Bytes of a hex literal of known length.
#[allow(clippy::expect_used, reason = "Never: a literal of ours; and a battery may panic")]
fn array<const N: usize>(hex: &str) -> [u8; N] {
    bytes(hex).try_into().expect("a test vector of this length")
}
