//! [`Call`]: one request as an engine sees it, with lenient parsing of its fields (Vault's rules).

use super::Params;
use crate::{Request, error::Error};
use serde_json::{Map, Value};
use std::time::Duration;

/// One request at one route.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The request.
    pub request: &'a Request,
    /// What the pattern's names stand for.
    pub params: Params<'a>,
}

impl<'a> Call<'a> {
    /// A name of the pattern.
    pub fn param(&self, name: &str) -> &'a str {
        self.params.of(name)
    }

    /// A field as it came; JSON `null` is the same as absent.
    pub fn value(&self, name: &str) -> Option<&'a Value> {
        self.request.fields.get(name).filter(|value| !value.is_null())
    }

    /// A text.
    pub fn text(&self, name: &str) -> Result<Option<String>, Error> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(Value::Bool(truth)) => Ok(Some(truth.to_string())),
            Some(_) => Err(wrong(name, "a text")),
        }
    }

    /// A text that must be there.
    pub fn required_text(&self, name: &str) -> Result<String, Error> {
        let text = self.text(name)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| Error::invalid(format!("missing field {name:?}")))
    }

    /// A whole number that is not negative.
    pub fn integer(&self, name: &str) -> Result<Option<u64>, Error> {
        let parsed = match self.value(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => whole(number),
            Some(Value::String(text)) if text.is_empty() => return Ok(None),
            Some(Value::String(text)) => text.parse().ok(),
            Some(_) => None,
        };
        parsed.map(Some).ok_or_else(|| wrong(name, "a whole number, not negative"))
    }

    /// True or false.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, Error> {
        let parsed = match self.value(name) {
            None => return Ok(None),
            Some(Value::Bool(truth)) => Some(*truth),
            Some(Value::Number(number)) => match number.as_u64() {
                Some(0) => Some(false),
                Some(1) => Some(true),
                _ => None,
            },
            Some(Value::String(text)) => parse_boolean(text),
            Some(_) => None,
        };
        parsed.map(Some).ok_or_else(|| wrong(name, "true or false"))
    }

    /// A duration: seconds as a number or text, or `1h30m`, `2d`. An empty text is the same as absent.
    pub fn duration(&self, name: &str) -> Result<Option<Duration>, Error> {
        let parsed = match self.value(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => whole(number).map(Duration::from_secs),
            Some(Value::String(text)) if text.is_empty() => return Ok(None),
            Some(Value::String(text)) => parse_duration(text),
            Some(_) => None,
        };
        parsed.map(Some).ok_or_else(|| wrong(name, "a duration such as 30, \"30m\" or \"1h30m\""))
    }

    /// A list of texts; `"a,b"` is a list of two, a lone number a list of one.
    pub fn list(&self, name: &str) -> Result<Option<Vec<String>>, Error> {
        let item = |value: &Value| match value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            _ => Err(wrong(name, "a list of texts")),
        };
        match self.value(name) {
            None => Ok(None),
            Some(Value::Array(values)) => values.iter().map(item).collect::<Result<_, _>>().map(Some),
            Some(Value::String(text)) => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                Ok(Some(parts.map(str::to_owned).collect()))
            }
            Some(value) => Ok(Some(vec![item(value)?])),
        }
    }

    /// A list of whole numbers.
    pub fn integers(&self, name: &str) -> Result<Option<Vec<u64>>, Error> {
        let Some(texts) = self.list(name)? else { return Ok(None) };
        let parsed: Option<Vec<u64>> = texts.iter().map(|text| text.parse().ok()).collect();
        parsed.map(Some).ok_or_else(|| wrong(name, "a list of whole numbers"))
    }

    /// An object.
    pub fn map(&self, name: &str) -> Result<Option<&'a Map<String, Value>>, Error> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(map)),
            Some(_) => Err(wrong(name, "an object")),
        }
    }
}

/// Does a field with this value ask for nothing: such a one may stand where it could not be granted.
pub(crate) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Number(number) => number.as_u64() == Some(0),
    }
}

fn wrong(name: &str, expected: &str) -> Error {
    Error::invalid(format!("field {name:?} must be {expected}"))
}

fn whole(number: &serde_json::Number) -> Option<u64> {
    let float = || number.as_f64().filter(|float| float.fract() == 0.0 && (0.0..=9e15).contains(float));
    number.as_u64().or_else(|| float().map(|float| float as u64))
}

fn parse_boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "t" => Some(true),
        "false" | "0" | "f" => Some(false),
        _ => None,
    }
}

/// Seconds as text, or Go's notation with `d` added: `90`, `30m`, `1h0m0s`, `1.5h`, `250ms`, `1d`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let (mut rest, mut total) = (text, Duration::ZERO);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit_end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| at + digits);
        let seconds = number * unit_seconds(&rest[digits..unit_end])?;
        total = total.checked_add(Duration::try_from_secs_f64(seconds).ok()?)?;
        rest = &rest[unit_end..];
    }
    (!text.is_empty()).then_some(total)
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Operation;
    use serde_json::json;

    fn with<T>(value: &Value, read: impl FnOnce(&Call<'_>) -> T) -> T {
        let request = Request::new("id", Operation::Write, "p").with_fields(json!({ "f": value }));
        read(&Call { request: &request, params: Params::default() })
    }

    #[test]
    fn durations() {
        let check = |text: &str, expect: Option<f64>| {
            assert_eq!(parse_duration(text).map(|d| d.as_secs_f64()), expect, "{text}");
        };
        check("90", Some(90.0));
        check("30m", Some(1_800.0));
        check("1h0m0s", Some(3_600.0));
        check("768h", Some(2_764_800.0));
        check("1d", Some(86_400.0));
        check("1.5h", Some(5_400.0));
        check("250ms", Some(0.25));
        for bad in ["", "h", "1x", "-5", "1h-2m", "..s", "9e99", "99999999999999999999999h"] {
            check(bad, None);
        }
    }

    #[test]
    fn lenient_fields() {
        let integer = |value: Value| with(&value, |call| call.integer("f").ok().flatten());
        assert_eq!(integer(json!("7")), Some(7));
        assert_eq!(integer(json!(7.0)), Some(7));
        assert_eq!(integer(json!(null)), None);
        assert!(with(&json!(-1), |call| call.integer("f").is_err()));
        assert!(with(&json!("x"), |call| call.integer("f").is_err()));
        assert_eq!(with(&json!("true"), |call| call.boolean("f").ok().flatten()), Some(true));
        assert_eq!(
            with(&json!("a, b"), |call| call.list("f").ok().flatten()),
            Some(vec!["a".into(), "b".into()])
        );
        assert_eq!(with(&json!(["4"]), |call| call.integers("f").ok().flatten()), Some(vec![4]));
        assert_eq!(with(&json!(3), |call| call.integers("f").ok().flatten()), Some(vec![3]));
        assert!(with(&json!({}), |call| call.list("f").is_err()));
        assert!(with(&json!("x"), |call| call.map("f").is_err()));
        assert!(with(&json!("soon"), |call| call.duration("f").is_err()));
    }
}
