//! What KV keeps in the store (format 1), and what becomes of it: pure functions of documents and time.
//!
//! Below a mount stand `meta/<path>` → [`Metadata`], `v/<uid>/<16 hex digits>` → [`Version data`](Document), `config` →
//! [`Config`](super::config::Config) and, only where a deleted secret had more versions than one commit may remove,
//! `gone/<uid>`. The uid is random and made anew with each metadata entry, so nothing of a removed secret can come
//! back under its name. Every write touches `meta/<path>`: that is how the absence of a version is guarded.

use super::expiry::DeleteAfter;
use crate::{
    cx::Item,
    error::Error,
    id::{Timestamp, hex},
    limits,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of all documents of this engine.
pub(super) const FORMAT: u8 = 1;

/// Data under a format number: a version of a secret, or a whole KV version 1 entry. `T` is raw JSON where it is
/// only handed on, so that a read never parses a secret.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Document<T> {
    /// Version of this document.
    pub(super) format: u8,
    /// The secret.
    pub(super) data: T,
}

impl<'a, T: Deserialize<'a>> Document<T> {
    /// Reads an entry; a format that this release does not know is an error, never a guess.
    pub(super) fn read(item: &'a Item) -> Result<T, Error> {
        let document: Self = serde_json::from_slice(item.bytes()).map_err(Error::internal)?;
        check_format(document.format)?;
        Ok(document.data)
    }
}

pub(super) fn check_format(format: u8) -> Result<(), Error> {
    if format == FORMAT {
        Ok(())
    } else {
        Err(Error::internal(format!("KV document has unknown format {format}")))
    }
}

/// All that is known about one secret but its data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Metadata {
    /// Version of this document.
    pub(super) format: u8,
    /// Names the secret in the store and the audit log, for as long as this entry stands.
    pub(super) uid: String,
    /// When the secret was first written.
    pub(super) created: Timestamp,
    /// When its last version was written.
    pub(super) updated: Timestamp,
    /// Number of the newest version; 0 before the first.
    pub(super) current: u64,
    /// Lowest number not yet pruned; 0 until the first pruning, as Vault counts.
    pub(super) oldest: u64,
    /// What is known of each version that was not pruned.
    pub(super) versions: BTreeMap<u64, Version>,
    /// Must every write say which version it builds on.
    pub(super) cas_required: bool,
    /// How many versions to keep; 0 = as the mount says.
    pub(super) max_versions: u64,
    /// How long a new version lives.
    pub(super) delete_after: DeleteAfter,
    /// What people attach.
    pub(super) custom: Option<BTreeMap<String, String>>,
}

/// What is known of one version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Version {
    /// When it was written.
    pub(super) created: Timestamp,
    /// Display name of who wrote it.
    pub(super) by: String,
    /// Accessor of the token that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) accessor: Option<String>,
    /// The version whose data it took over by a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rollback_of: Option<u64>,
    /// When it was, or will be, deleted; an undelete clears it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deleted: Option<Timestamp>,
    /// Is its data gone for good.
    #[serde(default)]
    pub(super) destroyed: bool,
}

/// What a removed secret leaves behind where its versions did not all fit one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tombstone {
    /// Version of this document.
    pub(super) format: u8,
}

impl Version {
    /// Can its data be read at this time.
    pub(super) fn is_readable(&self, now: Timestamp) -> bool {
        !self.destroyed && self.deleted.is_none_or(|deleted| deleted > now)
    }

    /// `readable`, `deleted` or `destroyed`.
    pub(super) fn state(&self, now: Timestamp) -> &'static str {
        match (self.destroyed, self.is_readable(now)) {
            (true, _) => "destroyed",
            (false, true) => "readable",
            (false, false) => "deleted",
        }
    }
}

impl Metadata {
    /// A secret without versions.
    pub(super) fn new(uid: String, now: Timestamp) -> Self {
        Self {
            format: FORMAT,
            uid,
            created: now,
            updated: now,
            current: 0,
            oldest: 0,
            versions: BTreeMap::new(),
            cas_required: false,
            max_versions: 0,
            delete_after: DeleteAfter::default(),
            custom: None,
        }
    }

    /// Reads an entry.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let metadata: Self = serde_json::from_slice(bytes).map_err(Error::internal)?;
        check_format(metadata.format)?;
        Ok(metadata)
    }

    /// Where a version's data stands below the mount.
    pub(super) fn data_key(&self, number: u64) -> String {
        ["v/", &self.uid, "/", &hex(&number.to_be_bytes())].concat()
    }

    /// The version asked for, 0 = the newest, with its number; `None` if it never was or was pruned.
    pub(super) fn version(&self, number: u64) -> Option<(u64, &Version)> {
        let number = if number == 0 { self.current } else { number };
        self.versions.get(&number).map(|version| (number, version))
    }

    /// Does a write that builds on version `cas` (0 = on nothing) fit what is there.
    pub(super) fn check_cas(&self, cas: Option<u64>, required: bool) -> Result<(), Error> {
        match cas {
            None if required || self.cas_required => {
                Err(Error::invalid("check-and-set parameter required for this call"))
            }
            Some(cas) if cas != self.current => {
                Err(Error::invalid("check-and-set parameter did not match the current version"))
            }
            _ => Ok(()),
        }
    }

    /// Adds a version. Returns its number and the numbers that are one too many and were pruned: oldest first, and
    /// no more at once than [`limits::KV_PRUNE_MAX`], so that one commit can remove their data too.
    pub(super) fn add(&mut self, version: Version, mount_max: u64) -> (u64, Vec<u64>) {
        self.current += 1;
        self.updated = version.created;
        self.versions.insert(self.current, version);
        let keep =
            [self.max_versions, mount_max, limits::KV_VERSIONS_DEFAULT].into_iter().find(|max| *max > 0);
        let keep = keep.unwrap_or(limits::KV_VERSIONS_DEFAULT);
        let Some(cut) = self.current.checked_sub(keep) else { return (self.current, Vec::new()) };
        let surplus = self.versions.range(..=cut).map(|(number, _)| *number);
        let pruned: Vec<u64> = surplus.take(limits::KV_PRUNE_MAX).collect();
        for number in &pruned {
            self.versions.remove(number);
        }
        let first_kept = self.versions.keys().next().copied().unwrap_or(self.current);
        self.oldest = self.oldest.max(first_kept.min(cut + 1));
        (self.current, pruned)
    }

    /// Marks readable versions as deleted. Returns whether that changed anything.
    pub(super) fn delete(&mut self, numbers: &[u64], now: Timestamp) -> bool {
        self.change(numbers, |version| {
            let change = version.is_readable(now);
            if change {
                version.deleted = Some(now);
            }
            change
        })
    }

    /// Makes deleted versions readable again, but never destroyed ones.
    pub(super) fn undelete(&mut self, numbers: &[u64]) -> bool {
        self.change(numbers, |version| !version.destroyed && version.deleted.take().is_some())
    }

    /// Marks versions as destroyed; their data is for the caller to remove.
    pub(super) fn destroy(&mut self, numbers: &[u64]) -> bool {
        self.change(numbers, |version| !std::mem::replace(&mut version.destroyed, true))
    }

    fn change(&mut self, numbers: &[u64], change: impl Fn(&mut Version) -> bool) -> bool {
        let mut changed = false;
        for number in numbers {
            if let Some(version) = self.versions.get_mut(number) {
                changed |= change(version);
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(created: u64) -> Version {
        Version { created: Timestamp(created), by: "root".into(), ..Version::default() }
    }

    fn with_versions(count: u64, mount_max: u64) -> Metadata {
        let mut metadata = Metadata::new("u".into(), Timestamp(0));
        for n in 1..=count {
            metadata.add(at(n), mount_max);
        }
        metadata
    }

    #[test]
    fn golden_metadata_format_1() {
        let mut metadata = with_versions(2, 0);
        metadata.uid = "00112233445566778899aabbccddeeff".into();
        metadata.custom = Some(BTreeMap::from([("owner".into(), "ops".into())]));
        metadata.delete_after = DeleteAfter(60_000_000);
        metadata.versions.entry(1).and_modify(|version| {
            (version.deleted, version.destroyed) = (Some(Timestamp(9)), true);
        });
        let golden = concat!(
            r#"{"format":1,"uid":"00112233445566778899aabbccddeeff","created":0,"updated":2,"current":2,"oldest":0,"#,
            r#""versions":{"1":{"created":1,"by":"root","deleted":9,"destroyed":true},"#,
            r#""2":{"created":2,"by":"root","destroyed":false}},"#,
            r#""cas_required":false,"max_versions":0,"delete_after":60000000,"custom":{"owner":"ops"}}"#
        );
        assert_eq!(serde_json::to_string(&metadata).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Metadata>(golden).unwrap(), metadata);
        assert_eq!(metadata.data_key(2), "v/00112233445566778899aabbccddeeff/0000000000000002");
    }

    #[test]
    fn golden_data_and_tombstone_format_1() {
        let raw: &serde_json::value::RawValue = serde_json::from_str(r#"{"b":1,"a":"x"}"#).unwrap();
        let golden = r#"{"format":1,"data":{"b":1,"a":"x"}}"#;
        assert_eq!(serde_json::to_string(&Document { format: FORMAT, data: raw }).unwrap(), golden);
        let back: Document<&serde_json::value::RawValue> = serde_json::from_str(golden).unwrap();
        assert_eq!((back.format, back.data.get()), (1, raw.get()));
        assert_eq!(serde_json::to_string(&Tombstone { format: FORMAT }).unwrap(), r#"{"format":1}"#);
        assert!(check_format(2).is_err());
    }

    #[test]
    fn pruning_keeps_the_newest() {
        let check = |written: u64, max: u64, mount_max: u64, oldest: u64, kept: &[u64]| {
            let mut metadata = Metadata::new("u".into(), Timestamp(0));
            metadata.max_versions = max;
            for n in 1..=written {
                metadata.add(at(n), mount_max);
            }
            let numbers: Vec<u64> = metadata.versions.keys().copied().collect();
            assert_eq!((metadata.oldest, numbers.as_slice()), (oldest, kept), "{written} {max} {mount_max}");
        };
        check(3, 0, 0, 0, &[1, 2, 3]);
        check(9, 0, 0, 0, &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        check(10, 0, 0, 1, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        check(12, 0, 0, 3, &[3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        check(4, 0, 2, 3, &[3, 4]);
        check(4, 3, 2, 2, &[2, 3, 4]);
        check(4, 1, 9, 4, &[4]);
    }

    #[test]
    fn pruning_is_bounded_and_catches_up() {
        let mut metadata = with_versions(200, 1_000);
        metadata.max_versions = 2;
        let mut pruned = Vec::new();
        for n in 201..=205 {
            let (number, now) = metadata.add(at(n), 0);
            assert_eq!(number, n);
            assert!(now.len() <= limits::KV_PRUNE_MAX);
            pruned.extend(now);
        }
        assert_eq!(pruned, (1..=203).collect::<Vec<_>>());
        assert_eq!(metadata.versions.len(), 2);
    }

    #[test]
    fn deletion_and_its_ways_back() {
        type Step = fn(&mut Metadata) -> bool;
        let now = Timestamp(100);
        let check = |steps: &[(Step, bool)], expect: &str| {
            let mut metadata = with_versions(2, 0);
            for (step, changes) in steps {
                assert_eq!(step(&mut metadata), *changes);
            }
            assert_eq!(metadata.versions[&2].state(now), expect);
            assert_eq!(metadata.versions[&1].state(now), "readable");
        };
        let delete: Step = |m| m.delete(&[2, 7], Timestamp(50));
        let undelete: Step = |m| m.undelete(&[2, 7]);
        let destroy: Step = |m| m.destroy(&[2, 7]);
        check(&[], "readable");
        check(&[(delete, true), (delete, false)], "deleted");
        check(&[(undelete, false)], "readable");
        check(&[(delete, true), (undelete, true)], "readable");
        check(&[(destroy, true), (destroy, false), (delete, false), (undelete, false)], "destroyed");
        check(&[(delete, true), (destroy, true), (undelete, false)], "destroyed");
    }

    #[test]
    fn a_version_ends_at_its_time() {
        let version = Version { deleted: Some(Timestamp(10)), ..Version::default() };
        let check = |now: u64, expect: &str| assert_eq!(version.state(Timestamp(now)), expect, "{now}");
        check(9, "readable");
        check(10, "deleted");
        check(11, "deleted");
    }

    #[test]
    fn check_and_set() {
        let check = |versions: u64, own: bool, required: bool, cas: Option<u64>, expect: bool| {
            let mut metadata = with_versions(versions, 0);
            metadata.cas_required = own;
            assert_eq!(
                metadata.check_cas(cas, required).is_ok(),
                expect,
                "{versions} {own} {required} {cas:?}"
            );
        };
        check(0, false, false, None, true);
        check(0, false, false, Some(0), true);
        check(0, false, false, Some(1), false);
        check(2, false, false, Some(0), false);
        check(2, false, false, Some(1), false);
        check(2, false, false, Some(2), true);
        check(2, true, false, None, false);
        check(2, false, true, None, false);
        check(2, true, true, Some(2), true);
    }
}
