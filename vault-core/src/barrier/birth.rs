//! [`make_vault`]: a new vault's keys, seal file and keyring, ready to be committed.

use super::{
    Barrier, Keyring, MasterKey, RootKey, SealFile, ShamirSeal, Shares, StaticSeal, Stretched, keyring_cipher,
};
use crate::{Error, crypto::CryptoProvider, host::Host, id::BootId, store::Sealed};
use std::{fmt, sync::Arc};

/// Who shall guard a new vault.
#[derive(Clone, Copy)]
#[allow(missing_debug_implementations, reason = "holds a key")]
pub enum NewSeal<'a> {
    /// People with shares.
    Shamir {
        /// How many shares to give out.
        shares: u8,
        /// How many are to suffice.
        threshold: u8,
    },
    /// The environment.
    Static(&'a MasterKey),
    /// Who knows the passphrase.
    Passphrase(&'a Stretched),
}

/// A vault that exists once `seal` and `keyring` are *created* in one commit; if either is already there, this birth
/// is dropped and nothing has happened.
pub struct Birth {
    /// To be created at [`super::SEAL_KEY`].
    pub seal: Sealed,
    /// To be created at [`super::KEYRING_KEY`].
    pub keyring: Sealed,
    /// To be given out exactly once; empty for a guard without shares.
    pub shares: Shares,
    /// The unsealed vault.
    pub barrier: Barrier,
}

/// Makes a vault. All keys come from the host's entropy. `Invalid` when shares and threshold make no sense.
pub fn make_vault(
    crypto: CryptoProvider,
    host: Arc<dyn Host>,
    boot: BootId,
    seal: NewSeal<'_>,
) -> Result<Birth, Error> {
    let root = RootKey::make(&*host);
    let (wrap, shares) = match seal {
        NewSeal::Static(master) => (StaticSeal::new(crypto, &*host, master).wrap_now(&root), Vec::new()),
        NewSeal::Passphrase(stretched) => (stretched.wrap_now(crypto, &*host, &root), Vec::new()),
        NewSeal::Shamir { shares, threshold } => {
            let (seal, shares) = ShamirSeal::make(crypto, &*host, shares, threshold)?;
            (seal.wrap_now(&root), shares)
        }
    };
    let keyring = Keyring::make(&*host);
    let barrier = Barrier::new(crypto, host, boot, keyring_cipher(crypto, &root), keyring);
    let keyring = barrier.seal_keyring(&barrier.state().keyring)?;
    Ok(Birth { seal: SealFile::new(wrap).to_sealed()?, keyring, shares, barrier })
}

impl fmt::Debug for Birth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Birth({} shares)", self.shares.len())
    }
}
