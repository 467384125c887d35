//! Snapshots: taking one of a vault that serves, and bringing one into a server that has none.

use super::{System, Unsealed};
use crate::{
    audit::{Change, Columns, Draft, SubmitError},
    backup::{About, RESTORED_KEY, Restore, Restored, Save, Source},
    error::Error,
    id::hex,
    store::Op,
};
use std::sync::Arc;

impl System {
    /// Begins a snapshot of this instant.
    pub(crate) async fn save(&self, unsealed: &Unsealed) -> Result<Save, Error> {
        let source = Source::serving(self.backend(), unsealed.shared_barrier()).await?;
        let about = About {
            id: hex(&self.make_boot().0),
            taken: self.host().now().to_rfc3339(),
            version: self.settings().version.clone(),
            store: source.kind().to_owned(),
        };
        Ok(Save::new(source, self.crypto(), about))
    }

    /// Begins to bring a snapshot in; refused where there is a vault.
    pub(crate) async fn restore(&self) -> Result<Restore, Error> {
        if self.is_initialized().await? {
            return Err(Error::vault_stands());
        }
        Ok(Restore::into(self.backend(), Arc::clone(self.host()), self.crypto()))
    }

    /// Records once what a restored vault came from: what was revoked after its snapshot was taken stands again.
    pub(super) async fn record_restored(&self) -> Result<(), Error> {
        let Some(unsealed) = self.unsealed() else { return Ok(()) };
        let Some(entry) = self.entry(RESTORED_KEY).await? else { return Ok(()) };
        let restored: Restored = serde_json::from_slice(entry.value.as_bytes()).map_err(Error::internal)?;
        let columns = Columns {
            timestamp: self.host().now(),
            operation: "restore".to_owned(),
            path: "sys/storage/raft/snapshot".to_owned(),
            rule: Some(format!(
                "snapshot taken {}: {} entries, {} records, digest {}",
                restored.taken, restored.tally.entries, restored.tally.records, restored.tally.digest
            )),
            request_id: restored.snapshot,
            ..Columns::default()
        };
        let draft = Draft { columns, ..Draft::default() };
        let ops = vec![(entry.key, Op::Remove(entry.rev))];
        let change = Change { ops, draft, received: self.host().monotonic(), deadline: None, urgent: true };
        match unsealed.lane().submit(change).await {
            // Another node was faster.
            Ok(()) | Err(SubmitError::Conflict(_)) => Ok(()),
            Err(source) => Err(Error::unavailable("the restoring was not recorded").with_source(source)),
        }
    }
}
