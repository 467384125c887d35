//! From one guard to another: a server that is configured with another guard than the one in the store stays sealed,
//! and the shares that it is given hand the vault over. The shares themselves stay with their holders: those that
//! unsealed become recovery shares of a vault that unseals itself, and back.

use super::System;
use crate::{
    audit::{Change, Columns, Draft, Lane, Status, SubmitError},
    barrier::{Guard, Opened, SealFile},
    error::Error,
    store::{Entry, Op},
};

impl System {
    /// Does the configuration name another guard than the store.
    pub(super) fn is_migrating(&self, file: &SealFile) -> bool {
        match (file.guard(), &self.settings().master_key) {
            (Guard::Static, None) | (Guard::Shamir { .. }, Some(_)) => true,
            (Guard::Static, Some(_)) | (Guard::Shamir { .. } | Guard::Recovery { .. }, _) => false,
        }
    }

    /// A share is given either to unseal or to hand over; who gives it says which.
    pub(super) fn check_migrate(&self, file: &SealFile, migrate: bool) -> Result<(), Error> {
        match (self.is_migrating(file), migrate, file.guard()) {
            (true, true, Guard::Static) if file.recovery().is_none() => Err(Error::invalid(
                "this vault has no recovery shares that could take over: start it with its MASTER_KEY, make some at \
                 sys/rotate/recovery, then try again",
            )),
            (true, true, _) | (false, false, _) => Ok(()),
            (true, false, Guard::Static) => Err(Error::invalid(
                "this vault unseals itself with its MASTER_KEY, which is not configured here; configure it, or give \
                 recovery shares with migrate=true to make them the vault's unseal shares",
            )),
            (true, false, _) => Err(Error::invalid(
                "a MASTER_KEY is configured and the vault is sealed by key shares: give the share with migrate=true \
                 to hand the vault over, or start the server without MASTER_KEY",
            )),
            (false, true, _) => Err(Error::invalid(
                "no seal migration is pending: configuration and store name the same guard; leave out migrate",
            )),
        }
    }

    /// Replaces the guard in one commit with the record of it, and serves from then on. If it cannot be committed the
    /// node stays sealed and nothing has changed.
    pub(super) async fn migrate(&self, read: &Entry, file: &SealFile, opened: Opened) -> Result<(), Error> {
        let (crypto, host) = (self.crypto(), std::sync::Arc::clone(self.host()));
        let successor = match &self.settings().master_key {
            Some(master) => file.to_static(crypto, &*host, &opened, master),
            None => file.to_shamir(crypto, &*host, &opened),
        };
        let op = (read.key.clone(), Op::Replace(read.rev, successor.to_sealed()?));
        let barrier = self.unlock(opened.into_root()).await?;
        let lane = self.start_lane(&barrier).await?;
        if let Err(error) = self.hand_over(&lane, op).await {
            // What it would say is said already.
            let _ = lane.close().await;
            return Err(error);
        }
        self.serve_with(barrier, lane).await
    }

    async fn hand_over(&self, lane: &Lane, op: (crate::store::Key, Op)) -> Result<(), Error> {
        let columns = Columns {
            timestamp: self.host().now(),
            operation: "seal-migrate".to_owned(),
            actor: Some("secrethub".to_owned()),
            path: "sys/unseal".to_owned(),
            status: Status::Success,
            ..Columns::default()
        };
        let draft = Draft { columns, fields: Vec::new(), headers: Vec::new() };
        let change = Change { ops: vec![op], draft, received: self.host().monotonic(), urgent: true };
        lane.submit(change).await.map_err(|error| match error {
            SubmitError::Conflict(_) => {
                Error::unavailable("another node handed the vault over meanwhile; look at seal-status")
            }
            error => Error::unavailable("the vault was not handed over; try again").with_source(error),
        })
    }
}
