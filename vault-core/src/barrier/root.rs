//! [`RootKey`]: the key above the keyring. It lives between unsealing and unlocking, and never longer.

use crate::{Key32, crypto::make_key, host::Host};

/// The root key: seals the keyring, and is itself wrapped by whoever guards the vault.
#[allow(missing_debug_implementations, reason = "holds a key")]
pub struct RootKey(Key32);

impl RootKey {
    /// A new vault's root.
    pub(super) fn make(host: &dyn Host) -> Self {
        Self(make_key(|bytes| host.fill_random(bytes)))
    }

    /// A root that a wrap has proved.
    pub(super) fn new(key: Key32) -> Self {
        Self(key)
    }

    /// For the derivation of the keyring's key and for wrapping, both inside this module.
    pub(super) fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }
}
