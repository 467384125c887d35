//! [`Witness`]: the value of `lane/<boot>`, replaced by every merged commit of the lane. Its compare-and-set is what
//! makes (chain, seq) unique, and its MAC covers the records that no checkpoint covers yet.

use crate::{
    audit::Chain,
    error::Error,
    id::{BootId, Timestamp},
    store::Key,
};

/// Where a chain stands, as its lane last committed it.
///
/// Format 1, before sealing: `1 ‖ seq (8) ‖ link (32) ‖ mac (32) ‖ time of the last record (8) ‖ time of the commit (8)`,
/// numbers big-endian, times in microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Number of the last record; 0 if there is none.
    pub seq: u64,
    /// Its link.
    pub link: [u8; 32],
    /// HMAC of the link under the audit key.
    pub mac: [u8; 32],
    /// Its time.
    pub record_time: Timestamp,
    /// When the lane wrote this, by its own clock.
    pub time: Timestamp,
}

const FORMAT: u8 = 1;

impl Witness {
    /// Length of its bytes.
    pub const BYTES: usize = 1 + 8 + 32 + 32 + 8 + 8;

    /// The key that holds it.
    pub fn key(boot: BootId) -> Result<Key, Error> {
        Key::new(format!("lane/{boot}")).map_err(Error::internal)
    }

    /// Where `chain` stands at `time`.
    pub fn of(chain: &Chain, mac: [u8; 32], time: Timestamp) -> Self {
        Self { seq: chain.seq, link: chain.link, mac, record_time: chain.time, time }
    }

    /// The bytes to seal.
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut out = [0; Self::BYTES];
        let mut rest = &mut out[..];
        let parts: [&[u8]; 6] = [
            &[FORMAT],
            &self.seq.to_be_bytes(),
            &self.link,
            &self.mac,
            &self.record_time.0.to_be_bytes(),
            &self.time.0.to_be_bytes(),
        ];
        for part in parts {
            let (head, tail) = rest.split_at_mut(part.len());
            head.copy_from_slice(part);
            rest = tail;
        }
        out
    }

    /// Reads the bytes back; `None` for anything that [`Witness::encode`] cannot have written.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::BYTES] = bytes.try_into().ok()?;
        let number = |at: usize| Some(u64::from_be_bytes(bytes[at..at + 8].try_into().ok()?));
        let digest = |at: usize| bytes[at..at + 32].try_into().ok();
        (bytes[0] == FORMAT).then_some(Self {
            seq: number(1)?,
            link: digest(9)?,
            mac: digest(41)?,
            record_time: Timestamp(number(73)?),
            time: Timestamp(number(81)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_and_round_trip() {
        let witness = Witness {
            seq: 0x0102,
            link: [0xAA; 32],
            mac: [0xBB; 32],
            record_time: Timestamp(3),
            time: Timestamp(0x0405),
        };
        let (aa, bb) = ("aa".repeat(32), "bb".repeat(32));
        let golden = format!("010000000000000102{aa}{bb}00000000000000030000000000000405");
        assert_eq!(hex::encode(witness.encode()), golden);
        assert_eq!(Witness::parse(&witness.encode()), Some(witness));
    }

    #[test]
    fn anything_else_is_refused() {
        let good = Witness::of(&Chain::new(BootId([1; 16])), [2; 32], Timestamp(3)).encode();
        assert!(Witness::parse(&good[..good.len() - 1]).is_none(), "short");
        assert!(Witness::parse(&[&good[..], &[0]].concat()).is_none(), "long");
        let mut newer = good;
        newer[0] = 2;
        assert!(Witness::parse(&newer).is_none(), "another format");
    }
}
