//! The tracked files, and which of their lines are test code.

use proc_macro2::TokenTree;
use std::{collections::HashSet, fs, path::Path, process::Command};
use syn::spanned::Spanned;

/// Files of the repository (or of a sample), ordered by path.
pub(crate) struct Tree {
    pub(crate) files: Vec<Source>,
}

/// One file.
pub(crate) struct Source {
    /// Relative to the root, '/'-separated.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Whether line `i` (from 0) is test code. Empty for what is not Rust.
    test_lines: Vec<bool>,
}

/// One line of Rust: its code, and the comment at its end.
pub(crate) struct Line<'a> {
    pub(crate) number: usize,
    pub(crate) code: &'a str,
    pub(crate) comment: &'a str,
}

impl Tree {
    pub(crate) fn of_samples(samples: &[super::Sample]) -> Self {
        Self::new(samples.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
    }

    /// Everything that git tracks or would track: binary files are left out.
    pub(crate) fn of_repository() -> Self {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the repository");
        let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let found = Command::new("git").args(list).current_dir(root).output().expect("git lists the files");
        assert!(found.status.success(), "git ls-files: {}", String::from_utf8_lossy(&found.stderr));
        let paths = String::from_utf8(found.stdout).expect("paths are UTF-8");
        let read = |path: &str| Some((path.to_owned(), fs::read_to_string(root.join(path)).ok()?));
        Self::new(paths.split_terminator('\0').filter_map(read).collect())
    }

    fn new(files: Vec<(String, String)>) -> Self {
        let test_modules: HashSet<String> = files
            .iter()
            .filter(|(path, _)| path.ends_with(".rs"))
            .flat_map(|(path, text)| test_modules(path, text))
            .collect();
        let is_test = |path: &str| {
            in_test_folder(path)
                || test_modules
                    .iter()
                    .any(|stem| path == format!("{stem}.rs") || path.starts_with(&format!("{stem}/")))
        };
        let source = |(path, text): (String, String)| {
            let test_lines =
                if path.ends_with(".rs") { test_lines(&path, &text, is_test(&path)) } else { Vec::new() };
            Source { path, text, test_lines }
        };
        Self { files: files.into_iter().map(source).collect() }
    }

    pub(crate) fn rust(&self) -> impl Iterator<Item = &Source> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    pub(crate) fn file(&self, path: &str) -> Option<&Source> {
        self.files.iter().find(|file| file.path == path)
    }
}

impl Source {
    /// Lines of Rust that are compiled into the product: no tests, no whole-line comments.
    pub(crate) fn product_lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.text.lines().enumerate().filter(|(index, _)| !self.is_test_line(index + 1)).filter_map(
            |(index, line)| {
                let cut = comment_start(line);
                let (code, comment) = line.split_at(cut);
                (!code.trim().is_empty()).then_some(Line { number: index + 1, code, comment })
            },
        )
    }

    /// Is line `number` (from 1) test code?
    pub(crate) fn is_test_line(&self, number: usize) -> bool {
        self.test_lines.get(number - 1).copied().unwrap_or(false)
    }

    /// Line `number` (from 1); empty beyond the ends.
    pub(crate) fn line(&self, number: usize) -> &str {
        number.checked_sub(1).and_then(|index| self.text.lines().nth(index)).unwrap_or("")
    }

    pub(crate) fn parse(&self) -> syn::File {
        parse(&self.path, &self.text)
    }

    pub(crate) fn at(&self, line: usize, what: impl std::fmt::Display) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

fn parse(path: &str, text: &str) -> syn::File {
    syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Where the `//` comment of a line starts. A `//` after a colon is an address inside a string.
fn comment_start(line: &str) -> usize {
    let mut from = 0;
    while let Some(found) = line[from..].find("//").map(|found| found + from) {
        if !line[..found].ends_with(':') {
            return found;
        }
        from = found + 2;
    }
    line.len()
}

/// Folders whose code never reaches a user.
fn in_test_folder(path: &str) -> bool {
    let roots = ["tests/", "benches/", "fuzz/", "vault-testkit/"];
    let folders = ["/tests/", "/benches/", "/examples/", "/testing/"];
    roots.iter().any(|root| path.starts_with(root)) || folders.iter().any(|folder| path.contains(folder))
}

/// Stems of the files behind `#[cfg(test)] mod name;`.
fn test_modules(path: &str, text: &str) -> Vec<String> {
    let base = ["/mod.rs", "/lib.rs", "/main.rs"].iter().find_map(|end| path.strip_suffix(end));
    let base = base.unwrap_or_else(|| path.trim_end_matches(".rs"));
    let module = |item: &syn::Item| match item {
        syn::Item::Mod(module) if module.content.is_none() && for_tests(&module.attrs) => {
            Some(format!("{base}/{}", module.ident))
        }
        _ => None,
    };
    parse(path, text).items.iter().filter_map(module).collect()
}

fn test_lines(path: &str, text: &str, whole: bool) -> Vec<bool> {
    let mut lines = vec![whole; text.lines().count()];
    for item in &parse(path, text).items {
        if for_tests(attributes(item)) {
            let span = item.span();
            lines[span.start().line - 1..span.end().line].fill(true);
        }
    }
    lines
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// `#[cfg(test)]`, `#[cfg(any(test, feature = "testing"))]`, `#[cfg(feature = "testing")]`.
fn for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).any(|attribute| {
        match &attribute.meta {
            syn::Meta::List(list) => mentions_test(list.tokens.clone()),
            _ => false,
        }
    })
}

fn mentions_test(tokens: proc_macro2::TokenStream) -> bool {
    let mut negated = false;
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => {
            negated = ident == "not";
            ident == "test"
        }
        TokenTree::Literal(literal) => literal.to_string() == "\"testing\"",
        TokenTree::Group(group) => !negated && mentions_test(group.stream()),
        TokenTree::Punct(_) => false,
    })
}
