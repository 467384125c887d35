//! [`open_store`]: from a URL to a store. The one place that knows which schemes exist.

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mongo"))]
use crate::address::shown_store;
use secrethub_core::{
    BoxError,
    store::{Backend, memory::Memory},
};
use std::{sync::Arc, time::Duration};

/// A store that was not opened, and what to write instead. None of them repeats a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The URL names no store that we know.
    #[error(
        "{url:?} names no store: use `sqlite:PATH` for a file, `postgres://…` or `mongodb://…` for a server, or \
         `memory:` for a store that forgets"
    )]
    UnknownScheme {
        /// The URL, without what follows its scheme: that may hold a password.
        url: String,
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
    /// Another process holds the file: it is to be asked, or ended.
    #[error("{source}")]
    InUse {
        /// Which one, as [`shown_store`] names it.
        url: String,
        /// Who holds it.
        #[source]
        source: BoxError,
    },
    /// The database does not answer, or not yet: worth another try.
    #[error("the store {url} does not answer: {source}")]
    Unreachable {
        /// Which one, as [`shown_store`] names it.
        url: String,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// The store itself said no; its cause says why.
    #[error("cannot open the store {url}: {source}")]
    Store {
        /// Which one, as [`shown_store`] names it.
        url: String,
        /// Why.
        #[source]
        source: BoxError,
    },
}

/// How to open a store, beyond where it is.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct StoreOptions {
    /// Only to read it, beside whoever owns it, as `audit verify` does: nothing is made or migrated, and commits are
    /// refused.
    pub read_only: bool,
    /// Connections that one process holds to a database server at most; `None` is the store's own choice.
    pub connections: Option<u32>,
    /// How long audit records are kept, for a database that can clean up by itself; `None` is for ever. The vault's own
    /// job comes first, a day earlier.
    pub audit_ttl: Option<Duration>,
    /// Bytes that a database may grow to, where its server cannot tell (PostgreSQL); `None` is not known.
    pub room: Option<u64>,
}

impl StoreOptions {
    /// To read only.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// With at most so many connections.
    #[must_use]
    pub fn connections(mut self, connections: Option<u32>) -> Self {
        self.connections = connections;
        self
    }

    /// With so much room, in bytes.
    #[must_use]
    pub fn room(mut self, room: Option<u64>) -> Self {
        self.room = room;
        self
    }

    /// With audit records kept so long.
    #[must_use]
    pub fn audit_ttl(mut self, ttl: Option<Duration>) -> Self {
        self.audit_ttl = ttl;
        self
    }
}

/// Opens the store that `url` names:
///
/// | URL | store |
/// |---|---|
/// | `sqlite:PATH`, `sqlite://PATH` | a SQLite file, made when it is not there |
/// | `postgres://USER:PASSWORD@HOST/DATABASE` | a PostgreSQL database, whose tables are made when they are not there |
/// | `mongodb://USER:PASSWORD@HOST,HOST/DATABASE`, `mongodb+srv://…` | a database of a MongoDB replica set |
/// | `memory:` | one that forgets everything when dropped |
///
/// A relative path starts at the working directory; `sqlite:///abs` is the absolute `/abs`.
/// Opening a file blocks for as long as the disk needs; call it at start. A database server is asked once: whoever
/// wants to wait for it asks again after [`OpenError::Unreachable`].
///
/// # Errors
/// [`OpenError`], whose message says what to write instead.
pub async fn open_store(url: &str) -> Result<Arc<dyn Backend>, OpenError> {
    open_store_with(url, StoreOptions::default()).await
}

/// Opens the store that `url` names, as [`open_store`] does, in a certain way.
///
/// # Errors
/// [`OpenError`]; to read only, also when there is no such store.
pub async fn open_store_with(url: &str, options: StoreOptions) -> Result<Arc<dyn Backend>, OpenError> {
    let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
    match scheme {
        "memory" if rest.is_empty() || rest == "//" => Ok(Arc::new(Memory::default())),
        "sqlite" => match rest.strip_prefix("//").unwrap_or(rest) {
            "" => Err(OpenError::NoPath { scheme: "sqlite:" }),
            path => sqlite(url, path, options),
        },
        "postgres" | "postgresql" => postgres(url, options).await,
        "mongodb" | "mongodb+srv" => mongo(url, options).await,
        _ => Err(OpenError::UnknownScheme { url: format!("{scheme}:") }),
    }
}

#[cfg(feature = "sqlite")]
fn sqlite(url: &str, path: &str, options: StoreOptions) -> Result<Arc<dyn Backend>, OpenError> {
    use secrethub_store_sql::sqlite::{self, Sqlite};
    let path = std::path::Path::new(path);
    let opened = if options.read_only { Sqlite::open_read_only(path) } else { Sqlite::open(path) };
    match opened {
        Ok(store) => Ok(store),
        Err(error @ sqlite::OpenError::InUse { .. }) => {
            Err(OpenError::InUse { url: shown_store(url), source: error.into() })
        }
        Err(error) => Err(OpenError::Store { url: shown_store(url), source: error.into() }),
    }
}

#[cfg(not(feature = "sqlite"))]
fn sqlite(_url: &str, _path: &str, _options: StoreOptions) -> Result<Arc<dyn Backend>, OpenError> {
    Err(OpenError::NotBuilt { backend: "SQLite", feature: "sqlite" })
}

#[cfg(feature = "postgres")]
async fn postgres(url: &str, options: StoreOptions) -> Result<Arc<dyn Backend>, OpenError> {
    use secrethub_store_sql::postgres::{self, Options, Postgres};
    let defaults = Options::default();
    let connections = options.connections.unwrap_or(defaults.connections);
    let opened =
        Postgres::open(url, Options { connections, read_only: options.read_only, room: options.room }).await;
    let url = || shown_store(url);
    match opened {
        Ok(store) => Ok(store),
        Err(postgres::OpenError::Unreachable(source)) => Err(OpenError::Unreachable { url: url(), source }),
        Err(refused) => Err(OpenError::Store { url: url(), source: refused.into() }),
    }
}

#[cfg(not(feature = "postgres"))]
async fn postgres(_url: &str, _options: StoreOptions) -> Result<Arc<dyn Backend>, OpenError> {
    Err(OpenError::NotBuilt { backend: "PostgreSQL", feature: "postgres" })
}

#[cfg(feature = "mongo")]
async fn mongo(url: &str, options: StoreOptions) -> Result<Arc<dyn Backend>, OpenError> {
    use secrethub_store_mongo::{Mongo, Options};
    let StoreOptions { connections, read_only, audit_ttl, room: _ } = options;
    let opened = Mongo::open(url, Options { connections, read_only, audit_ttl }).await;
    opened.map(|store| store as _).map_err(|error| not_opened(url, error))
}

/// What an error of the MongoDB store means to who opens it.
#[cfg(feature = "mongo")]
pub(crate) fn not_opened(url: &str, error: secrethub_store_mongo::OpenError) -> OpenError {
    let url = shown_store(url);
    match error {
        secrethub_store_mongo::OpenError::Unreachable(source) => OpenError::Unreachable { url, source },
        refused => OpenError::Store { url, source: refused.into() },
    }
}

#[cfg(not(feature = "mongo"))]
async fn mongo(_url: &str, _options: StoreOptions) -> Result<Arc<dyn Backend>, OpenError> {
    Err(OpenError::NotBuilt { backend: "MongoDB", feature: "mongo" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bad_urls_say_what_to_write() {
        for (url, part) in [
            ("", "names no store"),
            ("redis://x", "use `sqlite:PATH`"),
            ("memory:/x", "names no store"),
            ("sqlite:", "needs a path"),
            ("sqlite://", "needs a path"),
            #[cfg(not(feature = "mongo"))]
            ("mongodb+srv://x", "feature `mongo`"),
            #[cfg(feature = "mongo")]
            ("mongodb://me:hun/ter2@db", "reserved character"),
            #[cfg(feature = "mongo")]
            ("mongodb://db/admin", "name another"),
        ] {
            let message = open_store(url).await.unwrap_err().to_string();
            assert!(message.contains(part), "{url}: {message}");
        }
    }

    #[tokio::test]
    async fn passwords_are_not_repeated() {
        for url in [
            "mysql://me:hunter2@db",
            "mongodb://me:hun@ter2@db",
            "mongodb://me:1/hunter2@db",
            "mongodb://me:hunter2@127.0.0.1:1/v?serverSelectionTimeoutMS=1",
            "postgres://me:hunter2@127.0.0.1:1/db?sslmod=x",
            "postgres://me:hunter2@127.0.0.1:1/db?sslmode=hunter",
        ] {
            let error = open_store(url).await.unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error} {error:?}");
        }
    }

    #[tokio::test]
    async fn memory_opens() {
        assert_eq!(open_store("memory:").await.unwrap().kind(), "memory");
        assert_eq!(open_store("memory://").await.unwrap().kind(), "memory");
    }

    #[cfg(feature = "sqlite")]
    #[tokio::test]
    async fn sqlite_opens_a_file_and_a_second_time_only_to_read() {
        let read_only = StoreOptions::default().read_only();
        let dir = tempfile::tempdir().unwrap();
        for form in ["sqlite:", "sqlite://"] {
            let url = format!("{form}{}", dir.path().join("secrethub.db").display());
            let store = open_store(&url).await.unwrap();
            assert_eq!(store.kind(), "sqlite");
            assert!(matches!(open_store(&url).await, Err(OpenError::InUse { .. })), "one process at a time");
            open_store_with(&url, read_only).await.unwrap();
        }
        let none = format!("sqlite:{}", dir.path().join("none").display());
        assert!(open_store_with(&none, read_only).await.is_err());
    }

    #[cfg(all(feature = "postgres", feature = "mongo"))]
    #[tokio::test]
    async fn a_server_that_does_not_answer_is_worth_another_try() {
        for (scheme, parameters) in [("postgres", ""), ("mongodb", "?serverSelectionTimeoutMS=10")] {
            // Nobody listens on port 1.
            let url = format!("{scheme}://me:hunter2@127.0.0.1:1/vault{parameters}");
            let error = open_store(&url).await.unwrap_err();
            assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
            let text = format!("{error} {error:?}");
            assert!(
                text.contains(&format!("{scheme}://127.0.0.1:1/vault")) && !text.contains("hunter2"),
                "{text}"
            );
        }
    }
}
