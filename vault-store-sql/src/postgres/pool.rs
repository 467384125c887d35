//! [`Pool`]: connections to the server, each with one conversation at a time.
//!
//! A connection is taken out of the pool for a statement and put back by whoever has read its answer to the end, and by
//! nobody else: when a future is dropped half-way, or patience ends, its connection is closed with it. So no answer can
//! ever be taken for that of another question, and a wire that swallows everything blocks nothing but its own statement.
//! (sqlx's own pool asks each connection that comes back whether it is well, and waits for the answer without a bound.)
//!
//! What one connection learns holds for all that were made before: when one breaks, the others are closed instead of
//! being tried one by one, since after a restart or a failover none of them is of use.

use super::{fault::Fault, statement::Statement};
use sqlx::{
    AssertSqlSafe, Connection, PgConnection,
    postgres::{PgConnectOptions, PgRow},
};
use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// How long a caller waits for a connection, and a new one may take to be made. With [`GRACE`] and the longest statement
/// of a request it stays below the core's deadline for a request.
pub(super) const ACQUIRE_MAX: Duration = Duration::from_secs(3);
/// What the wire may take beyond the time that the server allows itself.
const GRACE: Duration = Duration::from_secs(1);
/// Idle connections are closed before any firewall on the way forgets them in silence.
const IDLE_MAX: Duration = Duration::from_secs(240);
/// Old ones are closed, so that a server's memory and a pooler's choice are looked at again.
const LIFETIME_MAX: Duration = Duration::from_secs(1_800);

/// Connections, made when they are needed.
pub(super) struct Pool {
    options: PgConnectOptions,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
    /// Raised when a connection breaks; those of an earlier one are not used again.
    era: AtomicU64,
}

/// A connection at rest; the newest is used first, so that surplus ones grow old.
struct Idle {
    db: PgConnection,
    born: Instant,
    since: Instant,
    era: u64,
}

/// A connection in use.
pub(super) struct Lease {
    pool: Arc<Pool>,
    db: PgConnection,
    born: Instant,
    era: u64,
    /// Was it made for this use. Nothing it says is due to its age.
    is_new: bool,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(options: PgConnectOptions, connections: u32) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(connections.max(1) as usize));
        Arc::new(Self { options, permits, idle: Mutex::default(), era: AtomicU64::new(0) })
    }

    /// Sends a statement that changes nothing, or nothing twice, and reads its answer. On a connection that proves to
    /// have died at rest it is sent once more.
    pub(super) async fn read(
        self: &Arc<Self>,
        limit: Duration,
        statement: Statement,
    ) -> Result<Vec<PgRow>, Fault> {
        let text = statement.into_text();
        let lease = self.acquire().await?;
        let was_new = lease.is_new;
        match lease.run(limit, text.clone()).await {
            Err(fault) if fault.ends_session() && !was_new => self.acquire().await?.run(limit, text).await,
            answer => answer,
        }
    }

    /// Sends a statement once.
    pub(super) async fn write(
        self: &Arc<Self>,
        limit: Duration,
        statement: Statement,
    ) -> Result<Vec<PgRow>, Fault> {
        self.acquire().await?.run(limit, statement.into_text()).await
    }

    /// A connection, for a conversation of several statements.
    pub(super) async fn acquire(self: &Arc<Self>) -> Result<Lease, Fault> {
        let waiting = timeout(ACQUIRE_MAX, Arc::clone(&self.permits).acquire_owned());
        let permit = match waiting.await {
            Ok(Ok(permit)) => permit,
            _ => return Err(Fault::Unsent("every connection is in use; see pool_size".into())),
        };
        let era = self.era.load(SeqCst);
        if let Some(Idle { db, born, .. }) = self.take(era) {
            return Ok(Lease { pool: Arc::clone(self), db, born, era, is_new: false, _permit: permit });
        }
        let db = match timeout(ACQUIRE_MAX, PgConnection::connect_with(&self.options)).await {
            Ok(Ok(db)) => db,
            Ok(Err(error)) => return Err(Fault::Unsent(error.into())),
            Err(_) => return Err(Fault::Unsent("connecting took too long".into())),
        };
        Ok(Lease { pool: Arc::clone(self), db, born: Instant::now(), era, is_new: true, _permit: permit })
    }

    /// The connection that was used last, if it may be used again. Closes those that may not.
    fn take(&self, era: u64) -> Option<Idle> {
        let mut idle = self.idle();
        idle.retain(|one| {
            one.era == era && one.since.elapsed() < IDLE_MAX && one.born.elapsed() < LIFETIME_MAX
        });
        idle.pop()
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        // Nothing under the lock can panic half-way through a change.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Sends a statement, reads its answer to the end, and puts the connection back.
    pub(super) async fn run(mut self, limit: Duration, text: String) -> Result<Vec<PgRow>, Fault> {
        let answer = self.ask(limit, text).await;
        if !answer.as_ref().is_err_and(Fault::ends_session) {
            self.put_back();
        }
        answer
    }

    /// Sends a statement and reads its answer to the end. After a fault that ends the session, drop the lease.
    pub(super) async fn ask(&mut self, limit: Duration, text: String) -> Result<Vec<PgRow>, Fault> {
        // The text is made by `Statement`, of our words and quoted values.
        let asking = sqlx::raw_sql(AssertSqlSafe(text)).fetch_all(&mut self.db);
        let answer = match timeout(limit + GRACE, asking).await {
            Ok(answer) => answer.map_err(Fault::of),
            Err(_) => Err(Fault::Lost("the server did not answer in time".into())),
        };
        if answer.as_ref().is_err_and(Fault::ends_session) {
            self.pool.era.fetch_add(1, SeqCst);
        }
        answer
    }

    pub(super) fn put_back(self) {
        let Self { pool, db, born, era, .. } = self;
        pool.idle().push(Idle { db, born, since: Instant::now(), era });
    }
}

// The options hold a password.
impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("idle", &self.idle().len()).finish_non_exhaustive()
    }
}
