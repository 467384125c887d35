//! The tracked files, and which of their lines are test code.

use super::parse::{Excused, collect_paths};
use proc_macro2::{TokenStream, TokenTree};
use std::{fs, ops::RangeInclusive, path::Path, process::Command};
use syn::{spanned::Spanned, visit::Visit};

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
    /// Parsed once, because every rule looks at it; `None` for what is not Rust.
    syntax: Option<syn::File>,
    /// Every `a::b::c` that it names, with its line.
    pub(crate) paths: Vec<(usize, String)>,
    /// Lines that may panic, with a reason.
    pub(crate) excused: Vec<RangeInclusive<usize>>,
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
        let mut files: Vec<_> = files.into_iter().map(|(path, text)| Source::new(path, text)).collect();
        let test_modules: Vec<String> = files.iter().flat_map(Source::test_modules).collect();
        for file in &mut files {
            let whole =
                in_test_folder(&file.path) || test_modules.iter().any(|stem| is_module(&file.path, stem));
            file.test_lines = file.find_test_lines(whole);
        }
        Self { files }
    }

    pub(crate) fn rust(&self) -> impl Iterator<Item = &Source> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    pub(crate) fn file(&self, path: &str) -> Option<&Source> {
        self.files.iter().find(|file| file.path == path)
    }
}

impl Source {
    fn new(path: String, text: String) -> Self {
        let mut file =
            Self { path, text, test_lines: Vec::new(), syntax: None, paths: Vec::new(), excused: Vec::new() };
        if file.path.ends_with(".rs") {
            let tokens: TokenStream =
                file.text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.path));
            collect_paths(tokens.clone(), "", &mut file.paths);
            let syntax: syn::File =
                syn::parse2(tokens).unwrap_or_else(|error| panic!("{}: {error}", file.path));
            let mut excused = Excused::default();
            excused.visit_file(&syntax);
            (file.excused, file.syntax) = (excused.0, Some(syntax));
        }
        file
    }

    /// The items of the file; none for what is not Rust.
    pub(crate) fn items(&self) -> &[syn::Item] {
        self.syntax.as_ref().map_or(&[], |file| &file.items)
    }

    /// Stems of the files behind `#[cfg(test)] mod name;`.
    fn test_modules(&self) -> Vec<String> {
        let base = ["/mod.rs", "/lib.rs", "/main.rs"].iter().find_map(|end| self.path.strip_suffix(end));
        let base = base.unwrap_or_else(|| self.path.trim_end_matches(".rs"));
        let module = |item: &syn::Item| match item {
            syn::Item::Mod(module) if module.content.is_none() && for_tests(&module.attrs) => {
                Some(format!("{base}/{}", module.ident))
            }
            _ => None,
        };
        self.items().iter().filter_map(module).collect()
    }

    fn find_test_lines(&self, whole: bool) -> Vec<bool> {
        let mut lines = vec![whole; self.text.lines().count()];
        for item in self.items().iter().filter(|item| for_tests(attributes(item))) {
            let span = item.span();
            lines[span.start().line - 1..span.end().line].fill(true);
        }
        lines
    }

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

    pub(crate) fn at(&self, line: usize, what: impl std::fmt::Display) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

/// Is `path` the module at `stem`, or below it?
fn is_module(path: &str, stem: &str) -> bool {
    path.strip_prefix(stem).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
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
