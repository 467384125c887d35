//! Opening: is it there, may it be trusted with what is acknowledged, are its tables of our time.

use super::{Postgres, address, fault::Fault, migrate, pool::Pool, trust, upkeep};
use secrethub_core::error::BoxError;
use std::sync::Arc;

/// How to open a database, beyond where it is.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Connections that this process holds at most. A lane commits on one, requests read on the others.
    pub connections: u32,
    /// Nothing is made or migrated, and commits are refused.
    pub read_only: bool,
    /// Bytes that the database may grow to, as its operator says: no server tells how large its disk is.
    pub room: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self { connections: 8, read_only: false, room: None }
    }
}

/// Why a database was not opened, by what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It does not answer, or not yet. Try again later.
    #[error("{0}")]
    Unreachable(BoxError),
    /// It answers, and will not do as it is. An operator must change something.
    #[error("{0}")]
    Refused(String),
}

impl From<Fault> for OpenError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unsent(error) => match error.downcast::<sqlx::Error>() {
                Ok(error) => Self::from(*error),
                Err(other) => Self::Unreachable(other),
            },
            Fault::Lost(error) => Self::Unreachable(error),
            Fault::Refused(error) => Self::Refused(error.to_string()),
            Fault::Garbled(what) => Self::Refused(what),
        }
    }
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|error| error.code());
        // 53300 too_many_connections; class 57P: shutting down, starting up.
        let is_busy = code.is_some_and(|code| code == "53300" || code.starts_with("57P"));
        match error {
            // How TLS says that a certificate is not believed, ours or theirs; time mends nothing of it.
            sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                Self::Refused(format!(
                    "no trusted TLS connection: {error}; sslrootcert=FILE names the authority that signed the server's \
                 certificate, sslcert and sslkey what the server wants of a client"
                ))
            }
            sqlx::Error::Io(_) => Self::Unreachable(error.into()),
            _ if is_busy => Self::Unreachable(error.into()),
            _ => Self::Refused(error.to_string()),
        }
    }
}

impl Postgres {
    /// Connects to `postgres://user:password@host:port/database` and makes or migrates the tables if need be. Refuses a
    /// server that would lose what it acknowledges.
    pub async fn open(url: &str, options: Options) -> Result<Arc<Self>, OpenError> {
        let connect = address::parse(url)?;
        if let Some(how) = address::unprotected(&connect) {
            tracing::warn!(
                host = connect.get_host(),
                "the connection to PostgreSQL {how}: add sslmode=verify-full and sslrootcert=FILE to its URL"
            );
        }
        let pool = Pool::new(connect, options.connections);
        let lease = trust::check(pool.acquire().await?).await?;
        migrate::migrate(lease, options.read_only).await?.put_back();
        if !options.read_only {
            upkeep::once(&pool).await.map_err(|error| OpenError::Refused(cause(&error)))?;
            tokio::spawn(upkeep::run(Arc::downgrade(&pool)));
        }
        Ok(Arc::new(Self { pool, read_only: options.read_only, room: options.room }))
    }
}

/// An error with what caused it, in one line.
fn cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", cause(source)),
        None => error.to_string(),
    }
}
