//! When the data key is rotated without anybody asking: by age, and by the encryptions that were counted.

use crate::{
    barrier::KeyStatus,
    error::Error,
    id::Timestamp,
    limits::{ROTATE_INTERVAL_MIN, ROTATE_OPERATIONS_MAX, ROTATE_OPERATIONS_MIN},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Where the policy stands: a document of the mount `sys/`.
pub(crate) const ROTATE_POLICY_KEY: &str = "ns/0/m/system/rotate/config";

/// The operator's choice, as stored (format 1). Absent means the default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotatePolicy {
    pub(crate) format: u8,
    /// Rotate at all without being asked.
    pub(crate) enabled: bool,
    /// Encryptions under one key.
    pub(crate) max_operations: u64,
    /// Seconds that a key is used; 0 = its age does not matter.
    pub(crate) interval: u64,
}

impl Default for RotatePolicy {
    /// Vault's.
    fn default() -> Self {
        Self { format: 1, enabled: true, max_operations: ROTATE_OPERATIONS_MAX, interval: 0 }
    }
}

impl RotatePolicy {
    /// `Invalid` outside of the bounds.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if !(ROTATE_OPERATIONS_MIN..=ROTATE_OPERATIONS_MAX).contains(&self.max_operations) {
            return Err(Error::invalid(format!(
                "max_operations must be between {ROTATE_OPERATIONS_MIN} and {ROTATE_OPERATIONS_MAX}"
            )));
        }
        if self.interval != 0 && self.interval < ROTATE_INTERVAL_MIN.as_secs() {
            let hours = ROTATE_INTERVAL_MIN.as_secs() / 3_600;
            return Err(Error::invalid(format!("interval must be 0 or at least {hours} hours")));
        }
        Ok(())
    }

    /// Is it time for a new key.
    pub(crate) fn is_due(&self, key: KeyStatus, now: Timestamp) -> bool {
        let old = self.interval != 0 && now.since(key.install_time) >= Duration::from_secs(self.interval);
        self.enabled && (old || key.encryptions >= self.max_operations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_due_by_age_or_by_count() {
        let check = |enabled: bool, interval: u64, hours: u64, encryptions: u64, expect: bool| {
            let policy =
                RotatePolicy { enabled, interval, max_operations: 1_000_000, ..RotatePolicy::default() };
            let key = KeyStatus { term: 1, install_time: Timestamp(7), encryptions };
            let now = Timestamp(7).plus(Duration::from_secs(hours * 3_600));
            assert_eq!(policy.is_due(key, now), expect, "{policy:?} {hours} {encryptions}");
        };
        check(true, 0, 1_000_000, 999_999, false);
        check(true, 0, 0, 1_000_000, true);
        check(true, 86_400, 23, 0, false);
        check(true, 86_400, 24, 0, true);
        check(false, 86_400, 1_000, 1 << 40, false);
    }

    #[test]
    fn bounds() {
        let check = |max_operations: u64, interval: u64, expect: bool| {
            let policy = RotatePolicy { max_operations, interval, ..RotatePolicy::default() };
            assert_eq!(policy.check().is_ok(), expect, "{policy:?}");
        };
        check(1_000_000, 0, true);
        check(999_999, 0, false);
        check(ROTATE_OPERATIONS_MAX, 86_400, true);
        check(ROTATE_OPERATIONS_MAX + 1, 86_400, false);
        check(1_000_000, 86_399, false);
    }

    #[test]
    fn format_1_is_what_it_always_was() {
        const GOLDEN: &str = r#"{"format":1,"enabled":true,"max_operations":3865470566,"interval":0}"#;
        assert_eq!(serde_json::to_string(&RotatePolicy::default()).unwrap(), GOLDEN);
        assert_eq!(serde_json::from_str::<RotatePolicy>(GOLDEN).unwrap(), RotatePolicy::default());
    }
}
