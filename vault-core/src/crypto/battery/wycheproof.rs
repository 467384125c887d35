//! Project Wycheproof's vectors, good and bad, for what we use. Each test counts, so that an empty set is no pass.

use super::primitives::{Hkdf, Pbkdf2};
use crate::Secret;
use crate::crypto::{CryptoProvider, same};
use wycheproof::{TestResult, aead, eddsa, hkdf as hkdf_set, mac, pbkdf2 as pbkdf2_set};

pub(crate) fn aes_gcm(provider: &CryptoProvider) {
    let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
    let ours =
        |group: &&aead::TestGroup| (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 128);
    let mut counted = (0, 0);
    for test in set.test_groups.iter().filter(ours).flat_map(|group| &group.tests) {
        let key = provider.cipher.key(&Secret::new(test.key[..].try_into().unwrap()));
        let (nonce, tag) = (test.nonce[..].try_into().unwrap(), test.tag[..].try_into().unwrap());
        let mut data = test.ct.to_vec();
        if test.result == TestResult::Valid {
            assert_eq!(key.open(&nonce, &test.aad, &mut data, &tag), Ok(()), "{}", test.tc_id);
            assert_eq!(data, test.pt[..], "{}", test.tc_id);
            assert_eq!(key.seal(&nonce, &test.aad, &mut data), tag, "{}", test.tc_id);
            assert_eq!(data, test.ct[..], "{}", test.tc_id);
            counted.0 += 1;
        } else {
            assert!(key.open(&nonce, &test.aad, &mut data, &tag).is_err(), "{}", test.tc_id);
            assert!(data.iter().all(|byte| *byte == 0), "{}", test.tc_id);
            counted.1 += 1;
        }
    }
    assert_eq!(counted, (39, 27), "good and bad vectors");
}

pub(crate) fn hmac(provider: &CryptoProvider) {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    let mut counted = (0, 0);
    for group in &set.test_groups {
        for test in &group.tests {
            let tag = provider.hmac.key(&test.key).tag(&[&test.msg]);
            let good = same(&tag[..group.tag_size / 8], &test.tag);
            assert_eq!(good, test.result == TestResult::Valid, "{}", test.tc_id);
            if good { counted.0 += 1 } else { counted.1 += 1 }
        }
    }
    assert_eq!(counted, (66, 108), "good and bad vectors");
}

pub(crate) fn ed25519(provider: &CryptoProvider) {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut counted = (0, 0);
    for group in &set.test_groups {
        let public: [u8; 32] = group.key.pk[..].try_into().unwrap();
        for test in &group.tests {
            let verify = |signature: [u8; 64]| provider.signer.verify(&public, &test.msg, &signature);
            let good = test.sig[..].try_into().is_ok_and(|signature| verify(signature).is_ok());
            assert_eq!(good, test.result == TestResult::Valid, "{}", test.tc_id);
            if good { counted.0 += 1 } else { counted.1 += 1 }
        }
    }
    assert_eq!(counted, (88, 63), "good and bad vectors");
}

pub(crate) fn hkdf(hkdf: Hkdf) {
    let set = hkdf_set::TestSet::load(hkdf_set::TestName::HkdfSha256).unwrap();
    let good = |test: &&hkdf_set::Test| test.result == TestResult::Valid;
    let mut counted = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests).filter(good) {
        let mut out = vec![0; test.size];
        hkdf(&test.salt, &test.ikm, &[&test.info], &mut out);
        assert_eq!(out, test.okm[..], "{}", test.tc_id);
        counted += 1;
    }
    assert_eq!(counted, 83, "vectors");
}

/// Up to 10,000 iterations; the larger ones show nothing new and take minutes unoptimised.
pub(crate) fn pbkdf2(pbkdf2: Pbkdf2) {
    let set = pbkdf2_set::TestSet::load(pbkdf2_set::TestName::Pbkdf2HmacSha256).unwrap();
    let mut counted = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        if test.iteration_count > 10_000 {
            continue;
        }
        let mut out = vec![0; test.dk_len];
        pbkdf2(&test.password, &test.salt, test.iteration_count.try_into().unwrap(), &mut out);
        assert_eq!(out == test.dk[..], test.result == TestResult::Valid, "{}", test.tc_id);
        counted += 1;
    }
    assert_eq!(counted, 59, "vectors");
}
