//! Vault's users write long flags with one dash (`-dev`, `-format=json`); clap wants two. No short flags are ever
//! bundled here, so the rewriting is safe: one dash and a name of two letters or more becomes two dashes.

use std::ffi::OsString;

/// Rewrites `-name` and `-name=value` to two dashes; everything after a bare `--` stays.
pub(crate) fn rewrite(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut literal = false;
    let fix = |arg: OsString| {
        literal |= arg == "--";
        match arg.to_str() {
            Some(text) if !literal && is_long(text) => OsString::from(format!("-{text}")),
            _ => arg,
        }
    };
    args.map(fix).collect()
}

/// One dash, then a name of at least two characters that starts with a letter. `-n=5` is a short flag, `-1` a number.
fn is_long(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('-') else { return false };
    let name = rest.split('=').next().unwrap_or_default();
    name.len() >= 2
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_dashes() {
        let check = |line: &str, expect: &str| {
            let args = line.split(' ').map(OsString::from);
            let rewritten: Vec<_> = rewrite(args).into_iter().map(|arg| arg.into_string().unwrap()).collect();
            assert_eq!(rewritten.join(" "), expect);
        };
        check("secrethub server -dev", "secrethub server --dev");
        check("s server -dev-root-token-id=root -dev-tls", "s server --dev-root-token-id=root --dev-tls");
        check("s kv get -field=a secret/x", "s kv get --field=a secret/x");
        check("s operator init -n 1 -t=1 -key-shares=1", "s operator init -n 1 -t=1 --key-shares=1");
        check("s kv put x a=- -", "s kv put x a=- -");
        check("s kv put x -- -a=b", "s kv put x -- -a=b");
        check("s --format json -h -1", "s --format json -h -1");
        check("s write x -a/b=c", "s write x -a/b=c");
    }
}
