//! From one guard to another: a server that is configured with another guard than the one in the store stays sealed,
//! and the shares that it is given hand the vault over. The shares themselves stay with their holders: those that
//! unsealed become recovery shares of a vault that is unsealed by a key or a passphrase, and back. Between these two no
//! shares are needed: where there are none, who has the one hands over to the other.

use super::{Guardian, System};
use crate::{
    audit::{Change, Columns, Draft, Lane, Status, SubmitError},
    barrier::{Opened, SealFile},
    error::Error,
    store::{Entry, Op},
};

impl System {
    /// Does the configuration name another guard than the store.
    pub(super) fn is_migrating(&self, file: &SealFile) -> bool {
        file.kind() != self.settings().guardian.kind()
    }

    /// A share is given either to unseal or to hand over; who gives it says which.
    pub(super) fn check_migrate(&self, file: &SealFile, migrate: bool) -> Result<(), Error> {
        let guardian = &self.settings().guardian;
        match (self.is_migrating(file), migrate) {
            (true, true) => check_successor(file, guardian),
            (false, false) => Ok(()),
            (true, false) => Err(Error::invalid(format!(
                "{}, which is not configured here: configure it, or give {} with migrate=true to hand the vault over \
                 to {}",
                told(file),
                asked(file),
                successor(guardian),
            ))),
            (false, true) => Err(Error::invalid(
                "no seal migration is pending: configuration and store name the same guard; leave out migrate",
            )),
        }
    }

    /// Replaces the guard in one commit with the record of it, and serves from then on. If it cannot be committed the
    /// node stays sealed and nothing has changed.
    pub(super) async fn migrate(&self, read: &Entry, file: &SealFile, opened: Opened) -> Result<(), Error> {
        let (crypto, host) = (self.crypto(), std::sync::Arc::clone(self.host()));
        let successor = match &self.settings().guardian {
            Guardian::MasterKey(master) => file.to_static(crypto, &*host, &opened, master),
            Guardian::Passphrase(Some(passphrase)) => {
                file.to_passphrase(crypto, &*host, &opened, &self.stretch_new(passphrase).await?)
            }
            Guardian::Passphrase(None) => return Err(no_passphrase()),
            Guardian::Shares => file.to_shamir(crypto, &*host, &opened),
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
        let change =
            Change { ops: vec![op], draft, received: self.host().monotonic(), deadline: None, urgent: true };
        lane.submit(change).await.map_err(|error| match error {
            SubmitError::Conflict(_) => {
                Error::unavailable("another node handed the vault over meanwhile; look at seal-status")
            }
            error => Error::unavailable("the vault was not handed over; try again").with_source(error),
        })
    }
}

/// Can the configured guard take over at all? Asked before the first share is counted.
fn check_successor(file: &SealFile, guardian: &Guardian) -> Result<(), Error> {
    match guardian {
        Guardian::Shares if file.recovery().is_none() => Err(Error::invalid(format!(
            "this vault has no recovery shares that could take over: {}, so start it with that, make some at \
             sys/rotate/recovery, then try again",
            told(file)
        ))),
        Guardian::Passphrase(None) => Err(no_passphrase()),
        Guardian::Passphrase(Some(passphrase)) => passphrase.check_new(),
        Guardian::Shares | Guardian::MasterKey(_) => Ok(()),
    }
}

fn no_passphrase() -> Error {
    Error::invalid(
        "a vault is handed over to a passphrase that the server is configured with: set `passphrase` for as long as \
         this takes, then it may go again",
    )
}

/// Who guards the vault, in a sentence's beginning.
pub(super) fn told(file: &SealFile) -> &'static str {
    match file.kind() {
        "static" => "this vault is unsealed with its MASTER_KEY",
        "passphrase" => "this vault is unsealed with a passphrase",
        _ => "this vault is unsealed with key shares",
    }
}

/// What hands it over.
pub(super) fn asked(file: &SealFile) -> &'static str {
    match (file.kind(), file.recovery()) {
        ("shamir", _) => "these",
        (_, Some(_)) => "its recovery shares",
        (_, None) => "it",
    }
}

fn successor(guardian: &Guardian) -> &'static str {
    match guardian {
        Guardian::Shares => "their holders",
        Guardian::MasterKey(_) => "the MASTER_KEY",
        Guardian::Passphrase(_) => "the passphrase",
    }
}
