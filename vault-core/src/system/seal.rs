//! Unsealing, sealing and what a node says of its state.

use super::{Guardian, System, Unsealed, init::key, migrate};
use crate::{
    Secret,
    audit::{Change, Lane, LaneParts},
    barrier::{Barrier, Guard, KEYRING_KEY, Opened, PassphraseSeal, RootKey, SEAL_KEY, Seal, SealFile, Wrap},
    cx::store_error,
    error::Error,
    store::Entry,
};
use futures::future::join;
use serde::Serialize;
use std::sync::{Arc, PoisonError};

/// What `sys/seal-status` and `sys/unseal` answer.
#[derive(Clone, Debug, Serialize)]
pub struct SealStatus {
    /// `shamir`, `static` or `passphrase`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Is there a vault.
    pub initialized: bool,
    /// Is it sealed here.
    pub sealed: bool,
    /// Shares that open it, or authorise where it unseals itself.
    pub t: u8,
    /// Shares there are.
    pub n: u8,
    /// The second seed's names for the same.
    pub threshold: u8,
    /// See `threshold`.
    pub total_shares: u8,
    /// Distinct shares given so far.
    pub progress: u8,
    /// Names this attempt; empty when none is under way.
    pub nonce: String,
    /// Version of the API and the product.
    pub version: String,
    /// No build date: builds are reproducible.
    pub build_date: String,
    /// Does the configuration name another guard than the store: shares then hand the vault over.
    pub migration: bool,
    /// Are there no unseal keys: what authorises are recovery keys, once there are some.
    pub recovery_seal: bool,
    /// The store.
    pub storage_type: String,
    /// Name of the cluster, while unsealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<String>,
    /// Names the cluster, the same on every node, while unsealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<String>,
}

impl System {
    /// The state of this node.
    pub(crate) async fn seal_status(&self) -> Result<SealStatus, Error> {
        let file = self.seal_file().await?;
        let migration = file.as_ref().is_some_and(|file| self.is_migrating(file));
        let open = self.unsealed();
        let unsealed = open.is_some();
        let progress = self.0.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let (n, t) = file.as_ref().map_or((0, 0), |file| file.asked(migration).guard().counts());
        let count = if unsealed { 0 } else { progress.count() };
        let configured = self.settings().guardian.kind();
        Ok(SealStatus {
            kind: file.as_ref().map_or(configured, SealFile::kind).to_owned(),
            initialized: file.is_some(),
            sealed: !unsealed,
            t,
            n,
            threshold: t,
            total_shares: n,
            progress: count,
            nonce: if count > 0 { progress.nonce().to_owned() } else { String::new() },
            version: self.settings().version.clone(),
            build_date: String::new(),
            migration,
            recovery_seal: file.as_ref().is_some_and(|file| file.kind() != "shamir"),
            storage_type: self.0.backend.kind().to_owned(),
            cluster_name: unsealed.then(|| self.settings().cluster_name.clone()),
            cluster_id: open.map(|open| self.cluster_id(&open)),
        })
    }

    /// Names the cluster, as a UUID: the same on every node and for ever, because it is derived from the public key of
    /// the audit log, which no rotation touches.
    pub(crate) fn cluster_id(&self, unsealed: &Unsealed) -> String {
        let public = unsealed.barrier().audit_signer().public();
        let digest = self.crypto().hash.sha256(&[b"secrethub cluster id\0", &public]);
        uuid::Builder::from_custom_bytes(std::array::from_fn(|at| digest[at])).into_uuid().to_string()
    }

    /// Takes one share, or the passphrase. The last one needed unseals this node; where the configuration names another guard than the
    /// store, it hands the vault over to that one, and only with `migrate`.
    pub(crate) async fn unseal(&self, text: &Secret<String>, migrate: bool) -> Result<SealStatus, Error> {
        let turn = self.0.ceremony.lock().await;
        if self.unsealed().is_none() {
            let entry = self.entry(SEAL_KEY).await?.ok_or_else(not_initialized)?;
            let file = SealFile::parse(&entry)?;
            self.check_migrate(&file, migrate)?;
            match self.count_in(file.asked(migrate), text, migrate).await? {
                Some(opened) if migrate => self.migrate(&entry, &file, opened).await?,
                Some(opened) => self.unseal_with(opened.into_root()).await?,
                None => {}
            }
        }
        drop(turn);
        self.seal_status().await
    }

    async fn count_in(
        &self,
        wrap: &Wrap,
        text: &Secret<String>,
        migrate: bool,
    ) -> Result<Option<Opened>, Error> {
        if wrap.guard() == Guard::Static && !migrate {
            return Err(Error::invalid(
                "this vault is not sealed with key shares; it unseals at start with its MASTER_KEY",
            ));
        }
        let given = self.read_given(wrap, text).await?;
        let mut progress = self.0.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.add(self.crypto(), &**self.host(), wrap, given)
    }

    /// Forgets the shares given so far.
    pub(crate) async fn reset_unseal(&self) -> Result<SealStatus, Error> {
        self.0.progress.lock().unwrap_or_else(PoisonError::into_inner).reset();
        self.seal_status().await
    }

    /// With a master key or a passphrase configured: makes the vault if there is none, and unseals this node.
    pub(crate) async fn unseal_alone(&self) -> Result<(), Error> {
        let guardian = &self.settings().guardian;
        if !guardian.works_alone() {
            return Ok(());
        }
        let _turn = self.0.ceremony.lock().await;
        if !self.is_initialized().await? {
            self.check_first_seed().await?;
            self.init_alone().await?;
        }
        let file = self.seal_file().await?.ok_or_else(not_initialized)?;
        if self.is_migrating(&file) {
            tracing::warn!(
                "another guard is configured and {}: give {} with `operator unseal -migrate` to hand it over, or start \
                 without the other",
                migrate::told(&file),
                migrate::asked(&file),
            );
            return Ok(());
        }
        let root = match guardian {
            Guardian::Passphrase(Some(passphrase)) => {
                PassphraseSeal::new(self.crypto(), &**self.host(), passphrase).open(file.asked(false)).await?
            }
            Guardian::MasterKey(master) => file.open_static(self.crypto(), master)?,
            Guardian::Shares | Guardian::Passphrase(None) => return Ok(()),
        };
        self.unseal_with(root).await
    }

    async fn unseal_with(&self, root: RootKey) -> Result<(), Error> {
        let barrier = self.unlock(root).await?;
        self.open_lane(barrier).await
    }

    pub(super) async fn unlock(&self, root: RootKey) -> Result<Arc<Barrier>, Error> {
        let keyring =
            self.entry(KEYRING_KEY).await?.ok_or_else(|| Error::internal("the keyring is missing"))?;
        let boot = self.make_boot();
        Barrier::unlock(self.crypto(), Arc::clone(self.host()), boot, root, &keyring).map(Arc::new)
    }

    /// Starts a chain of its own for this boot, and serves from then on.
    async fn open_lane(&self, barrier: Arc<Barrier>) -> Result<(), Error> {
        let lane = self.start_lane(&barrier).await?;
        self.serve_with(barrier, lane).await
    }

    pub(super) async fn start_lane(&self, barrier: &Arc<Barrier>) -> Result<Lane, Error> {
        let lane = Lane::start(LaneParts {
            backend: self.backend(),
            host: Arc::clone(self.host()),
            crypto: self.crypto(),
            barrier: Arc::clone(barrier) as _,
            boot: self.make_boot(),
            audit_enabled: self.settings().audit_enabled,
        })
        .await?;
        for follower in self.followers() {
            lane.follow(Box::new(move |linked| follower(linked)));
        }
        Ok(lane)
    }

    pub(super) async fn serve_with(&self, barrier: Arc<Barrier>, lane: Lane) -> Result<(), Error> {
        let guardian = self.settings().device_keeper.clone();
        self.set_unsealed(Some(Arc::new(Unsealed::new(barrier, lane, guardian))));
        self.refresh().await;
        self.record_restored().await?;
        self.record_sealed_events().await
    }

    /// Takes over what was changed under the lane's epoch, as the next request would. A store that does not answer is no
    /// failure here: that request will be told.
    pub(crate) async fn refresh(&self) {
        if let Err(error) = self.mounts().await {
            tracing::debug!(%error, "mounts and devices were not looked at; the next request does");
        }
    }

    /// Records what happened while sealed, the unsealing itself included. On a sealed node it all stays remembered.
    pub(crate) async fn record_sealed_events(&self) -> Result<(), Error> {
        let Some(unsealed) = self.unsealed() else { return Ok(()) };
        for draft in self.take_sealed_events() {
            let received = self.host().monotonic();
            let change =
                Change { ops: Vec::new(), draft: draft.clone(), received, deadline: None, urgent: true };
            if let Err(source) = unsealed.lane().submit(change).await {
                self.remember(draft);
                return Err(
                    Error::unavailable("what happened while sealed was not recorded").with_source(source)
                );
            }
        }
        Ok(())
    }

    /// A stranger took this lane's place in the store (a clone of this process, or a restored copy): a new chain.
    pub(crate) async fn replace_lane(&self, lost: &Arc<Unsealed>) -> Result<(), Error> {
        let _turn = self.0.ceremony.lock().await;
        match self.unsealed() {
            Some(current) if Arc::ptr_eq(&current, lost) => {
                tracing::error!(boot = %lost.lane().boot(), "the audit lane was taken over: is this a clone, or was it silent for very long?");
                self.open_lane(lost.shared_barrier()).await
            }
            _ => Ok(()),
        }
    }

    /// Seals this node: no new request is served, what is in flight finishes, keys are wiped with the last of it.
    pub(crate) async fn seal(&self) -> Result<(), Error> {
        let _turn = self.0.ceremony.lock().await;
        self.0.progress.lock().unwrap_or_else(PoisonError::into_inner).reset();
        let Some(unsealed) = self.unsealed() else { return Ok(()) };
        self.set_unsealed(None);
        join(unsealed.lane().close(), self.leave(unsealed.lane().boot())).await.0
    }

    async fn seal_file(&self) -> Result<Option<SealFile>, Error> {
        self.entry(SEAL_KEY).await?.map(|entry| SealFile::parse(&entry)).transpose()
    }

    /// Takes over what another node made of the keyring.
    pub(crate) async fn reload_keyring(&self) -> Result<(), Error> {
        match (self.unsealed(), self.entry(KEYRING_KEY).await?) {
            (Some(unsealed), Some(keyring)) => unsealed.barrier().reload(&keyring),
            _ => Ok(()),
        }
    }

    pub(crate) async fn entry(&self, name: &str) -> Result<Option<Entry>, Error> {
        let found = self.0.backend.get(&[key(name)?]).await.map_err(store_error)?;
        Ok(found.into_iter().flatten().next())
    }
}

fn not_initialized() -> Error {
    Error::new(
        crate::ErrorKind::Uninitialized,
        "Vault is not initialized; initialise it first: secrethub operator init",
    )
}
