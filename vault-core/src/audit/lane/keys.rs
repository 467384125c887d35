//! [`LaneKeys`]: what the lane asks of the barrier, and no more. Tests and the simulation bring their own.

use crate::{
    Secret,
    crypto::SigningKey,
    error::Error,
    store::{Entry, Key, Sealed},
};
use std::fmt;

/// The keys that the lane works with.
pub trait LaneKeys: fmt::Debug + Send + Sync + 'static {
    /// Encrypts the value of an entry.
    fn seal(&self, key: &Key, plain: &[u8]) -> Result<Sealed, Error>;
    /// Decrypts an entry.
    fn open(&self, entry: &Entry) -> Result<Secret<Vec<u8>>, Error>;
    /// HMAC of a link under the audit key: covers the tail that no checkpoint covers yet.
    fn audit_mac(&self, link: &[u8; 32]) -> [u8; 32];
    /// Signs checkpoints.
    fn audit_signer(&self) -> &dyn SigningKey;
    /// Random bytes, for batch ids.
    fn make_bytes(&self, out: &mut [u8]);
}
