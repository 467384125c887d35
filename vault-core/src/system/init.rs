//! Initialising: a vault is made once, by one commit of `create`s, so that of two who race one wins and nothing is
//! ever overwritten.

use super::{Guardian, MountTable, System, mounts::MOUNT_PREFIX};
use crate::{
    Secret,
    barrier::{Barrier, KEYRING_KEY, NewSeal, Passphrase, SEAL_KEY, Stretched, make_vault},
    cx::store_error,
    engine::Mount,
    error::Error,
    id::{BootId, Rev},
    request::Auth,
    store::{Batch, CommitError, Key, Limit, Range, Sealed},
    token::{NewToken, ROOT, issue},
};
use base64::Engine as _;
use serde::Serialize;
use std::{collections::BTreeMap, sync::atomic::Ordering};

/// How a new vault shall be sealed.
#[allow(missing_debug_implementations, reason = "may hold a passphrase")]
pub enum InitRequest {
    /// By shares.
    Shares {
        /// Shares to make.
        shares: u8,
        /// Shares that open it.
        threshold: u8,
    },
    /// By a passphrase that somebody typed.
    Passphrase(Secret<String>),
}

/// What init tells exactly once.
#[derive(Serialize)]
pub struct InitReply {
    /// The shares in hex.
    pub keys: Vec<String>,
    /// The shares in base64.
    pub keys_base64: Vec<String>,
    /// The first token, which may do everything.
    pub root_token: String,
}

impl std::fmt::Debug for InitReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InitReply").finish_non_exhaustive()
    }
}

impl Drop for InitReply {
    fn drop(&mut self) {
        use zeroize::Zeroize;
        self.keys.zeroize();
        self.keys_base64.zeroize();
        self.root_token.zeroize();
    }
}

impl System {
    /// Is there a vault in the store. An answer of the store, once "yes", is remembered.
    pub(crate) async fn is_initialized(&self) -> Result<bool, Error> {
        if self.0.initialized.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let found = self.0.backend.get(&[key(SEAL_KEY)?]).await.map_err(store_error)?;
        let there = found.into_iter().flatten().next().is_some();
        self.0.initialized.store(there, Ordering::Relaxed);
        Ok(there)
    }

    /// Makes a vault sealed by Shamir shares, or by a passphrase.
    pub(crate) async fn init(&self, request: InitRequest) -> Result<InitReply, Error> {
        let _turn = self.0.ceremony.lock().await;
        let (shares, auth) = match (&self.settings().guardian, &request) {
            (Guardian::Shares, &InitRequest::Shares { shares, threshold }) => {
                self.make(NewSeal::Shamir { shares, threshold }, true).await?
            }
            (Guardian::Passphrase(None), InitRequest::Passphrase(text)) => {
                let passphrase = Passphrase::parse(text)?;
                self.check_empty().await?; // Before work that anybody could ask for.
                self.make(NewSeal::Passphrase(&self.stretch_new(&passphrase).await?), true).await?
            }
            (Guardian::Shares, InitRequest::Passphrase(_)) => {
                return Err(Error::invalid(
                    "this server makes a vault with key shares: leave out passphrase, or configure seal = \"passphrase\"",
                ));
            }
            (Guardian::Passphrase(None), InitRequest::Shares { .. }) => {
                return Err(Error::invalid(
                    "this server makes a vault with a passphrase: give it as passphrase, or configure seal = \"shamir\"",
                ));
            }
            (Guardian::MasterKey(_) | Guardian::Passphrase(Some(_)), _) => {
                return Err(Error::invalid(
                    "this server is configured with a MASTER_KEY or a passphrase and initialises the vault by itself",
                ));
            }
        };
        let auth = auth.ok_or_else(|| Error::internal("init made no root token"))?;
        let base64 = base64::engine::general_purpose::STANDARD;
        Ok(InitReply {
            // EXPOSE: init hands the shares and the first token to whoever asked, once.
            keys: shares.iter().map(|share| hex::encode(share.expose())).collect(),
            keys_base64: shares.iter().map(|share| base64.encode(share.expose())).collect(),
            root_token: auth.client_token.expose().clone(), // EXPOSE: as above.
        })
    }

    /// A key of a passphrase that is to guard from now on.
    pub(super) async fn stretch_new(&self, passphrase: &Passphrase) -> Result<Stretched, Error> {
        passphrase.check_new()?;
        passphrase.stretch(self.crypto(), &**self.host()).await
    }

    /// Makes a vault sealed by the configured master key or passphrase, without a root token. Losing a race against
    /// another node is as good as winning it.
    pub(super) async fn init_alone(&self) -> Result<(), Error> {
        let made = match &self.settings().guardian {
            Guardian::MasterKey(master) => self.make(NewSeal::Static(master), false).await,
            Guardian::Passphrase(Some(passphrase)) => {
                self.make(NewSeal::Passphrase(&self.stretch_new(passphrase).await?), false).await
            }
            Guardian::Shares | Guardian::Passphrase(None) => return Ok(()),
        };
        match made {
            Err(_) if self.is_initialized().await? => Ok(()),
            made => made.map(|_| ()),
        }
    }

    async fn make(
        &self,
        seal: NewSeal<'_>,
        with_root_token: bool,
    ) -> Result<(Vec<Secret<Vec<u8>>>, Option<Auth>), Error> {
        self.check_empty().await?;
        let birth = make_vault(self.crypto(), std::sync::Arc::clone(self.host()), self.make_boot(), seal)?;
        let mut batch = Batch::new(self.make_rev());
        let mut create = |name: &str, value: Sealed| batch.create(key(name)?, value).map_err(Error::internal);
        create(SEAL_KEY, birth.seal)?;
        create(KEYRING_KEY, birth.keyring)?;
        for mount in self.first_mounts(&birth.barrier) {
            let name = format!("{MOUNT_PREFIX}{}", mount.path.trim_end_matches('/'));
            let document = serde_json::to_vec(&mount).map_err(Error::internal)?;
            create(&name, birth.barrier.seal(&key(&name)?, &document)?)?;
        }
        let mut auth = None;
        if with_root_token {
            let issued = self.make_root_token(&birth.barrier)?;
            for (name, document) in &issued.entries {
                let name = format!("ns/0/{name}");
                create(&name, birth.barrier.seal(&key(&name)?, document)?)?;
            }
            auth = Some(issued.auth);
        }
        self.commit_birth(&batch).await?;
        self.0.initialized.store(true, Ordering::Relaxed);
        Ok((birth.shares, auth))
    }

    /// An outcome that stays unknown is resolved by sending the same batch again: its creates succeed once.
    async fn commit_birth(&self, batch: &Batch) -> Result<(), Error> {
        for _ in 0..5 {
            match self.0.backend.commit(batch).await {
                Ok(()) => return Ok(()),
                Err(CommitError::Conflict { .. }) => return Err(already()),
                Err(CommitError::NotApplied(source)) => return Err(store_error(source)),
                Err(CommitError::Unknown(_)) => {
                    self.host().sleep(std::time::Duration::from_millis(200)).await;
                }
            }
        }
        Err(Error::unavailable(
            "the store did not say whether the vault was made; see `sys/init`, then try again",
        ))
    }

    async fn check_empty(&self) -> Result<(), Error> {
        if self.is_initialized().await? {
            return Err(already());
        }
        let all = Range { from: String::new(), to: None };
        if self.0.backend.scan(all, Limit::entries(1)).await.map_err(store_error)?.is_empty() {
            return Ok(());
        }
        Err(Error::invalid("the store already holds data, but no vault; give the vault a store of its own"))
    }

    fn first_mounts(&self, barrier: &Barrier) -> Vec<Mount> {
        let make = |path: &str, kind: &str, variant: &str| {
            let (mut id, mut uuid, mut name) = ([0; 16], [0; 16], [0; 4]);
            barrier.make_bytes(&mut id);
            barrier.make_bytes(&mut uuid);
            barrier.make_bytes(&mut name);
            let mut options = BTreeMap::new();
            if !variant.is_empty() {
                options.insert("version".to_owned(), variant.to_owned());
            }
            Mount {
                id: hex::encode(id),
                accessor: format!("{kind}_{}", hex::encode(name)),
                uuid: uuid::Builder::from_random_bytes(uuid).into_uuid().to_string(),
                options,
                ..Mount::built_in(path, kind, "", "key/value secret storage")
            }
        };
        let wanted = &self.settings().default_mounts;
        wanted.iter().map(|mount| make(&mount.path, &mount.kind, &mount.variant)).collect()
    }

    /// A root token that never ends; its maker stages its entries.
    pub(crate) fn make_root_token(&self, barrier: &Barrier) -> Result<crate::token::Issued, Error> {
        let new = NewToken {
            policies: vec![ROOT.to_owned()],
            display_name: ROOT.to_owned(),
            path: "auth/token/root".to_owned(),
            ..NewToken::default()
        };
        issue(barrier, new, self.host().now())
    }

    pub(crate) fn make_boot(&self) -> BootId {
        BootId::make(&**self.host())
    }

    pub(crate) fn make_rev(&self) -> Rev {
        Rev::make(&**self.host())
    }

    /// The mounts as of now, for listings.
    pub(crate) async fn mounts(&self) -> Result<std::sync::Arc<MountTable>, Error> {
        let unsealed = self.unsealed().ok_or_else(Error::sealed)?;
        let epoch = unsealed.lane().epoch_key().clone();
        let found = self.0.backend.get(&[epoch]).await.map_err(store_error)?;
        unsealed.mounts(&*self.0.backend, found.into_iter().flatten().next().map(|entry| entry.rev)).await
    }
}

fn already() -> Error {
    Error::invalid("Vault is already initialized")
}

pub(super) fn key(name: &str) -> Result<Key, Error> {
    Key::new(name).map_err(Error::internal)
}
