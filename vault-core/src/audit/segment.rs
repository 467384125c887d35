//! [`Segment`]: a signed stretch of one chain, for keeping outside the store. It verifies with the public key alone;
//! segments that follow each other join where one's last link is the next one's `previous`.

use super::{AuditRow, chain::link, record::AuditRecord};
use crate::{
    crypto::{CryptoProvider, SigningKey},
    id::BootId,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

/// Separates these signatures from any other use of the key; part of format 1, never changed.
const DOMAIN: &[u8] = b"secrethub audit segment v1\0";

/// A signed stretch of a chain (format 1), as written to an archive file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Version of this document.
    pub format: u8,
    /// The chain, hex.
    pub chain: String,
    /// Number of the first record.
    pub first: u64,
    /// Link before the first record, hex.
    pub previous: String,
    /// Canonical records in base64, in order.
    pub records: Vec<String>,
    /// Link of the last record, hex.
    pub last_link: String,
    /// Ed25519 over domain ‖ chain ‖ first ‖ previous ‖ count ‖ last link, hex.
    pub signature: String,
}

/// Why a segment is not what was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSegment {
    /// It cannot be read.
    #[error("the segment cannot be read")]
    Malformed,
    /// A record is not what was linked.
    #[error("record {0} does not match its link")]
    Record(u64),
    /// Somebody else signed it, or it was changed.
    #[error("the segment is not signed by this key")]
    Signature,
}

impl Segment {
    /// Signs consecutive rows of one chain; `None` if there are none. `previous` is the link before the first.
    pub fn sign(rows: &[AuditRow], previous: &[u8; 32], key: &dyn SigningKey) -> Option<Self> {
        let (first, last) = (rows.first()?, rows.last()?);
        let signature = key.sign(&statement(first.chain, first.seq, previous, rows.len(), &last.link));
        Some(Self {
            format: 1,
            chain: first.chain.to_hex(),
            first: first.seq,
            previous: hex::encode(previous),
            records: rows.iter().map(|row| STANDARD.encode(&row.canonical)).collect(),
            last_link: hex::encode(last.link),
            signature: hex::encode(signature),
        })
    }

    /// Verifies with the public key alone, and gives the records.
    pub fn verify(&self, crypto: &CryptoProvider, public: &[u8; 32]) -> Result<Vec<AuditRecord>, BadSegment> {
        let chain = BootId::from_hex(&self.chain).ok_or(BadSegment::Malformed)?;
        let previous = unhex::<32>(&self.previous)?;
        let (last, signature) = (unhex::<32>(&self.last_link)?, unhex::<64>(&self.signature)?);
        let statement = statement(chain, self.first, &previous, self.records.len(), &last);
        crypto.signer.verify(public, &statement, &signature).map_err(|_| BadSegment::Signature)?;
        let (mut at, mut records) = (previous, Vec::with_capacity(self.records.len()));
        for (seq, text) in (self.first..).zip(&self.records) {
            let canonical = STANDARD.decode(text).map_err(|_| BadSegment::Record(seq))?;
            let record = AuditRecord::parse(&canonical).ok_or(BadSegment::Record(seq))?;
            if (record.chain, record.seq) != (chain, seq) {
                return Err(BadSegment::Record(seq));
            }
            at = link(crypto.hash, &at, &canonical);
            records.push(record);
        }
        if at == last && self.format == 1 { Ok(records) } else { Err(BadSegment::Record(self.first)) }
    }
}

fn statement(chain: BootId, first: u64, previous: &[u8; 32], count: usize, last: &[u8; 32]) -> Vec<u8> {
    [DOMAIN, &chain.0, &first.to_be_bytes(), previous, &(count as u64).to_be_bytes(), last].concat()
}

fn unhex<const N: usize>(text: &str) -> Result<[u8; N], BadSegment> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| BadSegment::Malformed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Secret,
        audit::{Chain, Columns},
        crypto::rustcrypto,
    };

    fn rows(count: u64) -> Vec<AuditRow> {
        let crypto = rustcrypto::provider();
        let mut chain = Chain::new(BootId([3; 16]));
        let record = |seq| AuditRecord {
            chain: BootId([3; 16]),
            seq,
            columns: Columns { path: format!("p/{seq}"), request_id: "r".into(), ..Columns::default() },
            writes: vec![],
            fields: vec![],
            headers: vec![],
        };
        (1..=count).map(|seq| AuditRow::of(&chain.append(crypto.hash, record(seq)))).collect()
    }

    #[test]
    fn what_was_signed_verifies_and_nothing_else() {
        let crypto = rustcrypto::provider();
        let key = crypto.signer.key(&Secret::new([7; 32]));
        let all = rows(5);
        let segment = Segment::sign(&all[2..], &all[1].link, &*key).unwrap();
        assert_eq!(segment.verify(&crypto, &key.public()).unwrap().len(), 3);
        let check = |change: fn(&mut Segment), expect: BadSegment| {
            let mut bad = segment.clone();
            change(&mut bad);
            assert_eq!(bad.verify(&crypto, &key.public()), Err(expect));
        };
        check(|s| s.first = 4, BadSegment::Signature);
        check(|s| s.records.swap(0, 1), BadSegment::Record(3));
        check(|s| s.records[2] = s.records[1].clone(), BadSegment::Record(5));
        check(|s| drop(s.records.pop()), BadSegment::Signature);
        check(|s| s.chain = "x".into(), BadSegment::Malformed);
        check(|s| s.last_link = "00".repeat(32), BadSegment::Signature);
        assert!(Segment::sign(&[], &[0; 32], &*key).is_none());
    }
}
