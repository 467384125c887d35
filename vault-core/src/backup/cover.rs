//! A passphrase over a snapshot: PBKDF2-HMAC-SHA-256 (NIST SP 800-132), then AES-256-GCM over pieces whose nonces count
//! them and say which is the last (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015), so that
//! none can be left out, moved or cut off unseen.

use super::frame::{COVERED, MAGIC};
use crate::{
    Secret,
    crypto::{CipherKey, CryptoProvider, Label},
    error::Error,
    host::Host,
    limits::{PBKDF2_ITERATIONS, PBKDF2_ITERATIONS_MIN},
};
use std::fmt;

/// Plain bytes of a piece; only the last may have fewer.
const PIECE: usize = 64 * 1024;
const TAG: usize = 16;
/// A hostile file must not keep a machine busy for long.
const ITERATIONS_MAX: u32 = 100 * PBKDF2_ITERATIONS;

/// What stands in front of the pieces, and is authenticated with each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoverHeader {
    salt: [u8; 16],
    iterations: u32,
}

impl CoverHeader {
    /// Length of its bytes.
    pub const BYTES: usize = MAGIC.len() + 1 + 16 + 4;

    fn make(host: &dyn Host) -> Self {
        let mut salt = [0; 16];
        host.fill_random(&mut salt);
        Self { salt, iterations: PBKDF2_ITERATIONS }
    }

    fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..7].copy_from_slice(&MAGIC);
        bytes[7] = COVERED;
        bytes[8..24].copy_from_slice(&self.salt);
        bytes[24..].copy_from_slice(&self.iterations.to_be_bytes());
        bytes
    }

    /// Reads it; `None` for what is not under a passphrase.
    pub fn parse(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let (mut salt, mut iterations) = ([0; 16], [0; 4]);
        salt.copy_from_slice(&bytes[8..24]);
        iterations.copy_from_slice(&bytes[24..]);
        (bytes[..7] == MAGIC && bytes[7] == COVERED)
            .then_some(Self { salt, iterations: u32::from_be_bytes(iterations) })
    }

    /// Runs long: call it where that blocks nobody.
    fn key(&self, crypto: CryptoProvider, passphrase: &Secret<String>) -> Result<Box<dyn CipherKey>, Error> {
        if !(PBKDF2_ITERATIONS_MIN..=ITERATIONS_MAX).contains(&self.iterations) {
            return Err(Error::invalid("the snapshot names a number of iterations that nobody should run"));
        }
        // EXPOSE: the key is derived from it.
        let stretched = crypto.kdf.pbkdf2(passphrase.expose().as_bytes(), &self.salt, self.iterations);
        Ok(crypto.cipher.key(&crypto.kdf.hkdf(stretched.expose(), Label::Snapshot, &self.to_bytes())))
    }
}

fn nonce(number: u64, last: bool) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&number.to_be_bytes());
    nonce[11] = u8::from(last);
    nonce
}

/// Encrypts a snapshot as it goes by.
pub struct Cover {
    key: Box<dyn CipherKey>,
    header: [u8; CoverHeader::BYTES],
    rest: Vec<u8>,
    number: u64,
    begun: bool,
}

impl Cover {
    /// Derives the key, which takes about a second.
    pub fn new(crypto: CryptoProvider, host: &dyn Host, passphrase: &Secret<String>) -> Result<Self, Error> {
        let header = CoverHeader::make(host);
        Ok(Self::under(header.key(crypto, passphrase)?, header))
    }

    fn under(key: Box<dyn CipherKey>, header: CoverHeader) -> Self {
        Self { key, header: header.to_bytes(), rest: Vec::new(), number: 0, begun: false }
    }

    /// Takes plain bytes and gives covered ones.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = self.begin();
        self.rest.extend_from_slice(bytes);
        // One byte more than a piece: the last piece is never empty and never sealed here.
        while self.rest.len() > PIECE {
            let later = self.rest.split_off(PIECE);
            let piece = std::mem::replace(&mut self.rest, later);
            self.seal(piece, false, &mut out);
        }
        out
    }

    /// The last bytes.
    pub fn finish(mut self) -> Vec<u8> {
        let mut out = self.begin();
        let piece = std::mem::take(&mut self.rest);
        self.seal(piece, true, &mut out);
        out
    }

    fn begin(&mut self) -> Vec<u8> {
        if std::mem::replace(&mut self.begun, true) { Vec::new() } else { self.header.to_vec() }
    }

    fn seal(&mut self, mut piece: Vec<u8>, last: bool, out: &mut Vec<u8>) {
        let tag = self.key.seal(&nonce(self.number, last), &self.header, &mut piece);
        self.number += 1;
        out.extend_from_slice(&piece);
        out.extend_from_slice(&tag);
    }
}

impl fmt::Debug for Cover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cover").field("pieces", &self.number).finish_non_exhaustive()
    }
}

/// Decrypts a snapshot as it goes by; nothing comes out that is not authentic.
pub struct Uncover {
    key: Box<dyn CipherKey>,
    header: [u8; CoverHeader::BYTES],
    rest: Vec<u8>,
    number: u64,
}

impl Uncover {
    /// Derives the key, which takes about a second.
    pub fn new(
        crypto: CryptoProvider,
        header: CoverHeader,
        passphrase: &Secret<String>,
    ) -> Result<Self, Error> {
        Ok(Self::under(header.key(crypto, passphrase)?, header))
    }

    fn under(key: Box<dyn CipherKey>, header: CoverHeader) -> Self {
        Self { key, header: header.to_bytes(), rest: Vec::new(), number: 0 }
    }

    /// Takes covered bytes, from after the header, and gives plain ones.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        self.rest.extend_from_slice(bytes);
        let mut out = Vec::new();
        while self.rest.len() > PIECE + TAG {
            let later = self.rest.split_off(PIECE + TAG);
            let piece = std::mem::replace(&mut self.rest, later);
            self.open(piece, false, &mut out)?;
        }
        Ok(out)
    }

    /// The last bytes.
    pub fn finish(mut self) -> Result<Vec<u8>, Error> {
        let (piece, mut out) = (std::mem::take(&mut self.rest), Vec::new());
        self.open(piece, true, &mut out)?;
        Ok(out)
    }

    fn open(&mut self, mut piece: Vec<u8>, last: bool, out: &mut Vec<u8>) -> Result<(), Error> {
        let wrong = || Error::invalid("the passphrase is wrong, or the snapshot is damaged or cut short");
        let (body, tag) = piece.split_last_chunk_mut::<TAG>().ok_or_else(wrong)?;
        self.key.open(&nonce(self.number, last), &self.header, body, tag).map_err(|_| wrong())?;
        self.number += 1;
        out.extend_from_slice(body);
        Ok(())
    }
}

impl fmt::Debug for Uncover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uncover").field("pieces", &self.number).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::rustcrypto;

    const HEADER: CoverHeader = CoverHeader { salt: [7; 16], iterations: PBKDF2_ITERATIONS };

    fn key() -> Box<dyn CipherKey> {
        rustcrypto::provider().cipher.key(&Secret::new([3; 32]))
    }

    fn covered(plain: &[u8]) -> Vec<u8> {
        let mut cover = Cover::under(key(), HEADER);
        let mut out = Vec::new();
        plain.chunks(9_999).for_each(|bytes| out.extend(cover.push(bytes)));
        out.extend(cover.finish());
        out
    }

    fn opened(bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let mut uncover = Uncover::under(key(), HEADER);
        let mut out = Vec::new();
        for bytes in bytes[CoverHeader::BYTES..].chunks(7_777) {
            out.extend(uncover.push(bytes)?);
        }
        out.extend(uncover.finish()?);
        Ok(out)
    }

    #[test]
    fn what_is_covered_comes_back() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 5] {
            let plain: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            assert_eq!(opened(&covered(&plain)).unwrap(), plain, "{length}");
        }
    }

    #[test]
    fn nothing_can_be_changed_moved_or_cut() {
        let plain = vec![1; 3 * PIECE + 5];
        let good = covered(&plain);
        let piece = |at: usize| CoverHeader::BYTES + at * (PIECE + TAG);
        let check = |change: &dyn Fn(&mut Vec<u8>), what: &str| {
            let mut bytes = good.clone();
            change(&mut bytes);
            assert!(opened(&bytes).is_err(), "{what}");
        };
        check(&|bytes| bytes[piece(1) + 3] ^= 1, "a bit");
        check(&|bytes| bytes.truncate(piece(3)), "cut between pieces");
        check(&|bytes| bytes.truncate(bytes.len() - 1), "cut in a piece");
        check(&|bytes| bytes.truncate(CoverHeader::BYTES), "nothing left");
        check(&|bytes| drop(bytes.drain(piece(1)..piece(2))), "a piece left out");
        check(&|bytes| bytes[piece(0)..piece(2)].rotate_left(PIECE + TAG), "pieces swapped");
    }

    #[test]
    fn the_passphrase_and_the_header_decide() {
        let crypto = rustcrypto::provider();
        let key = |header: CoverHeader, text: &str| header.key(crypto, &Secret::new(text.to_owned()));
        let few = CoverHeader { iterations: PBKDF2_ITERATIONS_MIN, ..HEADER };
        let sealed = |key: &dyn CipherKey| key.seal(&[0; 12], b"", &mut [1; 4]);
        let right = sealed(&*key(few, "right").unwrap());
        assert_eq!(sealed(&*key(few, "right").unwrap()), right);
        assert_ne!(sealed(&*key(few, "wrong").unwrap()), right);
        assert_ne!(sealed(&*key(CoverHeader { salt: [8; 16], ..few }, "right").unwrap()), right);
        for iterations in [0, PBKDF2_ITERATIONS_MIN - 1, ITERATIONS_MAX + 1] {
            assert!(key(CoverHeader { iterations, ..HEADER }, "right").is_err(), "{iterations}");
        }
        assert_eq!(CoverHeader::parse(&HEADER.to_bytes()), Some(HEADER));
    }
}
