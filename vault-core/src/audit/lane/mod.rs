//! [`Lane`]: the one way into the store for everything that a node changes. Callers queue; a task takes all that waits,
//! merges what is compatible, numbers and links the records, and commits once. A commit in flight belongs to the lane:
//! a caller's future may be dropped at any point, and neither the change nor anybody else is affected.
//!
//! | file | what it does |
//! |---|---|
//! | `intake` | checks a change and digests what it writes, on the caller's side |
//! | `queue` | where changes wait, bounded |
//! | `merge` | which of them go together, and how a refused batch comes apart |
//! | `crowd` | how long a commit waits for those who are about to ask again |
//! | `task` | the loop: choose, number, send, answer |
//! | `send` | what to do about each answer of the store, above all "unknown" |
//! | `witness` | `lane/<boot>`, on whose compare-and-set all of it rests |
//! | `board`, `signer` | checkpoints, beside the lane |
//! | `register`, `retire` | how a lane enters and leaves the row of lanes, and how the dead are taken out |

mod board;
mod crowd;
mod intake;
mod keys;
mod merge;
mod queue;
mod register;
mod retire;
mod send;
mod signer;
mod task;
mod witness;

pub use keys::LaneKeys;
pub use register::{AUDIT_STATE_KEY, LANES_KEY, encode_lanes, epoch_key, parse_lanes};
pub use signer::FLOORS_KEY;
pub use witness::Witness;

use super::{Chain, Columns, HeaderValue, Linked};
use crate::{
    crypto::CryptoProvider,
    error::{BoxError, Error},
    host::Host,
    id::{BootId, Rev},
    limits::LANE_CLOSE_GRACE,
    store::{Backend, Key, Op},
};
use board::Board;
use futures::{
    FutureExt,
    channel::oneshot,
    future::{BoxFuture, Either, Shared, select},
};
use queue::Queue;
use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

/// What a request wants changed, and what is recorded of it. A record alone (a read, a denial) has no operations.
#[derive(Debug)]
pub struct Change {
    /// What to change, under which conditions.
    pub ops: Vec<(Key, Op)>,
    /// What to record.
    pub draft: Draft,
    /// `Host::monotonic` when the request came.
    pub received: Duration,
    /// `Host::monotonic` when its caller stops waiting, and hears [`SubmitError::Unknown`] within
    /// [`LANE_LATENESS_MAX`](crate::limits::LANE_LATENESS_MAX). The change itself goes on. `None` = never.
    pub deadline: Option<Duration>,
    /// May it use the store's reserve: see [`Batch::hurry`](crate::store::Batch::hurry).
    pub urgent: bool,
}

/// A record without its place: the lane sets chain, number, writes, and the time it took.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// What stands in columns.
    pub columns: Columns,
    /// Request fields by name, each as a keyed hash of its value.
    pub fields: Vec<(String, [u8; 16])>,
    /// The headers that an operator has chosen, by name in lower case.
    pub headers: Vec<(String, HeaderValue)>,
}

/// Why a change was not committed, or not known to be.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// Nothing was applied: what the change was decided on has changed. Read and decide again.
    #[error("conflict on {0:?}")]
    Conflict(Vec<Key>),
    /// Nothing was applied: the change has two operations on one key, or touches the lane's own. A bug of the caller.
    #[error("the change contradicts itself on {0}")]
    Clash(Key),
    /// Nothing was applied: too many wait already. Try again later.
    #[error("too many changes wait for the lane")]
    Overloaded,
    /// Nothing was applied: more operations or bytes than one request may write.
    #[error("the change is too large")]
    TooLarge,
    /// Nothing was applied: the store's disk is full. Somebody must make room.
    #[error("the store has no room left")]
    Full,
    /// Nothing was applied: the store cannot.
    #[error("the store did not apply the change")]
    Unavailable(#[source] BoxError),
    /// Somebody else has written the lane's own key: a clone of this node, or a node that took this one for dead
    /// after long silence. Start a new lane under a new boot id. This change was not applied.
    #[error("the lane is lost to a stranger")]
    Lost,
    /// Nothing was applied: the lane has stopped.
    #[error("the lane is closed")]
    Closed,
    /// The lane had to stop before the store said what became of the change: it is there or not, and may still come.
    /// Reading again on a new lane tells what is there; never run the request again by itself.
    #[error("the outcome of the change is unknown")]
    Unknown,
}

/// What a lane is made of.
#[derive(Clone, Debug)]
pub struct LaneParts {
    /// Where it commits.
    pub backend: Arc<dyn Backend>,
    /// Clock and tasks.
    pub host: Arc<dyn Host>,
    /// SHA-256.
    pub crypto: CryptoProvider,
    /// The barrier.
    pub barrier: Arc<dyn LaneKeys>,
    /// The run of this node: fresh and random for every lane.
    pub boot: BootId,
    /// Off: records keep their place, time, request id and status, and nothing else.
    pub audit_enabled: bool,
}

/// Sees every record after its commit, in the order of the chain. Runs on the lane's task: it must be quick.
pub type Follower = Box<dyn Fn(&Linked) + Send + Sync>;

pub(crate) struct Inner {
    backend: Arc<dyn Backend>,
    host: Arc<dyn Host>,
    crypto: CryptoProvider,
    keys: Arc<dyn LaneKeys>,
    boot: BootId,
    key: Key,
    epoch_key: Key,
    audited: bool,
    queue: Queue,
    board: Board,
    followers: RwLock<Vec<Follower>>,
}

impl Inner {
    fn new(parts: LaneParts) -> Result<Self, Error> {
        let LaneParts { backend, host, crypto, barrier: keys, boot, audit_enabled: audited } = parts;
        Ok(Self {
            key: Witness::key(boot)?,
            epoch_key: epoch_key(boot)?,
            queue: Queue::new(),
            board: Board::new(Chain::new(boot)),
            followers: RwLock::default(),
            backend,
            host,
            crypto,
            keys,
            boot,
            audited,
        })
    }

    fn make_rev(&self) -> Rev {
        let mut id = [0; 16];
        self.keys.make_bytes(&mut id);
        Rev(id)
    }

    fn follow(&self, records: &[Linked]) {
        // A follower that panicked left the list as it was.
        let followers = self.followers.read().unwrap_or_else(PoisonError::into_inner);
        for follower in followers.iter() {
            records.iter().for_each(follower);
        }
    }
}

/// A handle to a running lane. When the last handle goes, the lane closes by itself.
#[derive(Clone)]
pub struct Lane(Arc<Handle>);

struct Handle {
    inner: Arc<Inner>,
    done: Shared<BoxFuture<'static, Result<(), Ended>>>,
}

/// How a lane may end other than in order.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum Ended {
    #[error("the lane was lost to a stranger")]
    Lost,
    #[error("the store did not take the last of the lane")]
    Unfinished,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.inner.queue.close();
    }
}

impl Lane {
    /// Registers the lane and starts its tasks on the host. Fails if the store does not answer within
    /// [`REQUEST_DEADLINE`](crate::limits::REQUEST_DEADLINE); then take another boot id before trying again.
    pub async fn start(parts: LaneParts) -> Result<Self, Error> {
        let inner = Arc::new(Inner::new(parts)?);
        let (witness, chain) = register::enter(&inner).await?;
        inner.board.publish(chain);
        let (done, ended) = oneshot::channel();
        let signer = signer::Signer::new(Arc::clone(&inner), done);
        let line = send::Line::new(Arc::clone(&inner), witness);
        let task = task::Task::new(Arc::clone(&inner), line, chain);
        inner.host.spawn("audit lane", Box::pin(task.run()));
        inner.host.spawn("audit checkpoints", Box::pin(signer.run()));
        let done = ended.map(|end| end.unwrap_or(Err(Ended::Unfinished))).boxed().shared();
        Ok(Self(Arc::new(Handle { inner, done })))
    }

    /// Commits a change with its record. `Ok` means durable. The future may be dropped once it has been polled: the
    /// commit goes on.
    pub async fn submit(&self, change: Change) -> Result<(), SubmitError> {
        let inner = &self.0.inner;
        let (item, answer) = intake::Item::new(change, inner.crypto.hash, &inner.key, inner.audited)?;
        inner.queue.push(item)?;
        answer.await.unwrap_or(Err(SubmitError::Unknown))
    }

    /// Takes no more changes, commits those that wait, leaves the row of lanes and signs a last checkpoint.
    /// May be called more than once. Ends within three times [`LANE_CLOSE_GRACE`], even if the store never answers; an
    /// error says that something is missing.
    pub async fn close(&self) -> Result<(), Error> {
        self.0.inner.queue.close();
        let patience = self.0.inner.host.sleep(3 * LANE_CLOSE_GRACE);
        let end = match select(self.0.done.clone(), patience).await {
            Either::Left((end, _)) => end,
            Either::Right(_) => Err(Ended::Unfinished),
        };
        end.map_err(|how| Error::unavailable("the audit lane did not end in order").with_source(how))
    }

    /// Calls `follower` for every record committed from now on.
    pub fn follow(&self, follower: Follower) {
        // Pushing cannot leave the list half-changed.
        self.0.inner.followers.write().unwrap_or_else(PoisonError::into_inner).push(follower);
    }

    /// The boot whose chain this is.
    pub fn boot(&self) -> BootId {
        self.0.inner.boot
    }

    /// The entry that this lane's mutations guard.
    pub fn epoch_key(&self) -> &Key {
        &self.0.inner.epoch_key
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lane").field(&self.0.inner.boot).finish()
    }
}
