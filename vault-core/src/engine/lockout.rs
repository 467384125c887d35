//! Failed attempts to log in under a name, counted in the store so that all nodes agree: after so many in a row the name
//! is locked for a while. Names that nobody has are counted alike, so that a lock tells nothing.

use crate::{
    cx::{Cx, Item},
    error::{Error, ErrorKind},
    id::Timestamp,
    limits::{LOCKOUT_DURATION, LOCKOUT_RESET, LOCKOUT_THRESHOLD},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// When a name is locked, and for how long; part of a mount's document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lockout {
    /// Failures in a row.
    pub threshold: u64,
    /// Seconds that it is locked.
    pub duration: u64,
    /// Seconds after the last failure that it is forgotten.
    pub reset: u64,
    /// Not at all.
    pub disabled: bool,
}

impl Default for Lockout {
    /// Vault's.
    fn default() -> Self {
        let (duration, reset) = (LOCKOUT_DURATION.as_secs(), LOCKOUT_RESET.as_secs());
        Self { threshold: LOCKOUT_THRESHOLD, duration, reset, disabled: false }
    }
}

/// Failures of one name, as stored (format 1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Failures {
    format: u8,
    count: u64,
    /// When they are forgotten, or the lock ends.
    expires: Timestamp,
}

/// What is known of a name.
#[derive(Debug)]
pub(super) struct Attempts {
    rule: Lockout,
    key: String,
    item: Option<Item>,
    count: u64,
}

/// Where a name's failures stand below the mount.
pub(super) fn key(cx: &Cx, name: &str) -> Result<String, Error> {
    Ok(format!("failed/{}", cx.secret_index("login name", name)?))
}

impl Attempts {
    /// What is known, from the entry at [`key`]. What is over is forgotten.
    pub(super) fn new(rule: Lockout, key: String, item: Option<Item>, now: Timestamp) -> Result<Self, Error> {
        let failures: Option<Failures> = item.as_ref().map(|item| item.json()).transpose()?;
        let standing = failures.filter(|failures| failures.expires > now);
        Ok(Self { rule, key, item, count: standing.map_or(0, |failures| failures.count) })
    }

    /// Is the name locked. Then nothing is tried, and nothing counted.
    pub(super) fn is_locked(&self) -> bool {
        !self.rule.disabled && self.count >= self.rule.threshold
    }

    /// Stages one more failure; it stands although the login is refused.
    pub(super) fn failed(&self, cx: &mut Cx) -> Result<(), Error> {
        if self.rule.disabled {
            return Ok(());
        }
        let count = self.count + 1;
        let lasts = if count >= self.rule.threshold { self.rule.duration } else { self.rule.reset };
        let expires = cx.now().plus(Duration::from_secs(lasts));
        let failures = Failures { format: 1, count, expires };
        match &self.item {
            Some(item) => cx.replace_json(item, &failures)?,
            None => {
                cx.create_json(&self.key, &failures)?;
                cx.expire_later(expires, &[&self.key])?;
            }
        }
        cx.stand();
        Ok(())
    }

    /// Stages that they are forgotten.
    pub(super) fn succeeded(&self, cx: &mut Cx) -> Result<(), Error> {
        self.item.as_ref().map_or(Ok(()), |item| cx.remove(item))
    }
}

/// What a locked name is told: as a denial reads (Vault).
pub(super) fn locked(cx: &mut Cx) -> Error {
    cx.note_rule("the name is locked after failed logins");
    Error::new(ErrorKind::Denied, "permission denied")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_formats() {
        let golden = r#"{"format":1,"count":3,"expires":5000000}"#;
        let failures = Failures { format: 1, count: 3, expires: Timestamp(5_000_000) };
        assert_eq!(serde_json::to_string(&failures).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Failures>(golden).unwrap(), failures);
        let golden = r#"{"threshold":5,"duration":900,"reset":900,"disabled":false}"#;
        assert_eq!(serde_json::to_string(&Lockout::default()).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Lockout>(golden).unwrap(), Lockout::default());
    }
}
