//! The two providers give the same bytes for the same input, in every part, whatever the input.

use crate::Secret;
use crate::crypto::{Argon2Cost, CryptoProvider, Label, aws_lc, rustcrypto};
use proptest::collection::vec;
use proptest::prelude::*;
use std::fmt::Debug;

fn both<T: PartialEq + Debug>(call: impl Fn(CryptoProvider) -> T) -> T {
    let (one, two) = (call(rustcrypto::provider()), call(aws_lc::provider()));
    assert_eq!(one, two);
    one
}

proptest! {
    #[test]
    fn one_seals_and_the_other_opens(
        key in any::<[u8; 32]>(), nonce in any::<[u8; 12]>(),
        aad in vec(any::<u8>(), 0..100), plain in vec(any::<u8>(), 0..1_000),
    ) {
        let seal = |provider: CryptoProvider| {
            let mut data = plain.clone();
            let tag = provider.cipher.key(&Secret::new(key)).seal(&nonce, &aad, &mut data);
            (data, tag)
        };
        let (sealed, tag) = both(seal);
        let opened = both(|provider| {
            let mut data = sealed.clone();
            provider.cipher.key(&Secret::new(key)).open(&nonce, &aad, &mut data, &tag).map(|()| data)
        });
        prop_assert_eq!(opened, Ok(plain));
    }

    #[test]
    fn hashes_and_tags(key in vec(any::<u8>(), 0..200), parts in vec(vec(any::<u8>(), 0..100), 0..5)) {
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        both(|provider| (provider.hash.sha256(&parts), provider.hmac.key(&key).tag(&parts)));
    }

    #[test]
    fn derives(key in vec(any::<u8>(), 0..100), context in vec(any::<u8>(), 0..100), iterations in 0u32..20) {
        both(|provider| *provider.kdf.hkdf(&key, Label::DataKey, &context).expose());
        both(|provider| *provider.kdf.pbkdf2(&key, &context, iterations).expose());
        let cost = Argon2Cost { memory_kib: 8, passes: 1, lanes: 1 };
        let hashed = both(|provider| provider.kdf.argon2id(&key, &context, cost).map(|key| *key.expose()));
        prop_assert_eq!(hashed.is_ok(), context.len() >= 8);
    }

    #[test]
    fn signs_and_verifies(seed in any::<[u8; 32]>(), message in vec(any::<u8>(), 0..200), flip in 0usize..96 * 8) {
        let (public, signature) = both(|provider| {
            let key = provider.signer.key(&Secret::new(seed));
            (key.public(), key.sign(&message))
        });
        prop_assert_eq!(both(|provider| provider.signer.verify(&public, &message, &signature)), Ok(()));
        let (mut public, mut signature) = (public, signature);
        let byte = flip / 8;
        let hit = if byte < 32 { &mut public[byte] } else { &mut signature[byte - 32] };
        *hit ^= 1 << (flip % 8);
        prop_assert!(both(|provider| provider.signer.verify(&public, &message, &signature)).is_err());
    }
}
