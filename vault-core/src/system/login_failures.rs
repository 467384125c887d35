//! Failed logins as they stand in the store: an entry for each address and name and minute, named by the minute first, so
//! that what is over stands together and the sweep looks at nothing else.

use crate::{
    error::Error,
    id::Timestamp,
    limits::{LOGIN_FAILURES_MAX, LOGIN_FAILURES_WINDOW},
};
use serde::{Deserialize, Serialize};

/// Where they stand, below the root namespace.
pub(crate) const LOGIN_FAILURES: &str = "login-fail/";

/// Failures of one minute (format 1).
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginFailures {
    format: u8,
    /// The last ones, in their order.
    pub(crate) times: Vec<Timestamp>,
}

impl LoginFailures {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { format: 1, times: vec![now] }
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let failures: Self = serde_json::from_slice(bytes).map_err(Error::internal)?;
        match failures.format {
            1 => Ok(failures),
            format => Err(Error::internal(format!("failed logins of format {format}"))),
        }
    }

    /// One more; older ones than can count are forgotten.
    pub(crate) fn with(mut self, now: Timestamp) -> Self {
        self.times.push(now);
        let surplus = self.times.len().saturating_sub(LOGIN_FAILURES_MAX);
        self.times.drain(..surplus);
        self
    }
}

/// A time and the window before it and after it: what can still count stands in one of their minutes.
pub(crate) fn around(now: Timestamp) -> [Timestamp; 3] {
    let before =
        Timestamp(now.0.saturating_sub(u64::try_from(LOGIN_FAILURES_WINDOW.as_micros()).unwrap_or(0)));
    [before, now, now.plus(LOGIN_FAILURES_WINDOW)]
}

fn minute(time: Timestamp) -> u64 {
    time.unix_seconds() / LOGIN_FAILURES_WINDOW.as_secs()
}

/// Where those of an address and name stand, below the root namespace.
pub(crate) fn name_at(time: Timestamp, who: &str) -> String {
    format!("{LOGIN_FAILURES}{:012x}/{who}", minute(time))
}

/// Can what stands under this name, as [`name_at`] made it, count no more. A clock that is ahead is allowed for.
pub(crate) fn is_over(name: &str, now: Timestamp) -> bool {
    let named = name.strip_prefix(LOGIN_FAILURES).and_then(|rest| rest.split('/').next());
    let named = named.and_then(|minute| u64::from_str_radix(minute, 16).ok());
    named.is_some_and(|named| named + 2 < minute(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp(seconds * 1_000_000)
    }

    #[test]
    fn golden_format() {
        const GOLDEN: &str = r#"{"format":1,"times":[1764000000000000,1764000001000000]}"#;
        let failures = LoginFailures::new(at(1_764_000_000)).with(at(1_764_000_001));
        assert_eq!(serde_json::to_string(&failures).unwrap(), GOLDEN);
        assert_eq!(LoginFailures::parse(GOLDEN.as_bytes()).unwrap(), failures);
        assert!(LoginFailures::parse(GOLDEN.replacen('1', "2", 1).as_bytes()).is_err());
        assert_eq!(name_at(at(1_764_000_000), "ab"), "login-fail/000001c09bc0/ab");
    }

    #[test]
    fn only_the_last_ones_are_kept() {
        let all = (1..20).map(at).fold(LoginFailures::new(at(0)), LoginFailures::with);
        assert_eq!(all.times, [15, 16, 17, 18, 19].map(at));
    }

    #[test]
    fn what_is_over() {
        let check = |seconds: u64, expect: bool| {
            assert_eq!(is_over(&name_at(at(6_000), "x"), at(seconds)), expect, "{seconds}");
        };
        check(6_000, false);
        check(6_119, false);
        check(6_179, false);
        check(6_180, true);
        assert!(!is_over("login-fail/x/y", at(u64::from(u32::MAX))));
    }
}
