//! Rules about lines of text.

use super::{
    Rule,
    source::{Line, Source, Tree},
};

/// No file is longer: one idea a file.
const FILE_LINES_MAX: usize = 500;

pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "a file says what it is for",
        check: opening,
        bad: &[("a/src/lib.rs", "fn a() {}\n")],
        good: &[
            ("a/src/lib.rs", "//! A.\nfn a() {}\n"),
            ("t.py", "\"\"\"T.\"\"\"\n"),
            ("s.sh", "#!/bin/sh\n# S.\n"),
        ],
    },
    Rule {
        name: "one idea a file",
        check: length,
        bad: &[("a/src/lib.rs", LONG)],
        good: &[("a/src/lib.rs", "//! A.\n")],
    },
    Rule {
        name: "a panic in a vault is an outage",
        check: panics,
        bad: &[("a/src/lib.rs", "fn a() { b().unwrap(); }\n")],
        good: &[
            ("a/src/lib.rs", "fn a() {\n    b().unwrap(); // Never: b is checked above.\n}\n"),
            ("b/src/lib.rs", "#[cfg(test)]\nmod tests {\n    fn a() { b().unwrap(); }\n}\n"),
            (
                "d/src/lib.rs",
                "#[expect(clippy::unwrap_used, reason = \"b holds\")]\nfn a() { b().unwrap() }\n",
            ),
            ("c/src/lib.rs", "fn a() { b().unwrap_or(1) } // .unwrap() would be wrong\n"),
        ],
    },
    Rule {
        name: "an exposed secret has a reason",
        check: exposures,
        bad: &[("a/src/lib.rs", "fn a() {\n    send(secret.expose());\n}\n")],
        good: &[
            (
                "a/src/lib.rs",
                "fn a() {\n    // EXPOSE: the caller asked for it.\n    send(secret.expose());\n}\n",
            ),
            ("vault-core/src/barrier/mod.rs", "fn a() { seal(key.expose()) }\n"),
        ],
    },
    Rule {
        name: "nothing unfinished",
        check: unfinished,
        bad: &[("a/src/lib.rs", concat!("//! A.\n// FIX", "ME later\n"))],
        good: &[("a/src/lib.rs", "//! A.\n// Later comes the other half.\n")],
    },
    Rule {
        name: "no place but the repository is named",
        check: places,
        bad: &[("README.md", concat!("see /ro", "ot/x\n"))],
        good: &[("README.md", concat!("see docs/ and PUT /v1/sys/rotate/ro", "ot/init\n"))],
    },
];

const LONG: &str = {
    const BYTES: [u8; FILE_LINES_MAX + 1] = [b'\n'; FILE_LINES_MAX + 1];
    match std::str::from_utf8(&BYTES) {
        Ok(text) => text,
        Err(_) => "",
    }
};

fn opening(tree: &Tree) -> Vec<String> {
    let opens = |file: &Source| match file.path.rsplit('.').next() {
        Some("rs") => file.text.starts_with("//!"),
        Some("py") => file.text.starts_with("\"\"\""),
        Some("sh") => file.line(1).starts_with("#!") && file.line(2).starts_with("# "),
        _ => true,
    };
    let complain = |file: &Source| file.at(1, "the file does not start by saying what it is for");
    tree.files.iter().filter(|file| !opens(file)).map(complain).collect()
}

fn length(tree: &Tree) -> Vec<String> {
    let lines = |file: &Source| file.text.lines().count();
    let complain = |file: &Source| file.at(lines(file), format!("more than {FILE_LINES_MAX} lines"));
    tree.rust().filter(|file| lines(file) > FILE_LINES_MAX).map(complain).collect()
}

/// Complains of each product line that `broken` names.
fn product(tree: &Tree, broken: impl Fn(&Source, &Line<'_>) -> Option<String>) -> Vec<String> {
    let complain = |file| {
        let broken = &broken;
        let lines = Source::product_lines(file);
        lines.filter_map(move |line| Some(file.at(line.number, broken(file, &line)?)))
    };
    tree.rust().flat_map(complain).collect()
}

fn panics(tree: &Tree) -> Vec<String> {
    let calls =
        [".unwrap()", ".expect(\"", ".expect(&", ".unwrap_err()", "panic!(", "unreachable!(", "#[ignore"];
    product(tree, |file, line| {
        let found = calls.iter().find(|call| line.code.contains(**call))?;
        let excused = !line.comment.is_empty()
            || file.line(line.number - 1).contains("// Never:")
            || file.excused.iter().any(|lines| lines.contains(&line.number));
        (!excused).then(|| format!("`{found}` without a `// Never:` reason on the line"))
    })
}

fn exposures(tree: &Tree) -> Vec<String> {
    let at_home = ["vault-core/src/secret.rs", "vault-core/src/crypto/", "vault-core/src/barrier/"];
    let calls = [".expose()", ".expose_mut()", ".expose_secret()", ".expose_secret_mut()"];
    product(tree, |file, line| {
        let exposes = calls.iter().any(|call| line.code.contains(call));
        let excused = at_home.iter().any(|home| file.path.starts_with(home))
            || (line.number.saturating_sub(4)..=line.number)
                .any(|number| file.line(number).contains("// EXPOSE:"));
        (exposes && !excused).then(|| "a secret is exposed without an `// EXPOSE:` reason".to_owned())
    })
}

fn unfinished(tree: &Tree) -> Vec<String> {
    let marks = [
        concat!("FIX", "ME"),
        concat!("TO", "DO"),
        concat!("XX", "X"),
        concat!("HA", "CK"),
        concat!("todo", "!("),
    ];
    everywhere(tree, &marks, |path| path.ends_with(".rs") || path.ends_with(".py") || path.ends_with(".sh"))
}

/// Paths of one person's machine and hosts of one company's mirrors mean nothing to anybody else.
fn places(tree: &Tree) -> Vec<String> {
    let marks = [
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("/tmp/", "sh"),
        concat!("/ho", "me/"),
        concat!("shared", "/reference"),
    ];
    everywhere(tree, &marks, |path| path != "Cargo.lock")
}

/// A path of the API that only looks like a place.
const API_PATH: &str = concat!("rotate/ro", "ot/");

fn everywhere(tree: &Tree, marks: &[&str], among: impl Fn(&str) -> bool) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in tree.files.iter().filter(|file| among(&file.path)) {
        for (index, line) in file.text.lines().enumerate() {
            let found = marks
                .iter()
                .filter(|mark| line.contains(**mark) && line.replace(API_PATH, "").contains(**mark));
            complaints.extend(found.map(|mark| file.at(index + 1, format!("`{mark}`"))));
        }
    }
    complaints
}
