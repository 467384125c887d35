//! How a node shows the others that it is there, and what it tells of them all. None of it goes through the lane: a
//! heartbeat decides nothing, and a record in the audit log every ten seconds would help nobody.

use super::{
    System, Unsealed,
    init::key,
    roster::{Clock, Found, Moment, NODE_PREFIX, NodeRecord, Roster, Seen},
};
use crate::{
    barrier::Fault,
    cx::store_error,
    error::Error,
    id::BootId,
    limits::{NODE_LEAVE_GRACE, SCAN_ENTRIES_MAX},
    store::{Batch, CommitError, Entry, Key, Limit, Op, Range},
};
use futures::future::{Either, select};
use std::pin::pin;

/// A node, as another or as it says itself.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) boot: BootId,
    pub(crate) record: NodeRecord,
    /// Is it the one that tells this.
    pub(crate) is_self: bool,
    /// Has it been silent for a minute.
    pub(crate) stale: bool,
    /// How far its clock is ahead of the teller's, as far as that is certain; less than 0 = behind.
    pub(crate) ahead_micros: i64,
    /// Is that too far; of the teller itself: does it take no shared work for its clock.
    pub(crate) degraded: bool,
}

impl System {
    /// Looks at the other nodes, renews the record of this one when it is time, and removes those of nodes that are
    /// long gone.
    pub(crate) async fn beat(&self) -> Result<(), Error> {
        let mut roster = self.0.roster.lock().await;
        // Under the lock: who seals takes the node away first, then waits here to take the record away.
        let Some(unsealed) = self.unsealed() else { return Ok(()) };
        let own = unsealed.lane().boot();
        self.look(&mut roster, &unsealed).await?;
        if let Some(process) = self.settings().machine.as_ref().and_then(|machine| machine.process()) {
            roster.used(process, self.host().monotonic());
        }
        let forgotten = roster.forgotten(own, self.host().monotonic());
        if roster.is_due(own, self.host().monotonic()) {
            self.renew(&mut roster, &unsealed).await?;
        }
        for (boot, rev) in forgotten {
            self.commit(node_key(boot)?, Op::Remove(rev)).await?;
        }
        Ok(())
    }

    /// May this node do what the nodes share? Not before it has judged the others' clocks, and not with a clock that is
    /// off: it would end what has time left.
    pub(crate) async fn may_share_work(&self) -> Result<bool, Error> {
        if !self.0.roster.lock().await.has_looked() {
            self.beat().await?;
        }
        Ok(self.0.roster.lock().await.clock(self.moment()) == Clock::Trusted)
    }

    /// Every node, this one first.
    pub(crate) async fn members(&self) -> Result<Vec<Member>, Error> {
        let mut roster = self.0.roster.lock().await;
        let unsealed = self.unsealed().ok_or_else(Error::sealed)?;
        self.look(&mut roster, &unsealed).await?;
        let at = self.moment();
        let own = Member {
            boot: unsealed.lane().boot(),
            record: self.own_record(&roster),
            is_self: true,
            stale: false,
            ahead_micros: 0,
            degraded: roster.clock(at) == Clock::Outvoted,
        };
        let other = |(boot, seen): (&BootId, &Seen)| {
            Some(Member {
                boot: *boot,
                record: seen.record.clone()?,
                is_self: false,
                stale: seen.is_stale(at.monotonic),
                ahead_micros: seen.ahead_micros,
                degraded: seen.is_skewed(),
            })
        };
        Ok(std::iter::once(own).chain(roster.others.iter().filter_map(other)).collect())
    }

    async fn look(&self, roster: &mut Roster, unsealed: &Unsealed) -> Result<(), Error> {
        let began = self.host().monotonic();
        let page = Limit::entries(SCAN_ENTRIES_MAX);
        let entries = self.backend().scan(Range::prefix(NODE_PREFIX), page).await.map_err(store_error)?;
        let own = unsealed.lane().boot();
        let found: Result<Vec<Found>, Error> = entries
            .iter()
            .filter_map(|entry| Some((boot_of(&entry.key).filter(|boot| *boot != own)?, entry)))
            .map(|(boot, entry)| read(unsealed, boot, entry))
            .collect();
        let at = self.moment();
        for boot in roster.look(began, at, found?) {
            if let Some(seen) = roster.others.get(&boot) {
                warn_of_clock(boot, seen);
            }
        }
        self.set_clock_skewed(roster.is_skewed(at.monotonic));
        Ok(())
    }

    fn moment(&self) -> Moment {
        Moment { now: self.host().now(), monotonic: self.host().monotonic() }
    }

    async fn renew(&self, roster: &mut Roster, unsealed: &Unsealed) -> Result<(), Error> {
        let own = unsealed.lane().boot();
        let key = node_key(own)?;
        let document = serde_json::to_vec(&self.own_record(roster)).map_err(Error::internal)?;
        let sealed = unsealed.barrier().seal(&key, &document)?;
        let began = self.host().monotonic();
        self.commit(key, Op::Put(sealed)).await?;
        roster.wrote(own, began, self.host().monotonic().saturating_sub(began));
        Ok(())
    }

    fn own_record(&self, roster: &Roster) -> NodeRecord {
        let settings = self.settings();
        let load = roster.load();
        NodeRecord {
            format: 1,
            hostname: settings.hostname.clone(),
            api_address: settings.api_address.clone(),
            version: settings.version.clone(),
            started: self.0.started,
            beat: self.host().now(),
            store_micros: roster.store_micros(),
            cpu_percent: load.and_then(|load| load.cpu_percent),
            memory_bytes: load.map(|load| load.memory_bytes),
        }
    }

    /// Takes the record of this node away, if the store answers soon; otherwise the others forget it in time.
    pub(super) async fn leave(&self, boot: BootId) {
        let leave = async {
            let mut roster = self.0.roster.lock().await;
            *roster = Roster::default();
            self.set_clock_skewed(false);
            if let Some(entry) = self.entry(node_key(boot)?.as_str()).await? {
                self.commit(entry.key, Op::Remove(entry.rev)).await?;
            }
            Ok::<(), Error>(())
        };
        match select(pin!(leave), self.host().sleep(NODE_LEAVE_GRACE)).await {
            Either::Left((Ok(()), _)) => {}
            Either::Left((Err(error), _)) => {
                tracing::debug!(%error, "the record of this node stays until the others forget it");
            }
            Either::Right(_) => tracing::debug!("the record of this node stays: the store does not answer"),
        }
    }

    /// Never sent again when its outcome is unknown: the next heartbeat says more. A conflict means that another node
    /// did the same, or that a node that was thought dead is back.
    async fn commit(&self, key: Key, op: Op) -> Result<(), Error> {
        let mut batch = Batch::new(self.make_rev());
        batch.stage(key, op).map_err(Error::internal)?;
        self.commit_aside(&batch).await.map(|_| ())
    }

    /// Commits what decides nothing and so has no record. `false`: somebody else was first.
    pub(crate) async fn commit_aside(&self, batch: &Batch) -> Result<bool, Error> {
        match self.backend().commit(batch).await {
            Ok(()) => Ok(true),
            Err(CommitError::Conflict { .. }) => Ok(false),
            Err(source) => {
                Err(Error::unavailable("the store did not take what a node says of itself")
                    .with_source(source))
            }
        }
    }
}

fn node_key(boot: BootId) -> Result<Key, Error> {
    key(&format!("{NODE_PREFIX}{boot}"))
}

fn boot_of(key: &Key) -> Option<BootId> {
    BootId::from_hex(key.as_str().strip_prefix(NODE_PREFIX)?)
}

/// One that cannot be read must not hide the others; a key that this node does not have yet is fetched.
fn read(unsealed: &Unsealed, boot: BootId, entry: &Entry) -> Result<Found, Error> {
    let record = match unsealed.barrier().open(entry) {
        // EXPOSE: what a node says of itself is no secret.
        Ok(plain) => serde_json::from_slice(plain.expose()).ok(),
        Err(error) if Fault::is_behind(&error) => return Err(error),
        Err(_) => None,
    };
    if record.is_none() {
        tracing::debug!(node = %boot, "the record of a node cannot be read");
    }
    Ok(Found { boot, rev: entry.rev, record })
}

fn warn_of_clock(boot: BootId, seen: &Seen) {
    let hostname = seen.record.as_ref().map_or("", |record| record.hostname.as_str());
    let seconds = seen.ahead_micros / 1_000_000;
    if seen.is_skewed() {
        tracing::warn!(
            node = %boot,
            hostname,
            seconds_ahead = seconds,
            "a node's clock and this one's differ: set both by NTP, for tokens expire by them"
        );
    } else {
        tracing::info!(node = %boot, hostname, "a node's clock and this one's agree again");
    }
}
