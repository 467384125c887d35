//! Who is to guard the vault, out of `seal`, the master key and the passphrase, which must go together.

use super::{Config, Environment};
use crate::failure::Failure;
use secrethub::core::{
    Secret,
    barrier::{MasterKey, Passphrase},
    system::Guardian,
};
use std::{fs, path::Path};
use zeroize::Zeroizing;

/// Where a secret stands that the file must not hold itself.
#[derive(Debug, PartialEq, Eq)]
enum Reference<'a> {
    File(&'a Path),
    Variable(&'a str),
}

impl<'a> Reference<'a> {
    /// The text is not repeated: somebody may have put the secret itself there.
    fn parse(key: &str, text: &'a str) -> Result<Self, Failure> {
        match (text.strip_prefix("file:"), text.strip_prefix("env:")) {
            (Some(path), _) if !path.is_empty() => Ok(Self::File(Path::new(path))),
            (_, Some(name)) if !name.is_empty() => Ok(Self::Variable(name)),
            _ => Err(Failure::local(format!("`{key}` does not say where it is to be read"))
                .hint("write \"file:PATH\" or \"env:NAME\"; the secret itself never stands in the file")),
        }
    }

    fn read(&self, environment: &Environment, what: &str) -> Result<Zeroizing<String>, Failure> {
        match self {
            Self::File(path) => read_file(path, what),
            Self::Variable(name) => {
                let none = || Failure::local(format!("{name}, which is to hold {what}, is not set"));
                environment.get(name).map(Zeroizing::new).ok_or_else(none)
            }
        }
    }
}

impl Config {
    /// Who is to guard the vault. Where `seal` does not say it, whichever secret is given does.
    pub(crate) fn guardian(&self, environment: &Environment) -> Result<Guardian, Failure> {
        let clash = |one: &str, other: &str| {
            let failure = Failure::local(format!("{one} and {other} are both set"));
            Err(failure.hint("only one can guard the vault: remove the other"))
        };
        match (self.seal.as_deref(), self.master_key(environment)?, self.passphrase(environment)?) {
            (_, Some(_), Some(_)) => clash("a master key", "`passphrase`"),
            (None | Some("static"), Some(key), None) => Ok(Guardian::MasterKey(key)),
            (None, None, Some(passphrase)) => Ok(Guardian::Passphrase(Some(passphrase))),
            (Some("passphrase"), None, passphrase) => Ok(Guardian::Passphrase(passphrase)),
            (None | Some("shamir"), None, None) => Ok(Guardian::Shares),
            (Some("static"), None, None) => {
                Err(Failure::local("`seal` is \"static\" and there is no master key")
                    .hint("name its file: MASTER_KEY_FILE"))
            }
            (Some(seal @ ("shamir" | "passphrase")), Some(_), None) => {
                clash(&format!("`seal` = \"{seal}\""), "a master key")
            }
            (Some(seal @ ("shamir" | "static")), None, Some(_)) => {
                clash(&format!("`seal` = \"{seal}\""), "`passphrase`")
            }
            (Some(_), _, _) => Err(Failure::local("`seal` names no seal that there is")
                .hint("write \"shamir\", \"static\" or \"passphrase\"")),
        }
    }

    /// The file of the passphrase, if it is in one.
    pub(crate) fn passphrase_file(&self) -> Option<&Path> {
        match Reference::parse("passphrase", self.passphrase.as_deref()?) {
            Ok(Reference::File(path)) => Some(path),
            _ => None,
        }
    }

    fn passphrase(&self, environment: &Environment) -> Result<Option<Passphrase>, Failure> {
        let Some(text) = &self.passphrase else { return Ok(None) };
        let text = Reference::parse("passphrase", text)?.read(environment, "the passphrase")?;
        let passphrase = Passphrase::parse(&Secret::new(text.as_str().to_owned()));
        passphrase.map(Some).map_err(|error| Failure::local(error.to_string()))
    }

    /// The static seal's key: from `MASTER_KEY_FILE`, or from `MASTER_KEY`, which cannot be wiped from memory.
    pub(crate) fn master_key(&self, environment: &Environment) -> Result<Option<MasterKey>, Failure> {
        let text = match (environment.get("MASTER_KEY"), &self.master_key_file) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                return Err(
                    Failure::local("MASTER_KEY and MASTER_KEY_FILE are both set").hint("remove one of them")
                );
            }
            (Some(text), None) => Zeroizing::new(text),
            (None, Some(path)) => read_file(path, "the master key")?,
        };
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            let hint = "put 32 random bytes in base64 there (openssl rand -base64 32), or remove it";
            return Err(Failure::local("the master key is empty").hint(hint));
        }
        MasterKey::parse(&Secret::new(text.to_owned()))
            .map(Some)
            .map_err(|error| Failure::local(error.to_string()))
    }
}

fn read_file(path: &Path, what: &str) -> Result<Zeroizing<String>, Failure> {
    let about = |error| Failure::from(error).about(&format!("the file of {what}, {}", path.display()));
    fs::read_to_string(path).map(Zeroizing::new).map_err(about)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

    /// The seal that comes of it, and whether the vault unseals itself; or a part of the refusal.
    fn check(config: &Config, own: &[(&str, &str)], expect: Result<(&str, bool), &str>) {
        let guardian = config.guardian(&Environment::of(own, &[]));
        match (guardian, expect) {
            (Ok(guardian), Ok((kind, alone))) => {
                let given = matches!(guardian, Guardian::MasterKey(_) | Guardian::Passphrase(Some(_)));
                assert_eq!((guardian.kind(), given), (kind, alone));
            }
            (Err(error), Err(part)) => {
                let error = error.to_string();
                assert!(error.contains(part) && !error.contains("hunter2"), "{error}");
            }
            (found, expect) => panic!("{:?} {expect:?}", found.map(|guardian| guardian.kind())),
        }
    }

    fn config(seal: Option<&str>, passphrase: Option<&str>, master_key_file: Option<PathBuf>) -> Config {
        let own = |text: &str| text.to_owned();
        Config { seal: seal.map(own), passphrase: passphrase.map(own), master_key_file, ..Config::default() }
    }

    #[test]
    fn the_master_key_comes_from_one_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, format!("{KEY}\n")).unwrap();
        let file = || config(None, None, Some(path.clone()));
        check(&Config::default(), &[], Ok(("shamir", false)));
        check(&file(), &[], Ok(("static", true)));
        check(&Config::default(), &[("MASTER_KEY", KEY)], Ok(("static", true)));
        check(&file(), &[("MASTER_KEY", KEY)], Err("both set"));
        check(&Config::default(), &[("MASTER_KEY", "")], Err("openssl rand -base64 32"));
        check(&Config::default(), &[("MASTER_KEY", "hunter2")], Err("32"));
    }

    #[test]
    fn a_passphrase_is_read_where_the_setting_says() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passphrase");
        fs::write(&path, "correct horse battery staple\n").unwrap();
        let file = format!("file:{}", path.display());
        let given = |passphrase: &str| config(None, Some(passphrase), None);
        check(&given(&file), &[], Ok(("passphrase", true)));
        check(&given("env:PHRASE"), &[("PHRASE", "hunter2 hunter2")], Ok(("passphrase", true)));
        check(&given("env:PHRASE"), &[], Err("PHRASE"));
        check(&given("env:PHRASE"), &[("PHRASE", "  ")], Err("bytes"));
        check(&given("file:/nonexistent/hunter"), &[], Err("/nonexistent/hunter"));
        for bad in ["hunter2 hunter2", "file:", "env:", ""] {
            check(&given(bad), &[], Err("file:PATH"));
        }
        assert_eq!(given(&file).passphrase_file(), Some(path.as_path()));
        assert_eq!(given("env:PHRASE").passphrase_file(), None);
    }

    #[test]
    fn seal_and_secrets_go_together() {
        let key: &[(&str, &str)] = &[("MASTER_KEY", KEY), ("PHRASE", "correct horse")];
        let phrase: &[(&str, &str)] = &[("PHRASE", "correct horse")];
        let seal = |seal: &str, passphrase: Option<&str>| config(Some(seal), passphrase, None);
        check(&seal("shamir", None), &[], Ok(("shamir", false)));
        check(&seal("static", None), key, Ok(("static", true)));
        check(&seal("passphrase", None), &[], Ok(("passphrase", false)));
        check(&seal("passphrase", Some("env:PHRASE")), phrase, Ok(("passphrase", true)));
        check(&seal("static", None), &[], Err("no master key"));
        check(&seal("shamir", None), key, Err("both set"));
        check(&seal("passphrase", None), key, Err("both set"));
        check(&seal("shamir", Some("env:PHRASE")), phrase, Err("both set"));
        check(&config(None, Some("env:PHRASE"), None), key, Err("both set"));
        check(&seal("hunter2", None), &[], Err("shamir"));
    }
}
