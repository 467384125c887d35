//! From the tree of a policy's text to rules on paths: Vault's `path "…" { … }`, in HCL or JSON, with our `conditions`
//! beside what Vault has.

use super::{
    Capability, Grants,
    condition::Conditions,
    parameters::Parameters,
    syntax::{Item, Value},
    variable,
};

/// What a rule grants or refuses, and when.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) rights: Grants,
    pub(super) parameters: Option<Box<Parameters>>,
    pub(super) conditions: Option<Box<Conditions>>,
    /// `policy: pattern`, for the audit log and whoever asks why.
    pub(super) label: Box<str>,
}

/// One rule, as it was written.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) pattern: String,
    pub(super) grant: Grant,
}

/// What is worth telling who writes a policy, though it is no mistake to Vault.
pub(super) type Warnings = Vec<String>;

const KEYS: &str = "capabilities, policy, allowed_parameters, denied_parameters, required_parameters, \
                    min_wrapping_ttl, max_wrapping_ttl, conditions";

/// The rules of a `path` item: `path "x" { … }`, `"path": {"x": { … }}`, or a list of such objects.
pub(super) fn parse(policy: &str, item: &Item, warnings: &mut Warnings) -> Result<Vec<Rule>, String> {
    match (&item.keys[1..], &item.value) {
        ([pattern], Value::Object(items)) => Ok(vec![rule(policy, pattern, items, item.line, warnings)?]),
        ([], Value::Object(paths)) => paths.iter().try_fold(Vec::new(), |mut rules, path| {
            let ([pattern], Value::Object(items)) = (path.keys.as_slice(), &path.value) else {
                return Err(format!("line {}: a path must be followed by an object", path.line));
            };
            rules.push(rule(policy, pattern, items, path.line, warnings)?);
            Ok(rules)
        }),
        ([], Value::List(list)) => list.iter().try_fold(Vec::new(), |mut rules, value| {
            let one = Item { keys: item.keys.clone(), value: value.clone(), line: item.line };
            rules.extend(parse(policy, &one, warnings)?);
            Ok(rules)
        }),
        _ => Err(format!("line {}: write path \"some/path\" {{ … }}", item.line)),
    }
}

fn rule(
    policy: &str,
    pattern: &str,
    items: &[Item],
    line: usize,
    warnings: &mut Warnings,
) -> Result<Rule, String> {
    let wrong = |what: String| format!("line {line}: path {pattern:?}: {what}");
    check_pattern(pattern, warnings).map_err(wrong)?;
    let mut rights = Grants::NONE;
    let (mut parameters, mut conditions) = (Parameters::default(), Conditions::default());
    for item in items {
        let [key] = item.keys.as_slice() else {
            return Err(wrong(format!("{:?} has a label", item.keys[0])));
        };
        let told = |what: String| format!("line {}: path {pattern:?}: {key}: {what}", item.line);
        match (key.as_str(), &item.value) {
            ("capabilities", value) => rights = rights.with(capabilities(value).map_err(told)?),
            ("policy", Value::Text(word)) => rights = rights.with(old_policy(word).map_err(told)?),
            ("conditions", Value::Object(items)) => conditions = Conditions::parse(items).map_err(told)?,
            (_, value) if parameters.set(key, value).map_err(told)? => {}
            _ => return Err(told(format!("is nothing that a path has; it has {KEYS}"))),
        }
    }
    parameters.check().map_err(wrong)?;
    if rights == Grants::NONE {
        return Err(wrong("grants nothing; write capabilities = [\"read\"], or [\"deny\"]".to_owned()));
    }
    let grant = Grant {
        rights,
        parameters: (!parameters.is_empty()).then(|| Box::new(parameters)),
        conditions: (!conditions.is_empty()).then(|| Box::new(conditions)),
        label: format!("{policy}: {pattern}").into(),
    };
    Ok(Rule { pattern: pattern.to_owned(), grant })
}

fn check_pattern(pattern: &str, warnings: &mut Warnings) -> Result<(), String> {
    variable::check(pattern)?;
    if pattern.contains("+*") {
        return Err("'+*' is no wildcard; '+' stands for one segment, '*' at the end for any rest".to_owned());
    }
    if pattern.chars().any(char::is_control) {
        return Err("holds a control character".to_owned());
    }
    if pattern.trim_end_matches('*').contains('*') {
        warnings.push(format!(
            "path {pattern:?}: only a '*' at the end is a wildcard; '+' stands for one segment in between"
        ));
    }
    Ok(())
}

fn capabilities(value: &Value) -> Result<Grants, String> {
    let Value::List(words) = value else { return Err("must be a list such as [\"read\"]".to_owned()) };
    words.iter().try_fold(Grants::NONE, |grants, word| {
        let Value::Text(word) = word else { return Err("must be a list such as [\"read\"]".to_owned()) };
        let one = match word.as_str() {
            "deny" => Some(Grants::DENY),
            word => Capability::parse(word).map(|one| Grants::of(&[one])),
        };
        let known = "create, read, update, patch, delete, list, sudo, deny";
        one.map(|one| grants.with(one)).ok_or_else(|| format!("{word:?} is none; there are {known}"))
    })
}

/// The words that Vault had before capabilities.
fn old_policy(word: &str) -> Result<Grants, String> {
    use Capability::{Create, Delete, List, Read, Sudo, Update};
    Ok(match word {
        "deny" => Grants::DENY,
        "read" => Grants::of(&[Read, List]),
        "write" => Grants::of(&[Create, Read, Update, Delete, List]),
        "sudo" => Grants::of(&[Create, Read, Update, Delete, List, Sudo]),
        _ => return Err(format!("{word:?} is none of read, write, sudo, deny")),
    })
}
