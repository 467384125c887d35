//! What callers do, and what they were told.

use crate::liars::Link;
use secrethub_core::{
    audit::{Change, Columns, Draft, Lane, SubmitError},
    host::Host,
    store::{Entry, Key, Op, Sealed, Store as _},
    testing::{Seed, SimHost},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// Counters, whose values must sum up.
pub(crate) const COUNTERS: [&str; 2] = ["counter/a", "counter/b"];
/// Never both set: who sets one guards the other.
pub(crate) const SKEW: [&str; 2] = ["skew/a", "skew/b"];
/// Keys that come and go.
const KEYS: [&str; 3] = ["key/a", "key/b", "key/c"];

/// What a caller was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nothing yet, or it went away before.
    Nothing,
    /// Its change is durable.
    Done,
    /// Its change is not there and never will be.
    Refused,
    /// Nobody knows.
    Unknown,
    /// A stranger is in the lane: in these runs there is none.
    Lost,
}

/// Request ids with what became of them.
pub(crate) type Book = Arc<Mutex<BTreeMap<String, Told>>>;

/// What a caller is about to do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deed {
    Count(&'static str),
    Toggle(&'static str, &'static str),
    Change(&'static str),
    Both(&'static str, &'static str),
    Watch(&'static str),
    Nothing,
}

/// `churn` in a thousand callers fight for one key that comes and goes: the ground on which late commits do harm.
pub(crate) fn choose(seed: &mut Seed, churn: u16) -> Deed {
    if seed.chance(churn) {
        return Deed::Change(KEYS[0]);
    }
    let (a, b) = (seed.below(2), *seed.pick(&KEYS));
    match seed.below(10) {
        0..3 => Deed::Count(COUNTERS[a]),
        3..5 => Deed::Toggle(SKEW[a], SKEW[1 - a]),
        5..7 => Deed::Change(b),
        7 => Deed::Both(b, COUNTERS[a]),
        8 => Deed::Watch(b),
        _ => Deed::Nothing,
    }
}

/// One caller, as a task on a host of its own: it reads, decides, submits, and notes what it is told.
pub(crate) fn call(host: &SimHost, link: &Arc<Link>, lane: &Lane, id: String, deed: Deed, book: &Book) {
    let (link, lane, book) = (Arc::clone(link), lane.clone(), Arc::clone(book));
    let (received, timestamp) = (host.monotonic(), host.now());
    book.lock().unwrap().insert(id.clone(), Told::Nothing);
    let task = async move {
        let Some(ops) = decide(deed, &link, &id).await else { return };
        let columns =
            Columns { timestamp, operation: "update".into(), request_id: id.clone(), ..Columns::default() };
        let told = lane
            .submit(Change {
                ops,
                draft: Draft { columns, fields: Vec::new(), headers: Vec::new() },
                received,
                deadline: None,
                urgent: false,
            })
            .await;
        book.lock().unwrap().insert(id, read(&told));
    };
    host.spawn("caller", Box::pin(task));
}

fn read(told: &Result<(), SubmitError>) -> Told {
    match told {
        Ok(()) => Told::Done,
        Err(SubmitError::Unknown) => Told::Unknown,
        Err(SubmitError::Lost) => Told::Lost,
        Err(_) => Told::Refused,
    }
}

/// What to stage, decided on what is there. `None` if the store did not let itself be read.
async fn decide(deed: Deed, link: &Link, id: &str) -> Option<Vec<(Key, Op)>> {
    let name = |text: &str| Key::new(text).unwrap();
    let found = |keys: Vec<Key>| async move { link.get(&keys).await.ok() };
    Some(match deed {
        Deed::Nothing => Vec::new(),
        Deed::Count(key) => {
            let entry = found(vec![name(key)]).await?.pop()?;
            vec![count(name(key), entry.as_ref(), id)]
        }
        Deed::Change(key) => {
            let entry = found(vec![name(key)]).await?.pop()?;
            vec![come_and_go(name(key), entry.as_ref(), id)]
        }
        Deed::Both(key, counter) => {
            let both = found(vec![name(key), name(counter)]).await?;
            vec![come_and_go(name(key), both[0].as_ref(), id), count(name(counter), both[1].as_ref(), id)]
        }
        Deed::Watch(key) => {
            let entry = found(vec![name(key)]).await?.pop()?;
            entry.into_iter().map(|entry| (entry.key, Op::Guard(entry.rev))).collect()
        }
        Deed::Toggle(mine, other) => {
            let both = found(vec![name(mine), name(other)]).await?;
            toggle(name(mine), both[0].as_ref(), both[1].as_ref(), id)
        }
    })
}

/// The number that an entry holds; 0 if it is not there.
pub(crate) fn held(entry: Option<&Entry>) -> u64 {
    let text = |entry: &Entry| String::from_utf8_lossy(entry.value.as_bytes()).into_owned();
    entry.map(text).map_or(0, |text| text.split(' ').next().unwrap().parse().unwrap())
}

/// No two sealed values are ever equal: the id of the request stands in for the nonce.
fn value(number: u64, id: &str) -> Sealed {
    Sealed::from_stored(format!("{number} {id}").into_bytes())
}

fn write(entry: Option<&Entry>, value: Sealed) -> Op {
    match entry {
        Some(entry) => Op::Replace(entry.rev, value),
        None => Op::Create(value),
    }
}

fn count(key: Key, entry: Option<&Entry>, id: &str) -> (Key, Op) {
    (key, write(entry, value(held(entry) + 1, id)))
}

fn come_and_go(key: Key, entry: Option<&Entry>, id: &str) -> (Key, Op) {
    let op = match entry {
        Some(entry) if id.ends_with('3') => Op::Replace(entry.rev, value(1, id)),
        Some(entry) => Op::Remove(entry.rev),
        None => Op::Create(value(1, id)),
    };
    (key, op)
}

fn toggle(mine: Key, entry: Option<&Entry>, other: Option<&Entry>, id: &str) -> Vec<(Key, Op)> {
    if held(entry) == 1 || other.is_none() || held(other) == 1 {
        return vec![(mine, write(entry, value(0, id)))];
    }
    let guard = other.map(|other| (other.key.clone(), Op::Guard(other.rev)));
    [(mine, write(entry, value(1, id)))].into_iter().chain(guard).collect()
}
