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
