//! What only the engines that operate the vault may touch: entries outside their own mount.

use super::{Cx, Item, json_bytes, store_error};
use crate::{
    audit::{AuditPage, AuditQuery, AuditRow, Cursor, Head, checkpoint},
    barrier::KEYRING_KEY,
    error::{Error, ErrorKind},
    id::BootId,
    limits::SCAN_ENTRIES_MAX,
    store::{Entry, Key, Limit, Op, Range, Sealed},
};
use serde::Serialize;

/// Where everything of the root namespace stands.
const ROOT: &str = "ns/0/";

/// What cannot be a key is not there.
fn root_key(name: &str) -> Result<Key, Error> {
    Key::new(format!("{ROOT}{name}")).map_err(|source| Error::not_found().with_source(source))
}

impl Cx {
    /// The keyring as it stands.
    pub(crate) async fn keyring_entry(&self) -> Result<Entry, Error> {
        let found = self.system.entry(KEYRING_KEY).await?;
        found.ok_or_else(|| Error::internal("the keyring is missing"))
    }

    /// Stages a new keyring in place of the one that was read.
    pub(crate) fn stage_keyring(&mut self, read: &Entry, sealed: Sealed) -> Result<(), Error> {
        self.stage(read.key.clone(), Op::Replace(read.rev, sealed))
    }

    /// Replaces every lane's epoch entry, so that each lane's next request sees what this one changes. A lane that
    /// registers meanwhile replaces `lanes`, which is guarded. Of two who do so at once one loses and starts again, so
    /// what this request has seen of mounts and policies still stands when it is committed.
    pub(crate) async fn advance_epochs(&mut self) -> Result<(), Error> {
        let lanes = self.system.entry(crate::audit::LANES_KEY).await?;
        let lanes = lanes.ok_or_else(|| Error::internal("the list of lanes is missing"))?;
        self.stage(lanes.key.clone(), Op::Guard(lanes.rev))?;
        let mut range = Range::prefix("epoch/");
        loop {
            let page = self
                .backend
                .scan(range.clone(), Limit::entries(SCAN_ENTRIES_MAX))
                .await
                .map_err(store_error)?;
            let Some(last) = page.last() else { return Ok(()) };
            range = range.after(last.key.as_str());
            for entry in &page {
                let seen = self.watched.iter().find(|(key, _)| *key == entry.key);
                if seen.is_some_and(|(_, rev)| *rev != Some(entry.rev)) {
                    return Err(Error::new(ErrorKind::Conflict, "the mounts or policies changed meanwhile"));
                }
                let sealed = self.barrier()?.seal(&entry.key, &[])?;
                self.stage(entry.key.clone(), Op::Replace(entry.rev, sealed))?;
            }
        }
    }

    /// A document of the root namespace, outside any mount; for looking only.
    pub(crate) async fn root_document(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let found = self.backend.get(&[root_key(name)?]).await.map_err(store_error)?.pop().flatten();
        // EXPOSE: a document for the operating engines.
        found.map(|entry| Ok(self.barrier()?.open(&entry)?.expose().clone())).transpose()
    }

    /// An entry of the root namespace, outside any mount, to be replaced or removed.
    pub(crate) async fn root_item(&self, name: &str) -> Result<Option<Item>, Error> {
        let mut wanted = vec![root_key(name)?];
        wanted.extend(self.watched.iter().map(|(key, _)| key.clone()));
        let mut found = self.backend.get(&wanted).await.map_err(store_error)?;
        self.check_watched(&found.split_off(1))?;
        found.into_iter().next().flatten().map(|entry| self.open_at(entry, ROOT.len())).transpose()
    }

    /// Creates an entry of the root namespace; the commit conflicts if it is there.
    pub(crate) fn create_root_json(&mut self, name: &str, value: &impl Serialize) -> Result<(), Error> {
        let key = root_key(name)?;
        let sealed = self.barrier()?.seal(&key, &json_bytes(value)?)?;
        self.stage(key, Op::Create(sealed))
    }

    /// A page of audit records.
    pub(crate) async fn search_audit(
        &self,
        query: &AuditQuery,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<AuditPage, Error> {
        self.backend.search(query, after, limit).await.map_err(store_error)
    }

    /// Records of one chain, in order.
    pub(crate) async fn read_audit(
        &self,
        chain: BootId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<AuditRow>, Error> {
        self.backend.read(chain, from, limit).await.map_err(store_error)
    }

    /// Every chain with its ends.
    pub(crate) async fn audit_heads(&self) -> Result<Vec<Head>, Error> {
        self.backend.heads().await.map_err(store_error)
    }

    /// The newest checkpoint: number and signed bytes.
    pub(crate) async fn newest_checkpoint(&self) -> Result<Option<(u64, Vec<u8>)>, Error> {
        let newest = checkpoint::newest(&*self.backend, 0).await.map_err(store_error)?;
        Ok(newest.map(|(number, entry)| (number, entry.value.as_bytes().to_vec())))
    }
}
