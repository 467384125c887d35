//! The mount table: which engine serves a path. Read from the store, kept under the lane's epoch: whoever changes
//! mounts replaces every lane's epoch entry in the same batch, so a stale table is seen at the next request.

use crate::{
    barrier::Barrier,
    cx::store_error,
    engine::Mount,
    error::Error,
    limits::SCAN_ENTRIES_MAX,
    store::{Limit, Range, Store},
};
use std::sync::Arc;

/// Where mount documents stand.
pub(crate) const MOUNT_PREFIX: &str = "ns/0/mount/";

/// All mounts, longest path first.
#[derive(Debug)]
pub(crate) struct MountTable(Vec<Arc<Mount>>);

impl MountTable {
    /// The mounts that every vault has, and that serve while it is sealed.
    pub(crate) fn built_in() -> Self {
        let mount = |path, kind, id, description| Arc::new(Mount::built_in(path, kind, id, description));
        Self(vec![
            mount("secret-manager/", "secret-manager", "secret-manager", "the first seed's interface"),
            mount("auth/token/", "token", "token", "token based credentials"),
            mount("cubbyhole/", "cubbyhole", "cubbyhole", "per-token private secret storage"),
            mount("audit/", "audit", "audit", "audit log: search, verify, export"),
            mount("sys/", "system", "system", "system endpoints used for control, policy and debugging"),
        ])
    }

    /// The built-in ones and those in the store.
    pub(crate) async fn load(store: &dyn Store, barrier: &Barrier) -> Result<Self, Error> {
        let Self(mut mounts) = Self::built_in();
        let mut range = Range::prefix(MOUNT_PREFIX);
        loop {
            let page =
                store.scan(range.clone(), Limit::entries(SCAN_ENTRIES_MAX)).await.map_err(store_error)?;
            let Some(last) = page.last() else { break };
            range = range.after(last.key.as_str());
            for entry in &page {
                let plain = barrier.open(entry)?;
                // EXPOSE: the mount's document holds no secret.
                mounts.push(Arc::new(serde_json::from_slice(plain.expose()).map_err(Error::internal)?));
            }
        }
        mounts.sort_by_key(|mount| std::cmp::Reverse(mount.path.len()));
        Ok(Self(mounts))
    }

    /// The mount that serves a path, and the rest of the path below it. `secret` is `secret/`.
    pub(crate) fn resolve<'p>(&self, path: &'p str) -> Option<(&Arc<Mount>, &'p str)> {
        self.0.iter().find_map(|mount| {
            let whole = mount.path.as_str();
            let rest =
                path.strip_prefix(whole).or_else(|| (path == &whole[..whole.len() - 1]).then_some(""))?;
            Some((mount, rest))
        })
    }

    /// All mounts, longest path first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Mount>> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_path_wins() {
        let table = MountTable::built_in();
        let check = |path: &str, expect: Option<(&str, &str)>| {
            let found = table.resolve(path).map(|(mount, rest)| (mount.path.as_str(), rest));
            assert_eq!(found, expect, "{path}");
        };
        check("sys/health", Some(("sys/", "health")));
        check("sys", Some(("sys/", "")));
        check("system", None);
        check("auth/token/create", Some(("auth/token/", "create")));
        check("auth/userpass/login", None);
        check("", None);
    }
}
