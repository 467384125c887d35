//! [`Door`]: the one thing this crate asks of the core. `Vault` is the door; tests stand a fake one there.

use secrethub_core::{Error, Reply, Request, Vault, backup::Restore, system::Figures};
use std::{net::IpAddr, pin::Pin, sync::Arc};

/// What a door gives back: an answer to wait for, which borrows nothing.
pub type Answer = Pin<Box<dyn Future<Output = Result<Reply, Error>> + Send>>;

/// What takes a snapshot in.
pub type Restoring = Pin<Box<dyn Future<Output = Result<Restore, Error>> + Send>>;

/// Answers requests.
pub trait Door: Send + Sync + 'static {
    /// Authenticates, decides, does, records and answers.
    fn handle(self: Arc<Self>, request: Request) -> Answer;

    /// What the node can be counted by, for metrics.
    fn figures(&self) -> Figures;

    /// Counts a request of an address that was turned away before it came to the door.
    fn count_turned_away(&self, address: Option<IpAddr>);

    /// Begins to bring a snapshot in; refused where there is a vault.
    fn restore(self: Arc<Self>) -> Restoring;
}

impl Door for Vault {
    fn handle(self: Arc<Self>, request: Request) -> Answer {
        Box::pin(async move { Vault::handle(&self, request).await })
    }

    fn figures(&self) -> Figures {
        Vault::figures(self)
    }

    fn count_turned_away(&self, address: Option<IpAddr>) {
        Vault::count_turned_away(self, address);
    }

    fn restore(self: Arc<Self>) -> Restoring {
        Box::pin(async move { Vault::restore(&self).await })
    }
}
