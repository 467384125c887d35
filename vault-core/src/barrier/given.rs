//! [`Given`]: what somebody typed, read as the wrap asks for it.

use super::{
    MasterKey, Opened,
    passphrase_seal::{Passphrase, PassphraseSeal},
    shamir_seal::parse_share,
    static_seal::StaticSeal,
    wrap::{Guard, Wrap},
};
use crate::{Error, Key32, Secret, crypto::CryptoProvider, host::Host};

/// One share of several, or the whole key, proved already.
#[allow(missing_debug_implementations, reason = "holds keys")]
pub enum Given {
    /// To be counted.
    Share(Secret<Vec<u8>>),
    /// Of a guard without shares.
    Whole(Opened),
}

impl Given {
    /// `Invalid` when it cannot be what the wrap asks for, or is a whole key that does not open it.
    pub async fn read(
        crypto: CryptoProvider,
        host: &dyn Host,
        wrap: &Wrap,
        text: &Secret<String>,
    ) -> Result<Self, Error> {
        match wrap.guard {
            Guard::Shamir { .. } | Guard::Recovery { .. } => parse_share(text.expose()).map(Self::Share),
            Guard::Static => {
                let key = master_key(text)?;
                open(crypto, wrap, key, StaticSeal::wrong_key)
            }
            Guard::Passphrase(stretch) => {
                let passphrase = Passphrase::parse(text)?;
                let key = passphrase.stretch_by(crypto, host, stretch).await?.into_key();
                open(crypto, wrap, key, PassphraseSeal::wrong_passphrase)
            }
        }
    }
}

fn open(crypto: CryptoProvider, wrap: &Wrap, key: Key32, wrong: fn() -> Error) -> Result<Given, Error> {
    let root = wrap.open(crypto, &key).map_err(|_| wrong())?;
    Ok(Given::Whole(Opened { key, root }))
}

fn master_key(text: &Secret<String>) -> Result<Key32, Error> {
    let asked = "this vault has no key shares: give the MASTER_KEY that it unseals with";
    let master = MasterKey::parse(text).map_err(|error| Error::invalid(asked).with_source(error))?;
    Ok(master.into_key())
}
