//! The form in which backup tools expect a snapshot: a compressed tar whose last file, `SHA256SUMS.sealed`, says that it
//! is whole. Ours lies in it in pieces, each a file, since a tar must know the size of a file before its bytes.

use flate2::{Compression, write};
use secrethub_core::Error;
use std::io::{self, Write};
use tar::{EntryType, Header};

/// Where the pieces lie.
const FOLDER: &str = "snapshot/";
/// Tools look for this file, and that it is not empty. The digest that counts is in the snapshot's own last frame.
const LAST: (&str, &[u8]) = ("SHA256SUMS.sealed", b"see the last frame of the snapshot\n");
const BLOCK: usize = 512;
/// What a gzip stream begins with (RFC 1952).
const GZIP: [u8; 2] = [0x1F, 0x8B];

/// Puts a snapshot into an archive as it goes by.
#[derive(Debug)]
pub(crate) struct Pack {
    out: write::GzEncoder<Vec<u8>>,
    pieces: u32,
}

impl Pack {
    pub(crate) fn new() -> Self {
        // Most of it is ciphertext, which does not shrink.
        Self { out: write::GzEncoder::new(Vec::new(), Compression::fast()), pieces: 0 }
    }

    /// The next bytes; gives what the archive has grown by.
    pub(crate) fn piece(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        self.pieces += 1;
        let name = format!("{FOLDER}{:08}", self.pieces);
        self.file(&name, bytes)?;
        Ok(std::mem::take(self.out.get_mut()))
    }

    /// The end.
    pub(crate) fn finish(mut self) -> io::Result<Vec<u8>> {
        self.file(LAST.0, LAST.1)?;
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.finish()
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_path(name)?;
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_entry_type(EntryType::Regular);
        header.set_cksum();
        self.out.write_all(header.as_bytes())?;
        self.out.write_all(bytes)?;
        self.out.write_all(&[0; BLOCK][..padding(bytes.len())])
    }
}

/// What fills a file's last block.
fn padding(bytes: usize) -> usize {
    bytes.next_multiple_of(BLOCK) - bytes
}

/// Takes a snapshot out of an archive as it goes by. What is no archive passes as it is.
#[derive(Debug, Default)]
pub struct Unpack {
    form: Form,
    /// Bytes of a header that is not whole, or of what follows the last one.
    rest: Vec<u8>,
    /// Bytes of the present file that are still to come, and whether they are wanted.
    file: (usize, bool),
    /// Bytes to be passed over.
    padding: usize,
}

#[derive(Debug, Default)]
enum Form {
    #[default]
    Unknown,
    Plain,
    Archive(Box<write::GzDecoder<Vec<u8>>>),
}

impl Unpack {
    /// Takes the next bytes, gives those of the snapshot.
    ///
    /// # Errors
    /// `Invalid` for a damaged archive.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        if let Form::Unknown = self.form {
            self.rest.extend_from_slice(bytes);
            let Some(head) = self.rest.first_chunk() else { return Ok(Vec::new()) };
            self.form = match *head == GZIP {
                true => Form::Archive(Box::new(write::GzDecoder::new(Vec::new()))),
                false => Form::Plain,
            };
            let first = std::mem::take(&mut self.rest);
            return self.push(&first);
        }
        let Form::Archive(gzip) = &mut self.form else { return Ok(bytes.to_vec()) };
        gzip.write_all(bytes).and_then(|()| gzip.flush()).map_err(damaged)?;
        let plain = std::mem::take(gzip.get_mut());
        self.rest.extend_from_slice(&plain);
        self.take()
    }

    /// What was too short to be told apart.
    pub fn finish(self) -> Vec<u8> {
        if let Form::Unknown = self.form { self.rest } else { Vec::new() }
    }

    fn take(&mut self) -> Result<Vec<u8>, Error> {
        let (mut out, mut at) = (Vec::new(), 0);
        loop {
            let rest = &self.rest[at..];
            let (left, wanted) = self.file;
            if left > 0 || self.padding > 0 {
                let (bytes, filling) = (left.min(rest.len()), self.padding);
                if wanted {
                    out.extend_from_slice(&rest[..bytes]);
                }
                let passed = if bytes == left { filling.min(rest.len() - bytes) } else { 0 };
                (self.file.0, self.padding, at) = (left - bytes, filling - passed, at + bytes + passed);
                if self.file.0 > 0 || self.padding > 0 {
                    break;
                }
                continue;
            }
            let Some(block) = rest.first_chunk::<BLOCK>().copied() else { break };
            at += BLOCK;
            self.begin(&block)?;
        }
        self.rest.drain(..at);
        Ok(out)
    }

    /// A file's header; blocks of zeros end the archive.
    fn begin(&mut self, block: &[u8; BLOCK]) -> Result<(), Error> {
        if *block == [0; BLOCK] {
            return Ok(());
        }
        let header = Header::from_byte_slice(block);
        let size = header.entry_size().map_err(damaged)?;
        let size = usize::try_from(size).map_err(damaged)?;
        let wanted = header.path_bytes().starts_with(FOLDER.as_bytes());
        (self.file, self.padding) = ((size, wanted), padding(size));
        Ok(())
    }
}

fn damaged(source: impl Into<secrethub_core::BoxError>) -> Error {
    Error::invalid("the archive of the snapshot is damaged; take another copy of it").with_source(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut pack, mut out) = (Pack::new(), Vec::new());
        for piece in pieces {
            out.extend(pack.piece(piece).unwrap());
        }
        out.extend(pack.finish().unwrap());
        out
    }

    fn unpacked(bytes: &[u8], size: usize) -> Result<Vec<u8>, Error> {
        let (mut unpack, mut out) = (Unpack::default(), Vec::new());
        for part in bytes.chunks(size) {
            out.extend(unpack.push(part)?);
        }
        out.extend(unpack.finish());
        Ok(out)
    }

    #[test]
    fn what_is_packed_comes_back_whatever_the_pieces() {
        let long = vec![7; 5_000];
        let cases: [&[&[u8]]; 4] = [&[], &[b"a"], &[&[1; BLOCK], b"bc"], &[&long, b"", &long[..511]]];
        for pieces in cases {
            let archive = packed(pieces);
            for size in [1, 100, 1 << 20] {
                assert_eq!(unpacked(&archive, size).unwrap(), pieces.concat(), "{size}");
            }
        }
    }

    #[test]
    fn what_is_no_archive_passes() {
        for plain in [&b""[..], b"S", b"SHSNAP and so on"] {
            assert_eq!(unpacked(plain, 3).unwrap(), plain);
        }
    }

    #[test]
    fn tools_find_what_they_look_for() {
        let mut plain = Vec::new();
        io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed(&[b"abc"])[..]), &mut plain).unwrap();
        let mut archive = tar::Archive::new(&plain[..]);
        let names: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.path().unwrap().display().to_string(), entry.size()))
            .collect();
        assert_eq!(names, [("snapshot/00000001".to_owned(), 3), (LAST.0.to_owned(), LAST.1.len() as u64)]);
    }

    #[test]
    fn damage_is_an_error_or_other_bytes_and_never_a_panic() {
        let archive = packed(&[&[9; 700], b"end"]);
        for at in 0..archive.len() {
            let mut changed = archive.clone();
            changed[at] ^= 0x10;
            let _ = unpacked(&changed, 64);
            let _ = unpacked(&archive[..at], 64);
        }
        let mut broken = archive;
        broken[20] ^= 0xFF;
        assert!(unpacked(&broken, 64).is_err());
    }
}
