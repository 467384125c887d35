//! Rules about the shape of the tree: names, manifests, documents.

use super::{
    Rule,
    source::{Source, Tree},
};
use std::path::{Component, Path, PathBuf};

/// What the core may depend on: no runtime, driver, file, socket or environment among it.
const CORE_DEPENDENCIES: &[&str] = &[
    "async-trait",
    "base64",
    "futures",
    "hex",
    "rand_core",
    "secrecy",
    "serde",
    "serde_json",
    "subtle",
    "thiserror",
    "time",
    "tracing",
    "uuid",
    "zeroize",
    // Named only in policy/: whose clock a time of day means.
    "jiff",
    // Named only in crypto/.
    "aes-gcm",
    "argon2",
    "aws-lc-rs",
    "chacha20",
    "ed25519-dalek",
    "hkdf",
    "hmac",
    "pbkdf2",
    "sha2",
];

pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "the core's allow-list",
        check: core_dependencies,
        bad: &[("vault-core/Cargo.toml", "[dependencies]\ntokio = \"1\"\n")],
        good: &[(
            "vault-core/Cargo.toml",
            "[dependencies]\nserde = \"1\"\n[dev-dependencies]\ntokio = \"1\"\n",
        )],
    },
    Rule {
        name: "every crate takes the workspace's lints",
        check: lints,
        bad: &[("a/Cargo.toml", "[package]\nname = \"a\"\n")],
        good: &[("a/Cargo.toml", "[package]\nname = \"a\"\n[lints]\nworkspace = true\n")],
    },
    Rule {
        name: "a module is named by its subject",
        check: names,
        bad: &[("a/src/utils.rs", "//! A.\n")],
        good: &[("a/src/chain.rs", "//! A.\n")],
    },
    Rule {
        name: "every engine and job is in its list",
        check: unlisted,
        bad: &[
            ("c/src/engine/mod.rs", "pub const ENGINES: &[&Engine] = &[&a::ENGINE];\n"),
            ("c/src/engine/b.rs", "pub(super) const ENGINE: Engine = x();\n"),
        ],
        good: &[
            ("c/src/engine/mod.rs", "pub const ENGINES: &[&Engine] = &[&a::ENGINE];\n"),
            ("c/src/engine/a/mod.rs", "pub(super) const ENGINE: Engine = x();\n"),
        ],
    },
    Rule {
        name: "every document is linked",
        check: orphans,
        bad: &[("README.md", "x\n"), ("docs/a.md", "# A\n")],
        good: &[("README.md", "[a](docs/a.md)\n"), ("docs/a.md", "# A\n")],
    },
    Rule {
        name: "every link leads somewhere",
        check: dead_links,
        bad: &[("docs/a.md", "[b](b.md)\n")],
        good: &[("docs/a.md", "[r](../README.md#top) [w](https://example.org/x)\n"), ("README.md", "x\n")],
    },
];

fn manifest(file: &Source) -> toml::Table {
    file.text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.path))
}

fn core_dependencies(tree: &Tree) -> Vec<String> {
    let Some(file) = tree.file("vault-core/Cargo.toml") else {
        return vec!["vault-core/Cargo.toml is missing".to_owned()];
    };
    let table = manifest(file);
    let named =
        table.get("dependencies").and_then(toml::Value::as_table).into_iter().flat_map(|names| names.keys());
    let strangers = named.filter(|name| !CORE_DEPENDENCIES.contains(&name.as_str()));
    strangers.map(|name| file.at(1, format!("`{name}` is not on the core's allow-list"))).collect()
}

fn lints(tree: &Tree) -> Vec<String> {
    let crates = tree
        .files
        .iter()
        .filter(|file| file.path.ends_with("/Cargo.toml") && !file.path.starts_with("fuzz/"));
    let inherits = |file: &&Source| {
        let table = manifest(file);
        table.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool)
            == Some(true)
    };
    crates.filter(|file| !inherits(file)).map(|file| file.at(1, "no `[lints] workspace = true`")).collect()
}

fn names(tree: &Tree) -> Vec<String> {
    let vague = ["util", "utils", "common", "manager", "helper", "helpers", "misc"];
    let is_vague =
        |file: &&Source| file.path.trim_end_matches(".rs").split('/').any(|part| vague.contains(&part));
    tree.rust().filter(is_vague).map(|file| file.at(1, "a name that says nothing")).collect()
}

/// A file that declares an `ENGINE` or a `JOB` is named in the list of the folder above.
fn unlisted(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for (folder, item) in [("/src/engine/", "ENGINE"), ("/src/job/", "JOB")] {
        let declares = |file: &&Source| file.text.contains(&format!("const {item}: "));
        for file in tree.rust().filter(|file| file.path.contains(folder)).filter(declares) {
            let (room, rest) = file.path.split_once(folder).unwrap_or_default();
            let name = rest.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::");
            let list = tree.file(&format!("{room}{folder}mod.rs"));
            if !list.is_some_and(|list| list.text.contains(&format!("{name}::{item}"))) {
                complaints.push(file.at(1, format!("`{name}::{item}` is not in {item}S")));
            }
        }
    }
    complaints
}

fn orphans(tree: &Tree) -> Vec<String> {
    let linked: Vec<String> =
        ["README.md", "docs/README.md"].iter().filter_map(|path| tree.file(path)).flat_map(links).collect();
    let documents =
        tree.files.iter().filter(|file| file.path.starts_with("docs/") && file.path.ends_with(".md"));
    let orphans = documents.filter(|file| !linked.contains(&file.path) && file.path != "docs/README.md");
    orphans.map(|file| file.at(1, "linked from neither README.md nor docs/README.md")).collect()
}

fn dead_links(tree: &Tree) -> Vec<String> {
    let exists = |path: &str| {
        tree.files.iter().any(|file| file.path == path || file.path.starts_with(&format!("{path}/")))
    };
    let documents = tree.files.iter().filter(|file| file.path.ends_with(".md"));
    let dead = |file| {
        links(file)
            .into_iter()
            .filter(|path| !exists(path))
            .map(|path| Source::at(file, 1, format!("dead link to {path}")))
    };
    documents.flat_map(dead).collect()
}

/// Relative links of a document, as paths from the root.
fn links(file: &Source) -> Vec<String> {
    let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
    let targets = file.text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    let relative =
        targets.filter(|target| !target.is_empty() && !target.contains("://") && !target.contains(' '));
    relative.map(|target| flatten(&folder.join(target))).collect()
}

fn flatten(path: &Path) -> String {
    let mut flat = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = flat.pop(),
            Component::CurDir => {}
            part => flat.push(part),
        }
    }
    flat.to_string_lossy().into_owned()
}
