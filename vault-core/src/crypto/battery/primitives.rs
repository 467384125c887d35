//! HKDF and PBKDF2 beneath the trait, which fixes salt, info and length: RFC 5869 appendix A and RFC 7914 §11 whole.

use super::bytes;

/// `fn(salt, key, info, out)`.
pub(crate) type Hkdf = fn(&[u8], &[u8], &[&[u8]], &mut [u8]);
/// `fn(password, salt, iterations, out)`.
pub(crate) type Pbkdf2 = fn(&[u8], &[u8], u32, &mut [u8]);

pub(crate) fn hkdf(hkdf: Hkdf) {
    let check = |salt: &[u8], key: &[u8], info: &[u8], expect: &str| {
        let (head, tail) = info.split_at(info.len() / 2);
        let mut out = vec![0; expect.len() / 2];
        hkdf(salt, key, &[head, tail], &mut out);
        assert_eq!(out, bytes(expect));
    };
    let run = |from: u8, to: u8| (from..=to).collect::<Vec<_>>();
    let a1 = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
    check(&run(0, 0x0c), &[0x0b; 22], &run(0xf0, 0xf9), a1);
    let a2 = "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09\
        da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87";
    check(&run(0x60, 0xaf), &run(0, 0x4f), &run(0xb0, 0xff), a2);
    let a3 = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8";
    check(&[], &[0x0b; 22], &[], a3);
    check(&[0; 32], &[0x0b; 22], &[], a3);
}

pub(crate) fn pbkdf2(pbkdf2: Pbkdf2) {
    let check = |password: &str, salt: &str, iterations, expect: &str| {
        let mut out = [0; 64];
        pbkdf2(password.as_bytes(), salt.as_bytes(), iterations, &mut out);
        assert_eq!(out[..], bytes(expect));
    };
    let one = "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc\
        49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783";
    check("passwd", "salt", 1, one);
    let many = "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56\
        a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d";
    check("Password", "NaCl", 80_000, many);
}
