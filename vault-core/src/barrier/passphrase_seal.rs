//! The passphrase seal: who knows a passphrase guards the vault. It is made into a key by Argon2id (RFC 9106), whose
//! salt and cost stand in the wrap, so that they can rise without an old vault becoming unreadable.
//!
//! Whoever takes the store may guess for as long as they like, so a new passphrase must be long; at the server guesses
//! are counted by [`crate::system`].

use super::{
    RootKey, Seal,
    wrap::{Guard, Wrap},
};
use crate::{
    Error, Key32, Secret,
    crypto::{Argon2Cost, CryptoProvider},
    host::Host,
    limits::{
        PASSPHRASE_BYTES_MAX, PASSPHRASE_CHARS_MIN, PASSPHRASE_LANES_MAX, PASSPHRASE_MEMORY_KIB_MAX,
        PASSPHRASE_MEMORY_KIB_MIN, PASSPHRASE_PASSES_MAX,
    },
};
use async_trait::async_trait;
use futures::channel::oneshot;
use std::fmt;

/// RFC 9106 §4, the second recommended option: 64 MiB, 3 passes, 4 lanes. The first takes 2 GiB, more than a small
/// server has.
const COST: Argon2Cost = Argon2Cost { memory_kib: 65_536, passes: 3, lanes: 4 };

/// Text that somebody knows. White space around it does not count, so that a file's line end and a prompt agree.
#[allow(missing_debug_implementations, reason = "holds a secret")]
pub struct Passphrase(Secret<String>);

/// How a passphrase is made into a key; part of the wrap, and no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub(super) cost: Argon2Cost,
    pub(super) salt: [u8; 16],
}

/// A passphrase made into a key.
#[allow(missing_debug_implementations, reason = "holds a key")]
pub struct Stretched {
    stretch: Stretch,
    key: Key32,
}

impl Passphrase {
    /// One that is tried. `Invalid` when it cannot be anybody's; the error never repeats the text.
    pub fn parse(text: &Secret<String>) -> Result<Self, Error> {
        let text = text.expose().trim();
        if text.is_empty() || text.len() > PASSPHRASE_BYTES_MAX {
            return Err(Error::invalid(format!("a passphrase has 1 to {PASSPHRASE_BYTES_MAX} bytes")));
        }
        Ok(Self(Secret::new(text.to_owned())))
    }

    /// Is it long enough for a new vault? Never asked of one that opens an old vault.
    pub fn check_new(&self) -> Result<(), Error> {
        if self.0.expose().chars().count() >= PASSPHRASE_CHARS_MIN {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "the passphrase is shorter than {PASSPHRASE_CHARS_MIN} characters: whoever took the store could guess it; \
             take six words or more from a list, chosen by dice"
        )))
    }

    /// Makes it into a key under a new salt.
    pub async fn stretch(&self, crypto: CryptoProvider, host: &dyn Host) -> Result<Stretched, Error> {
        self.stretch_by(crypto, host, Stretch::make(host)).await
    }

    /// Makes it into the key of a wrap.
    pub(super) async fn stretch_by(
        &self,
        crypto: CryptoProvider,
        host: &dyn Host,
        stretch: Stretch,
    ) -> Result<Stretched, Error> {
        let text = Secret::new(self.0.expose().clone());
        let (tell, told) = oneshot::channel();
        let work = move || {
            let key = crypto.kdf.argon2id(text.expose().as_bytes(), &stretch.salt, stretch.cost);
            // Who asked may have left; then the key is wiped here.
            drop(tell.send(key));
        };
        host.run_blocking(Box::new(work)).await;
        let key = told.await.map_err(Error::internal)?.map_err(Error::internal)?;
        Ok(Stretched { stretch, key })
    }
}

impl Stretch {
    fn make(host: &dyn Host) -> Self {
        let mut salt = [0; 16];
        host.fill_random(&mut salt);
        Self { cost: COST, salt }
    }

    /// May a stored wrap ask for this? One that asks for less was weakened, one that asks for more would take the
    /// server's memory.
    pub(super) fn is_bounded(self) -> bool {
        let Argon2Cost { memory_kib, passes, lanes } = self.cost;
        (PASSPHRASE_MEMORY_KIB_MIN..=PASSPHRASE_MEMORY_KIB_MAX).contains(&memory_kib)
            && (1..=PASSPHRASE_PASSES_MAX).contains(&passes)
            && (1..=PASSPHRASE_LANES_MAX).contains(&lanes)
    }

    /// Name of the function ‖ 00 ‖ memory in KiB(4) ‖ passes(4) ‖ lanes(4) ‖ salt(16).
    pub(super) fn about(self) -> Vec<u8> {
        let Argon2Cost { memory_kib, passes, lanes } = self.cost;
        let cost = [memory_kib, passes, lanes].map(u32::to_be_bytes);
        [ARGON2ID.as_bytes(), b"\0", cost.as_flattened(), &self.salt].concat()
    }
}

/// The one function so far, as it stands in the seal file.
pub(super) const ARGON2ID: &str = "argon2id";

impl Stretched {
    /// The guard's key.
    pub(super) fn into_key(self) -> Key32 {
        self.key
    }

    /// Wraps the root; nothing here needs to wait any more.
    pub(super) fn wrap_now(&self, crypto: CryptoProvider, host: &dyn Host, root: &RootKey) -> Wrap {
        Wrap::make(crypto, host, Guard::Passphrase(self.stretch), &self.key, root)
    }
}

/// Wraps under a passphrase.
pub struct PassphraseSeal<'a> {
    crypto: CryptoProvider,
    host: &'a dyn Host,
    passphrase: &'a Passphrase,
}

impl<'a> PassphraseSeal<'a> {
    /// The guard who knows `passphrase`.
    pub fn new(crypto: CryptoProvider, host: &'a dyn Host, passphrase: &'a Passphrase) -> Self {
        Self { crypto, host, passphrase }
    }

    /// No more than this is ever said of a passphrase that does not open.
    pub(super) fn wrong_passphrase() -> Error {
        Error::invalid("wrong passphrase")
    }
}

#[async_trait]
impl Seal for PassphraseSeal<'_> {
    async fn wrap(&self, root: &RootKey) -> Result<Wrap, Error> {
        let stretched = self.passphrase.stretch(self.crypto, self.host).await?;
        Ok(stretched.wrap_now(self.crypto, self.host, root))
    }

    async fn open(&self, wrap: &Wrap) -> Result<RootKey, Error> {
        let Guard::Passphrase(stretch) = wrap.guard else { return Err(Self::wrong_passphrase()) };
        let stretched = self.passphrase.stretch_by(self.crypto, self.host, stretch).await?;
        wrap.open(self.crypto, &stretched.key).map_err(|_| Self::wrong_passphrase())
    }
}

impl fmt::Debug for PassphraseSeal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PassphraseSeal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barrier::fixture::passphrase;

    #[test]
    fn a_new_passphrase_is_long() {
        let check = |text: &str, tried: bool, new: bool| {
            let parsed = Passphrase::parse(&Secret::new(text.to_owned()));
            assert_eq!(parsed.is_ok(), tried, "{text}");
            let judged = parsed.and_then(|passphrase| passphrase.check_new());
            assert_eq!(judged.is_ok(), new, "{text}");
            if let Err(error) = judged {
                assert!(
                    text.trim().is_empty() || !format!("{error} {error:?}").contains(text),
                    "{text} is echoed"
                );
            }
        };
        check("", false, false);
        check(" \n", false, false);
        check("hunter2", true, false);
        check("fourteen chars", true, false);
        check("fifteen charact", true, true);
        check("  fourteen chars\n", true, false); // white space around it is not of it
        check(&"é".repeat(14), true, false); // characters, not bytes
        check(&"é".repeat(15), true, true);
        check(&"k".repeat(PASSPHRASE_BYTES_MAX), true, true);
        check(&"k".repeat(PASSPHRASE_BYTES_MAX + 1), false, false);
    }

    #[test]
    fn a_line_end_is_not_of_it() {
        assert!(passphrase("correct horse battery\r\n").0.same_bytes(b"correct horse battery"));
    }

    #[test]
    fn what_a_stored_wrap_may_ask_for() {
        let check = |memory_kib, passes, lanes, expect: bool| {
            let cost = Argon2Cost { memory_kib, passes, lanes };
            assert_eq!(Stretch { cost, salt: [0; 16] }.is_bounded(), expect, "{cost:?}");
        };
        check(COST.memory_kib, COST.passes, COST.lanes, true);
        check(PASSPHRASE_MEMORY_KIB_MIN, 1, 1, true);
        check(PASSPHRASE_MEMORY_KIB_MIN - 1, 1, 1, false);
        check(PASSPHRASE_MEMORY_KIB_MAX, PASSPHRASE_PASSES_MAX, PASSPHRASE_LANES_MAX, true);
        check(PASSPHRASE_MEMORY_KIB_MAX + 1, 1, 1, false);
        check(PASSPHRASE_MEMORY_KIB_MIN, PASSPHRASE_PASSES_MAX + 1, 1, false);
        check(PASSPHRASE_MEMORY_KIB_MIN, 1, PASSPHRASE_LANES_MAX + 1, false);
        check(PASSPHRASE_MEMORY_KIB_MIN, 0, 1, false);
        check(PASSPHRASE_MEMORY_KIB_MIN, 1, 0, false);
    }
}
