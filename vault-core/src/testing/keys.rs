//! [`PlainKeys`]: stands in for the barrier where a test is about the lane. Nothing is encrypted; the bytes of a
//! "sealed" value begin with its key, so that a value under a wrong key is still found out.

use super::Seed;
use crate::{
    Secret,
    audit::LaneKeys,
    crypto::{CryptoProvider, HmacKey, SigningKey},
    error::Error,
    store::{Entry, Key, Sealed},
};
use std::sync::{Mutex, PoisonError};

/// Keys for tests, the same for every vault with the same crypto.
#[derive(Debug)]
pub struct PlainKeys {
    mac: Box<dyn HmacKey>,
    signer: Box<dyn SigningKey>,
    seed: Mutex<Seed>,
}

impl PlainKeys {
    /// The seed decides the batch ids; the keys are always the same.
    pub fn new(crypto: &CryptoProvider, seed: u64) -> Self {
        Self {
            mac: crypto.hmac.key(b"audit"),
            signer: crypto.signer.key(&Secret::new([7; 32])),
            seed: Mutex::new(Seed::new(seed)),
        }
    }
}

impl LaneKeys for PlainKeys {
    fn seal(&self, key: &Key, plain: &[u8]) -> Result<Sealed, Error> {
        Ok(Sealed::public([key.as_str().as_bytes(), b"\0", plain].concat()))
    }

    fn open(&self, entry: &Entry) -> Result<Secret<Vec<u8>>, Error> {
        let name = [entry.key.as_str().as_bytes(), b"\0"].concat();
        let plain = entry.value.as_bytes().strip_prefix(name.as_slice());
        plain.map(|plain| Secret::new(plain.to_vec())).ok_or_else(|| Error::internal("value of another key"))
    }

    fn audit_mac(&self, link: &[u8; 32]) -> [u8; 32] {
        self.mac.tag(&[link])
    }

    fn audit_signer(&self) -> &dyn SigningKey {
        &*self.signer
    }

    fn make_bytes(&self, out: &mut [u8]) {
        let mut seed = self.seed.lock().unwrap_or_else(PoisonError::into_inner);
        out.chunks_mut(16).for_each(|chunk| chunk.copy_from_slice(&seed.id()[..chunk.len()]));
    }
}
