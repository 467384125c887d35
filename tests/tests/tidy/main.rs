//! Tidy: what a machine can check of the house rules, checked over every tracked file.
//!
//! A rule is a function from the tree to complaints, with a sample that breaks it and one that keeps it: a rule
//! that cannot fail is a defect, so the samples are a test of their own. The rules say mostly what is *absent*,
//! because that is what nobody notices in a review.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod lines;
mod parse;
mod source;
mod syntax;
mod tree;

use source::Tree;

/// A sample file: path and text.
type Sample = (&'static str, &'static str);

/// One rule of the house.
#[derive(Clone, Copy)]
struct Rule {
    /// What a complaint is filed under.
    name: &'static str,
    /// Finds what breaks the rule, as `path:line: what`.
    check: fn(&Tree) -> Vec<String>,
    /// A tree that breaks it.
    bad: &'static [Sample],
    /// A tree that keeps it.
    good: &'static [Sample],
}

/// All rules, in the order of the files that define them.
fn rules() -> Vec<Rule> {
    [lines::RULES, syntax::RULES, tree::RULES].concat()
}

#[test]
fn every_rule_can_fail() {
    for Rule { name, check, bad, good } in rules() {
        assert!(!check(&Tree::of_samples(bad)).is_empty(), "rule `{name}` does not see its bad sample");
        let complaints = check(&Tree::of_samples(good));
        assert!(complaints.is_empty(), "rule `{name}` complains of its good sample: {complaints:?}");
    }
}

#[test]
fn the_tree_is_tidy() {
    let tree = Tree::of_repository();
    assert!(tree.files.len() > 30, "only {} files seen: is this a checkout?", tree.files.len());
    let complaints: Vec<_> = rules()
        .iter()
        .flat_map(|rule| {
            (rule.check)(&tree).into_iter().map(|complaint| format!("{complaint}  [{}]", rule.name))
        })
        .collect();
    assert!(complaints.is_empty(), "{} complaints:\n{}\n", complaints.len(), complaints.join("\n"));
}
