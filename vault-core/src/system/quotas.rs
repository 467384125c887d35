//! Rate limit quotas: how many requests of one client a node lets through to a path. Sealed documents of the mount `sys/`,
//! kept with the mount table under the lane's epoch, so that every node heeds them; the buckets are each node's own.

use super::auditing::documents;
use crate::{
    barrier::Barrier,
    error::Error,
    limits::QUOTA_CLIENTS_MAX,
    rate::{Limiter, Network},
    store::Store,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Where quotas stand, by name, below the mount `sys/`.
pub(crate) const QUOTA_PREFIX: &str = "quota/rate-limit/";
/// Where stands how they are heeded, below the mount `sys/`.
pub(crate) const QUOTA_CONFIG: &str = "quota/config";

/// What no quota counts unless an operator says otherwise: probes, and the way back from a sealed vault.
const EXEMPT: &[&str] = &[
    "sys/health",
    "sys/health/ready",
    "sys/health/live",
    "sys/seal-status",
    "sys/unseal",
    "sys/generate-root/attempt",
    "sys/generate-root/update",
    "sys/generate-root-token/attempt",
    "sys/generate-root-token/update",
];

/// Who shares a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum GroupBy {
    /// The requests of an address.
    #[default]
    Ip,
    /// The requests of a token; of an address where there is no good one.
    Token,
    /// All requests.
    None,
}

impl GroupBy {
    pub(crate) fn is_ip(&self) -> bool {
        *self == Self::Ip
    }
}

/// A quota as stored (format 1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Quota {
    pub(crate) format: u8,
    /// Empty: everything. `secret/`: all of a mount. `secret/data/app`: one path. `secret/data/*`: all that begin so.
    pub(crate) path: String,
    /// Requests …
    pub(crate) rate: f64,
    /// … in so many seconds.
    pub(crate) interval: u64,
    /// Seconds that a client is shut out which asked for more; 0 = only until its bucket has refilled.
    pub(crate) block_interval: u64,
    #[serde(default, skip_serializing_if = "GroupBy::is_ip")]
    pub(crate) group_by: GroupBy,
}

impl Quota {
    /// Time that one request takes, and how many a full bucket holds.
    fn bucket(&self) -> (Duration, u32) {
        let seconds = self.interval as f64 / self.rate;
        let interval = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX / 2);
        // Beyond what fits it saturates.
        (interval, self.rate.round().max(1.0) as u32)
    }

    /// What follows a glob's `*` does not stand: it is the end.
    fn glob(&self) -> Option<&str> {
        self.path.strip_suffix('*')
    }
}

/// How quotas are heeded, as stored (format 1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuotaConfig {
    pub(crate) format: u8,
    /// Does each refusal leave a record of its own; else they are counted together.
    pub(crate) audit_logging: bool,
    /// Do replies tell how the bucket stands.
    pub(crate) response_headers: bool,
    /// Paths that no quota counts; a `*` at the end stands for any rest.
    pub(crate) exempt_paths: Vec<String>,
}

impl Default for QuotaConfig {
    fn default() -> Self {
        let exempt_paths = EXEMPT.iter().map(|path| (*path).to_owned()).collect();
        Self { format: 1, audit_logging: false, response_headers: false, exempt_paths }
    }
}

/// Whose bucket it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    Network(Network),
    /// By its keyed hash: batch tokens have no accessor.
    Token(String),
    /// Who asks in the same process, and all where all share one.
    Anybody,
}

/// A quota in force, and its buckets.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) quota: Quota,
    pub(crate) limiter: Limiter<Client>,
}

impl Rule {
    fn new(name: String, quota: Quota) -> Self {
        let (interval, burst) = quota.bucket();
        let limiter = Limiter::new(interval, burst, QUOTA_CLIENTS_MAX);
        let limiter = limiter.blocking(Duration::from_secs(quota.block_interval));
        Self { name, quota, limiter }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    pub(crate) config: QuotaConfig,
    by_name: BTreeMap<String, Arc<Rule>>,
    /// Those of one path or one mount, without the slash at its end.
    exact: BTreeMap<String, Arc<Rule>>,
    /// The longest first.
    globs: Vec<Arc<Rule>>,
}

impl Quotas {
    pub(crate) async fn load(store: &dyn Store, barrier: &Barrier) -> Result<Self, Error> {
        let mut rules = Vec::new();
        for (name, quota) in documents::<Quota>(store, barrier, QUOTA_PREFIX).await? {
            check_format(quota.format)?;
            rules.push(Arc::new(Rule::new(name, quota)));
        }
        let config = documents::<QuotaConfig>(store, barrier, QUOTA_CONFIG).await?.pop();
        let config = config.map_or_else(QuotaConfig::default, |(_, config)| config);
        check_format(config.format)?;
        Ok(Self::of(config, rules))
    }

    fn of(config: QuotaConfig, rules: Vec<Arc<Rule>>) -> Self {
        let mut quotas = Self { config, ..Self::default() };
        for rule in rules {
            match rule.quota.glob() {
                Some(_) => quotas.globs.push(Arc::clone(&rule)),
                None => drop(quotas.exact.insert(bare(&rule.quota.path).to_owned(), Arc::clone(&rule))),
            }
            quotas.by_name.insert(rule.name.clone(), rule);
        }
        quotas.globs.sort_by_key(|rule| std::cmp::Reverse(rule.quota.path.len()));
        quotas
    }

    /// Goes on with the buckets of those that have not changed: another mount's news refills nobody's.
    pub(super) fn inherit(self, before: &Self) -> Self {
        let keep = |rule: Arc<Rule>| match before.by_name.get(&rule.name) {
            Some(old) if old.quota == rule.quota => Arc::clone(old),
            _ => rule,
        };
        Self::of(self.config, self.by_name.into_values().map(keep).collect())
    }

    /// The one that counts a request: of its path, of the longest beginning of it, of its mount, of everything.
    pub(crate) fn rule_of(&self, path: &str, mount: Option<&str>) -> Option<&Arc<Rule>> {
        if self.by_name.is_empty() || self.is_exempt(path) {
            return None;
        }
        let one = self.exact.get(bare(path)).filter(|_| !path.is_empty());
        let glob =
            || self.globs.iter().find(|rule| rule.quota.glob().is_some_and(|glob| path.starts_with(glob)));
        let of_mount = || self.exact.get(bare(mount?));
        one.or_else(glob).or_else(of_mount).or_else(|| self.exact.get(""))
    }

    fn is_exempt(&self, path: &str) -> bool {
        self.config.exempt_paths.iter().any(|exempt| match exempt.strip_suffix('*') {
            Some(glob) => path.starts_with(glob),
            None => bare(exempt) == bare(path),
        })
    }

    /// By its name.
    pub(crate) fn named(&self, name: &str) -> Option<&Quota> {
        self.by_name.get(name).map(|rule| &rule.quota)
    }

    /// In the order of their names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// Which one stands at a path.
    pub(crate) fn at(&self, path: &str) -> Option<&str> {
        let mut rules = self.by_name.values();
        rules.find(|rule| bare(&rule.quota.path) == bare(path)).map(|rule| rule.name.as_str())
    }
}

fn bare(path: &str) -> &str {
    path.trim_end_matches('/')
}

fn check_format(format: u8) -> Result<(), Error> {
    if format == 1 { Ok(()) } else { Err(Error::internal(format!("a quota of format {format}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(path: &str) -> Quota {
        Quota {
            format: 1,
            path: path.to_owned(),
            rate: 2.5,
            interval: 10,
            block_interval: 0,
            group_by: GroupBy::Ip,
        }
    }

    fn quotas(paths: &[&str]) -> Quotas {
        let rules = paths.iter().map(|path| Arc::new(Rule::new((*path).to_owned(), quota(path))));
        Quotas::of(QuotaConfig::default(), rules.collect())
    }

    #[test]
    fn golden_formats() {
        const QUOTA: &str = r#"{"format":1,"path":"secret/","rate":2.5,"interval":10,"block_interval":0}"#;
        assert_eq!(serde_json::to_string(&quota("secret/")).unwrap(), QUOTA);
        assert_eq!(serde_json::from_str::<Quota>(QUOTA).unwrap(), quota("secret/"));
        const TOKENS: &str =
            r#"{"format":1,"path":"","rate":100.0,"interval":1,"block_interval":60,"group_by":"token"}"#;
        let tokens = serde_json::from_str::<Quota>(TOKENS).unwrap();
        assert_eq!(
            (tokens.group_by, serde_json::to_string(&tokens).unwrap().as_str()),
            (GroupBy::Token, TOKENS)
        );
        const CONFIG: &str =
            r#"{"format":1,"audit_logging":true,"response_headers":false,"exempt_paths":["sys/health"]}"#;
        let config = serde_json::from_str::<QuotaConfig>(CONFIG).unwrap();
        assert_eq!(serde_json::to_string(&config).unwrap(), CONFIG);
    }

    #[test]
    fn the_most_specific_one_counts() {
        let all = ["", "secret/", "secret/data/*", "secret/data/app/*", "secret/data/app/db", "auth/x/"];
        let check = |path: &str, mount: Option<&str>, expect: Option<&str>| {
            let quotas = quotas(&all);
            let rule = quotas.rule_of(path, mount).map(|rule| rule.name.as_str());
            assert_eq!(rule, expect, "{path}");
        };
        let secret = Some("secret/");
        check("secret/data/app/db", secret, Some("secret/data/app/db"));
        check("secret/data/app/db/", secret, Some("secret/data/app/db"));
        check("secret/data/app/other", secret, Some("secret/data/app/*"));
        check("secret/data/b", secret, Some("secret/data/*"));
        check("secret/metadata/app/db", secret, Some("secret/"));
        check("secret", secret, Some("secret/"));
        check("auth/x/login", Some("auth/x/"), Some("auth/x/"));
        check("kv/a", Some("kv/"), Some(""));
        check("nowhere", None, Some(""));
        check("sys/health", Some("sys/"), None);
        check("sys/unseal", Some("sys/"), None);
        check("sys/mounts", Some("sys/"), Some(""));
        assert!(quotas(&[]).rule_of("secret/data/a", secret).is_none());
        assert!(quotas(&["kv/"]).rule_of("secret/data/a", secret).is_none());
    }

    #[test]
    fn buckets() {
        let check = |rate: f64, interval: u64, expect: (f64, u32)| {
            let (each, burst) = Quota { rate, interval, ..quota("") }.bucket();
            assert_eq!((each.as_secs_f64(), burst), expect, "{rate} {interval}");
        };
        check(100.0, 1, (0.01, 100));
        check(0.5, 1, (2.0, 1));
        check(2.5, 10, (4.0, 3));
        check(1e9, 1, (1e-9, 1_000_000_000));
    }

    #[test]
    fn what_has_not_changed_keeps_its_buckets() {
        let before = quotas(&["", "secret/"]);
        let mut changed = quota("secret/");
        changed.rate = 3.0;
        let rules = vec![Rule::new(String::new(), quota("")), Rule::new("secret/".to_owned(), changed)];
        let after = Quotas::of(QuotaConfig::default(), rules.into_iter().map(Arc::new).collect());
        let after = after.inherit(&before);
        let same = |path: &str, mount| {
            Arc::ptr_eq(before.rule_of(path, mount).unwrap(), after.rule_of(path, mount).unwrap())
        };
        assert!(same("kv/a", None));
        assert!(!same("secret/a", Some("secret/")));
    }
}
