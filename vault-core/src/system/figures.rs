//! [`Figures`]: what a node can be counted by, for metrics. All of it is at hand: nothing is read from the store.

use super::{ProcessFacts, System};
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// The figures of a node at one moment.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Name of the cluster.
    pub cluster: String,
    /// Is it unsealed here.
    pub unsealed: bool,
    /// Requests whose record was to be committed.
    pub audit: AuditFigures,
    /// Secrets engines and auth methods; `None` while sealed.
    pub mounts: Option<(usize, usize)>,
    /// Number of the key in use, and encryptions under it as far as they were counted; `None` while sealed.
    pub key: Option<(u32, u64)>,
    /// Tokens and leases, as last counted; `None` while sealed, before the first count, and where there are too many.
    pub usage: Option<Usage>,
    /// What the process takes, where that is known.
    pub process: Option<ProcessFacts>,
}

/// How requests fared with the audit log.
#[derive(Clone, Copy, Debug, Default)]
pub struct AuditFigures {
    /// Those whose record was committed.
    pub count: u64,
    /// How long these waited for it in all.
    pub waited: Duration,
    /// Those that failed because it could not be.
    pub failures: u64,
}

/// What there is at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens that are good.
    pub tokens: u64,
    /// Leases: those of them that end by themselves.
    pub leases: u64,
}

/// Where it is counted.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    audited: AtomicU64,
    waited_micros: AtomicU64,
    failures: AtomicU64,
    usage: Mutex<Option<Usage>>,
}

impl Meter {
    /// A record was committed after so long.
    pub(crate) fn audited(&self, waited: Duration) {
        self.audited.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        self.waited_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// A record could not be committed.
    pub(crate) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted in the store.
    pub(crate) fn used(&self, usage: Option<Usage>) {
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner) = usage;
    }

    fn audit(&self) -> AuditFigures {
        AuditFigures {
            count: self.audited.load(Ordering::Relaxed),
            waited: Duration::from_micros(self.waited_micros.load(Ordering::Relaxed)),
            failures: self.failures.load(Ordering::Relaxed),
        }
    }
}

impl System {
    /// The figures as they stand.
    pub(crate) fn figures(&self) -> Figures {
        let unsealed = self.unsealed();
        let key = unsealed.as_ref().map(|open| open.barrier().key_status());
        let mounts = unsealed.as_ref().map(|open| {
            let table = open.last_mounts();
            let of = |auth: bool| table.iter().filter(|mount| mount.is_auth() == auth).count();
            (of(false), of(true))
        });
        Figures {
            cluster: self.settings().cluster_name.clone(),
            unsealed: unsealed.is_some(),
            audit: self.meter().audit(),
            mounts,
            key: key.map(|key| (key.term, key.encryptions)),
            usage: unsealed.and_then(|_| *self.meter().usage.lock().unwrap_or_else(PoisonError::into_inner)),
            process: self.settings().machine.as_ref().and_then(|machine| machine.process()),
        }
    }
}
