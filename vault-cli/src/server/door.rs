//! The vault as the door that the HTTP front-end asks.

use secrethub::core::{Request, Vault};
use secrethub_http::{Answer, Door};
use std::sync::Arc;

struct VaultDoor(Arc<Vault>);

impl Door for VaultDoor {
    fn handle(self: Arc<Self>, request: Request) -> Answer {
        let vault = Arc::clone(&self.0);
        Box::pin(async move { vault.handle(request).await })
    }
}

/// The door of a vault.
pub(super) fn door(vault: &Arc<Vault>) -> Arc<dyn Door> {
    Arc::new(VaultDoor(Arc::clone(vault)))
}
