//! The second seed's documented paths, as one table in front of the mounts: each stands for a path of ours, and
//! answers in our shapes.

use crate::decode::Head;
use secrethub_core::Operation;

/// One row: what a request must look like, and what it becomes.
struct Alias {
    operation: Operation,
    /// Matches this path and all below it.
    from: &'static str,
    /// A query parameter that must be there, and the field that takes its value.
    query: Option<(&'static str, &'static str)>,
    /// Path that takes the place of `from`.
    to: &'static str,
}

const fn row(operation: Operation, query: Option<(&'static str, &'static str)>, to: &'static str) -> Alias {
    Alias { operation, from: "secrets", query, to }
}

/// The first match wins.
const ALIASES: &[Alias] = &[
    row(Operation::List, None, "secret/metadata"),
    row(Operation::Read, Some(("history", "")), "secret/history"),
    row(Operation::Read, Some(("compare", "versions")), "secret/compare"),
    row(Operation::Read, None, "secret/data"),
    row(Operation::Write, Some(("rollback", "version")), "secret/rollback"),
    row(Operation::Write, None, "secret/data"),
    row(Operation::Patch, None, "secret/data"),
    row(Operation::Delete, None, "secret/data"),
];

impl Alias {
    /// What follows `from`, slash included.
    fn rest<'p>(&self, head: &'p Head) -> Option<&'p str> {
        let rest =
            head.path.strip_prefix(self.from).filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
        let asked = self.query.is_none_or(|(name, _)| head.query.contains_key(name));
        (self.operation == head.operation && asked).then_some(rest)
    }
}

/// Replaces an alias by what it stands for; leaves everything else alone.
pub(crate) fn resolve(head: &mut Head) {
    let found = ALIASES.iter().find_map(|alias| Some((alias, format!("{}{}", alias.to, alias.rest(head)?))));
    let Some((alias, path)) = found else { return };
    head.path = path;
    let Some((name, field)) = alias.query else { return };
    if let Some(value) = head.query.remove(name).filter(|_| !field.is_empty()) {
        head.added.insert(field.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;
    use serde_json::{Value, json};

    #[test]
    fn documented_paths() {
        let check = |method: &str, path: &str, query: &str, expect: &str, added: Value| {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let mut head = Head::new(&method, path, query).unwrap();
            resolve(&mut head);
            assert_eq!(
                (head.path.as_str(), Value::Object(head.added)),
                (expect, added),
                "{method} {path}?{query}"
            );
        };
        check("GET", "secrets/app/db", "", "secret/data/app/db", json!({}));
        check("GET", "secrets/app", "version=2", "secret/data/app", json!({}));
        check("GET", "secrets/app", "history=true", "secret/history/app", json!({}));
        check("GET", "secrets/app", "compare=1,3", "secret/compare/app", json!({ "versions": "1,3" }));
        check("GET", "secrets/app/", "list=true", "secret/metadata/app", json!({}));
        check("LIST", "secrets", "", "secret/metadata", json!({}));
        check("POST", "secrets/app", "", "secret/data/app", json!({}));
        check("POST", "secrets/app", "rollback=2", "secret/rollback/app", json!({ "version": "2" }));
        check("DELETE", "secrets/app", "", "secret/data/app", json!({}));
        check("GET", "secret/data/app", "history=true", "secret/data/app", json!({}));
        check("GET", "secretsx/app", "", "secretsx/app", json!({}));
        check("GET", "kv/secrets/app", "", "kv/secrets/app", json!({}));
    }
}
