//! What only the engines that operate the vault may touch: entries outside their own mount.

use super::{Cx, Item, json_bytes, store_error};
use crate::{
    audit::{AuditPage, AuditQuery, AuditRow, Cursor, Head, checkpoint},
    backup::Save,
    barrier::{KEYRING_KEY, SEAL_KEY, SealFile},
    error::{Error, ErrorKind},
    id::BootId,
    request::WrapInfo,
    store::{Entry, Key, Limit, Op, Range, Sealed},
    system::{Auditing, MountTable},
    token::{Token, Wrapping, open_batch},
};
use serde::Serialize;
use std::time::Duration;

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

    /// Who guards the root key, as it stands.
    pub(crate) async fn seal_entry(&self) -> Result<(Entry, SealFile), Error> {
        let found = self.system.entry(SEAL_KEY).await?;
        let entry = found.ok_or_else(|| Error::internal("the seal file is missing"))?;
        let file = SealFile::parse(&entry)?;
        Ok((entry, file))
    }

    /// Stages new guards in place of those that were read.
    pub(crate) fn stage_seal(&mut self, read: &Entry, file: &SealFile) -> Result<(), Error> {
        self.stage(read.key.clone(), Op::Replace(read.rev, file.to_sealed()?))
    }

    /// Holds the commit to the guards that were read.
    pub(crate) fn guard_seal(&mut self, read: &Entry) -> Result<(), Error> {
        self.stage(read.key.clone(), Op::Guard(read.rev))
    }

    /// Lets what is staged stand although the request will be refused: a wrong set of shares is forgotten, and the
    /// one who gave the last of them is told.
    pub(crate) fn stand(&mut self) {
        self.stands = true;
    }

    /// Creates a document of the root namespace, outside any mount.
    pub(crate) fn create_root_document(&mut self, name: &str, document: &[u8]) -> Result<(), Error> {
        let key = root_key(name)?;
        let sealed = self.barrier()?.seal(&key, document)?;
        self.stage(key, Op::Create(sealed))
    }

    /// Replaces every lane's epoch entry, so that each lane's next request sees what this one changes. Of two who do
    /// so at once one loses and starts again, so what this request has seen of mounts and policies still stands when
    /// it is committed.
    pub(crate) async fn advance_epochs(&mut self) -> Result<(), Error> {
        for (key, op) in self.system.epoch_changes(self.barrier()?).await? {
            let seen = self.watched.iter().find(|(watched, _)| **watched == key);
            if let (Some((_, seen)), Op::Replace(rev, _)) = (seen, &op)
                && seen != Some(*rev)
            {
                return Err(Error::new(ErrorKind::Conflict, "the mounts or policies changed meanwhile"));
            }
            self.stage(key, op)?;
        }
        Ok(())
    }

    /// A document of the root namespace, outside any mount; for looking only.
    pub(crate) async fn root_document(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let found = self.backend.get(&[root_key(name)?]).await.map_err(store_error)?.pop().flatten();
        // EXPOSE: a document for the operating engines.
        found.map(|entry| Ok(self.barrier()?.open(&entry)?.expose().clone())).transpose()
    }

    /// An entry of the root namespace, outside any mount, to be replaced or removed.
    pub(crate) async fn root_item(&mut self, name: &str) -> Result<Option<Item>, Error> {
        Ok(self.root_items(&[name.to_owned()]).await?.pop().flatten())
    }

    /// Several at one instant, in the order asked.
    pub(crate) async fn root_items(&mut self, names: &[String]) -> Result<Vec<Option<Item>>, Error> {
        let wanted: Vec<Key> = names.iter().map(|name| root_key(name)).collect::<Result<_, _>>()?;
        let found = self.read(wanted).await?;
        let open = |entry: Option<Entry>| entry.map(|entry| self.open_at(entry, ROOT.len())).transpose();
        found.into_iter().map(open).collect()
    }

    /// One page of the entries of the root namespace below `prefix`, strictly after a key as given by [`Item::key`].
    pub(crate) async fn root_page(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Item>, Error> {
        let mut range = Range::prefix(&format!("{ROOT}{prefix}"));
        if let Some(after) = after {
            range = range.after(&format!("{ROOT}{after}"));
        }
        let entries = self.backend.scan(range, Limit::entries(limit)).await.map_err(store_error)?;
        self.recheck().await?;
        entries.into_iter().map(|entry| self.open_at(entry, ROOT.len())).collect()
    }

    /// Writes an entry of the root namespace, whatever stands there: derived indexes only.
    pub(crate) fn put_root(&mut self, name: &str, value: &[u8]) -> Result<(), Error> {
        let key = root_key(name)?;
        let sealed = self.barrier()?.seal(&key, value)?;
        self.stage(key, Op::Put(sealed))
    }

    /// [`Cx::create_root_document`] of a value.
    pub(crate) fn create_root_json(&mut self, name: &str, value: &impl Serialize) -> Result<(), Error> {
        self.create_root_document(name, &json_bytes(value)?)
    }

    /// Puts a reply away; the record names the token that takes it out.
    pub(crate) fn stage_wrapping(&mut self, wrapping: Wrapping) -> Result<WrapInfo, Error> {
        for (name, document) in &wrapping.entries {
            self.create_root_document(name, document)?;
        }
        self.note_lease(wrapping.lease_id);
        Ok(wrapping.info)
    }

    /// Has a revocation by path ended this token.
    pub(crate) fn is_revoked(&self, token: &Token) -> bool {
        self.table.as_ref().is_some_and(|table| table.revocations().end(token))
    }

    /// Does everything stand that this token rests on.
    pub(crate) async fn stands(&mut self, token: &Token) -> Result<bool, Error> {
        if token.ancestors.is_empty() && token.holders.is_empty() {
            return Ok(true);
        }
        let above = token.ancestors.iter().map(|hash| format!("token/{hash}"));
        let names: Vec<String> = above.chain(token.holders.iter().cloned()).collect();
        for (at, item) in self.root_items(&names).await?.into_iter().enumerate() {
            let Some(item) = item else { return Ok(false) };
            if at >= token.ancestors.len() {
                continue; // A holder stands by being there.
            }
            let ancestor = item.json::<Token>()?;
            if !ancestor.husk && (!ancestor.is_good(self.now) || self.is_revoked(&ancestor)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A batch token that somebody names, if it is good.
    pub(crate) async fn batch_token(&mut self, text: &str) -> Result<Option<Token>, Error> {
        let Some(token) = open_batch(self.barrier()?, text)? else { return Ok(None) };
        let good = token.is_good(self.now) && !self.is_revoked(&token) && self.stands(&token).await?;
        Ok(good.then_some(token))
    }

    /// What no token passes that was made at this path.
    pub(crate) fn longest_below(&self, path: &str) -> Duration {
        let mount = self.table.as_ref().and_then(|table| table.resolve(path));
        mount.map_or(Duration::ZERO, |(mount, _)| mount.max_ttl())
    }

    /// What a token that is made now remembers of revocations by path.
    pub(crate) fn newest_revocation(&self) -> u64 {
        self.table.as_ref().map_or(0, |table| table.revocations().newest())
    }

    /// What operators chose of the audit log; nothing on a sealed vault.
    pub(crate) fn auditing(&self) -> Option<&Auditing> {
        self.table.as_deref().map(MountTable::auditing)
    }

    /// How many revocations by path are being swept.
    pub(crate) fn standing_revocations(&self) -> usize {
        self.table.as_ref().map_or(0, |table| table.revocations().len())
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

    /// Begins a snapshot of the whole store.
    pub(crate) async fn save(&self) -> Result<Save, Error> {
        self.system.save(self.unsealed.as_ref().ok_or_else(Error::sealed)?).await
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
