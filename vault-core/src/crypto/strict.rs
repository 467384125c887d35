//! What RFC 8032 leaves open, closed alike for both providers: a public key, or the `R` of a signature, that is not
//! canonical or has small order is refused before any arithmetic. (With a small-order key one signature fits every
//! message.) All of it is public data, so nothing here needs constant time.

use super::Unauthentic;

/// The y coordinates of the eight points of small order, little-endian; every sign of x goes with them.
const SMALL_ORDER_Y: [[u8; 32]; 5] = [
    y_of([0, 0, 0, 0]),
    y_of([1, 0, 0, 0]),
    y_of([0xffff_ffff_ffff_ffec, u64::MAX, u64::MAX, 0x7fff_ffff_ffff_ffff]),
    y_of([0xb027_b2c2_8f95_e826, 0xf098_eff2_89f4_c345, 0x3933_c6d3_05ac_dfd5, 0x05fc_536d_8802_38b1]),
    y_of([0x4fd8_4d3d_706a_17c7, 0x0f67_100d_760b_3cba, 0xc6cc_392c_fa53_202a, 0x7a03_ac92_77fd_c74e]),
];

/// Refuses a public key or an `R` that is non-canonical or of small order.
pub(super) fn check(public: &[u8; 32], signature: &[u8; 64]) -> Result<(), Unauthentic> {
    let [r, _s] = [&signature[..32], &signature[32..]];
    if is_sound(public) && is_sound(r) { Ok(()) } else { Err(Unauthentic) }
}

fn is_sound(point: &[u8]) -> bool {
    let mut y = [0; 32];
    y.copy_from_slice(point);
    y[31] &= 0x7f; // the top bit is the sign of x
    is_canonical(&y) && !SMALL_ORDER_Y.contains(&y)
}

/// y < p = 2^255 - 19: the nineteen encodings from p upwards differ from p's in the lowest byte alone.
fn is_canonical(y: &[u8; 32]) -> bool {
    !(y[0] >= 0xed && y[1..31].iter().all(|byte| *byte == 0xff) && y[31] == 0x7f)
}

const fn y_of(words: [u64; 4]) -> [u8; 32] {
    let mut bytes = [0; 32];
    let mut i = 0;
    while i < 32 {
        bytes[i] = words[i / 8].to_le_bytes()[i % 8];
        i += 1;
    }
    bytes
}

#[cfg(all(test, feature = "rustcrypto"))]
mod tests {
    use super::*;
    use ed25519_dalek::VerifyingKey;

    #[test]
    fn every_listed_point_is_of_small_order_and_a_real_key_is_not() {
        for y in SMALL_ORDER_Y {
            for sign in [0, 0x80] {
                let mut point = y;
                point[31] |= sign;
                assert!(!is_sound(&point));
                if let Ok(key) = VerifyingKey::from_bytes(&point) {
                    assert!(key.is_weak(), "{point:02x?}");
                }
            }
            assert!(VerifyingKey::from_bytes(&y).is_ok(), "on the curve: {y:02x?}");
        }
        let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key();
        assert!(!key.is_weak() && is_sound(key.as_bytes()));
    }

    #[test]
    fn canonical_ends_below_p() {
        let check = |lowest: u8, expect: bool| {
            let mut y = [0xff; 32];
            (y[0], y[31]) = (lowest, 0x7f);
            assert_eq!(is_canonical(&y), expect, "{lowest:02x}");
        };
        check(0xec, true);
        check(0xed, false);
        check(0xff, false);
        assert!(is_canonical(&[0xee; 32].map(|byte: u8| byte & 0x7f)));
    }
}
