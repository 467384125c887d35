//! One pass over a JSON text before it is parsed, for what the parser does not refuse: numbers that it would round,
//! and texts that are small but become huge. A secret must come back as it was sent, or not be taken at all.

use crate::limits::JSON_VALUES_MAX;
use secrethub_core::{Error, ErrorKind};

/// Digits that an IEEE 754 double keeps in decimal, and the powers of ten that it holds exactly: within both, a
/// decimal fraction is read and written without a change.
const DIGITS_EXACT: usize = 15;
const EXPONENT_EXACT: i64 = 22;

/// Refuses what would be changed or would take too much memory. Whether the text is JSON is the parser's business.
pub(crate) fn check(text: &[u8]) -> Result<(), Error> {
    let (mut at, mut values) = (0, 1);
    while let Some(byte) = text.get(at) {
        at = match byte {
            b'"' => after_string(text, at + 1),
            b'-' | b'0'..=b'9' => {
                let end = after_number(text, at);
                check_number(&text[at..end])?;
                end
            }
            b',' | b'[' | b'{' => {
                values += 1;
                at + 1
            }
            _ => at + 1,
        };
        if values > JSON_VALUES_MAX {
            let message = format!("a request's body may hold at most {JSON_VALUES_MAX} JSON values");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
    }
    Ok(())
}

/// Past the closing quote of a string that opened before `at`.
fn after_string(text: &[u8], mut at: usize) -> usize {
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

fn after_number(text: &[u8], at: usize) -> usize {
    let more = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    text[at..].iter().position(|byte| !more(byte)).map_or(text.len(), |length| at + length)
}

fn check_number(number: &[u8]) -> Result<(), Error> {
    let is_exact = std::str::from_utf8(number).is_ok_and(|text| is_integer(text) || is_exact_fraction(text));
    let refusal = || Error::invalid("a number in the body would be rounded; send it as a text, in quotes");
    if is_exact { Ok(()) } else { Err(refusal()) }
}

fn is_integer(text: &str) -> bool {
    text.parse::<u64>().is_ok() || text.parse::<i64>().is_ok()
}

fn is_exact_fraction(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (_, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').count();
    let exponent =
        exponent.parse::<i64>().ok().and_then(|exponent| exponent.checked_sub(fraction.len() as i64));
    digits <= DIGITS_EXACT && exponent.is_some_and(|exponent| exponent.abs() <= EXPONENT_EXACT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn numbers_that_would_change_are_refused() {
        let check = |number: &str, expect: bool| {
            let text = format!(r#"{{"a":[{number}, "12345678901234567890123"]}}"#);
            assert_eq!(super::check(text.as_bytes()).is_ok(), expect, "{number}");
            if expect {
                let value: Value = serde_json::from_str(number).unwrap();
                let again: Value = serde_json::from_str(&value.to_string()).unwrap();
                assert_eq!((value.as_f64(), &value), (number.parse().ok(), &again), "{number} is kept");
            }
        };
        for good in
            ["0", "-1", "18446744073709551615", "-9223372036854775808", "1.5", "0.1", "-0.000001", "1e22"]
        {
            check(good, true);
        }
        for good in ["123456789012.345", "1.10", "1E+2", "3.14159265358979"] {
            check(good, true);
        }
        for bad in
            ["18446744073709551616", "-9223372036854775809", "12345678901234567890123", "1e400", "1e-30"]
        {
            check(bad, false);
        }
        for bad in ["0.12345678901234567", "1234567890123456.5"] {
            check(bad, false);
        }
    }

    #[test]
    fn strings_are_not_looked_into() {
        for text in
            [r#"{"a":"1e999"}"#, r#"{"a":"\"1e999"}"#, r#"{"a\\":"\\","b":"1e999"}"#, r#""unfinished\"#]
        {
            assert!(check(text.as_bytes()).is_ok(), "{text}");
        }
        assert!(check(br#"{"a\\":1e999}"#).is_err());
    }

    #[test]
    fn many_values_are_refused() {
        let text = |count: usize| format!("[{}0]", "0,".repeat(count));
        assert!(check(text(JSON_VALUES_MAX - 2).as_bytes()).is_ok());
        assert_eq!(check(text(JSON_VALUES_MAX).as_bytes()).unwrap_err().kind(), ErrorKind::TooLarge);
        assert!(check(format!("\"{}\"", ",".repeat(JSON_VALUES_MAX * 2)).as_bytes()).is_ok());
    }
}
