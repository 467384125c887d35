//! `a=b&c=d`: the query of a URL and the body of a form, which share one syntax (WHATWG URL §5.1).

use percent_encoding::percent_decode_str;
use secrethub_core::Error;
use serde_json::{Map, Value, map::Entry};

/// Decodes one part of a path or query. A `%` that starts no escape, and bytes that are no UTF-8, are refused:
/// what a caller did not mean must not name a secret.
pub(crate) fn percent_decode(text: &str) -> Result<String, Error> {
    let whole = |tail: &str| tail.len() >= 2 && tail.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    if !text.split('%').skip(1).all(whole) {
        return Err(Error::invalid("a '%' in the URL must be followed by two hex digits"));
    }
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| Error::invalid("the URL is not UTF-8 after percent-decoding"))
}

/// Decodes pairs into fields; a name that comes twice becomes a list.
pub(crate) fn parse(text: &str) -> Result<Map<String, Value>, Error> {
    let mut fields = Map::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = percent_decode(&name.replace('+', " "))?;
        let value = Value::String(percent_decode(&value.replace('+', " "))?);
        match fields.entry(name) {
            Entry::Vacant(entry) => {
                entry.insert(value);
            }
            Entry::Occupied(mut entry) => match entry.get_mut() {
                Value::Array(list) => list.push(value),
                one => *one = Value::Array(vec![one.take(), value]),
            },
        }
    }
    Ok(fields)
}

/// Is a switch on: `list=true`, `list=1`, `help=1`, or the bare name.
pub(crate) fn is_on(fields: &Map<String, Value>, name: &str) -> bool {
    matches!(fields.get(name).and_then(Value::as_str), Some("1" | "t" | "T" | "true" | "True" | "TRUE" | ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pairs() {
        let check =
            |text: &str, expect: Value| assert_eq!(Value::Object(parse(text).unwrap()), expect, "{text}");
        check("", json!({}));
        check("a=1&b=x%20y+z", json!({ "a": "1", "b": "x y z" }));
        check("a&&b=", json!({ "a": "", "b": "" }));
        check("a=1&a=2&a=3", json!({ "a": ["1", "2", "3"] }));
        check("policies=default&ttl=5m", json!({ "policies": "default", "ttl": "5m" }));
        check("%C3%A9=%25", json!({ "é": "%" }));
    }

    #[test]
    fn what_is_not_meant_is_refused() {
        for bad in ["a=%", "a=%4", "a=%zz", "a=%ff", "%"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn switches() {
        let check =
            |text: &str, expect: bool| assert_eq!(is_on(&parse(text).unwrap(), "list"), expect, "{text}");
        check("list=true", true);
        check("list=1", true);
        check("list", true);
        check("list=false", false);
        check("list=0", false);
        check("other=1", false);
    }
}
