//! A path pattern as Vault has it: literal segments, `+` for any one segment, and `*` at the end for any rest; and which
//! of two that match is the more exact.

use std::cmp::{Ordering, Reverse};

/// A pattern. Of two, the greater is the more exact one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    /// As it was written, without a slash in front.
    text: Box<str>,
    /// Ends with `*`.
    glob: bool,
    /// Where the first `+` or the `*` stands.
    first_wild: usize,
    /// How many segments are `+`.
    pluses: usize,
}

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        let text = text.trim_start_matches('/');
        let glob = text.ends_with('*');
        let (mut first_wild, mut pluses, mut at) = (usize::MAX, 0, 0);
        for segment in text.split('/') {
            if segment == "+" {
                first_wild = first_wild.min(at);
                pluses += 1;
            }
            at += segment.len() + 1;
        }
        if glob {
            first_wild = first_wild.min(text.len() - 1);
        }
        Self { text: text.into(), glob, first_wild, pluses }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Without the `*` at its end.
    pub(super) fn stem(&self) -> &str {
        if self.glob { &self.text[..self.text.len() - 1] } else { &self.text }
    }

    pub(super) fn is_glob(&self) -> bool {
        self.glob
    }

    /// Does it match: the plain way, a segment at a time. The [tree](super::tree) does the same for many at once.
    pub(super) fn matches(&self, path: &str) -> bool {
        let (mut pattern, mut path) = (self.stem(), path);
        loop {
            match pattern.split_once('/') {
                None => return self.ends(pattern, path),
                Some((segment, rest)) => {
                    let Some((found, path_rest)) = path.split_once('/') else { return false };
                    if segment != found && (segment != "+" || found.is_empty()) {
                        return false;
                    }
                    (pattern, path) = (rest, path_rest);
                }
            }
        }
    }

    fn ends(&self, last: &str, rest: &str) -> bool {
        match self.glob {
            true => rest.starts_with(last),
            false => last == rest || (last == "+" && !rest.is_empty() && !rest.contains('/')),
        }
    }

    /// May it match something below `folder`, which ends with a slash or is empty; as far as literals tell.
    pub(super) fn reaches_below(&self, folder: &str) -> bool {
        let (mut pattern, mut folder) = (self.stem(), folder);
        while !folder.is_empty() {
            let (found, folder_rest) = folder.split_once('/').unwrap_or((folder, ""));
            let Some((segment, rest)) = pattern.split_once('/') else {
                return self.glob && folder.starts_with(pattern);
            };
            if segment != found && (segment != "+" || found.is_empty()) {
                return false;
            }
            (pattern, folder) = (rest, folder_rest);
        }
        self.glob || !pattern.is_empty()
    }

    fn rank(&self) -> (usize, bool, Reverse<usize>, usize, &str) {
        (self.first_wild, !self.glob, Reverse(self.pluses), self.text.len(), &self.text)
    }
}

impl Ord for Pattern {
    /// Vault's order: the later the first wildcard the better, then without `*`, then with fewer `+`, then the longer,
    /// then by the alphabet so that there is but one answer.
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Pattern {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match() {
        let check = |pattern: &str, path: &str, expect: bool| {
            assert_eq!(Pattern::new(pattern).matches(path), expect, "{pattern} {path}");
        };
        check("secret/a", "secret/a", true);
        check("/secret/a", "secret/a", true);
        check("secret/a", "secret/a/", false);
        check("secret/a", "secret/ab", false);
        check("secret/*", "secret/", true);
        check("secret/*", "secret/a/b", true);
        check("secret/*", "secret", false);
        check("secret/a*", "secret/ab/c", true);
        check("secret/a*", "secret/b", false);
        check("*", "", true);
        check("*", "a/b", true);
        check("secret/+/x", "secret/a/x", true);
        check("secret/+/x", "secret/a/b/x", false);
        check("secret/+/x", "secret//x", false);
        check("secret/+", "secret/a", true);
        check("secret/+", "secret/", false);
        check("secret/+", "secret/a/b", false);
        check("secret/+/*", "secret/a/b/c", true);
        check("secret/+/b*", "secret/a/bc/d", true);
        check("+/+", "a/b", true);
        check("secret/a+", "secret/a+", true);
        check("secret/a+", "secret/ab", false);
    }

    #[test]
    fn the_more_exact_is_the_greater() {
        let order = ["*", "+/+/c", "a*", "a/*", "a/+/+", "a/+/c", "a/b*", "a/b/*", "a/b/+", "a/b/c"];
        for (less, greater) in order.iter().zip(&order[1..]) {
            assert!(Pattern::new(less) < Pattern::new(greater), "{less} {greater}");
        }
    }

    #[test]
    fn what_may_lie_below_a_folder() {
        let check = |pattern: &str, folder: &str, expect: bool| {
            assert_eq!(Pattern::new(pattern).reaches_below(folder), expect, "{pattern} {folder}");
        };
        check("secret/a/b", "secret/", true);
        check("secret/a/b", "secret/a/", true);
        check("secret/a/b", "secret/a/b/", false);
        check("secret/a/b", "secret/c/", false);
        check("secret/*", "secret/a/b/", true);
        check("secret/a*", "secret/", true);
        check("secret/a*", "secret/ab/", true);
        check("secret/a*", "secret/b/", false);
        check("+/a", "secret/", true);
        check("secret/+/x", "secret/any/", true);
        check("*", "", true);
        check("a", "", true);
        check("sys/*", "secret/", false);
    }
}
