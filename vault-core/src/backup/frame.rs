//! How a snapshot lies in a file (format 1): `SHSNAP` ‖ format ‖ cover, then frames, each `kind (1) ‖ length (4,
//! big-endian) ‖ body`. `docs/formats.md` has the table.

use super::{Page, Tally};
use crate::{
    audit::{AuditRecord, AuditRow},
    error::Error,
    id::Rev,
    limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX},
    store::{Entry, Key, Sealed},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// What every snapshot begins with; the last byte is the format.
pub(super) const MAGIC: [u8; 7] = *b"SHSNAP\x01";
/// The frames follow as they are.
pub(super) const PLAIN: u8 = 0;
/// They are under a passphrase.
pub(super) const COVERED: u8 = 1;
/// Longest body: an entry of the largest value.
const BODY_MAX: usize = VALUE_BYTES_MAX + KEY_BYTES_MAX + 1_024;

/// What a snapshot says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Random id.
    pub id: String,
    /// When it was taken (RFC 3339).
    pub taken: String,
    /// Version of the program that took it.
    pub version: String,
    /// Kind of the store it was taken of.
    pub store: String,
}

/// A piece of a snapshot.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    About(About),
    Page(Page),
    End(Tally),
}

/// The head of a snapshot without a cover.
pub(super) fn head() -> Vec<u8> {
    [MAGIC.as_slice(), &[PLAIN]].concat()
}

pub(super) fn write_about(about: &About, out: &mut Vec<u8>) -> Result<(), Error> {
    write(b'A', &[&serde_json::to_vec(about).map_err(Error::internal)?], out);
    Ok(())
}

pub(super) fn write_page(page: &Page, out: &mut Vec<u8>) {
    match page {
        Page::Entries(entries) => {
            for Entry { key, value, .. } in entries {
                // A key has at most 512 bytes.
                let length = u16::try_from(key.as_str().len()).unwrap_or(u16::MAX).to_be_bytes();
                write(b'E', &[&length, key.as_str().as_bytes(), value.as_bytes()], out);
            }
        }
        Page::Records(rows) => {
            for row in rows {
                write(b'R', &[&row.link, &row.canonical], out);
            }
        }
    }
}

pub(super) fn write_end(tally: &Tally, out: &mut Vec<u8>) -> Result<(), Error> {
    write(b'Z', &[&serde_json::to_vec(tally).map_err(Error::internal)?], out);
    Ok(())
}

fn write(kind: u8, parts: &[&[u8]], out: &mut Vec<u8>) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    out.push(kind);
    // Bodies are far shorter than 4 GiB.
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

/// Finds the frames in bytes that come in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct Frames {
    rest: Vec<u8>,
    begun: bool,
}

impl Frames {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
    }

    /// Is there anything that makes no whole frame.
    pub(super) fn is_cut(&self) -> bool {
        !self.begun || !self.rest.is_empty()
    }

    /// The frames that are whole by now.
    pub(super) fn take(&mut self) -> Result<Vec<Frame>, Error> {
        let (mut frames, mut at) = (Vec::new(), 0);
        if !self.begun {
            let Some(head) = self.rest.get(..MAGIC.len() + 1) else { return Ok(frames) };
            check_head(head)?;
            (self.begun, at) = (true, head.len());
        }
        while let Some((kind, body)) = next(&self.rest[at..])? {
            frames.push(parse(kind, body)?);
            at += 5 + body.len();
        }
        self.rest.drain(..at);
        Ok(frames)
    }
}

fn check_head(head: &[u8]) -> Result<(), Error> {
    match head {
        [magic @ .., PLAIN] if magic == MAGIC => Ok(()),
        [magic @ .., COVERED] if magic == MAGIC => {
            Err(Error::invalid("the snapshot is under a passphrase; give that too"))
        }
        [magic @ .., _, _] if *magic == MAGIC[..6] => {
            Err(Error::invalid("the snapshot is of a format that this release does not know"))
        }
        _ => Err(Error::invalid("this is no snapshot")),
    }
}

fn next(bytes: &[u8]) -> Result<Option<(u8, &[u8])>, Error> {
    let Some((head, rest)) = bytes.split_at_checked(5) else { return Ok(None) };
    let length = head[1..].iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
    if length > BODY_MAX {
        return Err(broken());
    }
    Ok(rest.get(..length).map(|body| (head[0], body)))
}

fn parse(kind: u8, body: &[u8]) -> Result<Frame, Error> {
    match kind {
        b'A' => json(body).map(Frame::About),
        b'Z' => json(body).map(Frame::End),
        b'E' => entry(body).map(|entry| Frame::Page(Page::Entries(vec![entry]))).ok_or_else(broken),
        b'R' => record(body).map(|row| Frame::Page(Page::Records(vec![row]))).ok_or_else(broken),
        _ => Err(broken()),
    }
}

fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|source| broken().with_source(source))
}

fn entry(body: &[u8]) -> Option<Entry> {
    let (length, rest) = body.split_first_chunk::<2>()?;
    let (key, value) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let key = Key::new(std::str::from_utf8(key).ok()?).ok()?;
    // Whoever writes it gives it a revision of its own.
    Some(Entry { key, rev: Rev([0; 16]), value: Sealed::from_stored(value.to_vec()) })
}

fn record(body: &[u8]) -> Option<AuditRow> {
    let (link, canonical) = body.split_first_chunk::<32>()?;
    let AuditRecord { chain, seq, columns, .. } = AuditRecord::parse(canonical)?;
    Some(AuditRow { chain, seq, columns, canonical: canonical.to_vec(), link: *link })
}

pub(super) fn broken() -> Error {
    Error::invalid("the snapshot is damaged; take another copy of it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::{Chain, Columns},
        crypto::rustcrypto,
        id::BootId,
    };

    fn about() -> About {
        let text = str::to_owned;
        About { id: text("i"), taken: text("t"), version: text("v"), store: text("s") }
    }

    fn entries() -> Page {
        let entry = Entry {
            key: Key::new("a/b").unwrap(),
            rev: Rev([0; 16]),
            value: Sealed::from_stored(vec![0xAA, 0xBB]),
        };
        Page::Entries(vec![entry])
    }

    fn records() -> Page {
        let record = AuditRecord {
            chain: BootId([1; 16]),
            seq: 1,
            columns: Columns { path: "p".into(), request_id: "r".into(), ..Columns::default() },
            writes: Vec::new(),
            fields: Vec::new(),
            headers: Vec::new(),
        };
        let linked = Chain::new(BootId([1; 16])).append(rustcrypto::provider().hash, record);
        Page::Records(vec![AuditRow::of(&linked)])
    }

    fn whole() -> Vec<u8> {
        let mut out = head();
        write_about(&about(), &mut out).unwrap();
        write_page(&entries(), &mut out);
        write_page(&records(), &mut out);
        write_end(&Tally::default(), &mut out).unwrap();
        out
    }

    #[test]
    fn golden_format_1() {
        let mut out = head();
        write_about(&about(), &mut out).unwrap();
        write_page(&entries(), &mut out);
        write_end(&Tally::default(), &mut out).unwrap();
        let json = |text: &str| hex::encode(text);
        let about = json(r#"{"id":"i","taken":"t","version":"v","store":"s"}"#);
        let end = json(r#"{"entries":0,"records":0,"digest":""}"#);
        let magic = json("SHSNAP");
        assert_eq!(
            hex::encode(out),
            format!(
                "{magic}010041{:08x}{about}45000000070003612f62aabb5a{:08x}{end}",
                about.len() / 2,
                end.len() / 2
            )
        );
    }

    #[test]
    fn frames_come_back_whatever_the_pieces() {
        for size in [1, 3, 50, 10_000] {
            let (mut frames, mut found) = (Frames::default(), Vec::new());
            for bytes in whole().chunks(size) {
                frames.push(bytes);
                found.extend(frames.take().unwrap());
            }
            assert!(!frames.is_cut());
            let expect = [
                Frame::About(about()),
                Frame::Page(entries()),
                Frame::Page(records()),
                Frame::End(Tally::default()),
            ];
            assert_eq!(found, expect, "{size}");
        }
    }

    #[test]
    fn what_is_cut_or_changed_never_panics_and_is_seen() {
        let whole = whole();
        for at in 0..whole.len() {
            let mut frames = Frames::default();
            frames.push(&whole[..at]);
            let found = frames.take().unwrap();
            assert!(frames.is_cut() || !found.iter().any(|frame| matches!(frame, Frame::End(_))), "{at}");
            let mut changed = whole.clone();
            changed[at] ^= 0x80;
            frames = Frames::default();
            frames.push(&changed);
            let _ = frames.take();
        }
        for bad in ["SHSNAP\x02\0", "SHSNAP\x01\x07", "SQLite f", "SHSNAP\x01\x01"] {
            let mut frames = Frames::default();
            frames.push(bad.as_bytes());
            assert!(frames.take().is_err(), "{bad:?}");
        }
    }
}
