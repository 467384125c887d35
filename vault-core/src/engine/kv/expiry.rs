//! [`DeleteAfter`]: how long a version lives before it is deleted by itself, in Go's notation as Vault prints it.

use crate::{
    engine::{Call, parse_duration},
    error::Error,
    id::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{fmt, time::Duration};

/// Microseconds: 0 = not set, negative = switched off for the whole mount. Printed as `0s`, `1h30m0s`, `-1s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct DeleteAfter(pub(super) i64);

impl DeleteAfter {
    /// What a mount says to mean that no version below it may end by itself.
    pub(super) const OFF: Self = Self(-1_000_000);

    /// Reads the field `delete_version_after`; anything negative is [`DeleteAfter::OFF`].
    pub(super) fn of(call: &Call<'_>) -> Result<Option<Self>, Error> {
        const FIELD: &str = "delete_version_after";
        if let Some(value) = call.value(FIELD)
            && is_negative(value)
        {
            return Ok(Some(Self::OFF));
        }
        let micros = |length: Duration| i64::try_from(length.as_micros()).map(Self);
        let parsed = call.duration(FIELD)?.map(micros).transpose();
        parsed.map_err(|_| Error::invalid(format!("field {FIELD:?} is longer than 292,000 years")))
    }

    /// Does it switch expiry off.
    pub(super) fn is_off(self) -> bool {
        self.0 < 0
    }

    /// When a version made at `created` ends: the shorter of what mount and secret say, `None` if neither does.
    pub(super) fn end(mount: Self, secret: Self, created: Timestamp) -> Option<Timestamp> {
        if mount.is_off() {
            return None;
        }
        let lives = [mount.0, secret.0].into_iter().filter(|micros| *micros > 0).min()?;
        Some(created.plus(Duration::from_micros(lives.unsigned_abs())))
    }
}

fn is_negative(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_f64().is_some_and(|number| number < 0.0),
        Value::String(text) => text
            .trim()
            .strip_prefix('-')
            .and_then(parse_duration)
            .is_some_and(|length| length > Duration::ZERO),
        _ => false,
    }
}

impl fmt::Display for DeleteAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.unsigned_abs();
        let (hours, minutes, rest) = (micros / 3_600_000_000, micros / 60_000_000 % 60, micros % 60_000_000);
        if self.0 < 0 {
            f.write_str("-")?;
        }
        match micros {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{micros}µs"),
            1_000..1_000_000 => write_decimal(f, micros, 1_000, "ms"),
            _ => {
                if hours > 0 {
                    write!(f, "{hours}h{minutes}m")?;
                } else if minutes > 0 {
                    write!(f, "{minutes}m")?;
                }
                write_decimal(f, rest, 1_000_000, "s")
            }
        }
    }
}

/// `value / unit` with as many decimals as it takes.
fn write_decimal(f: &mut fmt::Formatter<'_>, value: u64, unit: u64, name: &str) -> fmt::Result {
    let width = unit.ilog10() as usize;
    let decimals = format!("{:0width$}", value % unit);
    match decimals.trim_end_matches('0') {
        "" => write!(f, "{}{name}", value / unit),
        decimals => write!(f, "{}.{decimals}{name}", value / unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Operation, Request, engine::Params};
    use serde_json::json;

    #[test]
    fn prints_as_go_does() {
        let check = |micros: i64, expect: &str| assert_eq!(DeleteAfter(micros).to_string(), expect);
        check(0, "0s");
        check(1, "1µs");
        check(1_500, "1.5ms");
        check(250_000, "250ms");
        check(1_000_000, "1s");
        check(1_500_000, "1.5s");
        check(60_000_000, "1m0s");
        check(90_050_000, "1m30.05s");
        check(3_600_000_000, "1h0m0s");
        check(768 * 3_600_000_000, "768h0m0s");
        check(DeleteAfter::OFF.0, "-1s");
    }

    #[test]
    fn reads_leniently() {
        let check = |value: Value, expect: Result<Option<i64>, ()>| {
            let request = Request::new("id", Operation::Write, "p")
                .with_fields(json!({ "delete_version_after": value }));
            let read = DeleteAfter::of(&Call { request: &request, params: Params::default() });
            assert_eq!(read.map(|read| read.map(|after| after.0)).map_err(drop), expect, "{value}");
        };
        check(json!(null), Ok(None));
        check(json!(""), Ok(None));
        check(json!(5), Ok(Some(5_000_000)));
        check(json!("1h30m"), Ok(Some(5_400_000_000)));
        check(json!("-1s"), Ok(Some(DeleteAfter::OFF.0)));
        check(json!(-7), Ok(Some(DeleteAfter::OFF.0)));
        check(json!("-0s"), Err(()));
        check(json!("soon"), Err(()));
        check(json!([]), Err(()));
        check(json!("9000000000000000"), Err(()));
    }

    #[test]
    fn the_shorter_life_counts() {
        let check = |mount: i64, secret: i64, expect: Option<u64>| {
            let end = DeleteAfter::end(DeleteAfter(mount), DeleteAfter(secret), Timestamp(100));
            assert_eq!(end.map(|end| end.0), expect, "{mount} {secret}");
        };
        check(0, 0, None);
        check(5, 0, Some(105));
        check(0, 7, Some(107));
        check(5, 7, Some(105));
        check(7, 5, Some(105));
        check(-1, 7, None);
    }
}
