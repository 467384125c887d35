//! Answers that standards print: NIST's GCM vectors, FIPS 180-4, RFC 4231, 7914, 8032, and Argon2's reference.

use super::{array, bytes};
use crate::Secret;
use crate::crypto::{Argon2Cost, CryptoProvider, Unauthentic};

/// Test cases 13, 14 and 16 of "The Galois/Counter Mode of Operation" (McGrew, Viega), which NIST published.
pub(super) fn aes_gcm(provider: &CryptoProvider) {
    let check = |key: &str, nonce: &str, aad: &str, plain: &str, sealed: &str, tag: &str| {
        let (key, nonce, aad, tag) = (Secret::new(array(key)), array(nonce), bytes(aad), array(tag));
        let key = provider.cipher.key(&key);
        let mut data = bytes(plain);
        assert_eq!(key.seal(&nonce, &aad, &mut data), tag);
        assert_eq!(data, bytes(sealed));
        assert_eq!(key.open(&nonce, &aad, &mut data, &tag), Ok(()));
        assert_eq!(data, bytes(plain));
    };
    let (key, nonce) = (&"00".repeat(32), &"00".repeat(12));
    check(key, nonce, "", "", "", "530f8afbc74536b9a963b4f1c4cb738b");
    let sealed = "cea7403d4d606b6e074ec5d3baf39d18";
    check(key, nonce, "", &"00".repeat(16), sealed, "d0d1c8a799996bf0265b98b5d48ab919");
    check(
        &"feffe9928665731c6d6a8f9467308308".repeat(2),
        "cafebabefacedbaddecaf888",
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
        "76fc6ece0f4e1768cddf8853bb2d551b",
    );
}

/// Each bit of nonce, associated data, ciphertext and tag counts, and a refusal leaves zeros.
pub(super) fn aes_gcm_refuses(provider: &CryptoProvider) {
    let key = provider.cipher.key(&Secret::new([3; 32]));
    let (nonce, aad, mut sealed) = ([4; 12], [5; 7], *b"seventeen letters");
    let tag = key.seal(&nonce, &aad, &mut sealed);
    let whole = [&nonce[..], &aad, &sealed, &tag].concat();
    for bit in 0..whole.len() * 8 {
        let mut bad = whole.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let (nonce, rest) = bad.split_at_mut(12);
        let (aad, rest) = rest.split_at_mut(7);
        let (data, tag) = rest.split_at_mut(17);
        let opened = key.open(&copied(nonce), aad, data, &copied(tag));
        assert_eq!(opened, Err(Unauthentic), "bit {bit}");
        assert_eq!(data, [0; 17], "plaintext or ciphertext left at bit {bit}");
    }
}

fn copied<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut copy = [0; N];
    copy.copy_from_slice(bytes);
    copy
}

/// FIPS 180-4's examples; parts count as if joined.
pub(super) fn sha256(provider: &CryptoProvider) {
    let check = |parts: &[&[u8]], expect: &str| {
        assert_eq!(provider.hash.sha256(parts), array(expect), "{parts:?}");
    };
    check(&[], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check(&[b"abc"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check(&[b"a", b"", b"bc"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let long = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    check(&[long], "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

/// RFC 4231, all cases but 5, which truncates.
pub(super) fn hmac(provider: &CryptoProvider) {
    let check = |key: &[u8], data: &[u8], expect: &str| {
        let key = provider.hmac.key(key);
        let (head, tail) = data.split_at(data.len() / 3);
        assert_eq!(key.tag(&[data]), array(expect));
        assert_eq!(
            key.tag(&[head, &[], tail]),
            array(expect),
            "a key serves again, parts count as if joined"
        );
    };
    let counted: Vec<u8> = (1..=25).collect();
    check(&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    let question = b"what do ya want for nothing?";
    check(b"Jefe", question, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    check(&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    check(&counted, &[0xcd; 50], "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
    let first = b"Test Using Larger Than Block-Size Key - Hash Key First";
    check(&[0xaa; 131], first, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    let both = b"This is a test using a larger than block-size key and a larger than block-size data. \
        The key needs to be hashed before being used by the HMAC algorithm.";
    check(&[0xaa; 131], both, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

/// RFC 7914 §11; a shorter output is the beginning of a longer one.
pub(super) fn pbkdf2(provider: &CryptoProvider) {
    let check = |password: &str, salt: &str, iterations, expect: &str| {
        let key = provider.kdf.pbkdf2(password.as_bytes(), salt.as_bytes(), iterations);
        assert_eq!(key.expose(), &array(expect));
    };
    check("passwd", "salt", 1, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
    check("passwd", "salt", 0, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
    check("Password", "NaCl", 80_000, "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56");
}

/// From the reference implementation's own tests.
pub(super) fn argon2id(provider: &CryptoProvider) {
    let cost = Argon2Cost { memory_kib: 256, passes: 2, lanes: 1 };
    let key = provider.kdf.argon2id(b"password", b"somesalt", cost);
    let expect = array("9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe");
    assert!(key.is_ok_and(|key| key.expose() == &expect));
    assert!(provider.kdf.argon2id(b"password", b"short", cost).is_err());
}

/// RFC 8032 §7.1, tests 1 to 3.
pub(super) fn ed25519(provider: &CryptoProvider) {
    let check = |seed: &str, public: &str, message: &str, signature: &str| {
        let key = provider.signer.key(&Secret::new(array(seed)));
        let (public, message, signature) = (array(public), bytes(message), array(signature));
        assert_eq!(key.public(), public);
        assert_eq!(key.sign(&message), signature);
        assert_eq!(provider.signer.verify(&public, &message, &signature), Ok(()));
        assert_eq!(provider.signer.verify(&public, b"another", &signature), Err(Unauthentic));
    };
    check(
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    );
    check(
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    );
    check(
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    );
}

/// With the neutral point as key and `R`, and `S` = 0, the equation holds for every message; and `S` + L is a second
/// signature of the same message.
pub(super) fn ed25519_is_strict(provider: &CryptoProvider) {
    let neutral = array(&format!("01{}", "00".repeat(31)));
    let universal = array(&format!("01{}", "00".repeat(63)));
    assert_eq!(provider.signer.verify(&neutral, b"any", &universal), Err(Unauthentic));
    let key = provider.signer.key(&Secret::new([9; 32]));
    let mut signature = key.sign(b"message");
    assert_eq!(provider.signer.verify(&key.public(), b"message", &signature), Ok(()));
    add_group_order(&mut signature);
    assert_eq!(provider.signer.verify(&key.public(), b"message", &signature), Err(Unauthentic));
}

fn add_group_order(signature: &mut [u8; 64]) {
    let order: [u8; 32] = array("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(order) {
        carry += u16::from(*byte) + u16::from(add);
        [*byte, _] = carry.to_le_bytes();
        carry >>= 8;
    }
}
