//! The barrier: everything that leaves for the store is sealed here, everything that comes back is opened here.
//!
//! ```text
//! guard's key ──wraps──▶ root key ──HKDF──▶ keyring's key ──seals──▶ keyring
//!                                                                      ├─ terms ──HKDF(boot)──▶ data keys ─▶ entries
//!                                                                      └─ named keys: token index, value hash, audit
//! ```
//!
//! | file | what it is |
//! |---|---|
//! | [`seal`](Seal), `wrap`, `static_seal`, `shamir_seal`, `passphrase_seal` | who guards the root key; the document `sys/seal` |
//! | `seal_text` | how that document is written |
//! | `first_seed` | opens what the first seed sealed, with the raw master key |
//! | `given` | what somebody typed, read as a guard asks for it |
//! | `quorum` | the shares given so far for one guard |
//! | `handover` | new guards for the root that a quorum opened |
//! | `progress` | the attempt to unseal on this node |
//! | `keyring` | terms and named keys; the entry `sys/keyring` |
//! | `envelope` | the bytes of a sealed value |
//! | `data_keys` | scheduled keys of other boots |
//! | `sealer` | what each thread seals with |
//! | `lane_keys` | what the audit lane asks of the barrier |
//! | `rewrap` | the pure step of the job that brings entries to the active term |
//!
//! Only this module makes [`Sealed`] of anything that is not public. Whoever drops the last [`Barrier`] has sealed the node: its keys are wiped.

mod birth;
mod data_keys;
mod envelope;
mod fault;
mod first_seed;
mod given;
mod handover;
mod keyring;
mod lane_keys;
mod passphrase_seal;
mod progress;
mod quorum;
mod rewrap;
mod root;
mod seal;
mod seal_text;
mod sealer;
mod shamir_seal;
mod static_seal;
mod wrap;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

pub use birth::{Birth, NewSeal, make_vault};
pub use fault::{Broken, Fault};
pub use first_seed::NotOpened;
pub use given::Given;
pub use handover::Holders;
pub use keyring::Keyring;
pub use passphrase_seal::{Passphrase, PassphraseSeal, Stretch, Stretched};
pub use progress::UnsealProgress;
pub use quorum::{Opened, Quorum};
pub use rewrap::{Rewrapped, rewrap_page};
pub use root::RootKey;
pub use seal::{Seal, SealFile};
pub use shamir_seal::{SHARE_BYTES, ShamirSeal, Shares, parse_share};
pub use static_seal::{MasterKey, StaticSeal};
pub use wrap::{Guard, Wrap};

use crate::{
    Error, ErrorKind, Secret,
    crypto::{
        CipherKey, CryptoProvider, HmacKey, Label, SigningKey,
        rng::{Entropy, SharedCsprng},
    },
    host::Host,
    id::{BootId, Timestamp, hex},
    limits::{BOOT_ENCRYPTIONS_MAX, VALUE_BYTES_MAX},
    store::{Entry, Key, Sealed},
};
use data_keys::{DataKey, DataKeys};
use envelope::{Envelope, Header, OVERHEAD};
use keyring::Named;
use sealer::{Current, Home, Sealers, State};
use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

/// Where the seal file stands.
pub const SEAL_KEY: &str = "sys/seal";
/// Where the keyring stands.
pub const KEYRING_KEY: &str = "sys/keyring";

/// An unsealed barrier, shared by all requests.
pub struct Barrier {
    crypto: CryptoProvider,
    host: Arc<dyn Host>,
    rng: SharedCsprng,
    keyring_key: Box<dyn CipherKey>,
    token_index: Box<dyn HmacKey>,
    value_hash: Box<dyn HmacKey>,
    audit: Box<dyn HmacKey>,
    audit_signer: Box<dyn SigningKey>,
    current: RwLock<Current>,
    sealers: Sealers,
    others: DataKeys,
    /// [`BOOT_ENCRYPTIONS_MAX`], less in tests.
    encryptions_max: u64,
}

/// What `sys/key-status` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyStatus {
    /// The active term.
    pub term: u32,
    /// When it was installed.
    pub install_time: Timestamp,
    /// Encryptions under it: what the keyring recorded when it was last written, and this node's since it unsealed.
    /// Other nodes' and earlier runs' since that write are not in it.
    pub encryptions: u64,
}

impl Barrier {
    /// Opens the keyring with the root key. `boot` must be fresh at each unseal: it salts the data key, whose
    /// encryptions are counted from zero.
    ///
    /// `Internal` with a [`Fault`] when the keyring was changed or belongs to another root key.
    pub fn unlock(
        crypto: CryptoProvider,
        host: Arc<dyn Host>,
        boot: BootId,
        root: RootKey,
        keyring: &Entry,
    ) -> Result<Self, Error> {
        let keyring_key = keyring_cipher(crypto, &root);
        drop(root);
        let keyring = open_keyring(&*keyring_key, keyring)?;
        Ok(Self::new(crypto, host, boot, keyring_key, keyring))
    }

    fn new(
        crypto: CryptoProvider,
        host: Arc<dyn Host>,
        boot: BootId,
        keyring_key: Box<dyn CipherKey>,
        keyring: Keyring,
    ) -> Self {
        let hmac = |name| crypto.hmac.key(keyring.named(name).expose());
        let (token_index, value_hash, audit) =
            (hmac(Named::TokenIndex), hmac(Named::ValueHash), hmac(Named::Audit));
        let audit_signer = crypto.signer.key(keyring.named(Named::AuditSigning));
        let current = Current::new(make_state(crypto, Arc::new(keyring), boot), 0);
        let entropy = entropy_of(&host);
        Self {
            rng: SharedCsprng::new(&entropy),
            sealers: Sealers::new(&entropy, &current.state),
            current: RwLock::new(current),
            others: DataKeys::default(),
            encryptions_max: BOOT_ENCRYPTIONS_MAX,
            crypto,
            host,
            keyring_key,
            token_index,
            value_hash,
            audit,
            audit_signer,
        }
    }

    /// Seals a value for `key`, and for no other. `TooLarge` beyond what a store takes.
    pub fn seal(&self, key: &Key, plain: &[u8]) -> Result<Sealed, Error> {
        if plain.len() > VALUE_BYTES_MAX - OVERHEAD {
            let limit = VALUE_BYTES_MAX - OVERHEAD;
            return Err(Error::new(ErrorKind::TooLarge, format!("a stored value has at most {limit} bytes")));
        }
        let home = self.sealers.home();
        loop {
            match home.seal(key, plain) {
                Some(sealed) => return Ok(sealed),
                None => self.refill(home),
            }
        }
    }

    /// Opens what [`Barrier::seal`] once made for this key, under whichever boot and term.
    ///
    /// The error's source is a [`Fault`]. `Unavailable` when the term is unknown: [`Barrier::reload`] and try again.
    /// `Internal` when the bytes were changed, moved or made elsewhere.
    pub fn open(&self, entry: &Entry) -> Result<Secret<Vec<u8>>, Error> {
        self.open_parts(entry).map_err(|broken| broken.at(entry.key.as_str()))
    }

    fn open_parts(&self, entry: &Entry) -> Result<Secret<Vec<u8>>, Broken> {
        let envelope = Envelope::parse(entry.value.as_bytes(), envelope::ENTRY)?;
        let state = self.state();
        let id = (envelope.header.term, envelope.header.boot);
        if id == (state.term, state.salt) {
            return envelope.open(&**state.key, &entry.key);
        }
        // Before the cache is asked, which may for a moment still hold keys of a term that was retired.
        let term = state.keyring.term(id.0).ok_or(Broken::UnknownTerm(id.0))?;
        if let Some(key) = self.others.get(id) {
            return envelope.open(&**key, &entry.key);
        }
        let key = schedule(self.crypto, &term.key, id.1);
        let plain = envelope.open(&**key, &entry.key)?;
        self.others.keep(id, key);
        Ok(plain)
    }

    /// Where a token is found in the store: a keyed hash, so that who reads the store learns no token.
    pub fn token_index(&self, token: &str) -> [u8; 32] {
        self.token_index.tag(&[token.as_bytes()])
    }

    /// [`Barrier::token_index`] in hex, as it stands in keys.
    pub fn token_hash(&self, token: &str) -> String {
        hex(&self.token_index(token))
    }

    /// What the audit log says of a value: equal values under one name hash alike, and nothing else shows. The name's
    /// length stands in front, so that no name and value run into another pair.
    pub fn value_hash(&self, name: &str, value: &[u8]) -> [u8; 16] {
        let length = (name.len() as u64).to_be_bytes();
        let tag = self.value_hash.tag(&[&length, name.as_bytes(), value]);
        let mut short = [0; 16];
        short.copy_from_slice(&tag[..16]);
        short
    }

    /// HMAC over the newest link of an audit chain.
    pub fn audit_mac(&self, link: &[u8; 32]) -> [u8; 32] {
        self.audit.tag(&[link])
    }

    /// Signs checkpoints.
    pub fn audit_signer(&self) -> &dyn SigningKey {
        &*self.audit_signer
    }

    /// Fills `out` from a generator in this process that is reseeded from the host.
    pub fn make_bytes(&self, out: &mut [u8]) {
        self.rng.fill(out);
    }

    /// The active term.
    pub fn key_status(&self) -> KeyStatus {
        self.status_of(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn status_of(&self, current: &Current) -> KeyStatus {
        let active = current.state.keyring.active();
        let done = current.unrecorded().saturating_sub(self.sealers.left());
        KeyStatus {
            term: active.number,
            install_time: active.installed,
            encryptions: active.encryptions + done,
        }
    }

    /// Adds a term to the keyring as it was just read, for the caller to commit with `replace(read)` and then
    /// [`Barrier::adopt`]. The commit must also replace every lane's epoch entry, so that no node goes on sealing
    /// under the old term unaware.
    pub fn rotate(&self, read: &Entry) -> Result<(Sealed, Keyring), Error> {
        self.rewrite(read, |keyring| keyring.rotate(&*self.host))
    }

    /// Removes a term, likewise. The caller has proved that nothing is sealed under it: a whole scan, begun after
    /// every lane had seen the rotation, found no [`Rewrapped::oldest`] as old as it. `Invalid` for the active term
    /// and for one that the keyring does not hold.
    pub fn retire(&self, read: &Entry, term: u32) -> Result<(Sealed, Keyring), Error> {
        self.rewrite(read, |keyring| keyring.retire(term))
    }

    fn rewrite(
        &self,
        read: &Entry,
        change: impl FnOnce(&mut Keyring) -> Result<(), Error>,
    ) -> Result<(Sealed, Keyring), Error> {
        let mut keyring = open_keyring(&*self.keyring_key, read)?;
        let status = self.key_status();
        if keyring.active().number == status.term {
            keyring.count(status.encryptions);
        }
        change(&mut keyring)?;
        Ok((self.seal_keyring(&keyring)?, keyring))
    }

    /// Uses a keyring from now on, unless a newer one is already in use. To be called once it is committed.
    pub fn adopt(&self, keyring: Keyring) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if keyring.generation() <= current.state.keyring.generation() {
            return;
        }
        let (status, active) = (self.status_of(&current), keyring.active());
        let same_term = active.number == status.term;
        let before = if same_term { status.encryptions.saturating_sub(active.encryptions) } else { 0 };
        *current = Current::new(make_state(self.crypto, Arc::new(keyring), self.make_salt()), before);
        self.sealers.adopt(&current.state);
        self.others.clear();
    }

    /// Takes over what another node made of the keyring. An older or equal one changes nothing.
    pub fn reload(&self, keyring: &Entry) -> Result<(), Error> {
        self.adopt(open_keyring(&*self.keyring_key, keyring)?);
        Ok(())
    }

    /// Seals an entry's value anew under the active term; `None` when it already is.
    pub fn rewrap(&self, entry: &Entry) -> Result<Option<Sealed>, Error> {
        if self.term_of(entry)? == self.state().term {
            return Ok(None);
        }
        let plain = self.open(entry)?;
        self.seal(&entry.key, plain.expose()).map(Some)
    }

    /// The term that an entry claims to be sealed under; believed only once it opens.
    fn term_of(&self, entry: &Entry) -> Result<u32, Error> {
        Envelope::parse(entry.value.as_bytes(), envelope::ENTRY)
            .map(|envelope| envelope.header.term)
            .map_err(|broken| broken.at(entry.key.as_str()))
    }

    fn seal_keyring(&self, keyring: &Keyring) -> Result<Sealed, Error> {
        let mut nonce = [0; 12];
        self.rng.fill(&mut nonce);
        let header = Header { format: envelope::KEYRING, term: 0, boot: self.state().salt, nonce };
        let plain = keyring.to_bytes();
        Ok(envelope::seal(&*self.keyring_key, header, &keyring_key()?, plain.expose()))
    }

    fn state(&self) -> Arc<State> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).state)
    }

    /// Counts encryptions in advance for one sealer. Whoever finds the data key used up takes a new salt; who comes
    /// second finds it done. Other sealers go on under the old key with what they have reserved.
    fn refill(&self, home: &Home) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let mut count = current.reserve(self.encryptions_max);
        if count == 0 {
            let (keyring, before) = (Arc::clone(&current.state.keyring), current.unrecorded());
            *current = Current::new(make_state(self.crypto, keyring, self.make_salt()), before);
            count = current.reserve(self.encryptions_max);
        }
        home.refill(&current.state, count);
    }

    fn make_salt(&self) -> BootId {
        let mut salt = BootId([0; 16]);
        self.rng.fill(&mut salt.0);
        salt
    }
}

fn make_state(crypto: CryptoProvider, keyring: Arc<Keyring>, salt: BootId) -> State {
    let active = keyring.active();
    let (term, key) = (active.number, schedule(crypto, &active.key, salt));
    State { keyring, term, salt, key }
}

fn entropy_of(host: &Arc<dyn Host>) -> Entropy {
    let host = Arc::clone(host);
    Arc::new(move |bytes: &mut [u8]| host.fill_random(bytes))
}

fn schedule(crypto: CryptoProvider, term_key: &crate::Key32, salt: BootId) -> DataKey {
    Arc::new(crypto.cipher.key(&crypto.kdf.hkdf(term_key.expose(), Label::DataKey, &salt.0)))
}

fn keyring_cipher(crypto: CryptoProvider, root: &RootKey) -> Box<dyn CipherKey> {
    crypto.cipher.key(&crypto.kdf.hkdf(root.expose(), Label::Keyring, b""))
}

fn open_keyring(cipher: &dyn CipherKey, entry: &Entry) -> Result<Keyring, Error> {
    let refuse = |broken: Broken| broken.at(KEYRING_KEY);
    let envelope = Envelope::parse(entry.value.as_bytes(), envelope::KEYRING).map_err(refuse)?;
    let plain = envelope.open(cipher, &keyring_key()?).map_err(refuse)?;
    Keyring::parse(plain.expose()).map_err(refuse)
}

fn keyring_key() -> Result<Key, Error> {
    Key::new(KEYRING_KEY).map_err(Error::internal)
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Barrier").field("term", &state.term).field("crypto", &self.crypto.name).finish()
    }
}
