//! [`StoreUrl`]: where secrets rest, as it was set: a URL, or where the URL stands. A URL may hold a password, so it can
//! come from a file or a variable, and is never shown whole.

use super::Environment;
use crate::failure::Failure;
use secrethub::{has_password, shown_store};
use serde::Deserialize;
use std::{fmt, fs};

/// A store's URL. Its Debug leaves out what may be a password.
#[derive(Clone, Deserialize, PartialEq)]
#[serde(transparent)]
pub(crate) struct StoreUrl(String);

impl StoreUrl {
    /// Reads `file:PATH` and `env:NAME`; anything else is the URL itself.
    pub(crate) fn read(place: &str, text: &str, environment: &Environment) -> Result<Self, Failure> {
        let about = |what: String| Failure::local(format!("{place}: {what}"));
        if place.starts_with("--") && has_password(text) {
            return Err(about(
                "every user of this machine can read an argument, and this one holds a password".to_owned(),
            )
            .hint("put the URL in SECRETHUB_STORE, or in a file: --store file:PATH"));
        }
        let found = match text.split_once(':') {
            Some(("file", path)) => fs::read_to_string(path)
                .map_err(|error| about(format!("cannot read the file {path}: {error}")))?,
            Some(("env", name)) => {
                environment.get(name).ok_or_else(|| about(format!("there is no variable {name}")))?
            }
            _ => text.to_owned(),
        };
        let url = found.trim_end_matches(['\r', '\n']);
        let expect = match place.split([' ', '_']).next() {
            Some("DATABASE") => Some("postgres"),
            Some("MONGO") => Some("mongodb"),
            _ => None,
        };
        match expect.filter(|scheme| !url.starts_with(scheme)) {
            Some(scheme) => Err(about(format!("it must begin with {scheme}:// and it does not"))
                .hint("name other stores by SECRETHUB_STORE")),
            None => Ok(Self(url.to_owned())),
        }
    }

    /// The URL itself, for who opens it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for StoreUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown_store(&self.0))
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown_store(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_comes_from_where_it_stands() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("url");
        fs::write(&path, "postgres://me:hunter2@db/v\n").unwrap();
        let environment = Environment::of(&[("MINE", "postgres://me:hunter2@db/w")], &[]);
        let check = |place: &str, text: &str, expect: Result<&str, &str>| {
            let found = StoreUrl::read(place, text, &environment);
            match (found, expect) {
                (Ok(found), Ok(url)) => {
                    assert_eq!(found.as_str(), url);
                    assert!(!format!("{found} {found:?}").contains("hunter2"));
                }
                (Err(failure), Err(part)) => {
                    let text = failure.to_string();
                    assert!(text.contains(part) && !text.contains("hunter2"), "{text}");
                }
                (found, expect) => panic!("{place} {text}: {found:?} {expect:?}"),
            }
        };
        check("--store", "sqlite:a.db", Ok("sqlite:a.db"));
        check("--store", &format!("file:{}", path.display()), Ok("postgres://me:hunter2@db/v"));
        check("--store", "file:/nonexistent", Err("/nonexistent"));
        check("--store", "env:MINE", Ok("postgres://me:hunter2@db/w"));
        check("--store", "env:NONE", Err("NONE"));
        check("DATABASE_URL", "postgresql://db/v", Ok("postgresql://db/v"));
        check("DATABASE_URL in .env", "mysql://me:hunter2@db/v", Err("postgres://"));
        check("DATABASE_URL_FILE", &format!("file:{}", path.display()), Ok("postgres://me:hunter2@db/v"));
        check("--store", "postgres://me:hunter2@db/v", Err("SECRETHUB_STORE"));
        check("--store", "postgres://me@db/v", Ok("postgres://me@db/v"));
        check("MONGO_URI", "mongodb://db/v", Ok("mongodb://db/v"));
        check("MONGO_URI", "postgres://me:hunter2@db/v", Err("mongodb://"));
    }
}
