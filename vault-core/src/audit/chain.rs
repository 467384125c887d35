//! The audit chain as pure arithmetic: every record's link covers the one before it, so that whoever holds one link
//! can check everything up to it with nothing but SHA-256. One chain a node boot.

use super::{AuditRecord, Linked};
use crate::{
    crypto::Hash,
    id::{BootId, Timestamp},
};

/// Separates links from every other use of SHA-256 here; part of format 1, never changed.
pub const DOMAIN: &[u8] = b"secrethub audit link v1\0";

/// What stands before the first record of a chain. The record itself names its chain.
pub const GENESIS: [u8; 32] = [0; 32];

/// SHA-256(domain ‖ previous link ‖ canonical record).
pub fn link(hash: &dyn Hash, previous: &[u8; 32], canonical: &[u8]) -> [u8; 32] {
    hash.sha256(&[DOMAIN, previous, canonical])
}

/// The end of a chain: all that is needed to append to it. Copy it before a commit that may fail, and put the
/// copy back if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The chain.
    pub boot: BootId,
    /// Number of the last record; 0 before the first.
    pub seq: u64,
    /// Its link; [`GENESIS`] before the first.
    pub link: [u8; 32],
    /// Its time: no later record is earlier.
    pub time: Timestamp,
}

impl Chain {
    /// A chain without records.
    pub fn new(boot: BootId) -> Self {
        Self { boot, seq: 0, link: GENESIS, time: Timestamp::default() }
    }

    /// Numbers and links a record. Its `chain` and `seq` are overwritten, and its time is raised to the time of the
    /// record before if it is earlier: requests end in another order than they came.
    pub fn append(&mut self, hash: &dyn Hash, mut record: AuditRecord) -> Linked {
        record.chain = self.boot;
        record.seq = self.seq + 1;
        record.columns.timestamp = record.columns.timestamp.max(self.time);
        let canonical = record.canonical();
        *self = Self {
            boot: self.boot,
            seq: record.seq,
            link: link(hash, &self.link, &canonical),
            time: record.columns.timestamp,
        };
        Linked { record, canonical, link: self.link }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::{Columns, Status},
        crypto::rustcrypto,
        store::Key,
    };
    use std::array::from_fn;

    const BOOT: BootId = BootId([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);

    /// Bytes and link of a record with every field and of one with none; computed by an independent program.
    const GOLDEN: [(&str, &str); 2] = [
        (
            "010100000010000102030405060708090a0b0c0d0e0f02000000080000000000000001030000000800062a99ba0c600004\
             0000000675706461746505000000043366326106000000093139322e302e322e3107000000076661696c75726508000000\
             04726f6f7409000000036163630a0000000f7365637265742f646174612f6170700b000000077365637265742f0c000000\
             066375726c2f380d00000004726f6f740e00000003722d310f000000036c2d31100000000a64656e6965643a20c3a91100\
             00000800000000000005dc120000002401aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
             612f62120000000500676f6e651300000014bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb64617461",
            "1ee8e8f519f2a5c206f665d1f79b6109ef2da2f141d3c79ae8bdf7711eb6fcf4",
        ),
        (
            "010100000010000102030405060708090a0b0c0d0e0f02000000080000000000000002030000000800062a99ba0c600007\
             00000007737563636573730e00000003722d3211000000080000000000000000",
            "390bd9f22c6238c9aa7ee43ec4cdd0710a3d3c759333dec3dabdfc491004ff11",
        ),
    ];

    fn records() -> [AuditRecord; 2] {
        let some = |text: &str| Some(text.to_owned());
        let columns = Columns {
            timestamp: Timestamp(1_735_689_600_000_000),
            operation: "update".to_owned(),
            secret_id: some("3f2a"),
            client_ip: some("192.0.2.1"),
            status: Status::Failure,
            actor: some("root"),
            accessor: some("acc"),
            path: "secret/data/app".to_owned(),
            mount: some("secret/"),
            user_agent: some("curl/8"),
            rule: some("root"),
            request_id: "r-1".to_owned(),
            lease_id: some("l-1"),
            error: some("denied: é"),
            elapsed_us: 1_500,
        };
        let key = |text: &str| Key::new(text).unwrap();
        let full = AuditRecord {
            chain: BOOT,
            seq: 0,
            columns,
            writes: vec![(key("a/b"), Some([0xAA; 32])), (key("gone"), None)],
            fields: vec![("data".to_owned(), [0xBB; 16])],
            headers: Vec::new(),
        };
        // Earlier than the first: its time must be raised.
        let columns = Columns { timestamp: Timestamp(1), request_id: "r-2".to_owned(), ..Columns::default() };
        [
            full,
            AuditRecord {
                chain: BOOT,
                seq: 0,
                columns,
                writes: Vec::new(),
                fields: Vec::new(),
                headers: Vec::new(),
            },
        ]
    }

    #[test]
    fn golden_records_and_links() {
        let hash = rustcrypto::provider().hash;
        let mut chain = Chain::new(BOOT);
        for (record, (canonical, expect)) in records().into_iter().zip(GOLDEN) {
            let linked = chain.append(hash, record);
            assert_eq!(hex::encode(&linked.canonical), canonical.replace(' ', ""));
            assert_eq!(hex::encode(linked.link), expect);
            assert_eq!((linked.link, linked.record.seq), (chain.link, chain.seq));
            assert_eq!(AuditRecord::parse(&linked.canonical), Some(linked.record));
        }
    }

    #[test]
    fn a_link_depends_on_every_bit() {
        let hash = rustcrypto::provider().hash;
        let canonical: [u8; 40] = from_fn(|i| i as u8);
        let good = link(hash, &GENESIS, &canonical);
        for bit in 0..canonical.len() * 8 {
            let mut other = canonical;
            other[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(link(hash, &GENESIS, &other), good);
            let mut previous = GENESIS;
            previous[bit / 8 % 32] ^= 1 << (bit % 8);
            assert_ne!(link(hash, &previous, &canonical), good);
        }
    }
}
