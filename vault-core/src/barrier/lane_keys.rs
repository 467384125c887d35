//! The barrier as the audit lane sees it.

use super::Barrier;
use crate::{
    Secret,
    audit::LaneKeys,
    crypto::SigningKey,
    error::Error,
    store::{Entry, Key, Sealed},
};

impl LaneKeys for Barrier {
    fn seal(&self, key: &Key, plain: &[u8]) -> Result<Sealed, Error> {
        Self::seal(self, key, plain)
    }

    fn open(&self, entry: &Entry) -> Result<Secret<Vec<u8>>, Error> {
        Self::open(self, entry)
    }

    fn audit_mac(&self, link: &[u8; 32]) -> [u8; 32] {
        Self::audit_mac(self, link)
    }

    fn audit_signer(&self) -> &dyn SigningKey {
        Self::audit_signer(self)
    }

    fn make_bytes(&self, out: &mut [u8]) {
        Self::make_bytes(self, out);
    }
}
