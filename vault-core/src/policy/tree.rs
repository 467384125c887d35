//! Many patterns as one tree of segments, so that finding those that match takes as long as the path is, not as long as
//! the list of patterns is.

use super::pattern::Pattern;
use std::collections::HashMap;

/// Patterns with what each stands for.
#[derive(Debug)]
pub(super) struct Tree<T> {
    nodes: Vec<Node>,
    slots: Vec<(Pattern, Vec<T>)>,
    separators: &'static [u8],
}

/// What may follow after the segments that lead here.
#[derive(Debug, Default)]
struct Node {
    literal: HashMap<Box<str>, usize>,
    any: Option<usize>,
    /// The pattern that ends here.
    here: Option<usize>,
    /// Patterns that end here with a beginning of a segment and `*`.
    globs: HashMap<Box<str>, usize>,
    /// Lengths of those beginnings, the longest first.
    lengths: Vec<usize>,
}

impl<T> Tree<T> {
    /// An empty one for paths whose segments are separated by any of these bytes (ASCII); patterns always have `/`.
    pub(super) fn new(separators: &'static [u8]) -> Self {
        Self { nodes: vec![Node::default()], slots: Vec::new(), separators }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(super) fn slots(&self) -> &[(Pattern, Vec<T>)] {
        &self.slots
    }

    /// Adds what a pattern stands for.
    pub(super) fn insert(&mut self, pattern: Pattern, value: T) {
        let mut at = 0;
        let (folder, last) = match pattern.stem().rsplit_once('/') {
            Some((folder, last)) => (Some(folder), last),
            None => (None, pattern.stem()),
        };
        for segment in folder.into_iter().flat_map(|folder| folder.split('/')) {
            at = self.child(at, segment);
        }
        let slot = if pattern.is_glob() {
            let node = &mut self.nodes[at];
            let slot = *node.globs.entry(last.into()).or_insert(self.slots.len());
            if !node.lengths.contains(&last.len()) {
                node.lengths.push(last.len());
                node.lengths.sort_unstable_by(|a, b| b.cmp(a));
            }
            slot
        } else {
            at = self.child(at, last);
            *self.nodes[at].here.get_or_insert(self.slots.len())
        };
        match self.slots.get_mut(slot) {
            Some((_, values)) => values.push(value),
            None => self.slots.push((pattern, vec![value])),
        }
    }

    fn child(&mut self, at: usize, segment: &str) -> usize {
        let next = self.nodes.len();
        let node = &mut self.nodes[at];
        let child = match segment {
            "+" => *node.any.get_or_insert(next),
            literal => *node.literal.entry(literal.into()).or_insert(next),
        };
        if child == next {
            self.nodes.push(Node::default());
        }
        child
    }

    /// Shows every pattern that matches, in no order.
    pub(super) fn visit<'t>(&'t self, path: &str, see: &mut dyn FnMut(&'t Pattern, &'t [T])) {
        if !self.slots.is_empty() {
            self.walk(0, Some(path), self.separators, see);
        }
    }

    /// The same with these separators in place of the tree's own.
    pub(super) fn visit_by<'t>(
        &'t self,
        separators: &[u8],
        path: &str,
        see: &mut dyn FnMut(&'t Pattern, &'t [T]),
    ) {
        self.walk(0, Some(path), separators, see);
    }

    /// The most exact pattern that matches.
    pub(super) fn best(&self, path: &str) -> Option<(&Pattern, &[T])> {
        let mut best: Option<(&Pattern, &[T])> = None;
        self.visit(path, &mut |pattern, values| {
            if best.is_none_or(|(have, _)| pattern > have) {
                best = Some((pattern, values));
            }
        });
        best
    }

    /// May a pattern whose values are `wanted` match something below `folder`, which ends with a slash or is empty.
    pub(super) fn any_below(&self, folder: &str, wanted: &dyn Fn(&[T]) -> bool) -> bool {
        let is_wanted = |slot: &usize| self.slots.get(*slot).is_some_and(|(_, values)| wanted(values));
        let (mut open, mut below) = (vec![(0, folder)], Vec::new());
        while let Some((at, rest)) = open.pop() {
            let node = &self.nodes[at];
            let Some((segment, tail)) = rest.split_once('/') else {
                below.push(at);
                continue;
            };
            let mut covering = node.globs.iter().filter(|(start, _)| rest.starts_with(&***start));
            if covering.any(|(_, slot)| is_wanted(slot)) {
                return true;
            }
            open.extend(node.literal.get(segment).map(|child| (*child, tail)));
            open.extend(node.any.filter(|_| !segment.is_empty()).map(|child| (child, tail)));
        }
        // Whatever stands behind these nodes is below the folder; a pattern that ends with the folder itself is not.
        let mut at_folder = below.len();
        while let Some(at) = below.pop() {
            let node = &self.nodes[at];
            if node.globs.values().any(is_wanted) {
                return true;
            }
            let is_folder = below.len() < at_folder;
            at_folder = at_folder.min(below.len());
            let children = node.literal.iter().map(|(segment, child)| (&**segment, *child));
            for (segment, child) in children.chain(node.any.map(|child| ("+", child))) {
                let ends = self.nodes[child].here.as_ref().is_some_and(is_wanted);
                if ends && !(is_folder && segment.is_empty()) {
                    return true;
                }
                below.push(child);
            }
        }
        false
    }

    fn walk<'t>(
        &'t self,
        at: usize,
        rest: Option<&str>,
        separators: &[u8],
        see: &mut dyn FnMut(&'t Pattern, &'t [T]),
    ) {
        let node = &self.nodes[at];
        let Some(rest) = rest else {
            if let Some((pattern, values)) = node.here.and_then(|slot| self.slots.get(slot)) {
                see(pattern, values);
            }
            return;
        };
        for length in &node.lengths {
            if let Some(slot) = rest.get(..*length).and_then(|start| node.globs.get(start))
                && let Some((pattern, values)) = self.slots.get(*slot)
            {
                see(pattern, values);
            }
        }
        let end = rest.bytes().position(|byte| separators.contains(&byte));
        let (segment, tail) = match end {
            Some(end) => (&rest[..end], Some(&rest[end + 1..])),
            None => (rest, None),
        };
        if let Some(child) = node.literal.get(segment) {
            self.walk(*child, tail, separators, see);
        }
        if let Some(child) = node.any.filter(|_| !segment.is_empty()) {
            self.walk(child, tail, separators, see);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tree(patterns: &[&str]) -> Tree<usize> {
        let mut tree = Tree::new(b"/");
        for (number, pattern) in patterns.iter().enumerate() {
            tree.insert(Pattern::new(pattern), number);
        }
        tree
    }

    #[test]
    fn the_most_exact_wins() {
        let patterns = ["*", "secret/*", "secret/a*", "secret/+/x", "secret/ab/x", "secret/ab/+", "a/"];
        let tree = tree(&patterns);
        let check = |path: &str, expect: &str| {
            assert_eq!(tree.best(path).unwrap().0.text(), expect, "{path}");
        };
        check("secret/ab/x", "secret/ab/x");
        check("secret/ab/y", "secret/ab/+");
        check("secret/ac/x", "secret/a*");
        check("secret/c/x", "secret/+/x");
        check("secret/c/y", "secret/*");
        check("secret", "*");
        check("a/", "a/");
        check("", "*");
    }

    #[test]
    fn one_pattern_may_stand_for_several() {
        let tree = tree(&["a", "a", "/a"]);
        assert_eq!(tree.best("a").unwrap().1, [0, 1, 2]);
        assert!(tree.best("b").is_none());
    }

    #[test]
    fn other_separators() {
        let mut tree = Tree::new(b"/.");
        tree.insert(Pattern::new("prod/+/x"), ());
        for (path, expect) in
            [("prod/db/x", true), ("prod.db.x", true), ("prod.db/x", true), ("prod.db", false)]
        {
            assert_eq!(tree.best(path).is_some(), expect, "{path}");
        }
    }

    fn pattern() -> impl Strategy<Value = String> {
        let segment = prop_oneof![Just("a"), Just("b"), Just("ab"), Just("+"), Just("")];
        (proptest::collection::vec(segment, 1..5), any::<bool>()).prop_map(|(segments, glob)| {
            let star = if glob && segments.last() != Some(&"+") { "*" } else { "" };
            format!("{}{star}", segments.join("/"))
        })
    }

    fn path() -> impl Strategy<Value = String> {
        let segment = prop_oneof![Just("a"), Just("b"), Just("ab"), Just("aba"), Just("+"), Just("")];
        proptest::collection::vec(segment, 1..6).prop_map(|segments| segments.join("/"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// The tree finds what the plain way finds, whatever the patterns and the path.
        #[test]
        fn finds_what_the_plain_way_finds(
            patterns in proptest::collection::vec(pattern(), 0..12),
            path in path(),
        ) {
            let names: Vec<&str> = patterns.iter().map(String::as_str).collect();
            let tree = tree(&names);
            let plain = patterns.iter().map(|text| Pattern::new(text)).filter(|one| one.matches(&path)).max();
            let found = tree.best(&path).map(|(pattern, _)| pattern.clone());
            prop_assert_eq!(found, plain);
        }

        /// And what may lie below a folder.
        #[test]
        fn finds_what_may_lie_below(
            patterns in proptest::collection::vec(pattern(), 0..12),
            folder in path(),
        ) {
            let names: Vec<&str> = patterns.iter().map(String::as_str).collect();
            let (tree, folder) = (tree(&names), format!("{}/", folder.trim_matches('/')));
            let plain = patterns.iter().any(|text| Pattern::new(text).reaches_below(&folder));
            prop_assert_eq!(tree.any_below(&folder, &|_| true), plain);
        }
    }
}
