//! All policies of a vault, compiled. They are read from the store under the lane's epoch, with the mount table; what has
//! not changed since the last time is not compiled again.

use super::{Policy, built_in::TEXTS};
use crate::{
    barrier::Barrier,
    cx::store_error,
    error::Error,
    limits::SCAN_ENTRIES_MAX,
    store::{Entry, Limit, Range, Store},
    token::Identity,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// Where written policies stand, by name.
pub(crate) const POLICY_PREFIX: &str = "ns/0/policy/";

/// A written policy, as stored (format 1).
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredPolicy {
    /// Version of this document.
    pub(crate) format: u8,
    /// Its text, as it was written.
    pub(crate) text: String,
}

/// The version of the documents that this release writes.
pub(crate) const POLICY_FORMAT: u8 = 1;

/// All policies.
#[derive(Debug, Default)]
pub struct Policies {
    named: HashMap<Box<str>, Arc<Policy>>,
    /// Policies that hold for entities, whether their tokens name them or not.
    bound: HashMap<Box<str>, Vec<Arc<Policy>>>,
}

impl Policies {
    /// Those that every vault has.
    pub fn built_in() -> Self {
        let mut policies = Self::default();
        for (name, text) in TEXTS {
            policies.add(
                Policy::parse(name, text).map_or_else(|_| Policy::broken(name, text), |(policy, _)| policy),
            );
        }
        policies
    }

    /// Adds one, in place of one of the same name.
    pub fn add(&mut self, policy: Policy) {
        self.add_shared(Arc::new(policy));
    }

    fn add_shared(&mut self, policy: Arc<Policy>) {
        for entity in &policy.bindings {
            self.bound.entry(entity.clone()).or_default().push(Arc::clone(&policy));
        }
        self.named.insert(policy.name().into(), policy);
    }

    /// The built-in ones and those in the store.
    pub(crate) async fn load(store: &dyn Store, barrier: &Barrier, before: &Self) -> Result<Self, Error> {
        let mut policies = Self::built_in();
        let mut range = Range::prefix(POLICY_PREFIX);
        loop {
            let page =
                store.scan(range.clone(), Limit::entries(SCAN_ENTRIES_MAX)).await.map_err(store_error)?;
            let Some(last) = page.last() else { return Ok(policies) };
            range = range.after(last.key.as_str());
            for entry in &page {
                policies.add_shared(before.compiled(barrier, entry)?);
            }
        }
    }

    /// The policy of an entry: the one that was compiled from the same revision, or a new one.
    fn compiled(&self, barrier: &Barrier, entry: &Entry) -> Result<Arc<Policy>, Error> {
        let name = &entry.key.as_str()[POLICY_PREFIX.len()..];
        if let Some(policy) = self.named.get(name).filter(|policy| policy.rev == Some(entry.rev)) {
            return Ok(Arc::clone(policy));
        }
        let plain = barrier.open(entry)?;
        // EXPOSE: the text of a policy is no secret.
        let mut policy = read(name, plain.expose());
        policy.rev = Some(entry.rev);
        Ok(Arc::new(policy))
    }

    /// A policy by its name.
    pub fn find(&self, name: &str) -> Option<&Arc<Policy>> {
        self.named.get(name)
    }

    /// The policies that hold for who asks: those that the token names, and those bound to its entities.
    pub(super) fn of<'p>(&'p self, identity: &'p Identity) -> impl Iterator<Item = &'p Policy> + Clone {
        let named = identity.policies.iter().filter_map(|name| self.named.get(name.as_str()));
        let named = named.filter(|policy| policy.holds_for(identity));
        let bound = identity.entities.iter().filter_map(|entity| self.bound.get(entity.as_str())).flatten();
        let bound = bound.filter(|policy| !identity.policies.iter().any(|name| **name == *policy.name()));
        named.chain(bound).map(|policy| &**policy)
    }

    /// Names of all that can be read, ascending; `root` is not among them.
    pub fn names(&self) -> Vec<&str> {
        let hidden = [crate::token::WRAPPING, super::SECRET_MANAGER];
        let mut names: Vec<&str> =
            self.named.keys().map(|name| &**name).filter(|name| !hidden.contains(name)).collect();
        names.sort_unstable();
        names
    }

    /// How many there are, and the bytes of their texts.
    pub fn size(&self) -> (usize, usize) {
        (self.named.len(), self.named.values().map(|policy| policy.text().len()).sum())
    }

    /// Policies that no text of this release can be read from.
    pub fn broken(&self) -> BTreeMap<&str, &str> {
        let broken = self.named.values().filter(|policy| policy.broken);
        broken.map(|policy| (policy.name(), policy.text())).collect()
    }
}

/// What cannot be read is told once to the operator, and denies everything to whoever has it.
fn read(name: &str, bytes: &[u8]) -> Policy {
    let stored = serde_json::from_slice::<StoredPolicy>(bytes).map_err(|error| error.to_string());
    let known = stored.and_then(|stored| match stored.format {
        POLICY_FORMAT => Ok(stored.text),
        other => Err(format!("format {other}: is this release too old?")),
    });
    let text = known.as_deref().unwrap_or_default();
    match known.as_ref().map_err(Clone::clone).and_then(|text| Policy::parse(name, text)) {
        Ok((policy, _)) => policy,
        Err(error) => {
            tracing::error!(policy = name, error, "a stored policy cannot be read: it denies everything");
            Policy::broken(name, text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_format() {
        let text = r#"{"format":1,"text":"path \"a\" { capabilities = [\"read\"] }"}"#;
        let stored = StoredPolicy { format: 1, text: r#"path "a" { capabilities = ["read"] }"#.into() };
        assert_eq!(serde_json::from_str::<StoredPolicy>(text).unwrap(), stored);
        assert_eq!(serde_json::to_string(&stored).unwrap(), text);
    }

    #[test]
    fn what_cannot_be_read_is_broken() {
        let check =
            |bytes: &str, expect: bool| assert_eq!(read("p", bytes.as_bytes()).broken, expect, "{bytes}");
        check(r#"{"format":1,"text":""}"#, false);
        check(r#"{"format":2,"text":""}"#, true);
        check(r#"{"format":1,"text":"path"}"#, true);
        check("", true);
    }

    #[test]
    fn what_is_built_in_can_be_read() {
        let policies = Policies::built_in();
        assert!(policies.broken().is_empty());
        assert_eq!(policies.names(), ["default"]);
    }
}
