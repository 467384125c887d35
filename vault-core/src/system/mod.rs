//! [`System`]: the vault as those see it who operate it: initialise, unseal, seal, rotate, status. Engines other
//! than `sys` and `audit` never touch it.

mod auditing;
mod epochs;
mod figures;
mod first_seed;
mod floods;
mod guesses;
mod init;
pub(crate) mod login_failures;
mod machine;
mod memo;
mod migrate;
mod mounts;
mod passwords;
mod presence;
mod quotas;
mod restored;
mod revocations;
mod roster;
mod rotation;
mod seal;
mod settings;
mod turnstile;
mod unsealed;
mod version;

pub use auditing::{AuditDevice, DeviceKeeper};
pub(crate) use auditing::{AuditedHeader, Auditing, DEVICE_PREFIX, HEADER_PREFIX, StoredDevice};
pub(crate) use figures::Meter;
pub use figures::{AuditFigures, Figures, Usage};
pub use init::{InitReply, InitRequest};
pub use machine::{Cpu, Disk, Facts, HostFacts, InFlight, LogLevel, Machine, Memory, ProcessFacts};
pub(crate) use mounts::{MountTable, UNMOUNTED_PREFIX, is_built_in, parse_name, parse_path};
pub(crate) use presence::Member;
pub(crate) use quotas::{Client, GroupBy, QUOTA_CONFIG, QUOTA_PREFIX, Quota, QuotaConfig, Quotas, Rule};
pub(crate) use revocations::{
    NEWEST_KEY, Newest, REVOCATION_PREFIX, Revocation, Revocations, parse as parse_revocation,
};
pub(crate) use rotation::{ROTATE_POLICY_KEY, RotatePolicy};
pub use seal::SealStatus;
pub use settings::{DefaultMount, Guardian, SecretManagerApi, Settings};
pub(crate) use turnstile::{Turn, Turnstile};
pub(crate) use unsealed::Unsealed;
pub(crate) use version::{VERSION_PREFIX, Version};

use crate::{
    audit::{Draft, Linked},
    barrier::{Keyring, UnsealProgress},
    crypto::CryptoProvider,
    error::Error,
    host::Host,
    id::Timestamp,
    limits::SEALED_EVENTS_MAX,
    store::Backend,
};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

/// The Vault API that we speak, as a semantic version (clients gate features on it), with our own behind the plus.
pub const API_VERSION: &str = concat!("1.15.6+secrethub.", env!("CARGO_PKG_VERSION"));

/// First segments that no mount may take: built-in mounts and documented aliases.
pub const RESERVED: &[&str] =
    &["sys", "auth", "cubbyhole", "identity", "audit", "secret-manager", "secrets", "apps", "agent"];

/// Where running ceremonies stand: documents of the mount `sys/`.
pub(crate) const CEREMONY_PREFIX: &str = "ns/0/m/system/ceremony/";

/// What a request has done once its commit stands, and only then.
pub(crate) enum Effect {
    /// Use the keyring that was committed.
    Adopt(Keyring),
    /// Seal this node.
    Seal,
    /// Look at once at what was changed under the lane's epoch.
    Refresh,
    /// Have it done: what is no part of the store.
    Run(Box<dyn FnOnce() + Send + Sync>),
}

/// A vault's operating half; cheap to clone.
#[derive(Clone)]
pub struct System(Arc<Inner>);

pub(crate) struct Inner {
    backend: Arc<dyn Backend>,
    host: Arc<dyn Host>,
    crypto: CryptoProvider,
    settings: Settings,
    /// The process that opened the vault.
    process: u32,
    /// When it did.
    started: Timestamp,
    state: RwLock<Option<Arc<Unsealed>>>,
    initialized: AtomicBool,
    /// Is the store's disk nearly full.
    room_low: AtomicBool,
    /// Does another node's clock differ from this one's.
    clock_skewed: AtomicBool,
    /// The other nodes.
    roster: futures::lock::Mutex<roster::Roster>,
    progress: Mutex<UnsealProgress>,
    /// One passphrase at a time: stretching one takes memory.
    guesses: futures::lock::Mutex<guesses::Guesses>,
    /// Passwords of users, a few at a time.
    passwords: passwords::Passwords,
    /// One ceremony (init, unseal, seal) at a time.
    ceremony: futures::lock::Mutex<()>,
    /// What happened while sealed; first records after the unseal.
    sealed_events: Mutex<VecDeque<Draft>>,
    turnstile: Turnstile,
    meter: Meter,
    floods: floods::Floods,
    followers: RwLock<Vec<Arc<Follow>>>,
}

/// Sees every record after its commit, in the order of the chain. It must be quick: it runs on the lane's task.
pub type Follow = dyn Fn(&Linked) + Send + Sync;

impl System {
    pub(crate) fn new(
        backend: Arc<dyn Backend>,
        host: Arc<dyn Host>,
        crypto: CryptoProvider,
        settings: Settings,
    ) -> Self {
        Self(Arc::new(Inner {
            process: host.process_id(),
            started: host.now(),
            backend,
            host,
            crypto,
            settings,
            state: RwLock::new(None),
            initialized: AtomicBool::new(false),
            room_low: AtomicBool::new(false),
            clock_skewed: AtomicBool::new(false),
            roster: futures::lock::Mutex::default(),
            progress: Mutex::new(UnsealProgress::new()),
            guesses: futures::lock::Mutex::default(),
            passwords: passwords::Passwords::default(),
            ceremony: futures::lock::Mutex::new(()),
            sealed_events: Mutex::new(VecDeque::new()),
            turnstile: Turnstile::default(),
            meter: Meter::default(),
            floods: floods::Floods::default(),
            followers: RwLock::new(Vec::new()),
        }))
    }

    pub(crate) fn backend(&self) -> Arc<dyn Backend> {
        Arc::clone(&self.0.backend)
    }

    pub(crate) fn host(&self) -> &Arc<dyn Host> {
        &self.0.host
    }

    pub(crate) fn crypto(&self) -> CryptoProvider {
        self.0.crypto
    }

    pub(crate) fn turnstile(&self) -> &Turnstile {
        &self.0.turnstile
    }

    pub(crate) fn meter(&self) -> &Meter {
        &self.0.meter
    }

    /// The settings.
    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Is the store's disk nearly full, as far as was seen.
    pub(crate) fn is_room_low(&self) -> bool {
        self.0.room_low.load(Ordering::Relaxed)
    }

    /// Notes it, and answers what was noted before.
    pub(crate) fn set_room_low(&self, low: bool) -> bool {
        self.0.room_low.swap(low, Ordering::Relaxed)
    }

    /// Does the clock of another node differ from this one's, as far as was seen.
    pub(crate) fn is_clock_skewed(&self) -> bool {
        self.0.clock_skewed.load(Ordering::Relaxed)
    }

    fn set_clock_skewed(&self, skewed: bool) {
        self.0.clock_skewed.store(skewed, Ordering::Relaxed);
    }

    /// The unsealed half, if there is one.
    pub(crate) fn unsealed(&self) -> Option<Arc<Unsealed>> {
        self.0.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_unsealed(&self, unsealed: Option<Arc<Unsealed>>) {
        *self.0.state.write().unwrap_or_else(PoisonError::into_inner) = unsealed;
    }

    /// Adds a follower to this lane and every later one.
    pub(crate) fn follow(&self, follower: Arc<Follow>) {
        if let Some(unsealed) = self.unsealed() {
            let follower = Arc::clone(&follower);
            unsealed.lane().follow(Box::new(move |linked| follower(linked)));
        }
        self.0.followers.write().unwrap_or_else(PoisonError::into_inner).push(follower);
    }

    fn followers(&self) -> Vec<Arc<Follow>> {
        self.0.followers.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A fork duplicates the random numbers and the chain: only the process that opened a vault may use it.
    pub(crate) fn check_process(&self) -> Result<(), Error> {
        if self.0.host.process_id() == self.0.process {
            return Ok(());
        }
        Err(Error::unavailable("this vault was opened by another process; open it again after a fork"))
    }

    /// Keeps an event of a sealed node until records can be written; beyond the bound the oldest go.
    pub(crate) fn remember(&self, draft: Draft) {
        let mut events = self.0.sealed_events.lock().unwrap_or_else(PoisonError::into_inner);
        if events.len() >= SEALED_EVENTS_MAX {
            events.pop_front();
        }
        events.push_back(draft);
    }

    fn take_sealed_events(&self) -> VecDeque<Draft> {
        std::mem::take(&mut *self.0.sealed_events.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl std::fmt::Debug for System {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("System").field("unsealed", &self.unsealed()).finish_non_exhaustive()
    }
}
