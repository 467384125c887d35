//! [`Unsealed`]: all that exists only while the vault is unsealed. Dropping the last hold of it wipes the keys.

use super::{DeviceKeeper, memo::Memo, mounts::MountTable};
use crate::{
    audit::Lane,
    barrier::{Barrier, KEYRING_KEY},
    cx::store_error,
    error::Error,
    id::Rev,
    limits::MOUNTS_BELIEVED,
    store::{Entry, Key, Store},
};
use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// The unsealed half of a vault.
pub(crate) struct Unsealed {
    barrier: Arc<Barrier>,
    lane: Lane,
    mounts: RwLock<(Option<Rev>, Arc<MountTable>)>,
    /// When a request last found that the mounts stand, in milliseconds of the host's clock.
    confirmed: AtomicU64,
    keeper: Option<Arc<dyn DeviceKeeper>>,
    memo: Memo,
}

impl Unsealed {
    pub(crate) fn new(barrier: Arc<Barrier>, lane: Lane, keeper: Option<Arc<dyn DeviceKeeper>>) -> Self {
        let mounts = RwLock::new((None, Arc::new(MountTable::built_in())));
        Self { barrier, lane, mounts, confirmed: AtomicU64::new(0), keeper, memo: Memo::new() }
    }

    pub(crate) fn barrier(&self) -> &Barrier {
        &self.barrier
    }

    pub(crate) fn shared_barrier(&self) -> Arc<Barrier> {
        Arc::clone(&self.barrier)
    }

    pub(crate) fn lane(&self) -> &Lane {
        &self.lane
    }

    /// What an entry says, parsed by `parse` once a revision. For documents that hold no secret.
    pub(crate) fn document<T: Send + Sync + 'static>(
        &self,
        entry: &Entry,
        parse: impl FnOnce(&[u8]) -> Result<T, Error>,
    ) -> Result<Arc<T>, Error> {
        // EXPOSE: tokens without their text, and the metadata of secrets.
        self.memo.document(entry, || parse(self.barrier.open(entry)?.expose()))
    }

    /// The mount table as of `epoch`, the revision of this lane's epoch entry that the request has just read.
    pub(crate) async fn mounts(
        &self,
        store: &dyn Store,
        epoch: Option<Rev>,
    ) -> Result<Arc<MountTable>, Error> {
        if let Some(table) = self.cached(epoch) {
            return Ok(table);
        }
        // Somebody changed mounts or the keyring. What is loaded now is at least as new as `epoch`, and the engine's
        // own `get` reads the epoch again: a change in between sends the request back to the start.
        let key = Key::new(KEYRING_KEY).map_err(Error::internal)?;
        if let Some(keyring) = store.get(&[key]).await.map_err(store_error)?.pop().flatten() {
            self.barrier.reload(&keyring)?;
        }
        let table = MountTable::load(store, &self.barrier, &self.last_mounts()).await?;
        let mut current = self.mounts.write().unwrap_or_else(PoisonError::into_inner);
        let table = Arc::new(table.after(&current.1));
        *current = (epoch, Arc::clone(&table));
        // Under the lock: what was told last is what stands.
        self.tell_keeper(&table);
        Ok(table)
    }

    fn tell_keeper(&self, table: &MountTable) {
        let devices = &table.auditing().devices;
        match &self.keeper {
            Some(keeper) => keeper.keep(devices),
            None if devices.is_empty() => {}
            None => tracing::warn!(
                devices = devices.len(),
                "audit devices are declared and this node keeps none: set `audit_devices_folder`"
            ),
        }
    }

    /// A request has just found that the mounts stand.
    pub(crate) fn confirm_mounts(&self, now: Duration) {
        self.confirmed.store(millis(now), Ordering::Relaxed);
    }

    /// Did a request find so lately.
    pub(crate) fn are_mounts_confirmed(&self, now: Duration) -> bool {
        millis(now).saturating_sub(self.confirmed.load(Ordering::Relaxed)) < millis(MOUNTS_BELIEVED)
    }

    /// The mount table of the request before: a guess, to be compared with what [`Unsealed::mounts`] gives.
    pub(crate) fn last_mounts(&self) -> Arc<MountTable> {
        Arc::clone(&self.mounts.read().unwrap_or_else(PoisonError::into_inner).1)
    }

    fn cached(&self, epoch: Option<Rev>) -> Option<Arc<MountTable>> {
        let cached = self.mounts.read().unwrap_or_else(PoisonError::into_inner);
        (epoch.is_some() && cached.0 == epoch).then(|| Arc::clone(&cached.1))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl std::fmt::Debug for Unsealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unsealed").field("boot", &self.lane.boot()).finish_non_exhaustive()
    }
}
