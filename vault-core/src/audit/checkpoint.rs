//! [`Checkpoint`]: a signed statement of how far the chains had come. Whoever holds the public key and one checkpoint
//! outside the store finds any later change to what it covers, without the vault and without any other key.
//!
//! Stored under `checkpoint/<number as 16 hex digits>`, unsealed. Format 1, numbers big-endian:
//!
//! `1 ‖ number (8) ‖ SHA-256 of the previous checkpoint (32) ‖ time (8) ‖ count (4) ‖ heads ‖ count (4) ‖ floors ‖ signature (64)`
//!
//! A head or a floor is a [`Mark`]: `chain (16) ‖ seq (8) ‖ link (32)`. The signature is Ed25519 over the domain and all
//! bytes before it. Numbers are global: the lanes of all nodes append to one row of checkpoints.

use crate::{
    crypto::{CryptoProvider, Signer, SigningKey},
    error::Error,
    id::{BootId, Timestamp},
    store::{Entry, Key, Limit, Range, Store, StoreError},
};

/// Separates these signatures from any other use of the key; part of format 1, never changed.
pub const DOMAIN: &[u8] = b"secrethub audit checkpoint v1\0";

/// What the first checkpoint has for its predecessor's hash.
pub const FIRST: [u8; 32] = [0; 32];

/// Every key of a checkpoint starts so.
pub const PREFIX: &str = "checkpoint/";

const FORMAT: u8 = 1;
const SIGNATURE: usize = 64;
const MARK: usize = 16 + 8 + 32;

/// A record of a chain, and its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The chain.
    pub chain: BootId,
    /// The record's number; 0 stands for the beginning of the chain.
    pub seq: u64,
    /// The record's link.
    pub link: [u8; 32],
}

/// What a checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Its place among all checkpoints, from 1.
    pub number: u64,
    /// SHA-256 of the stored bytes of the one before; [`FIRST`] if there is none.
    pub previous: [u8; 32],
    /// When it was signed, by the signer's clock.
    pub time: Timestamp,
    /// Last records of chains, from the memory of the lanes that wrote them.
    pub heads: Vec<Mark>,
    /// Last records that retention has removed: the chain goes on from these links.
    pub floors: Vec<Mark>,
}

impl Checkpoint {
    /// The key of a checkpoint.
    pub fn key(number: u64) -> Result<Key, StoreError> {
        Key::new(format!("{PREFIX}{number:016x}"))
    }

    /// The number in a checkpoint's key.
    pub fn number_of(key: &Key) -> Option<u64> {
        let digits = key.as_str().strip_prefix(PREFIX)?;
        let plain = digits.len() == 16 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if plain { u64::from_str_radix(digits, 16).ok() } else { None }
    }

    /// The stored bytes, signed.
    pub fn sign(&self, key: &dyn SigningKey) -> Vec<u8> {
        let mut out = vec![FORMAT];
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(&self.previous);
        out.extend_from_slice(&self.time.0.to_be_bytes());
        put_marks(&mut out, &self.heads);
        put_marks(&mut out, &self.floors);
        let signature = key.sign(&[DOMAIN, &out].concat());
        out.extend_from_slice(&signature);
        out
    }

    /// Verifies stored bytes with the public key alone and reads them.
    pub fn verify(signer: &dyn Signer, public: &[u8; 32], bytes: &[u8]) -> Result<Self, BadCheckpoint> {
        let (body, signature) = bytes.split_last_chunk::<SIGNATURE>().ok_or(BadCheckpoint::Malformed)?;
        let read = Self::parse(body).ok_or(BadCheckpoint::Malformed)?;
        let signed = signer.verify(public, &[DOMAIN, body].concat(), signature);
        signed.map(|()| read).map_err(|_| BadCheckpoint::Signature)
    }

    fn parse(body: &[u8]) -> Option<Self> {
        let (&format, rest) = body.split_first()?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (previous, rest) = rest.split_first_chunk::<32>()?;
        let (time, rest) = rest.split_first_chunk::<8>()?;
        let (heads, rest) = take_marks(rest)?;
        let (floors, rest) = take_marks(rest)?;
        (format == FORMAT && rest.is_empty()).then_some(Self {
            number: u64::from_be_bytes(*number),
            previous: *previous,
            time: Timestamp(u64::from_be_bytes(*time)),
            heads,
            floors,
        })
    }
}

/// Why bytes are not a checkpoint of this vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCheckpoint {
    /// No version of this product wrote them.
    #[error("not a checkpoint")]
    Malformed,
    /// They were altered, or signed with another key.
    #[error("the checkpoint's signature does not verify")]
    Signature,
}

/// Lists of marks as bytes: `count (4) ‖ marks`.
pub fn put_marks(out: &mut Vec<u8>, marks: &[Mark]) {
    // Never cut: 2^32 marks are 240 GB.
    out.extend_from_slice(&u32::try_from(marks.len()).unwrap_or(u32::MAX).to_be_bytes());
    for mark in marks {
        out.extend_from_slice(&mark.chain.0);
        out.extend_from_slice(&mark.seq.to_be_bytes());
        out.extend_from_slice(&mark.link);
    }
}

/// Reads a list of marks, and what follows it.
pub fn take_marks(bytes: &[u8]) -> Option<(Vec<Mark>, &[u8])> {
    let (count, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*count)).ok()?.checked_mul(MARK)?;
    let (body, rest) = rest.split_at_checked(length)?;
    Some((body.chunks_exact(MARK).filter_map(parse_mark).collect(), rest))
}

fn parse_mark(bytes: &[u8]) -> Option<Mark> {
    let (chain, rest) = bytes.split_first_chunk::<16>()?;
    let (seq, link) = rest.split_first_chunk::<8>()?;
    Some(Mark { chain: BootId(*chain), seq: u64::from_be_bytes(*seq), link: link.try_into().ok()? })
}

/// The newest checkpoint in the store: number and entry. `known` is a number that once existed, 0 if none is known.
/// Numbers have no gaps (retention removes the oldest first), so a handful of reads finds the end among millions.
pub async fn newest<S: Store + ?Sized>(store: &S, known: u64) -> Result<Option<(u64, Entry)>, StoreError> {
    let mut best = oldest_from(store, known).await?;
    // Everything below `absent` may be there, `absent` itself is not.
    let mut absent = None;
    while let Some((number, _)) = best {
        let probes = probes_between(number, absent);
        if probes.is_empty() {
            break;
        }
        let keys = probes.iter().map(|&n| Checkpoint::key(n)).collect::<Result<Vec<_>, _>>()?;
        let found = store.get(&keys).await?;
        for (probe, entry) in probes.into_iter().zip(found) {
            match entry {
                Some(entry) => best = Some((probe, entry)),
                None => {
                    absent = Some(probe);
                    break;
                }
            }
        }
    }
    Ok(best)
}

async fn oldest_from<S: Store + ?Sized>(store: &S, from: u64) -> Result<Option<(u64, Entry)>, StoreError> {
    let mut range = Range::prefix(PREFIX);
    range.from = format!("{PREFIX}{from:016x}");
    let page = store.scan(range, Limit::entries(1)).await?;
    Ok(page.into_iter().next().and_then(|entry| Some((Checkpoint::number_of(&entry.key)?, entry))))
}

/// Numbers to look for above `low`, ascending: doubling steps while there is no upper bound, even steps below one.
fn probes_between(low: u64, absent: Option<u64>) -> Vec<u64> {
    const EVEN: u64 = 64;
    match absent {
        None => (0..63).map_while(|bit| low.checked_add(1 << bit)).collect(),
        Some(absent) => {
            let gap = absent - low;
            let step = gap.div_ceil(EVEN).max(1);
            (1..).map(|i| low + i * step).take_while(|&n| n < absent).collect()
        }
    }
}

/// Makes the checkpoint that follows `newest`, which is the number and the stored bytes of the last one.
pub fn after(
    newest: Option<(u64, &[u8])>,
    crypto: &CryptoProvider,
    heads: Vec<Mark>,
    floors: Vec<Mark>,
    time: Timestamp,
) -> Result<Checkpoint, Error> {
    let (number, previous) =
        newest.map_or((0, FIRST), |(number, bytes)| (number, crypto.hash.sha256(&[bytes])));
    let number = number.checked_add(1).ok_or_else(|| Error::internal("checkpoint numbers are used up"))?;
    Ok(Checkpoint { number, previous, time, heads, floors })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Rev;
    use crate::{
        Secret,
        crypto::rustcrypto,
        store::{Batch, Sealed, memory::Memory},
    };
    use futures::FutureExt;

    /// Ed25519 over the example under the seed 07…07; made by another implementation (OpenSSL).
    const SIGNED: &str = "18661cd4a58ac96b7f50c791b1cbe388d3670164460102ec9aeb983c04724d0d\
                          0a3abc49b04cea047d75c3be72af7aef414c3fff81cc6b1685efa98f53660202";

    fn example() -> Checkpoint {
        let mark = |byte: u8| Mark { chain: BootId([byte; 16]), seq: u64::from(byte), link: [byte; 32] };
        Checkpoint {
            number: 2,
            previous: [0x11; 32],
            time: Timestamp(1_735_689_600_000_000),
            heads: vec![mark(0x22), mark(0x33)],
            floors: vec![mark(0x44)],
        }
    }

    #[test]
    fn golden_and_round_trip() {
        let crypto = rustcrypto::provider();
        let key = crypto.signer.key(&Secret::new([7; 32]));
        let bytes = example().sign(&*key);
        let mark = |byte: &str| format!("{}00000000000000{byte}{}", byte.repeat(16), byte.repeat(32));
        let previous = "11".repeat(32);
        let (two, three, four) = (mark("22"), mark("33"), mark("44"));
        let golden = format!(
            "010000000000000002{previous}00062a99ba0c6000\
             00000002{two}{three}00000001{four}{SIGNED}"
        );
        assert_eq!(hex::encode(&bytes), golden);
        assert_eq!(Checkpoint::verify(crypto.signer, &key.public(), &bytes), Ok(example()));
    }

    #[test]
    fn every_altered_bit_is_found() {
        let crypto = rustcrypto::provider();
        let key = crypto.signer.key(&Secret::new([7; 32]));
        let good = example().sign(&*key);
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Checkpoint::verify(crypto.signer, &key.public(), &bad).is_err(), "bit {bit}");
        }
        for length in 0..good.len() {
            assert!(
                Checkpoint::verify(crypto.signer, &key.public(), &good[..length]).is_err(),
                "{length} bytes"
            );
        }
        let other = crypto.signer.key(&Secret::new([8; 32]));
        let stranger = Checkpoint::verify(crypto.signer, &other.public(), &good);
        assert_eq!(stranger, Err(BadCheckpoint::Signature));
    }

    #[test]
    fn numbers_stand_in_keys() {
        let check = |text: &str, expect: Option<u64>| {
            assert_eq!(Checkpoint::number_of(&Key::new(text).unwrap()), expect, "{text}");
        };
        check("checkpoint/000000000000000a", Some(10));
        check("checkpoint/ffffffffffffffff", Some(u64::MAX));
        check("checkpoint/000000000000000A", None);
        check("checkpoint/a", None);
        check("checkpoint/+00000000000000a", None);
        check("lane/000000000000000a", None);
    }

    #[test]
    fn the_newest_is_found_wherever_the_row_begins() {
        let check = |first: u64, last: u64, known: u64| {
            let store = Memory::default();
            let mut batch = Batch::new(Rev([1; 16]));
            for number in first..=last {
                batch.create(Checkpoint::key(number).unwrap(), Sealed::public(vec![1])).unwrap();
            }
            store.commit(&batch).now_or_never().unwrap().unwrap();
            let found = newest(&store, known).now_or_never().unwrap().unwrap();
            let expect = (first <= last).then_some(last);
            assert_eq!(found.map(|(number, _)| number), expect, "{first}..={last} from {known}");
        };
        check(1, 0, 0);
        for last in (1..70).chain([127, 128, 129, 255, 1_000, 4_097, 5_000]) {
            check(1, last, 0);
            check(1, last, last);
            check(1, last, last / 2);
            check(last, last + 3, 1);
        }
    }
}
