//! [`open_store`]: from a URL to a store. The one place that knows which schemes exist.

use secrethub_core::{
    BoxError,
    store::{Backend, memory::Memory},
};
use std::sync::Arc;

/// A store that was not opened, and what to write instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The URL names no store that we know.
    #[error("{url:?} names no store: use `sqlite:PATH` for a file or `memory:` for a store that forgets")]
    UnknownScheme {
        /// The URL, without what follows its scheme: that may hold a password.
        url: String,
    },
    /// A store that this version does not have yet.
    #[error("a store on {backend} comes with a later release: use `sqlite:PATH` until then")]
    Later {
        /// Which one.
        backend: &'static str,
    },
    /// A store that this build was made without.
    #[error("this build has no {backend} store: build it with the feature `{feature}`")]
    NotBuilt {
        /// Which one.
        backend: &'static str,
        /// The cargo feature that brings it.
        feature: &'static str,
    },
    /// A scheme that needs a path came without one.
    #[error("{scheme} needs a path to a file, as in `sqlite:/var/lib/secrethub/secrethub.db`")]
    NoPath {
        /// The scheme.
        scheme: &'static str,
    },
    /// The store itself said no; its cause says why.
    #[error("cannot open the store {url}: {source}")]
    Store {
        /// Which one.
        url: String,
        /// Why.
        #[source]
        source: BoxError,
    },
}

/// Opens the store that `url` names:
///
/// | URL | store |
/// |---|---|
/// | `sqlite:PATH`, `sqlite://PATH` | a SQLite file, made when it is not there |
/// | `memory:` | one that forgets everything when dropped |
///
/// A relative path starts at the working directory; `sqlite:///abs` is the absolute `/abs`.
/// Opening a file blocks for as long as the disk needs; call it at start.
///
/// # Errors
/// [`OpenError`], whose message says what to write instead.
pub fn open_store(url: &str) -> Result<Arc<dyn Backend>, OpenError> {
    let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
    match scheme {
        "memory" if rest.is_empty() || rest == "//" => Ok(Arc::new(Memory::default())),
        "sqlite" => match rest.strip_prefix("//").unwrap_or(rest) {
            "" => Err(OpenError::NoPath { scheme: "sqlite:" }),
            path => sqlite(url, path, false),
        },
        "postgres" | "postgresql" => Err(OpenError::Later { backend: "PostgreSQL" }),
        "mongodb" | "mongodb+srv" => Err(OpenError::Later { backend: "MongoDB" }),
        _ => Err(OpenError::UnknownScheme { url: format!("{scheme}:") }),
    }
}

/// Opens a store that is there to read it beside the process that owns it, as `audit verify` does; commits are
/// refused. Takes the same URLs as [`open_store`].
///
/// # Errors
/// [`OpenError`]; also when there is no such file.
pub fn open_store_read_only(url: &str) -> Result<Arc<dyn Backend>, OpenError> {
    match url.split_once(':') {
        Some(("sqlite", rest)) => match rest.strip_prefix("//").unwrap_or(rest) {
            "" => Err(OpenError::NoPath { scheme: "sqlite:" }),
            path => sqlite(url, path, true),
        },
        _ => open_store(url),
    }
}

#[cfg(feature = "sqlite")]
fn sqlite(url: &str, path: &str, read_only: bool) -> Result<Arc<dyn Backend>, OpenError> {
    use secrethub_store_sql::sqlite::Sqlite;
    let path = std::path::Path::new(path);
    let opened = if read_only { Sqlite::open_read_only(path) } else { Sqlite::open(path) };
    match opened {
        Ok(store) => Ok(store),
        Err(error) => Err(OpenError::Store { url: url.to_owned(), source: error.into() }),
    }
}

#[cfg(not(feature = "sqlite"))]
fn sqlite(_url: &str, _path: &str, _read_only: bool) -> Result<Arc<dyn Backend>, OpenError> {
    Err(OpenError::NotBuilt { backend: "SQLite", feature: "sqlite" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_urls_say_what_to_write() {
        let check = |url: &str, part: &str| {
            let message = open_store(url).unwrap_err().to_string();
            assert!(message.contains(part), "{url}: {message}");
        };
        check("", "names no store");
        check("redis://x", "use `sqlite:PATH`");
        check("memory:/x", "names no store");
        check("sqlite:", "needs a path");
        check("sqlite://", "needs a path");
        check("postgres://me:hunter2@db/x", "later release");
        check("mongodb+srv://x", "MongoDB");
    }

    #[test]
    fn passwords_are_not_repeated() {
        let error = open_store("mysql://me:hunter2@db").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }

    #[test]
    fn memory_opens() {
        assert_eq!(open_store("memory:").unwrap().kind(), "memory");
        assert_eq!(open_store("memory://").unwrap().kind(), "memory");
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn sqlite_opens_a_file_and_a_second_time_only_to_read() {
        let dir = tempfile::tempdir().unwrap();
        for form in ["sqlite:", "sqlite://"] {
            let url = format!("{form}{}", dir.path().join("secrethub.db").display());
            let store = open_store(&url).unwrap();
            assert_eq!(store.kind(), "sqlite");
            assert!(matches!(open_store(&url), Err(OpenError::Store { .. })), "one process at a time");
            open_store_read_only(&url).unwrap();
        }
        assert!(open_store_read_only(&format!("sqlite:{}", dir.path().join("none").display())).is_err());
    }
}
