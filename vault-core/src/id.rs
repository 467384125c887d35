//! Newtypes for what would otherwise be bare bytes, text and numbers: boots, revisions and points in time.

use crate::host::Host;
use std::{fmt, time::Duration};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Lower-case hex digits, quicker than a character at a time: a token's place in the store is looked up so at every
/// request.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut digits = vec![0; 2 * bytes.len()];
    // Neither can fail: the room is exact, and digits are ASCII.
    let written = hex::encode_to_slice(bytes, &mut digits);
    debug_assert!(written.is_ok(), "the room is exact");
    String::from_utf8(digits).unwrap_or_default()
}

/// What ids are made of: 128 random bits.
fn make_16(host: &dyn Host) -> [u8; 16] {
    let mut bytes = [0; 16];
    host.fill_random(&mut bytes);
    bytes
}

/// Names one run of one node, and with it its audit chain and its data key. Random, never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootId(pub [u8; 16]);

impl BootId {
    /// A fresh one.
    pub(crate) fn make(host: &dyn Host) -> Self {
        Self(make_16(host))
    }

    /// The 32 hex digits that stand in keys.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    /// Parses 32 hex digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl fmt::Debug for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

/// Which batch last wrote an entry: unique, never reused, compared only for equality.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rev(pub [u8; 16]);

impl Rev {
    /// A fresh one.
    pub(crate) fn make(host: &dyn Host) -> Self {
        Self(make_16(host))
    }
}

impl fmt::Debug for Rev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A point in time: microseconds since 1970-01-01T00:00:00Z, leap seconds not counted. In documents: that number.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Later by a duration; saturates at the end of time.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier`; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// Whole seconds since the epoch.
    pub fn unix_seconds(self) -> u64 {
        self.0 / 1_000_000
    }

    /// RFC 3339 in UTC with exactly six decimals, so that text order is time order. Ends with the year 9999.
    pub fn to_rfc3339(self) -> String {
        const LAST: u64 = 253_402_300_799_999_999; // 9999-12-31T23:59:59.999999Z
        let micros = self.0.min(LAST);
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (h, m, s, us) = at.to_hms_micro();
        // Every record and most replies hold one, and `format!` takes twenty times as long.
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let parts: [(usize, usize, u32); 7] = [
            (0, 4, at.year().unsigned_abs()),
            (5, 2, u8::from(at.month()).into()),
            (8, 2, at.day().into()),
            (11, 2, h.into()),
            (14, 2, m.into()),
            (17, 2, s.into()),
            (20, 6, us),
        ];
        for (start, length, number) in parts {
            put_digits(&mut text[start..start + length], number);
        }
        // Never: digits are ASCII.
        String::from_utf8(text.to_vec()).unwrap_or_default()
    }

    /// Parses RFC 3339 with any offset and any number of decimals; `None` before 1970.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        u64::try_from(at.unix_timestamp_nanos() / 1_000).ok().map(Self)
    }
}

/// A number in as many digits as there is room for.
fn put_digits(room: &mut [u8], mut number: u32) {
    for digit in room.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_round_trips() {
        let check = |micros: u64, text: &str| {
            assert_eq!(Timestamp(micros).to_rfc3339(), text);
            assert_eq!(Timestamp::from_rfc3339(text), Some(Timestamp(micros)));
        };
        check(0, "1970-01-01T00:00:00.000000Z");
        check(1_763_769_600_000_001, "2025-11-22T00:00:00.000001Z");
        check(951_782_399_999_999, "2000-02-28T23:59:59.999999Z");
        check(951_827_696_010_203, "2000-02-29T12:34:56.010203Z");
        check(253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z");
        assert_eq!(Timestamp(u64::MAX).to_rfc3339(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(
            Timestamp::from_rfc3339("2025-11-22T01:00:00+01:00").map(Timestamp::unix_seconds),
            Some(1_763_769_600)
        );
        for bad in ["", "yesterday", "2025-11-22", "1960-01-01T00:00:00Z"] {
            assert_eq!(Timestamp::from_rfc3339(bad), None, "{bad}");
        }
    }
}
