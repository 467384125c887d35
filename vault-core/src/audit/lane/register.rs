//! How a lane enters and leaves the row of lanes. `lanes` lists those whose `epoch/<boot>` must be replaced when mounts
//! or policies change; the first record of a chain tells of the entry, the last one of an orderly end.

use super::{
    Change, Draft, Inner,
    retire::{self, Retired},
    witness::Witness,
};
use crate::{
    audit::{AuditRecord, Chain, Columns, Linked},
    error::Error,
    id::{BootId, Rev},
    limits::{LANE_RETRY_MAX, LANE_RETRY_MIN, REQUEST_DEADLINE},
    store::{Batch, CommitError, Entry, Key, Op, Sealed},
};

/// The key of the list of lanes; see [`parse_lanes`].
pub const LANES_KEY: &str = "lanes";
/// The key that remembers whether auditing was switched on: sealed, `1 ‖ 0 or 1`. Absent means on.
pub const AUDIT_STATE_KEY: &str = "audit/state";

const FORMAT: u8 = 1;

/// The key that a lane's requests guard: whoever changes mounts or policies replaces it.
pub fn epoch_key(boot: BootId) -> Result<Key, Error> {
    Key::new(format!("epoch/{boot}")).map_err(Error::internal)
}

/// The bytes of [`LANES_KEY`] before sealing, format 1: `1 ‖ boot ids (16 each)`.
pub fn encode_lanes(boots: &[BootId]) -> Vec<u8> {
    let mut out = vec![FORMAT];
    boots.iter().for_each(|boot| out.extend_from_slice(&boot.0));
    out
}

/// Reads the list of lanes; `None` for what no version of this product wrote.
pub fn parse_lanes(bytes: &[u8]) -> Option<Vec<BootId>> {
    let (&format, rest) = bytes.split_first()?;
    let boots = rest.chunks_exact(16);
    (format == FORMAT && boots.remainder().is_empty())
        .then(|| boots.filter_map(|boot| Some(BootId(boot.try_into().ok()?))).collect())
}

/// What entering needs to know of the store, read at one instant.
struct Found {
    lanes: Option<Entry>,
    boots: Vec<BootId>,
    state: Option<Entry>,
    audited: bool,
}

async fn find(inner: &Inner) -> Result<Found, Error> {
    let keys = [key(LANES_KEY)?, key(AUDIT_STATE_KEY)?];
    let unavailable = |source| Error::unavailable("the store does not answer").with_source(source);
    let mut found = inner.backend.get(&keys).await.map_err(unavailable)?.into_iter();
    let (lanes, state) = (found.next().flatten(), found.next().flatten());
    let boots = match &lanes {
        Some(entry) => {
            let plain = inner.keys.open(entry)?;
            // EXPOSE: boot ids are public; they stand in keys.
            parse_lanes(plain.expose()).ok_or_else(|| Error::internal("`lanes` cannot be read"))?
        }
        None => Vec::new(),
    };
    let audited = match &state {
        // EXPOSE: one bit of configuration.
        Some(entry) => inner.keys.open(entry)?.expose().as_slice() != [FORMAT, 0],
        None => true,
    };
    Ok(Found { lanes, boots, state, audited })
}

fn key(text: &str) -> Result<Key, Error> {
    Key::new(text).map_err(Error::internal)
}

/// Registers the lane in one commit; the chain begins with the record of it. Returns the witness and the chain.
pub(super) async fn enter(inner: &Inner) -> Result<(Rev, Chain), Error> {
    let deadline = inner.host.monotonic() + REQUEST_DEADLINE;
    loop {
        let found = find(inner).await?;
        let retired = retire::stale(inner, &found.boots).await?;
        let (batch, chain) = entry_batch(inner, found, retired)?;
        let mut pause = LANE_RETRY_MIN;
        let keys = loop {
            match inner.backend.commit(&batch).await {
                Ok(()) => return Ok((batch.id(), chain)),
                Err(CommitError::Conflict { keys }) => break keys,
                Err(error) if inner.host.monotonic() >= deadline => {
                    // The batch may still be applied: then it leaves a lane that nobody uses, and harms nobody.
                    return Err(Error::unavailable("the store does not take the lane").with_source(error));
                }
                Err(_) => inner.host.sleep(pause).await,
            }
            pause = LANE_RETRY_MAX.min(pause * 2);
        };
        if keys.contains(&inner.key) {
            return Err(Error::internal("the boot id is taken: the source of randomness repeats itself"));
        }
        if inner.host.monotonic() >= deadline {
            return Err(Error::unavailable("too many nodes are starting; try again"));
        }
    }
}

fn entry_batch(inner: &Inner, found: Found, retired: Retired) -> Result<(Batch, Chain), Error> {
    let mut batch = Batch::new(inner.make_rev());
    batch.hurry();
    let mut chain = Chain::new(inner.boot);
    let Found { lanes, mut boots, state, audited } = found;
    boots.retain(|boot| !retired.boots.contains(boot));
    boots.push(inner.boot);
    let mut ops = retired.ops;
    ops.push(stage(inner, LANES_KEY, lanes.as_ref(), &encode_lanes(&boots))?);
    ops.push((inner.epoch_key.clone(), Op::Create(inner.keys.seal(&inner.epoch_key, &[])?)));
    append(inner, &mut batch, &mut chain, own_change(inner, "audit-start", "sys/audit", ops))?;
    if audited != inner.audited {
        let path = if inner.audited { "sys/audit/on" } else { "sys/audit/off" };
        let plain = [FORMAT, u8::from(inner.audited)];
        let ops = vec![stage(inner, AUDIT_STATE_KEY, state.as_ref(), &plain)?];
        append(inner, &mut batch, &mut chain, own_change(inner, "audit-switch", path, ops))?;
    }
    let witness = Witness::of(&chain, inner.keys.audit_mac(&chain.link), inner.host.now());
    let sealed = inner.keys.seal(&inner.key, &witness.encode())?;
    batch.create(inner.key.clone(), sealed).map_err(Error::internal)?;
    Ok((batch, chain))
}

/// The lane's own records are written in full even when auditing is off: they say so.
fn append(inner: &Inner, batch: &mut Batch, chain: &mut Chain, change: Change) -> Result<(), Error> {
    let hash = inner.crypto.hash;
    let digest = |value: &Sealed| hash.sha256(&[value.as_bytes()]);
    let writes = change.ops.iter().map(|(key, op)| (key.clone(), op.value().map(digest))).collect();
    let record = AuditRecord {
        chain: inner.boot,
        seq: 0,
        columns: change.draft.columns,
        writes,
        fields: Vec::new(),
        headers: Vec::new(),
    };
    for (key, op) in change.ops {
        batch.stage(key, op).map_err(Error::internal)?;
    }
    let linked: Linked = chain.append(hash, record);
    batch.audit(linked);
    Ok(())
}

/// The change with which the lane leaves in order; `None` if it is out already.
pub(super) async fn leaving(inner: &Inner) -> Result<Option<Change>, Error> {
    let Found { lanes, boots, .. } = find(inner).await?;
    let epoch = inner.backend.get(std::slice::from_ref(&inner.epoch_key)).await.map_err(Error::internal)?;
    let epoch = epoch.into_iter().next().flatten();
    let rest: Vec<BootId> = boots.iter().copied().filter(|boot| *boot != inner.boot).collect();
    let mut ops = Vec::new();
    if rest.len() < boots.len() {
        ops.push(stage(inner, LANES_KEY, lanes.as_ref(), &encode_lanes(&rest))?);
    }
    if let Some(entry) = epoch {
        ops.push((entry.key, Op::Remove(entry.rev)));
    }
    Ok(if ops.is_empty() { None } else { Some(own_change(inner, "audit-stop", "sys/audit", ops)) })
}

fn stage(inner: &Inner, name: &str, read: Option<&Entry>, plain: &[u8]) -> Result<(Key, Op), Error> {
    let key = key(name)?;
    let sealed = inner.keys.seal(&key, plain)?;
    let op = match read {
        Some(entry) => Op::Replace(entry.rev, sealed),
        None => Op::Create(sealed),
    };
    Ok((key, op))
}

fn own_change(inner: &Inner, operation: &str, path: &str, ops: Vec<(Key, Op)>) -> Change {
    let mut id = [0; 16];
    inner.keys.make_bytes(&mut id);
    let columns = Columns {
        timestamp: inner.host.now(),
        operation: operation.to_owned(),
        actor: Some("system".to_owned()),
        path: path.to_owned(),
        request_id: uuid::Builder::from_random_bytes(id).into_uuid().to_string(),
        ..Columns::default()
    };
    let (draft, received) =
        (Draft { columns, fields: Vec::new(), headers: Vec::new() }, inner.host.monotonic());
    Change { ops, draft, received, deadline: None, urgent: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_of_lanes() {
        let (a, b) = (BootId([0xAA; 16]), BootId([0xBB; 16]));
        let check = |boots: &[BootId], golden: &str| {
            assert_eq!(hex::encode(encode_lanes(boots)), golden);
            assert_eq!(parse_lanes(&encode_lanes(boots)).as_deref(), Some(boots));
        };
        check(&[], "01");
        check(&[a], &format!("01{}", "aa".repeat(16)));
        check(&[a, b], &format!("01{}{}", "aa".repeat(16), "bb".repeat(16)));
        for bad in [&[][..], &[2], &[1, 0], &[1; 16]] {
            assert_eq!(parse_lanes(bad), None, "{bad:?}");
        }
    }
}
