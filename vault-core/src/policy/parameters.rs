//! What a rule says of a request's fields and of how its reply is wrapped (Vault's parameter constraints).

use super::{condition::duration, syntax::Value};
use serde_json::{Map, Value as Json};
use std::{collections::BTreeMap, time::Duration};

/// Values that a field may or may not have; none named = any value.
type Values = Vec<Json>;

/// The constraints of one rule.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters {
    allowed: BTreeMap<String, Values>,
    denied: BTreeMap<String, Values>,
    required: Vec<String>,
    min_wrapping_ttl: Option<Duration>,
    max_wrapping_ttl: Option<Duration>,
}

impl Parameters {
    /// Takes an item of a rule; `false` = it is none of ours.
    pub(super) fn set(&mut self, key: &str, value: &Value) -> Result<bool, String> {
        match key {
            "allowed_parameters" => self.allowed = named_values(value)?,
            "denied_parameters" => self.denied = named_values(value)?,
            "required_parameters" => self.required = names(value)?,
            "min_wrapping_ttl" => self.min_wrapping_ttl = Some(duration(value)?),
            "max_wrapping_ttl" => self.max_wrapping_ttl = Some(duration(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Do the parts agree with each other.
    pub(super) fn check(&self) -> Result<(), String> {
        match (self.min_wrapping_ttl, self.max_wrapping_ttl) {
            (Some(min), Some(max)) if max < min => {
                Err("max_wrapping_ttl is below min_wrapping_ttl".to_owned())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        let free = self.allowed.is_empty() && self.denied.is_empty() && self.required.is_empty();
        free && self.min_wrapping_ttl.is_none() && self.max_wrapping_ttl.is_none()
    }
}

fn names(value: &Value) -> Result<Vec<String>, String> {
    let Value::List(list) = value else { return Err("must be a list of names".to_owned()) };
    let name = |value: &Value| match value {
        Value::Text(text) => Ok(text.to_lowercase()),
        _ => Err("must be a list of names".to_owned()),
    };
    list.iter().map(name).collect()
}

fn named_values(value: &Value) -> Result<BTreeMap<String, Values>, String> {
    let Value::Object(items) = value else { return Err("must be an object of lists".to_owned()) };
    let mut map: BTreeMap<String, Values> = BTreeMap::new();
    for item in items {
        let ([name], Value::List(list)) = (item.keys.as_slice(), &item.value) else {
            return Err("must be an object of lists".to_owned());
        };
        map.entry(name.to_lowercase()).or_default().extend(list.iter().map(json));
    }
    Ok(map)
}

fn json(value: &Value) -> Json {
    match value {
        Value::Object(items) => {
            Json::Object(items.iter().map(|item| (item.keys.join("."), json(&item.value))).collect())
        }
        Value::List(list) => Json::Array(list.iter().map(json).collect()),
        Value::Text(text) => Json::String(text.clone()),
        Value::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => Json::from(*number as i64),
        Value::Number(number) => Json::from(*number),
        Value::Boolean(truth) => Json::Bool(*truth),
    }
}

/// What the constraints of all rules for one pattern say together of a request's fields; the message of a refusal names
/// the field. As in Vault constraints add up: a rule without any does not lift another's. `writes` = the operation
/// carries fields that are written.
pub(super) fn check<'p>(
    rules: &(impl Iterator<Item = &'p Parameters> + Clone),
    fields: &Map<String, Json>,
    writes: bool,
    wrap_ttl: Option<Duration>,
) -> Result<(), String> {
    check_wrapping(rules.clone(), wrap_ttl)?;
    if !writes {
        return Ok(());
    }
    for name in rules.clone().flat_map(|rule| &rule.required) {
        if !fields.keys().any(|field| field.to_lowercase() == *name) {
            return Err(format!("field {name:?} is required"));
        }
    }
    for (field, value) in fields {
        let name = field.to_lowercase();
        let named = |list: fn(&Parameters) -> &BTreeMap<String, Values>, name: &str| {
            let mut found = rules.clone().filter_map(|rule| list(rule).get(name)).peekable();
            // An empty list stands for every value, whoever wrote it.
            found.peek().is_some().then(|| found.any(|values| values.is_empty() || holds(values, value)))
        };
        let denied = |rule: &Parameters| -> bool { !rule.denied.is_empty() };
        if rules.clone().any(denied)
            && (named(|rule| &rule.denied, &name) == Some(true) || named(|rule| &rule.denied, "*").is_some())
        {
            return Err(format!("field {field:?} is denied"));
        }
        let restricts = rules.clone().any(|rule| !rule.allowed.is_empty());
        let any = named(|rule| &rule.allowed, "*").is_some();
        match named(|rule| &rule.allowed, &name) {
            Some(false) => return Err(format!("field {field:?} has a value that is not allowed")),
            None if restricts && !any => return Err(format!("field {field:?} is not allowed")),
            Some(true) | None => {}
        }
    }
    Ok(())
}

/// Of several bounds the lower stands (Vault).
fn check_wrapping<'p>(
    rules: impl Iterator<Item = &'p Parameters> + Clone,
    wrap_ttl: Option<Duration>,
) -> Result<(), String> {
    let min = rules.clone().filter_map(|rule| rule.min_wrapping_ttl).min();
    let max = rules.filter_map(|rule| rule.max_wrapping_ttl).min();
    if min.is_none() && max.is_none() {
        return Ok(());
    }
    let bounds = || {
        let seconds =
            |bound: Option<Duration>| bound.map_or("any".to_owned(), |bound| format!("{}s", bound.as_secs()));
        format!("the reply must be wrapped, for at least {} and at most {}", seconds(min), seconds(max))
    };
    let wrap_ttl = wrap_ttl.filter(|ttl| !ttl.is_zero()).ok_or_else(bounds)?;
    let within = min.is_none_or(|min| min <= wrap_ttl) && max.is_none_or(|max| wrap_ttl <= max);
    if within { Ok(()) } else { Err(bounds()) }
}

fn holds(values: &[Json], value: &Json) -> bool {
    values.iter().any(|allowed| match (allowed, value) {
        (Json::String(pattern), Json::String(text)) => globs(pattern, text),
        // Clients send numbers and truths as texts, and the other way round.
        (Json::String(pattern), Json::Number(_) | Json::Bool(_)) => globs(pattern, &value.to_string()),
        (Json::Number(_) | Json::Bool(_), Json::String(text)) => globs(&allowed.to_string(), text),
        (allowed, value) => allowed == value,
    })
}

/// `*` at either end stands for any text.
fn globs(pattern: &str, text: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(""), _) => true,
        (Some(end), Some(_)) => text.contains(&end[..end.len() - 1]),
        (Some(end), None) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (None, None) => pattern == text,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::syntax, *};
    use serde_json::json;

    fn parameters(text: &str) -> Parameters {
        let mut parameters = Parameters::default();
        for item in syntax::parse(text).unwrap() {
            assert!(parameters.set(&item.keys[0], &item.value).unwrap(), "{text}");
        }
        parameters.check().unwrap();
        parameters
    }

    #[test]
    fn fields() {
        let check_all = |texts: &[&str], fields: Json, expect: bool| {
            let rules: Vec<Parameters> = texts.iter().map(|text| parameters(text)).collect();
            let Json::Object(fields) = fields else { panic!("an object") };
            assert_eq!(check(&rules.iter(), &fields, true, None).is_ok(), expect, "{texts:?} {fields:?}");
        };
        let check = |text: &str, fields: Json, expect: bool| check_all(&[text], fields, expect);
        check("", json!({"a": 1}), true);
        check("allowed_parameters = { a = [] }", json!({"a": 1}), true);
        check("allowed_parameters = { a = [] }", json!({"A": 1}), true);
        check("allowed_parameters = { a = [] }", json!({"b": 1}), false);
        check("allowed_parameters = { a = [] }", json!({}), true);
        check("allowed_parameters = { a = [\"x\", \"y*\"] }", json!({"a": "yes"}), true);
        check("allowed_parameters = { a = [\"x\", \"y*\"] }", json!({"a": "no"}), false);
        check("allowed_parameters = { a = [\"x\"], \"*\" = [] }", json!({"a": "x", "b": 1}), true);
        check("allowed_parameters = { a = [\"x\"], \"*\" = [] }", json!({"a": "z"}), false);
        check("allowed_parameters = { n = [1, true] }", json!({"n": 1}), true);
        check("allowed_parameters = { n = [1, true] }", json!({"n": "true"}), true);
        check("allowed_parameters = { n = [1, true] }", json!({"n": 2}), false);
        check("allowed_parameters = { n = [1.5] }", json!({"n": 1.5}), true);
        check("denied_parameters = { a = [] }", json!({"a": 1}), false);
        check("denied_parameters = { a = [\"x\"] }", json!({"a": "y"}), true);
        check("denied_parameters = { \"*\" = [] }", json!({"a": 1}), false);
        check("denied_parameters = { \"*\" = [] }", json!({}), true);
        check("required_parameters = [\"a\"]", json!({"A": 1, "b": 1}), true);
        check("required_parameters = [\"a\"]", json!({"b": 1}), false);
        // Constraints of several rules add up.
        check_all(&["", "allowed_parameters = { a = [] }"], json!({"b": 1}), false);
        check_all(
            &["allowed_parameters = { a = [] }", "allowed_parameters = { b = [] }"],
            json!({"a": 1, "b": 1}),
            true,
        );
        check_all(
            &["allowed_parameters = { a = [\"x\"] }", "allowed_parameters = { a = [\"y\"] }"],
            json!({"a": "y"}),
            true,
        );
        check_all(
            &["allowed_parameters = { a = [] }", "denied_parameters = { a = [] }"],
            json!({"a": 1}),
            false,
        );
    }

    #[test]
    fn only_writes_have_fields() {
        let rule = parameters("required_parameters = [\"a\"]");
        assert!(check(&[&rule].into_iter(), &Map::new(), false, None).is_ok());
        assert!(check(&[&rule].into_iter(), &Map::new(), true, None).is_err());
    }

    #[test]
    fn wrapping() {
        let check = |text: &str, wrap: Option<u64>, expect: bool| {
            let rule = parameters(text);
            let wrap = wrap.map(Duration::from_secs);
            let answer = check(&[&rule].into_iter(), &Map::new(), false, wrap);
            assert_eq!(answer.is_ok(), expect, "{text} {wrap:?}: {answer:?}");
        };
        check("min_wrapping_ttl = \"1m\"", None, false);
        check("min_wrapping_ttl = \"1m\"", Some(59), false);
        check("min_wrapping_ttl = \"1m\"", Some(60), true);
        check("min_wrapping_ttl = 60 max_wrapping_ttl = \"2m\"", Some(121), false);
        check("max_wrapping_ttl = \"2m\"", Some(120), true);
        check("max_wrapping_ttl = \"2m\"", None, false);
        let wrong = syntax::parse("min_wrapping_ttl = 60 max_wrapping_ttl = 30").unwrap();
        let mut parameters = Parameters::default();
        wrong.iter().for_each(|item| assert!(parameters.set(&item.keys[0], &item.value).unwrap()));
        assert!(parameters.check().is_err());
    }

    #[test]
    fn globs_at_either_end() {
        let check = |pattern: &str, text: &str, expect: bool| {
            assert_eq!(globs(pattern, text), expect, "{pattern} {text}");
        };
        check("a", "a", true);
        check("a", "ab", false);
        check("a*", "ab", true);
        check("*b", "ab", true);
        check("*b*", "abc", true);
        check("*b*", "ac", false);
        check("*", "", true);
    }
}
