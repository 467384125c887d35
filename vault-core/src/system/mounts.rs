//! The mount table: which engine serves a path. Read from the store, kept under the lane's epoch: whoever changes
//! mounts replaces every lane's epoch entry in the same batch, so a stale table is seen at the next request.

use super::{Auditing, Quotas, RESERVED, Revocations};
use crate::{
    barrier::Barrier,
    cx::store_error,
    engine::Mount,
    error::Error,
    limits::{MOUNT_PATH_BYTES_MAX, SCAN_ENTRIES_MAX},
    policy::Policies,
    store::{Limit, Range, Store},
};
use std::{collections::BTreeMap, sync::Arc};

/// Where mount documents stand.
pub(crate) const MOUNT_PREFIX: &str = "ns/0/mount/";
/// Where the ids of mounts stand whose entries are still to be removed.
pub(crate) const UNMOUNTED_PREFIX: &str = "ns/0/unmounted/";

/// All mounts, by path without the slash at its end; and what stands and falls with the same epoch: what is revoked below
/// paths, what operators chose of the audit log, the policies, and quotas.
#[derive(Debug)]
pub(crate) struct MountTable {
    mounts: BTreeMap<String, Arc<Mount>>,
    /// Segments of the longest of the paths.
    depth: usize,
    revocations: Revocations,
    auditing: Auditing,
    policies: Policies,
    quotas: Quotas,
}

impl MountTable {
    /// The mounts that every vault has, and that serve while it is sealed.
    pub(crate) fn built_in() -> Self {
        let mount = |path, kind, id, description| Mount::built_in(path, kind, id, description);
        Self::of([
            mount("secret-manager/", "secret-manager", "secret-manager", "the first seed's interface"),
            mount("auth/token/", "token", "token", "token based credentials"),
            mount("cubbyhole/", "cubbyhole", "cubbyhole", "per-token private secret storage"),
            mount("apps/", "apps", "apps", "applications, their policies and their first token"),
            mount("audit/", "audit", "audit", "audit log: search, verify, export"),
            mount("sys/", "system", "system", "system endpoints used for control, policy and debugging"),
        ])
    }

    fn of(mounts: impl IntoIterator<Item = Mount>) -> Self {
        let mut table = Self {
            mounts: BTreeMap::new(),
            depth: 0,
            revocations: Revocations::default(),
            auditing: Auditing::default(),
            policies: Policies::built_in(),
            quotas: Quotas::default(),
        };
        mounts.into_iter().for_each(|mount| table.add(mount));
        table
    }

    fn add(&mut self, mount: Mount) {
        let path = bare(&mount.path).to_owned();
        self.depth = self.depth.max(path.split('/').count());
        self.mounts.insert(path, Arc::new(mount));
    }

    /// The built-in ones and those in the store. One that is built in has a document there once it was tuned. `before` is
    /// the table that was used so far: what has not changed since is taken from it.
    pub(crate) async fn load(store: &dyn Store, barrier: &Barrier, before: &Self) -> Result<Self, Error> {
        let mut table = Self::built_in();
        table.policies = Policies::load(store, barrier, &before.policies).await?;
        table.revocations = Revocations::load(store, barrier).await?;
        table.auditing = Auditing::load(store, barrier).await?;
        table.quotas = Quotas::load(store, barrier).await?;
        let mut range = Range::prefix(MOUNT_PREFIX);
        loop {
            let page =
                store.scan(range.clone(), Limit::entries(SCAN_ENTRIES_MAX)).await.map_err(store_error)?;
            let Some(last) = page.last() else { return Ok(table) };
            range = range.after(last.key.as_str());
            for entry in &page {
                let plain = barrier.open(entry)?;
                // EXPOSE: the mount's document holds no secret.
                table.add(Mount::parse(plain.expose())?);
            }
        }
    }

    /// The mount that serves a path, and the rest of the path below it. `secret` is `secret/`.
    pub(crate) fn resolve<'p>(&self, path: &'p str) -> Option<(&Arc<Mount>, &'p str)> {
        let slashes = path.bytes().enumerate().filter(|(_, byte)| *byte == b'/').map(|(at, _)| at);
        // Where the segments end that a mount's path can have.
        let ends = slashes.chain([path.len()]).take(self.depth);
        let serving =
            |at: usize| Some((self.mounts.get(&path[..at])?, path.get(at + 1..).unwrap_or_default()));
        ends.filter_map(serving).last()
    }

    /// The mount that stands at a path, with or without its slash.
    pub(crate) fn at(&self, path: &str) -> Option<&Arc<Mount>> {
        self.mounts.get(bare(path))
    }

    /// The mount that one at `path` would stand below, at, or above. Mounts do not nest: whose secret a path names
    /// would change with a mount.
    pub(crate) fn conflict(&self, path: &str) -> Option<&Arc<Mount>> {
        let path = bare(path);
        if let Some((mount, _)) = self.resolve(path) {
            return Some(mount);
        }
        let below = format!("{path}/");
        self.mounts
            .range(below.clone()..)
            .next()
            .filter(|(other, _)| other.starts_with(&below))
            .map(|(_, mount)| mount)
    }

    /// All mounts, in the order of their paths.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Mount>> {
        self.mounts.values()
    }

    /// What is revoked below paths.
    pub(crate) fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// What operators chose of the audit log.
    pub(crate) fn auditing(&self) -> &Auditing {
        &self.auditing
    }

    /// Who may do what.
    pub(crate) fn policies(&self) -> &Policies {
        &self.policies
    }

    /// How many requests may come.
    pub(crate) fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// Goes on with what the table before it has counted.
    pub(super) fn after(mut self, before: &Self) -> Self {
        self.quotas = std::mem::take(&mut self.quotas).inherit(&before.quotas);
        self
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.mounts.len()
    }
}

fn bare(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}

/// Does every vault have a mount at this path.
pub(crate) fn is_built_in(path: &str) -> bool {
    MountTable::built_in().at(path).is_some()
}

/// What somebody calls a mount or a device, without slashes at its ends; or why it cannot be called so.
pub(crate) fn parse_name<'n>(name: &'n str, what: &str) -> Result<&'n str, Error> {
    let name = name.trim_matches('/');
    let unfit = |part: &str| part.is_empty() || part.starts_with('.') || part.trim() != part;
    if name.split('/').any(unfit) || name.chars().any(char::is_control) || name.contains('*') {
        return Err(Error::invalid(format!(
            "{name:?} cannot be a {what}'s path: its segments may not be empty, start with '.', begin or end with a \
             space, or hold '*' or a control character"
        )));
    }
    Ok(name)
}

/// Makes a mount's path of what somebody calls it, relative to `below` (empty, or `auth/`), or says why it cannot be
/// one.
pub(crate) fn parse_path(name: &str, below: &str) -> Result<String, Error> {
    let name = parse_name(name, "mount")?;
    if below.len() + name.len() > MOUNT_PATH_BYTES_MAX {
        return Err(Error::invalid(format!("a mount's path may have at most {MOUNT_PATH_BYTES_MAX} bytes")));
    }
    let first = name.split('/').next().unwrap_or_default();
    let reserved =
        if below.is_empty() { RESERVED.contains(&first) } else { is_built_in(&format!("{below}{first}")) };
    if reserved {
        return Err(Error::invalid(format!("cannot mount \"{below}{name}/\": {first:?} is reserved")));
    }
    Ok(format!("{below}{name}/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> MountTable {
        let mut table = MountTable::built_in();
        for path in ["secret/", "a/", "a-b/", "team/kv/"] {
            table.add(Mount::built_in(path, "kv", path, ""));
        }
        table
    }

    #[test]
    fn longest_path_wins() {
        let table = table();
        let check = |path: &str, expect: Option<(&str, &str)>| {
            let found = table.resolve(path).map(|(mount, rest)| (mount.path.as_str(), rest));
            assert_eq!(found, expect, "{path}");
        };
        check("sys/health", Some(("sys/", "health")));
        check("sys", Some(("sys/", "")));
        check("sys/", Some(("sys/", "")));
        check("system", None);
        check("auth/token/create", Some(("auth/token/", "create")));
        check("auth/userpass/login", None);
        check("team/kv/data/a/b", Some(("team/kv/", "data/a/b")));
        check("team/kv", Some(("team/kv/", "")));
        check("team/other", None);
        check("a-b/c", Some(("a-b/", "c")));
        check("a/", Some(("a/", "")));
        check("", None);
    }

    #[test]
    fn mounts_do_not_nest() {
        let table = table();
        let check = |path: &str, expect: Option<&str>| {
            let found = table.conflict(path).map(|mount| mount.path.as_str());
            assert_eq!(found, expect, "{path}");
        };
        check("secret/", Some("secret/"));
        check("secret/deep/", Some("secret/"));
        check("team/", Some("team/kv/"));
        check("team/kv/x/", Some("team/kv/"));
        check("team/k/", None);
        check("team/kv2/", None);
        check("a-/", None);
        check("b/", None);
    }

    #[test]
    fn names_of_mounts() {
        let check = |name: &str, below: &str, expect: Option<&str>| {
            assert_eq!(parse_path(name, below).ok().as_deref(), expect, "{name:?}");
        };
        check("kv", "", Some("kv/"));
        check("/team/kv/", "", Some("team/kv/"));
        check("syst", "", Some("syst/"));
        check("my kv", "", Some("my kv/"));
        check("userpass", "auth/", Some("auth/userpass/"));
        check("sys", "auth/", Some("auth/sys/"));
        for name in RESERVED {
            check(name, "", None);
            check(&format!("{name}/x"), "", None);
        }
        for bad in ["", "/", "a//b", "..", "a/./b", " a", "a/b ", "a*", "a\u{7}", &"x".repeat(300)] {
            check(bad, "", None);
        }
        check("token", "auth/", None);
        check("token/x", "auth/", None);
    }
}
