//! Rules about what the code names: functions and paths.

use super::{
    Rule,
    source::{Source, Tree},
};
use syn::{spanned::Spanned, visit::Visit};

/// No function is longer: it is read whole or not at all.
const FN_LINES_MAX: usize = 70;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "a function is read whole",
        check: long_functions,
        bad: &[("a/src/lib.rs", LONG_FN)],
        good: &[("a/src/lib.rs", "fn a() {\n}\n")],
    },
    Rule {
        name: "no get_ prefix",
        check: getters,
        bad: &[("a/src/lib.rs", "impl A { fn get_b(&self) {} }\n")],
        good: &[("a/src/lib.rs", "impl A { fn b(&self) {} fn get_many(&self, keys: &[K]) {} }\n")],
    },
    Rule {
        name: "the core is pure",
        check: purity,
        bad: &[
            ("vault-core/src/a.rs", "use std::{fmt, fs};\n"),
            ("vault-core/src/b.rs", "fn b() { let now = std::time::Instant::now(); }\n"),
        ],
        good: &[
            ("vault-core/src/a.rs", "use std::{fmt, net::IpAddr, time::Duration};\n"),
            ("vault-core/src/b.rs", "#[cfg(test)]\nmod tests { use tokio::spawn; }\n"),
            ("secrethub/src/lib.rs", "use tokio::time::Instant;\n"),
        ],
    },
    Rule {
        name: "cryptography stands in crypto/",
        check: cryptography,
        bad: &[("vault-core/src/a.rs", "use sha2::{Digest, Sha256};\n")],
        good: &[("vault-core/src/crypto/mod.rs", "use sha2::{Digest, Sha256};\n")],
    },
    Rule {
        name: "engines see Cx and requests only",
        check: engines,
        bad: &[("vault-core/src/engine/a.rs", "use crate::{barrier::Barrier, error::Error};\n")],
        good: &[("vault-core/src/engine/a.rs", "use crate::{cx::Cx, error::Error};\n")],
    },
    Rule {
        name: "StatusCode stands in one file",
        check: status_codes,
        bad: &[
            ("vault-http/src/a.rs", "use http::StatusCode;\n"),
            ("vault-http/src/b.rs", "fn b() -> axum::http::StatusCode { c() }\n"),
        ],
        good: &[("vault-http/src/a.rs", "use http::StatusCode;\nfn a() -> StatusCode { b() }\n")],
    },
];

const LONG_FN: &str = "fn a() {\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\
    \n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n}\n";

fn long_functions(tree: &Tree) -> Vec<String> {
    functions(tree, |function, _| {
        (function.lines > FN_LINES_MAX).then(|| format!("{} lines", function.lines))
    })
}

/// A getter is named by what it gives. Looking something up by a key is no getter, and in tests a name is a sentence.
fn getters(tree: &Tree) -> Vec<String> {
    functions(tree, |function, is_test| {
        let broken = function.name.starts_with("get_") && function.parameters <= 1 && !is_test;
        broken.then(|| "drop the `get_`".to_owned())
    })
}

/// Complains of each function of which `broken` says so; it is told whether the function is test code.
fn functions(tree: &Tree, broken: impl Fn(&Function, bool) -> Option<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in tree.rust() {
        let mut found = Functions(Vec::new());
        file.items().iter().for_each(|item| found.visit_item(item));
        for function in found.0 {
            let what = broken(&function, file.is_test_line(function.first));
            complaints
                .extend(what.map(|what| file.at(function.first, format!("fn {}: {what}", function.name))));
        }
    }
    complaints
}

/// What the rules ask of a function.
struct Function {
    name: String,
    /// Its first line, from 1.
    first: usize,
    lines: usize,
    /// The receiver counts.
    parameters: usize,
}

/// Every function of a file, methods and nested ones too.
struct Functions(Vec<Function>);

impl Functions {
    fn add(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let (first, last) = (signature.span().start().line, block.span().end().line);
        let (name, parameters) = (signature.ident.to_string(), signature.inputs.len());
        self.0.push(Function { name, first, lines: last - first + 1, parameters });
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(&item.sig, &item.block);
        syn::visit::visit_item_fn(self, item);
    }
    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add(&item.sig, &item.block);
        syn::visit::visit_impl_item_fn(self, item);
    }
    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.add(&item.sig, block);
        }
        syn::visit::visit_trait_item_fn(self, item);
    }
}

/// Invariant 1 and 7: no runtime, file, socket, environment, clock or process in the core.
fn purity(tree: &Tree) -> Vec<String> {
    let worlds = [
        "tokio",
        "getrandom",
        "std::fs",
        "std::env",
        "std::process",
        "std::thread",
        "reqwest",
        "hyper",
        "rusqlite",
    ];
    let names = [
        "SystemTime",
        "Instant",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "ToSocketAddrs",
        "now_utc",
        "println",
        "eprintln",
    ];
    paths(tree, |file, path| {
        let impure = worlds.iter().any(|world| starts_with(path, world))
            || path.split("::").any(|part| names.contains(&part));
        file.path.starts_with("vault-core/src/") && impure
    })
}

/// Only `crypto/` names a crate that does cryptography, so that a provider can be replaced whole. That TLS is given the
/// provider of rustls's `aws_lc_rs` module is no cryptography of ours.
fn cryptography(tree: &Tree) -> Vec<String> {
    let crates = [
        "aes",
        "aes_gcm",
        "sha2",
        "hmac",
        "hkdf",
        "pbkdf2",
        "argon2",
        "ed25519_dalek",
        "aws_lc_rs",
        "blahaj",
        "chacha20",
        "ring",
    ];
    paths(tree, |file, path| {
        let names = path.contains("::")
            && path != "aws_lc_rs::default_provider"
            && crates.iter().any(|name| starts_with(path, name));
        file.path.contains("/src/") && !file.path.starts_with("vault-core/src/crypto/") && names
    })
}

/// Invariant 3. `sys` and `audit` are the two engines whose subject is the vault itself: they see what the door hands them.
fn engines(tree: &Tree) -> Vec<String> {
    let rooms = [
        "crate::store",
        "crate::barrier",
        "crate::audit::lane",
        "crate::system",
        "crate::vault",
        "crate::crypto",
    ];
    let about_the_vault = ["vault-core/src/engine/sys/", "vault-core/src/engine/audit"];
    paths(tree, |file, path| {
        let engine = file.path.starts_with("vault-core/src/engine/");
        engine
            && !about_the_vault.iter().any(|room| file.path.starts_with(room))
            && rooms.iter().any(|room| starts_with(path, room))
    })
}

/// Invariant 6: what a failure looks like on the wire is decided once.
fn status_codes(tree: &Tree) -> Vec<String> {
    let complaints = paths(tree, |file, path| {
        file.path.starts_with("vault-http/src/") && path.split("::").any(|part| part == "StatusCode")
    });
    let file_of = |complaint: &String| complaint.split(':').next().map(str::to_owned);
    let home = complaints.first().and_then(file_of);
    complaints.into_iter().filter(|complaint| file_of(complaint) != home).collect()
}

fn starts_with(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Complains of each path in product code that `broken` names.
fn paths(tree: &Tree, broken: impl Fn(&Source, &str) -> bool) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in tree.rust() {
        let product =
            file.paths.iter().filter(|(line, path)| !file.is_test_line(*line) && broken(file, path));
        complaints.extend(product.map(|(line, path)| file.at(*line, format!("`{path}`"))));
    }
    complaints
}
