//! The envelope: how one value lies in the store. `docs/formats.md` has the table of bytes.
//!
//! The header is authenticated together with the entry's key, so a ciphertext can be neither changed, nor moved to
//! another key, nor passed off as one of another term or boot.

use super::fault::Broken;
use crate::{
    Secret,
    crypto::CipherKey,
    id::BootId,
    limits::KEY_BYTES_MAX,
    store::{Key, Sealed},
};

/// First byte of an entry, sealed under a data key.
pub(super) const ENTRY: u8 = 0x01;
/// First byte of the keyring, sealed under a key of the root. The high bit says "not under a term".
pub(super) const KEYRING: u8 = 0x81;
/// Format, term, boot, nonce.
pub(super) const HEADER_BYTES: usize = 1 + 4 + 16 + 12;
/// GCM's tag, never shortened.
pub(super) const TAG_BYTES: usize = 16;
/// What sealing adds to a value.
pub(super) const OVERHEAD: usize = HEADER_BYTES + TAG_BYTES;

/// Everything that is needed to find the key of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// [`ENTRY`] or [`KEYRING`].
    pub(super) format: u8,
    /// Whose key the data key is derived from; 0 for the keyring itself.
    pub(super) term: u32,
    /// The salt of the data key.
    pub(super) boot: BootId,
    /// Random, once per encryption.
    pub(super) nonce: [u8; 12],
}

impl Header {
    fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0] = self.format;
        bytes[1..5].copy_from_slice(&self.term.to_be_bytes());
        bytes[5..21].copy_from_slice(&self.boot.0);
        bytes[21..].copy_from_slice(&self.nonce);
        bytes
    }

    fn of(bytes: &[u8; HEADER_BYTES]) -> Self {
        let (mut term, mut boot, mut nonce) = ([0; 4], [0; 16], [0; 12]);
        term.copy_from_slice(&bytes[1..5]);
        boot.copy_from_slice(&bytes[5..21]);
        nonce.copy_from_slice(&bytes[21..]);
        Self { format: bytes[0], term: u32::from_be_bytes(term), boot: BootId(boot), nonce }
    }
}

/// An envelope taken apart, not yet believed.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    /// Claims; authenticated only by [`Envelope::open`].
    pub(super) header: Header,
    body: &'a [u8],
    tag: &'a [u8; TAG_BYTES],
}

impl<'a> Envelope<'a> {
    /// Takes stored bytes apart; refuses any format but the one that belongs there.
    pub(super) fn parse(bytes: &'a [u8], format: u8) -> Result<Self, Broken> {
        let found = *bytes.first().ok_or(Broken::Malformed)?;
        if found != format {
            return Err(Broken::UnknownFormat(found));
        }
        let (header, rest) = bytes.split_first_chunk().ok_or(Broken::Malformed)?;
        let (body, tag) = rest.split_last_chunk().ok_or(Broken::Malformed)?;
        Ok(Self { header: Header::of(header), body, tag })
    }

    /// Decrypts what was sealed at `name`.
    pub(super) fn open(&self, cipher: &dyn CipherKey, name: &Key) -> Result<Secret<Vec<u8>>, Broken> {
        let mut plain = Secret::new(self.body.to_vec());
        let opened = with_aad(&self.header.to_bytes(), name, |aad| {
            cipher.open(&self.header.nonce, aad, plain.expose_mut(), self.tag)
        });
        opened.map(|()| plain).map_err(|_| Broken::Unauthentic)
    }
}

/// Encrypts a value for `name`, in the one allocation that the store will get.
pub(super) fn seal(cipher: &dyn CipherKey, header: Header, name: &Key, plain: &[u8]) -> Sealed {
    let head = header.to_bytes();
    let mut bytes = Vec::with_capacity(plain.len() + OVERHEAD);
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(plain);
    let tag = with_aad(&head, name, |aad| cipher.seal(&header.nonce, aad, &mut bytes[HEADER_BYTES..]));
    bytes.extend_from_slice(&tag);
    Sealed::from_stored(bytes)
}

/// Header ‖ entry key, on the stack: the hot path allocates nothing for it, and clears no more room than it needs.
fn with_aad<T>(header: &[u8; HEADER_BYTES], name: &Key, run: impl FnOnce(&[u8]) -> T) -> T {
    const SHORT: usize = 160;
    if HEADER_BYTES + name.as_str().len() <= SHORT {
        run(join(&mut [0; SHORT], header, name))
    } else {
        run(join(&mut [0; HEADER_BYTES + KEY_BYTES_MAX], header, name))
    }
}

fn join<'a>(room: &'a mut [u8], header: &[u8; HEADER_BYTES], name: &Key) -> &'a [u8] {
    let name = name.as_str().as_bytes();
    let joined = &mut room[..HEADER_BYTES + name.len()];
    joined[..HEADER_BYTES].copy_from_slice(header);
    joined[HEADER_BYTES..].copy_from_slice(name);
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barrier::fixture::{boot, flips, key, providers};
    use crate::{Key32, crypto::Label};
    use proptest::prelude::*;

    const HEADER: Header = Header { format: ENTRY, term: 7, boot: BootId([0xB0; 16]), nonce: [0x0C; 12] };

    /// Format 1: readable for ever. `docs/formats.md` decodes this very vector.
    const GOLDEN: &str = "0100000007b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b00c0c0c0c0c0c0c0c0c0c0c0ca8c81138f496caaef64f96fa6bfd862f5762d86b359a0b56";

    fn term_key() -> Key32 {
        Secret::new(std::array::from_fn(|i| i as u8))
    }

    fn data_key(crypto: crate::crypto::CryptoProvider) -> Box<dyn CipherKey> {
        crypto.cipher.key(&crypto.kdf.hkdf(term_key().expose(), Label::DataKey, &HEADER.boot.0))
    }

    #[test]
    fn format_1_is_what_it_always_was() {
        for crypto in providers() {
            let cipher = data_key(crypto);
            let sealed = seal(&*cipher, HEADER, &key("ns/0/secret"), b"a secret");
            assert_eq!(hex::encode(sealed.as_bytes()), GOLDEN, "{}", crypto.name);
            let stored = hex::decode(GOLDEN).unwrap();
            let envelope = Envelope::parse(&stored, ENTRY).unwrap();
            assert_eq!(envelope.header, HEADER);
            assert!(envelope.open(&*cipher, &key("ns/0/secret")).unwrap().same_bytes(b"a secret"));
        }
    }

    fn refuses(cipher: &dyn CipherKey, bytes: &[u8], name: &str) -> bool {
        Envelope::parse(bytes, ENTRY).and_then(|envelope| envelope.open(cipher, &key(name))).is_err()
    }

    #[test]
    fn one_changed_bit_or_missing_byte_is_refused() {
        for crypto in providers() {
            let cipher = data_key(crypto);
            let sealed = seal(&*cipher, HEADER, &key("k"), b"value");
            for (bit, flipped) in flips(sealed.as_bytes()) {
                assert!(refuses(&*cipher, &flipped, "k"), "{} bit {bit}", crypto.name);
            }
            for len in 0..sealed.as_bytes().len() {
                assert!(refuses(&*cipher, &sealed.as_bytes()[..len], "k"), "{} cut to {len}", crypto.name);
            }
            assert!(refuses(&*cipher, &[sealed.as_bytes(), &[0]].concat(), "k"));
        }
    }

    #[test]
    fn faults_are_named() {
        let check = |bytes: &[u8], expect: Broken| {
            assert_eq!(Envelope::parse(bytes, ENTRY).unwrap_err(), expect, "{bytes:?}");
        };
        check(&[], Broken::Malformed);
        check(&[ENTRY; OVERHEAD - 1], Broken::Malformed);
        check(&[KEYRING; OVERHEAD], Broken::UnknownFormat(KEYRING));
        check(&[2; OVERHEAD], Broken::UnknownFormat(2));
        check(b"{\"version\":1}", Broken::UnknownFormat(b'{'));
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_here_and_nowhere_else(
            plain in proptest::collection::vec(any::<u8>(), 0..300),
            name in "[a-z]{1,20}(/[a-z]{1,60}){0,6}",
            other in "[a-z]{1,20}(/[a-z]{1,20}){0,3}",
            term: u32, salt: u8, nonce: [u8; 12],
        ) {
            for crypto in providers() {
                let (cipher, header) = (data_key(crypto), Header { format: ENTRY, term, boot: boot(salt), nonce });
                let sealed = seal(&*cipher, header, &key(&name), &plain);
                prop_assert_eq!(sealed.as_bytes().len(), plain.len() + OVERHEAD);
                let opened = Envelope::parse(sealed.as_bytes(), ENTRY).unwrap().open(&*cipher, &key(&name)).unwrap();
                prop_assert!(opened.same_bytes(&plain));
                prop_assert_eq!(refuses(&*cipher, sealed.as_bytes(), &other), name != other);
            }
        }
    }
}
