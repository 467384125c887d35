//! When, whence and for whom a rule is in force. What cannot be known is no permission: a rule that grants needs every
//! condition to hold, and one that denies is in force unless a condition is known not to hold.

use super::syntax::{Item, Value};
use crate::{cidr::Cidr, engine::parse_duration, id::Timestamp};
use jiff::{
    civil::Date,
    tz::{TimeZone, TimeZoneDatabase},
};
use std::{net::IpAddr, time::Duration};

/// What is known of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// When.
    pub now: Timestamp,
    /// Whence.
    pub address: Option<IpAddr>,
    /// Has the client shown a certificate that was verified.
    pub client_certificate: Option<bool>,
    /// How long the token lives, or what the request asks for if that is longer; `None` = not known.
    pub ttl: Option<Duration>,
}

/// Does a condition hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// What it asks about is not known.
    Unknown,
}

impl Holds {
    fn all(tests: impl IntoIterator<Item = Self>) -> Self {
        let mut sum = Self::Yes;
        for one in tests {
            match one {
                Self::No => return Self::No,
                Self::Unknown => sum = Self::Unknown,
                Self::Yes => {}
            }
        }
        sum
    }
}

impl From<bool> for Holds {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// All conditions of a rule; each must hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    /// First and last minute of the day, both included; past midnight if the first is the greater.
    time: Option<(u16, u16)>,
    /// Whose clock `time`, `days` and `dates` mean; UTC where none is named.
    zone: Option<TimeZone>,
    /// Monday is the lowest bit; none = any day.
    days: u8,
    /// First and last day, both included.
    dates: Option<(Date, Date)>,
    blocks: Vec<Cidr>,
    max_ttl: Option<Duration>,
    mtls: bool,
}

const KEYS: &str = "time_of_day, timezone, days_of_week, date_range, ip_ranges, max_ttl, max_ttl_seconds, \
                    mtls_required";
const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const MINUTES_OF_DAY: u16 = 24 * 60;

impl Conditions {
    /// From the items of a `conditions` object. What is not known is refused: it would not be kept.
    pub(super) fn parse(items: &[Item]) -> Result<Self, String> {
        let mut conditions = Self::default();
        for item in items {
            let [key] = item.keys.as_slice() else { return Err(format!("line {}: a label", item.line)) };
            conditions.set(key, &item.value).map_err(|what| format!("line {}: {key}: {what}", item.line))?;
        }
        if conditions.zone.is_some() && !conditions.asks_for_time() {
            return Err("timezone: says nothing without time_of_day, days_of_week or date_range".to_owned());
        }
        Ok(conditions)
    }

    fn asks_for_time(&self) -> bool {
        self.time.is_some() || self.days != 0 || self.dates.is_some()
    }

    fn set(&mut self, key: &str, value: &Value) -> Result<(), String> {
        match key {
            "time_of_day" => self.time = Some(time_span(text(value)?)?),
            "timezone" => self.zone = Some(zone(text(value)?)?),
            "days_of_week" => self.days = days(value)?,
            "date_range" => self.dates = Some(date_span(text(value)?)?),
            "ip_ranges" => self.blocks = blocks(value)?,
            "max_ttl" | "max_ttl_seconds" => self.shorten_ttl(duration(value)?),
            "mtls_required" => match value {
                Value::Boolean(required) => self.mtls = *required,
                _ => return Err("must be true or false".to_owned()),
            },
            _ => return Err(format!("is no condition; there are {KEYS}")),
        }
        Ok(())
    }

    /// Bounds the time that a token lives; of two bounds the shorter stands.
    pub(super) fn shorten_ttl(&mut self, max: Duration) {
        self.max_ttl = Some(self.max_ttl.map_or(max, |have| have.min(max)));
    }

    /// Are there none.
    pub(super) fn is_empty(&self) -> bool {
        let free = self.blocks.is_empty() && self.max_ttl.is_none() && !self.mtls;
        free && !self.asks_for_time()
    }

    /// Do they all hold.
    pub(super) fn hold(&self, facts: &Facts) -> Holds {
        Holds::all([
            self.time_holds(facts),
            self.address_holds(facts),
            self.ttl_holds(facts),
            self.mtls_holds(facts),
        ])
    }

    /// Each that there is, as a step: its name, whether it holds, and what it looked at.
    pub(super) fn each(&self, facts: &Facts) -> Vec<(&'static str, Holds, String)> {
        let mut each = Vec::new();
        if self.asks_for_time() {
            let at = facts.now.to_rfc3339();
            each.push(("Time Restrictions", self.time_holds(facts), format!("it is {at}")));
        }
        if !self.blocks.is_empty() {
            let from = facts
                .address
                .map_or("the address is not known".to_owned(), |address| format!("from {address}"));
            each.push(("IP Restrictions", self.address_holds(facts), from));
        }
        if let Some(max) = self.max_ttl {
            let ttl = facts.ttl.map_or("how long the token lives is not known".to_owned(), |ttl| {
                format!("the token lives {}s, at most {}s are allowed", ttl.as_secs(), max.as_secs())
            });
            each.push(("TTL Restrictions", self.ttl_holds(facts), ttl));
        }
        if self.mtls {
            each.push((
                "Client Certificate",
                self.mtls_holds(facts),
                "a verified certificate is asked for".to_owned(),
            ));
        }
        each
    }

    fn time_holds(&self, facts: &Facts) -> Holds {
        if !self.asks_for_time() {
            return Holds::Yes;
        }
        let micros = i64::try_from(facts.now.0).ok().filter(|micros| *micros > 0);
        let Some(at) = micros.and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok()) else {
            return Holds::Unknown;
        };
        let local = self.zone.as_ref().unwrap_or(&TimeZone::UTC).to_datetime(at);
        let minute = local.hour() as u16 * 60 + local.minute() as u16;
        let mut day = local.date();
        if let Some((from, to)) = self.time {
            let within =
                if from <= to { from <= minute && minute <= to } else { minute >= from || minute <= to };
            if !within {
                return Holds::No;
            }
            // The small hours of a span past midnight belong to the day on which it began.
            if from > to && minute <= to {
                match day.yesterday() {
                    Ok(yesterday) => day = yesterday,
                    Err(_) => return Holds::Unknown,
                }
            }
        }
        let weekday = self.days == 0 || self.days & (1 << day.weekday().to_monday_zero_offset()) != 0;
        let date = self.dates.is_none_or(|(first, last)| first <= day && day <= last);
        Holds::from(weekday && date)
    }

    fn address_holds(&self, facts: &Facts) -> Holds {
        match (self.blocks.is_empty(), facts.address) {
            (true, _) => Holds::Yes,
            (false, Some(address)) => self.blocks.iter().any(|block| block.contains(address)).into(),
            (false, None) => Holds::Unknown,
        }
    }

    fn ttl_holds(&self, facts: &Facts) -> Holds {
        match (self.max_ttl, facts.ttl) {
            (None, _) => Holds::Yes,
            (Some(max), Some(ttl)) => (ttl <= max).into(),
            (Some(_), None) => Holds::Unknown,
        }
    }

    fn mtls_holds(&self, facts: &Facts) -> Holds {
        match (self.mtls, facts.client_certificate) {
            (false, _) => Holds::Yes,
            (true, Some(shown)) => shown.into(),
            (true, None) => Holds::Unknown,
        }
    }
}

fn text(value: &Value) -> Result<&str, String> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err("must be a text".to_owned()),
    }
}

fn texts(value: &Value) -> Result<Vec<&str>, String> {
    let list = match value {
        Value::List(list) => list.iter().map(text).collect::<Result<Vec<_>, _>>(),
        _ => Err(String::new()),
    };
    list.ok().filter(|list| !list.is_empty()).ok_or_else(|| "must be a list of texts, not empty".to_owned())
}

/// `09:00-17:00`.
fn time_span(span: &str) -> Result<(u16, u16), String> {
    let minute = |time: &str| {
        let (hour, minute) = time.trim().split_once(':')?;
        let digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(hour) || !digits(minute) {
            return None;
        }
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        (minute < 60).then_some(hour * 60 + minute).filter(|minutes| *minutes < MINUTES_OF_DAY)
    };
    let parsed = span.split_once('-').and_then(|(from, to)| Some((minute(from)?, minute(to)?)));
    match parsed {
        Some((from, to)) if from != to => Ok((from, to)),
        _ => Err(format!("{span:?} is no span such as \"09:00-17:00\" or, past midnight, \"22:00-06:00\"")),
    }
}

fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZoneDatabase::bundled()
        .get(name)
        .map_err(|_| format!("{name:?} is no time zone such as \"UTC\" or \"Europe/Vienna\""))
}

fn days(value: &Value) -> Result<u8, String> {
    let mut bits = 0;
    for name in texts(value)? {
        let lower = name.to_ascii_lowercase();
        let day = DAYS.iter().position(|day| *day == lower || (lower.len() == 3 && day.starts_with(&lower)));
        bits |= 1 << day.ok_or_else(|| format!("{name:?} is no day such as \"monday\" or \"mon\""))?;
    }
    Ok(bits)
}

/// `2026-01-01,2026-12-31`.
fn date_span(span: &str) -> Result<(Date, Date), String> {
    let date = |text: &str| text.trim().parse::<Date>().ok();
    let parsed = span.split_once(',').and_then(|(first, last)| Some((date(first)?, date(last)?)));
    match parsed {
        Some((first, last)) if first <= last => Ok((first, last)),
        _ => Err(format!("{span:?} is no range such as \"2026-01-01,2026-12-31\"")),
    }
}

fn blocks(value: &Value) -> Result<Vec<Cidr>, String> {
    texts(value)?.into_iter().map(str::parse).collect()
}

/// Whole seconds, or a text such as `1h`.
pub(super) fn duration(value: &Value) -> Result<Duration, String> {
    let parsed = match value {
        Value::Number(number) => {
            let whole = number.fract() == 0.0 && (0.0..=9e15).contains(number);
            whole.then(|| Duration::from_secs(*number as u64))
        }
        Value::Text(text) => parse_duration(text),
        _ => None,
    };
    parsed
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "must be a time such as 3600 or \"1h\"".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{super::syntax::parse, *};

    fn conditions(text: &str) -> Conditions {
        Conditions::parse(&parse(text).unwrap()).unwrap()
    }

    fn at(time: &str) -> Facts {
        let time: jiff::Timestamp = time.parse().unwrap();
        Facts { now: Timestamp(time.as_microsecond() as u64), ..Facts::default() }
    }

    #[test]
    fn times() {
        let check = |text: &str, time: &str, expect: Holds| {
            assert_eq!(conditions(text).hold(&at(time)), expect, "{text} {time}");
        };
        let (yes, no) = (Holds::Yes, Holds::No);
        let day = r#"time_of_day = "09:00-17:00""#;
        check(day, "2026-11-28T08:59:59Z", no);
        check(day, "2026-11-28T09:00:00Z", yes);
        check(day, "2026-11-28T17:00:59Z", yes);
        check(day, "2026-11-28T17:01:00Z", no);
        let night = r#"time_of_day = "22:00-06:00""#;
        check(night, "2026-11-28T23:00:00Z", yes);
        check(night, "2026-11-28T05:00:00Z", yes);
        check(night, "2026-11-28T12:00:00Z", no);
        // 2026-11-27 is a Friday: its night ends on Saturday morning.
        let friday = r#"time_of_day = "22:00-06:00" days_of_week = ["friday"]"#;
        check(friday, "2026-11-27T23:00:00Z", yes);
        check(friday, "2026-11-28T05:00:00Z", yes);
        check(friday, "2026-11-27T05:00:00Z", no);
        check(friday, "2026-11-28T23:00:00Z", no);
        let week = r#"days_of_week = ["Mon", "tue", "wednesday", "thu", "fri"]"#;
        check(week, "2026-11-27T12:00:00Z", yes);
        check(week, "2026-11-28T12:00:00Z", no);
        // Vienna is two hours ahead in summer and one in winter.
        let vienna = r#"time_of_day = "09:00-17:00" timezone = "Europe/Vienna""#;
        check(vienna, "2026-07-01T07:30:00Z", yes);
        check(vienna, "2026-12-01T07:30:00Z", no);
        check(vienna, "2026-12-01T08:30:00Z", yes);
        let year = r#"date_range = "2026-01-01,2026-12-31""#;
        check(year, "2025-12-31T23:59:59Z", no);
        check(year, "2026-01-01T00:00:00Z", yes);
        check(year, "2026-12-31T23:59:59Z", yes);
        check(year, "2027-01-01T00:00:00Z", no);
        assert_eq!(conditions(day).hold(&Facts::default()), Holds::Unknown, "a clock that was never set");
    }

    #[test]
    fn what_is_not_known_does_not_hold() {
        let check = |text: &str, facts: Facts, expect: Holds| {
            assert_eq!(conditions(text).hold(&facts), expect, "{text} {facts:?}");
        };
        let from = |address: &str| Facts { address: Some(address.parse().unwrap()), ..Facts::default() };
        let living = |seconds| Facts { ttl: Some(Duration::from_secs(seconds)), ..Facts::default() };
        let shown = |shown| Facts { client_certificate: Some(shown), ..Facts::default() };
        let blocks = r#"ip_ranges = ["10.0.0.0/8", "2001:db8::/32"]"#;
        check(blocks, from("10.1.1.1"), Holds::Yes);
        check(blocks, from("2001:db8::1"), Holds::Yes);
        check(blocks, from("192.0.2.1"), Holds::No);
        check(blocks, Facts::default(), Holds::Unknown);
        check("max_ttl_seconds = 3600", living(3_600), Holds::Yes);
        check("max_ttl = \"1h\"", living(3_601), Holds::No);
        check("max_ttl = \"1h\" max_ttl_seconds = 60", living(61), Holds::No);
        check("max_ttl = \"1h\"", Facts::default(), Holds::Unknown);
        check("mtls_required = true", shown(true), Holds::Yes);
        check("mtls_required = true", shown(false), Holds::No);
        check("mtls_required = true", Facts::default(), Holds::Unknown);
        check("mtls_required = false", Facts::default(), Holds::Yes);
        // What is known not to hold decides, whatever else is not known.
        check(r#"max_ttl = "1h" ip_ranges = ["10.0.0.0/8"]"#, from("192.0.2.1"), Holds::No);
        check("", Facts::default(), Holds::Yes);
        assert!(conditions("").is_empty() && !conditions(blocks).is_empty());
    }

    #[test]
    fn nonsense_is_refused_when_it_is_written() {
        let check = |text: &str, expect: &str| {
            let error = Conditions::parse(&parse(text).unwrap()).unwrap_err();
            assert!(error.contains(expect), "{text}: {error}");
        };
        check("purpose = \"x\"", "is no condition");
        check("time_of_day = \"9-17\"", "no span");
        check("time_of_day = \"09:00-09:00\"", "no span");
        check("time_of_day = \"09:00-25:00\"", "no span");
        check("time_of_day = \"09:60-10:00\"", "no span");
        check("time_of_day = [6, 22]", "must be a text");
        check("days_of_week = [1]", "list of texts");
        check("days_of_week = []", "not empty");
        check("days_of_week = [\"m\"]", "is no day");
        check("date_range = \"2026-12-31,2026-01-01\"", "no range");
        check("date_range = \"2026-02-30,2026-03-01\"", "no range");
        check("ip_ranges = [\"10.0.0.0/40\"]", "no block");
        check("timezone = \"Europe/Vienna\"", "says nothing");
        check("time_of_day = \"09:00-17:00\" timezone = \"Mars/Olympus\"", "no time zone");
        check("max_ttl = \"soon\"", "must be a time");
        check("max_ttl = 0", "must be a time");
        check("mtls_required = \"yes\"", "true or false");
    }
}
