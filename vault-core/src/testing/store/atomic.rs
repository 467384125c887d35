//! One batch is one instant: whole or not at all, for readers, for snapshots, and when it is sent again.

use super::{
    Shared, all, batch, columns, commit, entry, find, given, key, linked, losers, number, rev, value,
};
use crate::{
    id::BootId,
    limits,
    store::{Batch, Entry, Key, Limit, Range},
    testing::pause,
};
use futures::{FutureExt, future::join};
use std::sync::atomic::{AtomicBool, Ordering};

/// Every kind of operation in one batch lands.
pub async fn batch_lands_whole(store: &Shared) {
    let read = given(store, &["guard", "remove", "replace"]).await;
    let mixed = batch(|b| {
        b.create(key("create"), value(1)).unwrap();
        b.put(key("put"), value(1)).unwrap();
        b.guard(&read[0]).unwrap();
        b.remove(&read[1]).unwrap();
        b.replace(&read[2], value(1)).unwrap();
        b.audit(linked(1, 1, columns(1, "update", "p")));
    });
    store.commit(&mixed).await.unwrap();
    let found = store.scan(all(), Limit::entries(10)).await.unwrap();
    let found: Vec<(&str, u64)> = found.iter().map(|e| (e.key.as_str(), number(e))).collect();
    assert_eq!(found, [("create", 1), ("guard", 0), ("put", 1), ("replace", 1)]);
    assert_eq!(store.read(BootId([1; 16]), 0, 10).await.unwrap().len(), 1);
}

/// One failed condition, and nothing before or after it in key order happens, of no kind.
pub async fn lost_batch_leaves_nothing(store: &Shared) {
    let read = given(store, &["b/replace", "m/taken", "y/remove"]).await;
    let before = store.scan(all(), Limit::entries(10)).await.unwrap();
    let answer = commit(store, |b| {
        b.create(key("a/create"), value(1)).unwrap();
        b.replace(&read[0], value(1)).unwrap();
        b.create(key("m/taken"), value(1)).unwrap();
        b.put(key("x/put"), value(1)).unwrap();
        b.remove(&read[2]).unwrap();
        b.create(key("z/create"), value(1)).unwrap();
        b.audit(linked(1, 1, columns(1, "update", "p")));
    });
    assert_eq!(losers(answer.await), ["m/taken"]);
    assert_eq!(store.scan(all(), Limit::entries(10)).await.unwrap(), before);
    assert_eq!(store.read(BootId([1; 16]), 0, 10).await.unwrap(), []);
}

const PAIR: [&str; 2] = ["pair/a", "pair/z"];

/// Writes both keys of the pair with equal values, again and again, then says that it is done.
async fn write_pairs(store: &Shared, done: &AtomicBool) {
    for n in 1..=60 {
        commit(store, |b| PAIR.iter().for_each(|name| b.put(key(name), value(n)).unwrap())).await.unwrap();
        pause().await;
    }
    done.store(true, Ordering::SeqCst);
}

fn assert_whole(seen: &[Entry]) {
    let seen: Vec<_> = seen.iter().map(|entry| (entry.rev, number(entry))).collect();
    assert!(seen.len() == 2 && seen[0] == seen[1], "torn: {seen:?}");
}

/// Two keys that are always written together are never seen apart by a get.
pub async fn get_never_tears(store: &Shared) {
    given(store, &PAIR).await;
    let done = AtomicBool::new(false);
    let reads = async {
        while !done.load(Ordering::SeqCst) {
            let seen = store.get(&PAIR.map(key)).await.unwrap();
            assert_whole(&seen.into_iter().flatten().collect::<Vec<_>>());
            pause().await;
        }
    };
    join(write_pairs(store, &done), reads).await;
}

/// Nor by a page of a scan.
pub async fn scan_never_tears(store: &Shared) {
    given(store, &PAIR).await;
    let done = AtomicBool::new(false);
    let reads = async {
        while !done.load(Ordering::SeqCst) {
            assert_whole(&store.scan(Range::prefix("pair/"), Limit::entries(5)).await.unwrap());
            pause().await;
        }
    };
    join(write_pairs(store, &done), reads).await;
}

/// Once a commit was answered, every read shows it or something later.
pub async fn reads_follow_commits(store: &Shared) {
    let mut read = given(store, &["a"]).await.remove(0);
    for n in 1..50 {
        commit(store, |b| b.replace(&read, value(n)).unwrap()).await.unwrap();
        read = entry(store, "a").await;
        assert_eq!(number(&read), n);
        assert_eq!(store.scan(all(), Limit::entries(5)).await.unwrap(), [read.clone()]);
    }
}

/// Nothing to do is done.
pub async fn empty_batch_is_fine(store: &Shared) {
    store.commit(&Batch::new(rev())).await.unwrap();
}

/// The same batch again is `Ok`, and changes nothing, though its own creates would now conflict.
pub async fn resent_batch_is_fine(store: &Shared) {
    let read = given(store, &["replace"]).await.remove(0);
    let sent = batch(|b| {
        b.create(key("create"), value(1)).unwrap();
        b.replace(&read, value(1)).unwrap();
    });
    for _ in 0..3 {
        store.commit(&sent).await.unwrap();
    }
    assert_eq!(number(&entry(store, "replace").await), 1);
}

/// Sent again after others changed what it wrote, it is `Ok` as long as its witness stands, and undoes nothing;
/// once the witness has moved on too it is a conflict.
pub async fn resent_after_others_moved_on(store: &Shared) {
    let read = given(store, &["shared", "witness"]).await;
    let sent = batch(|b| {
        b.replace(&read[0], value(1)).unwrap();
        b.replace(&read[1], value(1)).unwrap();
    });
    store.commit(&sent).await.unwrap();
    let shared = entry(store, "shared").await;
    commit(store, |b| b.replace(&shared, value(2)).unwrap()).await.unwrap();
    store.commit(&sent).await.unwrap();
    assert_eq!(number(&entry(store, "shared").await), 2);

    let witness = entry(store, "witness").await;
    commit(store, |b| b.replace(&witness, value(2)).unwrap()).await.unwrap();
    assert_eq!(losers(store.commit(&sent).await), ["shared", "witness"]);
}

/// A batch that removes and puts, sent again, is `Ok` by its witness, and does not put a second time.
pub async fn resent_removal_is_fine(store: &Shared) {
    let read = given(store, &["gone", "witness"]).await;
    let sent = batch(|b| {
        b.remove(&read[0]).unwrap();
        b.put(key("put"), value(1)).unwrap();
        b.replace(&read[1], value(1)).unwrap();
    });
    store.commit(&sent).await.unwrap();
    commit(store, |b| b.put(key("put"), value(2)).unwrap()).await.unwrap();
    store.commit(&sent).await.unwrap();
    assert!(find(store, "gone").await.is_none());
    assert_eq!(number(&entry(store, "put").await), 2);
}

/// Nor does a batch that is sent again leave a second row.
pub async fn resent_batch_appends_no_second_row(store: &Shared) {
    let sent = batch(|b| {
        b.create(key("witness"), value(1)).unwrap();
        b.audit(linked(1, 1, columns(1, "create", "p")));
        b.audit(linked(1, 2, columns(2, "create", "p")));
    });
    for _ in 0..3 {
        store.commit(&sent).await.unwrap();
    }
    let rows = store.read(BootId([1; 16]), 0, 10).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2]);
}

/// Whoever stops waiting for a commit after any number of polls leaves it whole or undone, and sending it again
/// settles which.
pub async fn dropped_commit_is_whole(store: &Shared) {
    for polls in 0..12 {
        let names = [format!("drop/{polls}/a"), format!("drop/{polls}/z")];
        let sent = batch(|b| names.iter().for_each(|name| b.create(key(name), value(polls)).unwrap()));
        let mut waiting = store.commit(&sent);
        for _ in 0..polls {
            if (&mut waiting).now_or_never().is_some() {
                break;
            }
            pause().await;
        }
        drop(waiting);
        let seen = store.get(&[key(&names[0]), key(&names[1])]).await.unwrap();
        assert_eq!(seen[0].is_some(), seen[1].is_some(), "after {polls} polls");
        store.commit(&sent).await.unwrap();
        assert_eq!(number(&entry(store, &names[1]).await), polls);
    }
}

/// Everything in a snapshot, page by page, in order; then nothing.
async fn drain(store: &Shared, limit: Limit) -> Vec<Entry> {
    let (mut snapshot, mut entries) = (store.snapshot().await.unwrap(), Vec::new());
    loop {
        let page = snapshot.next_page(limit).await.unwrap();
        if page.is_empty() {
            return entries;
        }
        assert!(page.len() <= limit.entries);
        entries.extend(page);
        pause().await;
    }
}

/// A snapshot holds every entry once, in key order, in pages of any size.
pub async fn snapshot_holds_everything(store: &Shared) {
    assert_eq!(drain(store, Limit::entries(10)).await, []);
    let keys: Vec<Key> = (0..limits::SCAN_ENTRIES_MAX + 7).map(|n| key(&format!("s/{n:05}"))).collect();
    commit(store, |b| keys.iter().for_each(|key| b.create(key.clone(), value(1)).unwrap())).await.unwrap();
    for size in [300, usize::MAX] {
        let seen = drain(store, Limit::entries(size)).await;
        assert!(seen.iter().map(|entry| &entry.key).eq(&keys), "pages of {size}");
    }
}

/// A snapshot is one instant, not older than the call, however long it is read and whoever writes meanwhile.
pub async fn snapshot_is_one_instant(store: &Shared) {
    given(store, &PAIR).await;
    let done = AtomicBool::new(false);
    let reads = async {
        while !done.load(Ordering::SeqCst) {
            let least = number(&entry(store, PAIR[0]).await);
            let seen = drain(store, Limit::entries(1)).await;
            assert_whole(&seen);
            assert!(number(&seen[0]) >= least, "older than the call");
        }
    };
    join(write_pairs(store, &done), reads).await;
}
