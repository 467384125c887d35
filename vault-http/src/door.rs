//! [`Door`]: the one thing this crate asks of the core. `Vault` is the door; tests stand a fake one there.

use secrethub_core::{Error, Reply, Request, Vault};
use std::{pin::Pin, sync::Arc};

/// What a door gives back: an answer to wait for, which borrows nothing.
pub type Answer = Pin<Box<dyn Future<Output = Result<Reply, Error>> + Send>>;

/// Answers requests.
pub trait Door: Send + Sync + 'static {
    /// Authenticates, decides, does, records and answers.
    fn handle(self: Arc<Self>, request: Request) -> Answer;
}

impl Door for Vault {
    fn handle(self: Arc<Self>, request: Request) -> Answer {
        Box::pin(async move { Vault::handle(&self, request).await })
    }
}
