//! The second seed's policies: JSON documents that name secrets, not paths. `*` stands for one segment, `**` for any
//! depth, and a dot is as good as a slash. Which secret a request is about, and what it does to it, the engine says.

use super::{
    condition::{Conditions, Facts, Holds, duration},
    pattern::Pattern,
    syntax::{Item, Value},
    tree::Tree,
};
use crate::Operation;

/// What a document may allow to be done with a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deed {
    /// See its values, names and history.
    Read,
    /// Create, change, merge, bring back.
    Write,
    /// Delete, destroy.
    Delete,
    /// Have it replaced by a new one.
    Rotate,
    /// Make its lease longer.
    Renew,
}

impl Deed {
    const ALL: [Self; 5] = [Self::Read, Self::Write, Self::Delete, Self::Rotate, Self::Renew];

    /// The seed's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Rotate => "rotate",
            Self::Renew => "renew",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|deed| deed.as_str() == word)
    }

    /// What an operation does where the engine has no better word.
    pub fn of(operation: Operation) -> Self {
        match operation {
            Operation::Read | Operation::List => Self::Read,
            Operation::Write | Operation::Patch => Self::Write,
            Operation::Delete => Self::Delete,
        }
    }
}

/// Which secret a request is about, and what it does to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    /// Path of the mount without the slash at its end.
    pub mount: &'a str,
    /// The secret's path in the mount.
    pub secret: &'a str,
    /// What is done.
    pub deed: Deed,
}

/// What a whole document says.
#[derive(Debug)]
pub(super) struct Document {
    secrets: Tree<()>,
    /// Patterns that are no path patterns: `**` in the middle, or a part of a segment.
    odd: Vec<String>,
    mounts: Vec<String>,
    deeds: Vec<Deed>,
    pub(super) conditions: Conditions,
    pub(super) denies: bool,
    pub(super) label: Box<str>,
}

/// The mount that a document means where it names none: the one that the seed had.
const MOUNT: &str = "secret";

const KEYS: &str = "version, allowed_secrets, allowed_operations, conditions, mounts, entity_bindings, \
                    max_ttl_seconds, deny_policy, name, description";

/// Are these the items of such a document, and not rules on paths.
pub(super) fn is_document(items: &[Item]) -> bool {
    let has = |key: &str| items.iter().any(|item| item.keys == [key]);
    has("allowed_secrets") || has("policy_document")
}

impl Document {
    /// Reads the items of a document, and the entities that it binds.
    pub(super) fn parse(policy: &str, items: &[Item]) -> Result<(Self, Vec<Box<str>>), String> {
        let mut document = Self {
            secrets: Tree::new(b"/."),
            odd: Vec::new(),
            mounts: vec![MOUNT.to_owned()],
            deeds: vec![Deed::Read],
            conditions: Conditions::default(),
            denies: false,
            label: policy.into(),
        };
        let (mut bindings, mut max_ttl) = (Vec::new(), None);
        for item in flatten(items)? {
            let [key] = item.keys.as_slice() else { return Err(format!("line {}: a label", item.line)) };
            let told = |what: String| format!("line {}: {key}: {what}", item.line);
            match (key.as_str(), &item.value) {
                ("version" | "name" | "description", Value::Text(_) | Value::Number(_)) => {}
                ("allowed_secrets", value) => {
                    document.add_secrets(&texts(value).map_err(told)?).map_err(told)?;
                }
                ("allowed_operations", value) => document.deeds = deeds(value).map_err(told)?,
                ("mounts", value) => document.mounts = texts(value).map_err(told)?,
                ("conditions", Value::Object(items)) => document.conditions = Conditions::parse(items)?,
                ("max_ttl_seconds", value) => max_ttl = Some(duration(value).map_err(told)?),
                ("deny_policy", Value::Boolean(denies)) => document.denies = *denies,
                ("entity_bindings", Value::List(list)) if list.is_empty() => {}
                ("entity_bindings", value) => bindings = texts(value).map_err(told)?,
                _ => return Err(told(format!("is nothing that a document has; it has {KEYS}"))),
            }
        }
        if let Some(max_ttl) = max_ttl {
            document.conditions.shorten_ttl(max_ttl);
        }
        document.mounts.iter_mut().for_each(|mount| *mount = mount.trim_matches('/').to_owned());
        if document.secrets.is_empty() && document.odd.is_empty() {
            return Err("allowed_secrets must name at least one secret, such as \"prod.db.*\"".to_owned());
        }
        Ok((document, bindings.into_iter().map(String::into_boxed_str).collect()))
    }

    fn add_secrets(&mut self, patterns: &[String]) -> Result<(), String> {
        for pattern in patterns {
            let segments: Vec<&str> = pattern.trim_matches('/').split(['/', '.']).collect();
            if segments.iter().any(|segment| segment.is_empty()) {
                return Err(format!("{pattern:?} has an empty segment"));
            }
            let whole = |segment: &&str| !segment.contains(['*', '+']) || *segment == "*";
            match segments.split_last() {
                Some((&"**", before)) if before.iter().all(whole) => {
                    self.secrets.insert(Pattern::new(&format!("{}*", path_of(before, true))), ());
                }
                _ if segments.iter().all(whole) => {
                    self.secrets.insert(Pattern::new(&path_of(&segments, false)), ());
                }
                _ => self.odd.push(segments.join("/")),
            }
        }
        Ok(())
    }

    /// Does it speak of this deed on this secret. What denies is read as widely as it can be meant: `certs/*` then
    /// covers `certs/example.com` too, although a dot is a slash.
    pub(super) fn covers(&self, subject: &Subject<'_>) -> bool {
        if !self.deeds.contains(&subject.deed) || !self.mounts.iter().any(|mount| mount == subject.mount) {
            return false;
        }
        let (mut found, secret) = (false, subject.secret);
        self.secrets.visit(secret, &mut |_, _| found = true);
        if self.denies && !found {
            self.secrets.visit_by(b"/", secret, &mut |_, _| found = true);
        }
        found || self.odd.iter().any(|pattern| covers_oddly(pattern, secret, self.denies))
    }

    /// Does it allow, or deny, what the subject says; `None` = it does not speak of it.
    pub(super) fn judge(&self, subject: &Subject<'_>, facts: &Facts) -> Option<Holds> {
        self.covers(subject).then(|| self.conditions.hold(facts))
    }

    /// May it allow something below a folder of a mount.
    pub(super) fn reaches_below(&self, mount: &str, folder: &str) -> bool {
        let folder = folder.replace('.', "/");
        let among = |pattern: &Pattern| pattern.reaches_below(&folder);
        self.mounts.iter().any(|name| name == mount)
            && (!self.odd.is_empty() || self.secrets.slots().iter().any(|(pattern, _)| among(pattern)))
    }
}

/// The seed keeps bindings beside the document: both together are one object here.
fn flatten(items: &[Item]) -> Result<Vec<&Item>, String> {
    let mut flat = Vec::new();
    for item in items {
        match (item.keys.as_slice(), &item.value) {
            ([key], Value::Object(inner)) if key == "policy_document" => flat.extend(inner),
            _ => flat.push(item),
        }
    }
    let mut seen: Vec<&[String]> = Vec::new();
    for item in &flat {
        if seen.contains(&item.keys.as_slice()) {
            return Err(format!("line {}: {:?} stands twice", item.line, item.keys[0]));
        }
        seen.push(&item.keys);
    }
    Ok(flat)
}

fn texts(value: &Value) -> Result<Vec<String>, String> {
    let text = |value: &Value| match value {
        Value::Text(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        _ => None,
    };
    let list = match value {
        Value::List(list) if !list.is_empty() => list.iter().map(text).collect(),
        _ => None,
    };
    list.ok_or_else(|| "must be a list of texts, not empty".to_owned())
}

fn deeds(value: &Value) -> Result<Vec<Deed>, String> {
    let known = "read, write, delete, rotate, renew";
    let deed =
        |word: String| Deed::parse(&word).ok_or_else(|| format!("{word:?} is none; there are {known}"));
    texts(value)?.into_iter().map(deed).collect()
}

fn path_of(segments: &[&str], folder: bool) -> String {
    let mut path = String::new();
    for segment in segments {
        path.push_str(if *segment == "*" { "+" } else { segment });
        path.push('/');
    }
    if !folder {
        path.pop();
    }
    path
}

/// The plain way, a segment at a time, for patterns that are seldom: `a-*/x`, `**/x`.
fn covers_oddly(pattern: &str, secret: &str, denies: bool) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let apart: Vec<&str> = secret.split(['/', '.']).collect();
    let whole: Vec<&str> = secret.split('/').collect();
    covers_segments(&pattern, &apart) || (denies && covers_segments(&pattern, &whole))
}

/// A table instead of recursion: `**/**/**` must not take for ever.
fn covers_segments(pattern: &[&str], path: &[&str]) -> bool {
    // reach[at] = the patterns so far can cover the first `at` segments.
    let mut reach = vec![false; path.len() + 1];
    reach[0] = true;
    for part in pattern {
        let mut next = vec![false; path.len() + 1];
        for at in 0..=path.len() {
            let one = at > 0 && reach[at - 1] && (*part == "**" || covers_segment(part, path[at - 1]));
            // `**` stands for one segment at least, and for any number.
            next[at] = one || (*part == "**" && at > 0 && next[at - 1]);
        }
        reach = next;
    }
    reach[path.len()]
}

fn covers_segment(pattern: &str, segment: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = segment.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part) && !segment.is_empty();
        }
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{super::syntax, *};

    fn document(text: &str) -> Result<(Document, Vec<Box<str>>), String> {
        Document::parse("p", &syntax::parse(text)?)
    }

    fn subject(secret: &str, deed: Deed) -> Subject<'_> {
        Subject { mount: "secret", secret, deed }
    }

    #[test]
    fn secrets() {
        let check = |pattern: &str, secret: &str, allow: bool, deny: bool| {
            let covers = |extra: &str| {
                let text = format!(r#"{{"version": "1.0", "allowed_secrets": ["{pattern}"]{extra}}}"#);
                document(&text).unwrap().0.covers(&subject(secret, Deed::Read))
            };
            assert_eq!(covers(""), allow, "{pattern} {secret}");
            assert_eq!(covers(r#", "deny_policy": true"#), deny, "deny {pattern} {secret}");
        };
        check("prod.db.pw", "prod/db/pw", true, true);
        check("prod.db.pw", "prod.db.pw", true, true);
        check("prod/db/pw", "prod.db/pw", true, true);
        check("prod.*", "prod/db", true, true);
        check("prod.*", "prod/db/pw", false, false);
        check("prod.*", "production", false, false);
        check("prod.**", "prod/db/pw", true, true);
        check("prod.**", "prod", false, false);
        check("**", "anything/at/all", true, true);
        check("*", "a", true, true);
        check("*", "a/b", false, false);
        // A dot is a slash; to deny it is also just a dot.
        check("certs/*", "certs/example.com", false, true);
        check("certs/**", "certs/example.com", true, true);
        check("prod.*.pw", "prod/db/pw", true, true);
        check("**.pw", "prod/db/pw", true, true);
        check("**.pw", "pw", false, false);
        check("a.**.z", "a/b/c/z", true, true);
        check("a.**.z", "a/z", false, false);
        check("db-*.pw", "db-main/pw", true, true);
        check("db-*.pw", "dc-main/pw", false, false);
        check("a*c*e", "abcde", true, true);
        check("a*c*e", "abde", false, false);
        // No pattern of another language is meant.
        check("a?b", "aXb", false, false);
        check("(a|b)", "a", false, false);
    }

    #[test]
    fn deeds_and_mounts() {
        let check = |text: &str, mount: &str, deed: Deed, expect: bool| {
            let (document, _) = document(text).unwrap();
            let subject = Subject { mount, secret: "a", deed };
            assert_eq!(document.covers(&subject), expect, "{text} {mount} {deed:?}");
        };
        let plain = r#"{"allowed_secrets": ["**"]}"#;
        check(plain, "secret", Deed::Read, true);
        check(plain, "secret", Deed::Write, false);
        check(plain, "other", Deed::Read, false);
        let wide = r#"{"allowed_secrets": ["**"], "mounts": ["team/kv/"], "allowed_operations": ["write", "rotate"]}"#;
        check(wide, "team/kv", Deed::Write, true);
        check(wide, "team/kv", Deed::Rotate, true);
        check(wide, "team/kv", Deed::Read, false);
        check(wide, "secret", Deed::Write, false);
    }

    #[test]
    fn records_of_the_seed_are_read_whole() {
        let text = r#"{
            "name": "ops", "description": "d", "entity_bindings": ["app-1"], "max_ttl_seconds": 60, "deny_policy": false,
            "policy_document": {"version": "1.0", "allowed_secrets": ["prod.*"], "allowed_operations": ["read"],
                                "conditions": {"ip_ranges": ["10.0.0.0/8"]}}
        }"#;
        let (document, bindings) = document(text).unwrap();
        assert_eq!(bindings, ["app-1".into()]);
        let from = |address: &str, ttl: u64| Facts {
            address: Some(address.parse().unwrap()),
            ttl: Some(std::time::Duration::from_secs(ttl)),
            ..Facts::default()
        };
        let subject = subject("prod/db", Deed::Read);
        assert_eq!(document.judge(&subject, &from("10.0.0.1", 60)), Some(Holds::Yes));
        assert_eq!(document.judge(&subject, &from("10.0.0.1", 61)), Some(Holds::No));
        assert_eq!(document.judge(&subject, &from("192.0.2.1", 60)), Some(Holds::No));
        assert_eq!(document.judge(&subject, &Facts::default()), Some(Holds::Unknown));
        assert_eq!(document.judge(&self::subject("dev/db", Deed::Read), &from("10.0.0.1", 60)), None);
    }

    #[test]
    fn nonsense_is_refused() {
        let check = |text: &str, expect: &str| {
            let error = document(text).unwrap_err();
            assert!(error.contains(expect), "{text}: {error}");
        };
        check(r#"{"allowed_secrets": []}"#, "not empty");
        check(r#"{"allowed_secrets": ["a..b"]}"#, "empty segment");
        check(r#"{"allowed_secrets": ["a"], "allowed_operations": ["create"]}"#, "is none; there are read");
        check(r#"{"allowed_secrets": ["a"], "purpose": "x"}"#, "is nothing that a document has");
        check(r#"{"allowed_secrets": ["a"], "conditions": {"mfa": true}}"#, "is no condition");
        check(r#"{"allowed_secrets": ["a"], "allowed_secrets": ["b"]}"#, "stands twice");
        check(r#"{"policy_document": {"version": "1"}}"#, "at least one secret");
        check(r#"{"allowed_secrets": ["a"], "deny_policy": "yes"}"#, "is nothing that a document has");
    }
}
