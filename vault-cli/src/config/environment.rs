//! [`Environment`]: the process's variables, and those of `.env` in the working folder where the process has none.
//! The process's own environment is never changed.

use crate::failure::Failure;
use std::{collections::HashMap, io, path::Path};

/// Variables by name.
pub(crate) struct Environment {
    own: HashMap<String, String>,
    file: HashMap<String, String>,
}

impl Environment {
    /// The process's variables and `.env`'s.
    pub(crate) fn read() -> Result<Self, Failure> {
        let own = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Ok(Self { own: own.collect(), file: read_file(Path::new(".env"))? })
    }

    /// Only these; for tests.
    #[cfg(test)]
    pub(crate) fn of(own: &[(&str, &str)], file: &[(&str, &str)]) -> Self {
        let map =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Self { own: map(own), file: map(file) }
    }

    /// A variable's text. As everywhere with `.env`, the process's own wins.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.own.get(name).or_else(|| self.file.get(name)).cloned()
    }

    /// Where a variable comes from, for people.
    pub(crate) fn place(&self, name: &str) -> String {
        match self.own.contains_key(name) {
            true => name.to_owned(),
            false => format!("{name} in .env"),
        }
    }
}

fn read_file(path: &Path) -> Result<HashMap<String, String>, Failure> {
    // The parser's message repeats the line, which may hold a secret.
    let bad = || {
        Failure::local(".env has a line that is not NAME=value").hint("mend it, or start from another folder")
    };
    match dotenvy::from_path_iter(path) {
        Ok(pairs) => pairs.collect::<Result<_, _>>().map_err(|_| bad()),
        Err(dotenvy::Error::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(HashMap::new()),
        Err(dotenvy::Error::Io(error)) => Err(Failure::from(error).about(".env")),
        Err(_) => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotenv_fills_what_the_process_lacks() {
        let environment = Environment::of(&[("A", "own")], &[("A", "file"), ("B", "file")]);
        let check = |name: &str, value: Option<&str>, place: &str| {
            assert_eq!(environment.get(name).as_deref(), value);
            assert_eq!(environment.place(name), place);
        };
        check("A", Some("own"), "A");
        check("B", Some("file"), "B in .env");
        check("C", None, "C in .env");
    }

    #[test]
    fn a_broken_file_is_refused_without_repeating_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".env");
        assert!(read_file(&path).unwrap().is_empty());
        std::fs::write(&path, "MASTER_KEY=abc\nAUDIT_TTL_DAYS=30 # days\n").unwrap();
        let read = read_file(&path).unwrap();
        assert_eq!((read["MASTER_KEY"].as_str(), read["AUDIT_TTL_DAYS"].as_str()), ("abc", "30"));
        std::fs::write(&path, "hunter2 hunter2\n").unwrap();
        let error = read_file(&path).unwrap_err().to_string();
        assert!(error.contains("NAME=value") && !error.contains("hunter2"), "{error}");
    }
}
