//! Opening: is it there, may it be trusted with what is acknowledged, are its tables of our time.

use super::{Postgres, address};
use secrethub_core::error::BoxError;
use sqlx::{PgPool, postgres::PgPoolOptions};
use std::{sync::Arc, time::Duration};

/// How to open a database, beyond where it is.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Connections that this process holds at most. A lane commits on one, requests read on the others.
    pub connections: u32,
    /// Nothing is made or migrated, and commits are refused.
    pub read_only: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { connections: 8, read_only: false }
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

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|error| error.code());
        // 53300 too_many_connections; class 57: shutting down, starting up.
        let is_busy = code.is_some_and(|code| code == "53300" || code.starts_with("57P"));
        match error {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => Self::Unreachable(error.into()),
            _ if is_busy => Self::Unreachable(error.into()),
            _ => Self::Refused(error.to_string()),
        }
    }
}

/// How long a connection may take at the start.
const CONNECT_MAX: Duration = Duration::from_secs(5);

impl Postgres {
    /// Connects to `postgres://user:password@host:port/database` and makes the tables if they are missing. Refuses a
    /// server that does not write to disk before it answers.
    pub async fn open(url: &str, options: Options) -> Result<Arc<Self>, OpenError> {
        let connect = address::parse(url)?;
        if let Some(how) = address::unprotected(&connect) {
            tracing::warn!(
                host = connect.get_host(),
                "the connection to PostgreSQL {how}: add sslmode=verify-full and sslrootcert=FILE to its URL"
            );
        }
        let pool = PgPoolOptions::new()
            .max_connections(options.connections)
            .acquire_timeout(CONNECT_MAX)
            .connect_with(connect)
            .await?;
        check_durability(&pool).await?;
        super::make_tables(&pool).await?;
        Ok(Arc::new(Self { pool, read_only: options.read_only }))
    }
}

async fn check_durability(pool: &PgPool) -> Result<(), OpenError> {
    let fsync: String = sqlx::query_scalar("SHOW fsync").fetch_one(pool).await?;
    match fsync.as_str() {
        "on" => Ok(()),
        _ => Err(OpenError::Refused(
            "the server has fsync = off and would lose acknowledged commits; turn it on".to_owned(),
        )),
    }
}
