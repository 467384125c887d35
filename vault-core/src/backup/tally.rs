//! [`Tally`]: how much passed by, and a digest of it that depends on the order, as a chain does.

use super::Page;
use crate::crypto::Hash;
use serde::{Deserialize, Serialize};

/// Counts and a digest of entries and records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Entries.
    pub entries: u64,
    /// Audit records.
    pub records: u64,
    /// SHA-256 over the digest before it and each entry or record in turn, hex; empty before the first.
    pub digest: String,
}

impl Tally {
    /// Adds a page.
    pub fn add(&mut self, hash: &dyn Hash, page: &Page) {
        let mut digest = hex::decode(&self.digest).unwrap_or_default();
        match page {
            Page::Entries(entries) => {
                for entry in entries {
                    let (key, value) = (entry.key.as_str().as_bytes(), entry.value.as_bytes());
                    // Keys hold no NUL, so no key and value run into another pair.
                    digest = hash.sha256(&[&digest, b"entry\0", key, b"\0", value]).to_vec();
                }
                self.entries += entries.len() as u64;
            }
            Page::Records(rows) => {
                for row in rows {
                    digest = hash.sha256(&[&digest, b"record\0", &row.link, &row.canonical]).to_vec();
                }
                self.records += rows.len() as u64;
            }
        }
        self.digest = hex::encode(digest);
    }
}
