//! One policy, compiled: its text, and what the text means.

use super::{
    document::{self, Document},
    pattern::Pattern,
    rule::{self, Grant, Warnings},
    syntax::{self, Item, Value},
    tree::Tree,
    variable::{self, Resolver},
};
use crate::{
    id::Rev,
    limits::{POLICY_BYTES_MAX, POLICY_RULES_MAX},
    token::Identity,
};

/// A policy.
#[derive(Debug)]
pub struct Policy {
    name: Box<str>,
    text: Box<str>,
    /// The revision of the entry that it was read from; what is built in has none.
    pub(super) rev: Option<Rev>,
    pub(super) paths: Tree<Grant>,
    /// Rules whose paths depend on who asks.
    pub(super) templates: Vec<(String, Grant)>,
    pub(super) document: Option<Document>,
    /// Entities that it holds for; empty = for whoever's token names it.
    pub(super) bindings: Vec<Box<str>>,
    /// It cannot be read: it then denies everything.
    pub(super) broken: bool,
}

impl Policy {
    /// Reads a policy's text, or says what is wrong with it. Warnings go to whoever writes it.
    pub fn parse(name: &str, text: &str) -> Result<(Self, Vec<String>), String> {
        if text.len() > POLICY_BYTES_MAX {
            return Err(format!("a policy may have at most {POLICY_BYTES_MAX} bytes"));
        }
        let items = syntax::parse(text)?;
        let mut policy = Self::blank(name, text);
        let mut warnings = Vec::new();
        if document::is_document(&items) {
            let (document, bindings) = Document::parse(name, &items)?;
            (policy.document, policy.bindings) = (Some(document), bindings);
        } else {
            policy.add_items(&items, &mut warnings)?;
        }
        Ok((policy, warnings))
    }

    /// Stands for a stored text that this release cannot read. It denies, whatever the text meant to grant or refuse.
    pub(super) fn broken(name: &str, text: &str) -> Self {
        Self { broken: true, ..Self::blank(name, text) }
    }

    fn blank(name: &str, text: &str) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
            rev: None,
            paths: Tree::new(b"/"),
            templates: Vec::new(),
            document: None,
            bindings: Vec::new(),
            broken: false,
        }
    }

    fn add_items(&mut self, items: &[Item], warnings: &mut Warnings) -> Result<(), String> {
        let mut count = 0;
        for item in items {
            let told = |what: &str| format!("line {}: {}: {what}", item.line, item.keys[0]);
            match (item.keys[0].as_str(), &item.value) {
                ("path", _) => {
                    for rule in rule::parse(&self.name, item, warnings)? {
                        count += 1;
                        self.add(rule);
                    }
                }
                ("name" | "description", Value::Text(_)) => {}
                ("entity_bindings", Value::List(list)) => {
                    self.bindings = bindings(list).map_err(|what| told(&what))?;
                }
                _ => return Err(told("is nothing that a policy has; write path \"some/path\" { … }")),
            }
        }
        if count > POLICY_RULES_MAX {
            return Err(format!("a policy may have at most {POLICY_RULES_MAX} paths"));
        }
        Ok(())
    }

    fn add(&mut self, rule: rule::Rule) {
        match variable::is_template(&rule.pattern) {
            true => self.templates.push((rule.pattern, rule.grant)),
            false => self.paths.insert(Pattern::new(&rule.pattern), rule.grant),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Does it hold for who asks: is it bound to nobody, or to them.
    pub(super) fn holds_for(&self, identity: &Identity) -> bool {
        let bound = |entity: &str| self.bindings.iter().any(|binding| **binding == *entity);
        self.bindings.is_empty() || identity.entities.iter().any(|entity| bound(entity))
    }

    /// Rules whose paths depend on who asks, for who asks.
    pub(super) fn filled(&self, resolver: &dyn Resolver) -> Vec<(Pattern, &Grant)> {
        let fill = |(text, grant)| Some((variable::fill(text, resolver)?, grant));
        self.templates.iter().filter_map(|(text, grant)| fill((text, grant))).collect()
    }

    /// The rule that denies a path because it is not known what its own path is, and it could be this one.
    pub(super) fn may_deny(&self, resolver: &dyn Resolver, path: &str) -> Option<&Grant> {
        let denials = self.templates.iter().filter(|(_, grant)| grant.rights.denies());
        let covers =
            |text: &str| variable::widen(text, resolver).is_some_and(|pattern| pattern.matches(path));
        denials.filter(|(text, _)| covers(text)).map(|(_, grant)| grant).next()
    }
}

fn bindings(list: &[Value]) -> Result<Vec<Box<str>>, String> {
    let text = |value: &Value| match value {
        Value::Text(text) if !text.is_empty() => Ok(text.as_str().into()),
        _ => Err("must be a list of texts".to_owned()),
    };
    list.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_or_refused() {
        let check = |text: &str, expect: Result<usize, &str>| match (Policy::parse("p", text), expect) {
            (Ok((policy, _)), Ok(paths)) => {
                assert_eq!(policy.paths.slots().len() + policy.templates.len(), paths, "{text}");
            }
            (Err(error), Err(part)) => assert!(error.contains(part), "{text}: {error}"),
            (got, _) => panic!("{text}: {got:?}"),
        };
        check("", Ok(0));
        check(r#"path "a" { capabilities = ["read"] } path "b" { policy = "write" }"#, Ok(2));
        check(r#"path "a" { capabilities = ["read"] } path "a" { capabilities = ["deny"] }"#, Ok(1));
        check(r#"{"path": {"a": {"capabilities": ["read"]}, "b": {"policy": "deny"}}}"#, Ok(2));
        check(r#"{"path": [{"a": {"capabilities": ["read"]}}, {"b": {"policy": "read"}}]}"#, Ok(2));
        check(r#"path "a/{{identity.entity.id}}" { capabilities = ["read"] }"#, Ok(1));
        check(r#"name = "x" path "a" { capabilities = ["read"] }"#, Ok(1));
        check(r#"path "a" { capabilities = ["reed"] }"#, Err("\"reed\" is none"));
        check(r#"path "a" { }"#, Err("grants nothing"));
        check(r#"path "a" { capabilities = [] }"#, Err("grants nothing"));
        check(r#"path "a" { capabilities = "read" }"#, Err("must be a list"));
        check(r#"path "a" { policy = "none" }"#, Err("is none of read"));
        check(
            r#"path "a" { capabilities = ["read"] control_group = {} }"#,
            Err("is nothing that a path has"),
        );
        check(
            r#"path "a" { capabilities = ["read"] mfa_methods = ["x"] }"#,
            Err("is nothing that a path has"),
        );
        check(r#"path "a" "b" { capabilities = ["read"] }"#, Err("write path"));
        check(r#"path = "a""#, Err("write path"));
        check(r#"rule "a" { }"#, Err("is nothing that a policy has"));
        check(r#"path "a/+*" { capabilities = ["read"] }"#, Err("'+*' is no wildcard"));
        check(r#"path "{{token.id}}" { capabilities = ["read"] }"#, Err("is no variable"));
        check("path", Err("line 1"));
    }

    #[test]
    fn a_star_in_the_middle_is_told() {
        let (_, warnings) = Policy::parse("p", r#"path "a/*/b" { capabilities = ["read"] }"#).unwrap();
        assert!(warnings[0].contains("only a '*' at the end"), "{warnings:?}");
        let (_, warnings) = Policy::parse("p", r#"path "a/+/b*" { capabilities = ["read"] }"#).unwrap();
        assert!(warnings.is_empty());
    }
}
