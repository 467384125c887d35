//! [`Plan`]: the file. A key that nobody knows is a mistake, not something to skip.

use crate::failure::Failure;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

/// What there shall be.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Plan {
    pub(super) init: Option<Init>,
    /// Has the token to work with; else the keys' file of `init` has it, else the environment.
    pub(super) token_file: Option<PathBuf>,
    pub(super) mounts: Vec<Mount>,
    pub(super) auth: Vec<Mount>,
    pub(super) policies: Vec<Policy>,
    pub(super) tokens: Vec<Token>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Init {
    pub(super) shares: u8,
    pub(super) threshold: u8,
    /// Where shares and root token go, mode 0600.
    pub(super) keys_file: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mount {
    pub(super) path: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) options: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Policy {
    pub(super) name: String,
    /// Its text, here or in a file.
    pub(super) text: Option<String>,
    pub(super) file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Token {
    pub(super) display_name: String,
    pub(super) policies: Vec<String>,
    pub(super) ttl: Option<String>,
    pub(super) period: Option<String>,
    /// Where it goes, mode 0600.
    pub(super) file: PathBuf,
}

impl Plan {
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let place = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| Failure::from(error).about(&place))?;
        Self::parse(&text).map_err(|failure| failure.about(&place))
    }

    fn parse(text: &str) -> Result<Self, Failure> {
        let plan: Self = toml::from_str(text).map_err(|error| {
            Failure::local(error.to_string()).hint("docs/operate.md has an example with every key")
        })?;
        unique("path of [[mounts]]", plan.mounts.iter().map(Mount::place))?;
        unique("path of [[auth]]", plan.auth.iter().map(Mount::place))?;
        unique("name of [[policies]]", plan.policies.iter().map(|policy| policy.name.to_lowercase()))?;
        if let Some(policy) = plan.policies.iter().find(|one| one.text.is_some() == one.file.is_some()) {
            return Err(Failure::local(format!("the policy {:?} needs a text or a file", policy.name))
                .hint("give it one of both"));
        }
        let keys = plan.init.iter().map(|init| &init.keys_file);
        let files = plan.tokens.iter().map(|token| &token.file).chain(keys).chain(&plan.token_file);
        unique("file", files.map(|file| file.to_string_lossy().into_owned()))?;
        Ok(plan)
    }
}

impl Mount {
    /// Its path as tables of mounts have it.
    pub(super) fn place(&self) -> String {
        format!("{}/", self.path.trim_matches('/'))
    }
}

fn unique(what: &str, names: impl Iterator<Item = String>) -> Result<(), Failure> {
    let mut seen = HashSet::new();
    for name in names {
        if name == "/" || name.is_empty() {
            return Err(Failure::local(format!("a {what} is empty")).hint("give it a name"));
        }
        if !seen.insert(name.clone()) {
            return Err(Failure::local(format!("the {what} {name:?} stands there twice")).hint("remove one"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named() {
        let check = |text: &str, part: &str| {
            let error = Plan::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        check("[[mount]]\npath = 'a'", "unknown field `mount`");
        check("[init]\nshares = 1\nthreshold = 1", "keys_file");
        check("[init]\nshares = 256\nthreshold = 1\nkeys_file = 'k'", "256");
        check("[[mounts]]\npath = 'a'\ntype = 'kv'\nversion = 2", "unknown field `version`");
        check("[[mounts]]\npath = 'a'\ntype = 'kv'\n[[mounts]]\npath = '/a/'\ntype = 'kv'", "twice");
        check("[[mounts]]\npath = '/'\ntype = 'kv'", "empty");
        check("[[policies]]\nname = 'a'", "needs a text or a file");
        check("[[policies]]\nname = 'a'\ntext = ''\nfile = 'f'", "needs a text or a file");
        check("[[policies]]\nname = 'a'\ntext = ''\n[[policies]]\nname = 'A'\ntext = ''", "twice");
        check(
            "token_file = 't'\n[[tokens]]\ndisplay_name = 'a'\npolicies = []\nfile = 't'",
            "\"t\" stands there twice",
        );
        assert!(Plan::parse("").unwrap().mounts.is_empty());
    }
}
