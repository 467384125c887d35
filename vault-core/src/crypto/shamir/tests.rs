//! Tests of the field, of splitting and of combining, and against a stranger's implementation.

use super::*;
use blahaj::{Share, Sharks};
use proptest::prelude::*;

fn fixed(seed: u64) -> impl FnMut(&mut [u8]) {
    use rand_core::{Rng, SeedableRng};
    let mut rng = chacha20::ChaCha20Rng::seed_from_u64(seed);
    move |out| rng.fill_bytes(out)
}

fn combine_of(shares: &[Secret<Vec<u8>>], which: &[usize]) -> Vec<u8> {
    let picked: Vec<&[u8]> = which.iter().map(|i| &shares[*i].expose()[..]).collect();
    combine(&picked).unwrap().expose().clone()
}

/// Every product against the schoolbook one, which branches as it likes.
#[test]
fn multiplies_as_the_schoolbook_does() {
    let schoolbook = |a: u8, b: u8| {
        let carryless = (0..8).filter(|i| b >> i & 1 == 1).fold(0u16, |sum, i| sum ^ u16::from(a) << i);
        let reduced =
            (8..15).rev().fold(carryless, |v, i| if v >> i & 1 == 1 { v ^ 0x11b << (i - 8) } else { v });
        u8::try_from(reduced).unwrap()
    };
    for a in 0..=255 {
        for b in 0..=255 {
            assert_eq!(mul(a, b), schoolbook(a, b), "{a:02x} {b:02x}");
        }
    }
    assert_eq!(mul(0x57, 0x83), 0xc1, "FIPS 197 §4.2");
}

#[test]
fn inverts_all_but_zero() {
    assert_eq!(invert(0), 0);
    assert!((1..=255).all(|a| mul(a, invert(a)) == 1));
}

#[test]
fn refuses_what_cannot_be_split() {
    let check = |secret: &[u8], shares, threshold, expect| {
        assert_eq!(split(secret, shares, threshold, &mut fixed(0)).err(), expect, "{threshold}/{shares}");
    };
    check(b"", 1, 1, Some(InvalidSplit::Empty));
    check(b"s", 0, 0, Some(InvalidSplit::Threshold));
    check(b"s", 3, 0, Some(InvalidSplit::Threshold));
    check(b"s", 3, 4, Some(InvalidSplit::Threshold));
    check(b"s", 1, 1, None);
    check(b"s", 255, 255, None);
}

#[test]
fn refuses_shares_that_cannot_belong_together() {
    let check = |shares: &[&[u8]], expect| assert_eq!(combine(shares).err(), Some(expect), "{shares:?}");
    check(&[], InvalidShares::None);
    check(&[&[]], InvalidShares::Length);
    check(&[&[1]], InvalidShares::Length);
    check(&[&[1, 1], &[1, 1, 2]], InvalidShares::Length);
    check(&[&[7, 1], &[7, 0]], InvalidShares::ZeroX);
    check(&[&[7, 3], &[8, 3]], InvalidShares::Duplicate);
}

#[test]
fn a_threshold_of_one_hands_out_the_secret() {
    for (i, share) in split(b"secret", 3, 1, &mut fixed(0)).unwrap().iter().enumerate() {
        let (y, x) = share.expose().split_at(6);
        assert_eq!((y, x), (&b"secret"[..], &[u8::try_from(i).unwrap() + 1][..]));
    }
}

#[test]
fn two_hundred_and_fifty_five_of_as_many() {
    let shares = split(&[0x5a; 32], 255, 255, &mut fixed(1)).unwrap();
    let all: Vec<usize> = (0..255).collect();
    assert_eq!(combine_of(&shares, &all), [0x5a; 32]);
    assert_ne!(combine_of(&shares, &all[1..]), [0x5a; 32]);
}

/// With one share of a 2-of-n split, every secret must stay possible: over all 256 coefficients each y appears once.
/// A generator that avoids a zero leading coefficient (RUSTSEC-2024-0398) fails here.
#[test]
fn one_share_too_few_rules_no_secret_out() {
    let ys: std::collections::HashSet<u8> = (0..=255)
        .map(|coefficient| split(&[0x42], 2, 2, &mut |out| out.fill(coefficient)).unwrap()[1].expose()[0])
        .collect();
    assert_eq!(ys.len(), 256);
}

/// The random bytes are used as they come, each once: what is asked for is (threshold - 1) × length.
#[test]
fn asks_for_as_much_randomness_as_the_proof_needs() {
    let mut asked = 0;
    split(&[1; 32], 5, 3, &mut |out| asked += out.len()).unwrap();
    assert_eq!(asked, 64);
}

proptest! {
    #[test]
    fn any_threshold_of_shares_recover_and_one_fewer_do_not(
        secret in proptest::collection::vec(any::<u8>(), 16..48),
        (shares, threshold) in (2u8..12).prop_flat_map(|n| (Just(n), 2..=n)),
        seed in any::<u64>(),
        order in Just((0..12usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let made = split(&secret, shares, threshold, &mut fixed(seed)).unwrap();
        let order: Vec<usize> = order.into_iter().filter(|i| *i < usize::from(shares)).collect();
        let threshold = usize::from(threshold);
        prop_assert_eq!(&combine_of(&made, &order[..threshold]), &secret);
        prop_assert_eq!(&combine_of(&made, &order), &secret);
        prop_assert_ne!(&combine_of(&made, &order[..threshold - 1]), &secret);
    }

    #[test]
    fn a_stranger_reads_our_shares(secret in proptest::collection::vec(any::<u8>(), 1..40), seed in any::<u64>()) {
        let field = Isomorphism::new();
        let ours = split(&secret, 7, 4, &mut fixed(seed)).unwrap();
        let theirs: Vec<Share> = ours[2..6].iter().map(|share| {
            let (y, x) = share.expose().split_at(secret.len());
            Share::try_from(field.to_theirs(&[x, y].concat()).as_slice()).unwrap()
        }).collect();
        prop_assert_eq!(Sharks(4).recover(&theirs).unwrap(), field.to_theirs(&secret));
    }

    #[test]
    fn we_read_a_strangers_shares(secret in proptest::collection::vec(any::<u8>(), 1..40)) {
        let field = Isomorphism::new();
        let theirs: Vec<Vec<u8>> = Sharks(3).dealer(&secret).take(5).map(|share| {
            let bytes = field.to_ours(&Vec::from(&share));
            [&bytes[1..], &bytes[..1]].concat()
        }).collect();
        let picked: Vec<&[u8]> = theirs[1..4].iter().map(Vec::as_slice).collect();
        let combined = combine(&picked).unwrap();
        prop_assert_eq!(combined.expose(), &field.to_ours(&secret));
    }
}

/// `blahaj` reduces by x⁸+x⁴+x³+x²+1, we by AES's polynomial. All fields of 256 elements are the same but for names,
/// and sharing is field arithmetic alone: a root of their polynomial in our field names their elements in ours.
struct Isomorphism([u8; 256]);

impl Isomorphism {
    fn new() -> Self {
        let power = |root: u8, exponent: u8| (0..exponent).fold(1, |product, _| mul(product, root));
        let is_root =
            |root: &u8| [8, 4, 3, 2, 0].iter().fold(0, |sum, exponent| sum ^ power(*root, *exponent)) == 0;
        let root = (2..=255).find(is_root).unwrap();
        let name = |byte: u8| (0..8).filter(|i| byte >> i & 1 == 1).fold(0, |sum, i| sum ^ power(root, i));
        Self(std::array::from_fn(|byte| name(byte.try_into().unwrap())))
    }

    fn to_ours(&self, theirs: &[u8]) -> Vec<u8> {
        theirs.iter().map(|byte| self.0[usize::from(*byte)]).collect()
    }

    fn to_theirs(&self, ours: &[u8]) -> Vec<u8> {
        ours.iter()
            .map(|byte| self.0.iter().position(|name| name == byte).unwrap().try_into().unwrap())
            .collect()
    }
}
