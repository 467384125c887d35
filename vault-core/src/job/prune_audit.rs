//! Removes audit records beyond the retention. Only this job removes records, only what a checkpoint covers, and in
//! two steps: the new floor is committed with a record and signed by the next checkpoint; only what lies below a
//! *signed* floor goes. So the log verifies at every instant in between.

use super::{Job, Work, background::Background};
use crate::{
    audit::{
        Checkpoint, FLOORS_KEY,
        checkpoint::{self, Mark, put_marks, take_marks},
    },
    cx::store_error,
    error::Error,
    id::{BootId, Timestamp},
    limits::PRUNE_ROWS,
    store::{Backend, Key, Op},
    system::System,
};
use std::time::Duration;

pub(super) const JOB: Job = Job {
    name: "prune-audit",
    every: Duration::from_secs(600),
    work: Work::Shared {
        shards: 1,
        activate: |background| Box::pin(async { prune(background).await.map(|_| ()) }),
    },
};

const DAY: Duration = Duration::from_secs(86_400);

/// One bounded piece of the work, because somebody asked for it; says how many records went.
pub(crate) async fn once(system: &System) -> Result<u64, Error> {
    match Background::start(system) {
        Some(background) => prune(&background).await,
        None => Ok(0),
    }
}

async fn prune(background: &Background<'_>) -> Result<u64, Error> {
    let system = background.system();
    let days = system.settings().audit_ttl_days;
    if days == 0 {
        return Ok(0);
    }
    let backend = system.backend();
    let newest = checkpoint::newest(&*backend, 0).await.map_err(store_error)?;
    let Some((number, entry)) = newest else { return Ok(0) };
    let public = background.audit_public();
    let signed = Checkpoint::verify(system.crypto().signer, &public, entry.value.as_bytes());
    let signed = signed.map_err(Error::internal)?;
    let mut removed = 0;
    for floor in &signed.floors {
        removed += backend.prune(floor.chain, floor.seq + 1, PRUNE_ROWS).await.map_err(store_error)?;
    }
    let cutoff = Timestamp(background.now().0.saturating_sub(DAY.as_micros() as u64 * u64::from(days)));
    raise_floors(background, &*backend, &public, number, cutoff).await?;
    Ok(removed)
}

/// Commits floors that lie higher than those that stand.
async fn raise_floors(
    background: &Background<'_>,
    backend: &dyn Backend,
    public: &[u8; 32],
    newest: u64,
    cutoff: Timestamp,
) -> Result<(), Error> {
    let read = background.entry(FLOORS_KEY).await?;
    let mut floors = match &read {
        Some(entry) => background.open(entry, |bytes| take_marks(bytes).map(|(marks, _)| marks))?,
        None => Vec::new(),
    };
    let mut raised = false;
    for head in backend.heads().await.map_err(store_error)? {
        let Some(covered) = covered(background, backend, public, newest, head.chain).await? else { continue };
        let Some(mark) = last_before(backend, head.chain, head.first, covered, cutoff).await? else {
            continue;
        };
        match floors.iter_mut().find(|floor| floor.chain == head.chain) {
            Some(floor) if floor.seq >= mark.seq => {}
            Some(floor) => (*floor, raised) = (mark, true),
            None => {
                floors.push(mark);
                raised = true;
            }
        }
    }
    if !raised {
        return Ok(());
    }
    let mut bytes = Vec::new();
    put_marks(&mut bytes, &floors);
    let key = Key::new(FLOORS_KEY).map_err(Error::internal)?;
    let sealed = background.seal(&key, &bytes)?;
    let op = read.map_or_else(|| Op::Create(sealed.clone()), |read| Op::Replace(read.rev, sealed.clone()));
    background.submit("prune", "audit/prune", vec![(key, op)]).await
}

/// The last record of a chain that any checkpoint covers, looking from the newest one back.
async fn covered(
    background: &Background<'_>,
    backend: &dyn Backend,
    public: &[u8; 32],
    newest: u64,
    chain: BootId,
) -> Result<Option<u64>, Error> {
    let mut number = newest;
    while number > 0 {
        let low = number.saturating_sub(99).max(1);
        let keys: Result<Vec<Key>, _> = (low..=number).map(Checkpoint::key).collect();
        let page = backend.get(&keys.map_err(Error::internal)?).await.map_err(store_error)?;
        for entry in page.iter().rev().flatten() {
            let read = Checkpoint::verify(background.crypto().signer, public, entry.value.as_bytes());
            let read = read.map_err(Error::internal)?;
            if let Some(mark) = read.heads.iter().find(|mark| mark.chain == chain) {
                return Ok(Some(mark.seq));
            }
        }
        if page.iter().all(Option::is_none) {
            break;
        }
        number = low - 1;
    }
    Ok(None)
}

/// The last record in `first..=covered` that is older than `cutoff`; time never falls within a chain.
async fn last_before(
    backend: &dyn Backend,
    chain: BootId,
    first: u64,
    covered: u64,
    cutoff: Timestamp,
) -> Result<Option<Mark>, Error> {
    let (mut low, mut high, mut best) = (first, covered, None);
    while low <= high {
        let middle = low + (high - low) / 2;
        let rows = backend.read(chain, middle, 1).await.map_err(store_error)?;
        match rows.first().filter(|row| row.seq == middle) {
            Some(row) if row.columns.timestamp < cutoff => {
                best = Some(Mark { chain, seq: row.seq, link: row.link });
                low = middle + 1;
            }
            _ => high = middle.saturating_sub(1),
        }
    }
    Ok(best)
}
