//! Preconditions: what each operation demands, and who is named when it is not met.

use super::{Shared, batch, commit, entry, find, given, key, losers, value};

/// A create of a key that is there conflicts and changes nothing.
pub async fn create_needs_absence(store: &Shared) {
    commit(store, |b| b.create(key("a"), value(1)).unwrap()).await.unwrap();
    assert_eq!(losers(commit(store, |b| b.create(key("a"), value(2)).unwrap()).await), ["a"]);
    assert_eq!(entry(store, "a").await.value, value(1));
}

/// A replace of what was read works once, then conflicts; of what is gone too.
pub async fn replace_needs_the_revision_read(store: &Shared) {
    let old = given(store, &["a"]).await.remove(0);
    commit(store, |b| b.replace(&old, value(1)).unwrap()).await.unwrap();
    assert_eq!(losers(commit(store, |b| b.replace(&old, value(2)).unwrap()).await), ["a"]);
    let now = entry(store, "a").await;
    assert_eq!(now.value, value(1));
    commit(store, |b| b.remove(&now).unwrap()).await.unwrap();
    assert_eq!(losers(commit(store, |b| b.replace(&now, value(3)).unwrap()).await), ["a"]);
    assert!(find(store, "a").await.is_none());
}

/// A remove of what was read works once, then conflicts.
pub async fn remove_needs_the_revision_read(store: &Shared) {
    let old = given(store, &["a"]).await.remove(0);
    commit(store, |b| b.replace(&old, value(1)).unwrap()).await.unwrap();
    assert_eq!(losers(commit(store, |b| b.remove(&old).unwrap()).await), ["a"]);
    let now = entry(store, "a").await;
    commit(store, |b| b.remove(&now).unwrap()).await.unwrap();
    assert!(find(store, "a").await.is_none());
    assert_eq!(losers(commit(store, |b| b.remove(&now).unwrap()).await), ["a"]);
}

/// A guard on what has moved on holds back the whole batch.
pub async fn guard_needs_the_revision_read(store: &Shared) {
    let old = given(store, &["guarded"]).await.remove(0);
    commit(store, |b| b.replace(&old, value(1)).unwrap()).await.unwrap();
    let stale = |b: &mut crate::store::Batch| {
        b.guard(&old).unwrap();
        b.put(key("other"), value(1)).unwrap();
    };
    assert_eq!(losers(commit(store, stale).await), ["guarded"]);
    assert!(find(store, "other").await.is_none());
}

/// Absence cannot be guarded: a guard needs an entry that stands.
pub async fn guard_of_nothing_conflicts(store: &Shared) {
    let gone = given(store, &["a"]).await.remove(0);
    commit(store, |b| b.remove(&gone).unwrap()).await.unwrap();
    assert_eq!(losers(commit(store, |b| b.guard(&gone).unwrap()).await), ["a"]);
}

/// A guard that holds leaves revision and value as they were, so others' reads stay good.
pub async fn guard_changes_nothing(store: &Shared) {
    let read = given(store, &["a"]).await.remove(0);
    for _ in 0..3 {
        commit(store, |b| b.guard(&read).unwrap()).await.unwrap();
    }
    assert_eq!(entry(store, "a").await, read);
    commit(store, |b| b.replace(&read, value(1)).unwrap()).await.unwrap();
}

/// Two requests of one merged batch may guard the same entry, and a third may change it.
pub async fn equal_guards_merge(store: &Shared) {
    let read = given(store, &["a", "b"]).await;
    let merged = batch(|b| {
        b.guard(&read[0]).unwrap();
        b.guard(&read[0]).unwrap();
        b.guard(&read[1]).unwrap();
        b.replace(&read[1], value(1)).unwrap();
        b.guard(&read[1]).unwrap();
    });
    assert_eq!(merged.ops().len(), 2);
    store.commit(&merged).await.unwrap();
    assert_eq!(entry(store, "b").await.value, value(1));
    assert_eq!(entry(store, "a").await.rev, read[0].rev);
}

/// A put lands on a key that is absent and on one that is there.
pub async fn put_needs_nothing(store: &Shared) {
    for n in 0..3 {
        commit(store, |b| b.put(key("a"), value(n)).unwrap()).await.unwrap();
        assert_eq!(entry(store, "a").await.value, value(n));
    }
}

/// Removed and created again with the same bytes is another entry (ABA), whatever is asked of it.
pub async fn recreated_is_another(store: &Shared) {
    let old = given(store, &["a"]).await.remove(0);
    commit(store, |b| b.remove(&old).unwrap()).await.unwrap();
    given(store, &["a"]).await;
    assert_eq!(losers(commit(store, |b| b.replace(&old, value(1)).unwrap()).await), ["a"]);
    assert_eq!(losers(commit(store, |b| b.remove(&old).unwrap()).await), ["a"]);
    assert_eq!(losers(commit(store, |b| b.guard(&old).unwrap()).await), ["a"]);
}

/// Overwritten with the same bytes, by replace or by put, is another revision (ABA).
pub async fn equal_bytes_are_another_revision(store: &Shared) {
    let first = given(store, &["a"]).await.remove(0);
    commit(store, |b| b.replace(&first, value(0)).unwrap()).await.unwrap();
    let second = entry(store, "a").await;
    commit(store, |b| b.put(key("a"), value(0)).unwrap()).await.unwrap();
    assert_ne!(first.rev, second.rev);
    for old in [first, second] {
        assert_eq!(losers(commit(store, |b| b.replace(&old, value(1)).unwrap()).await), ["a"]);
    }
}

/// Every key whose condition failed is named, ascending, whatever its operation was.
pub async fn conflict_names_every_loser(store: &Shared) {
    let old = given(store, &["c/guard", "d/remove", "b/replace", "a/create", "e/create"]).await;
    commit(store, |b| old[..3].iter().for_each(|e| b.replace(e, value(1)).unwrap())).await.unwrap();
    let answer = commit(store, |b| {
        b.create(key("e/create"), value(2)).unwrap();
        b.remove(&old[1]).unwrap();
        b.guard(&old[0]).unwrap();
        b.replace(&old[2], value(2)).unwrap();
        b.create(key("a/create"), value(2)).unwrap();
    });
    assert_eq!(losers(answer.await), ["a/create", "b/replace", "c/guard", "d/remove", "e/create"]);
}

/// Keys whose condition held are not named: their requests are recommitted at once.
pub async fn conflict_spares_the_rest(store: &Shared) {
    let read = given(store, &["guard", "remove", "replace", "stale"]).await;
    commit(store, |b| b.put(key("stale"), value(1)).unwrap()).await.unwrap();
    let answer = commit(store, |b| {
        b.guard(&read[0]).unwrap();
        b.remove(&read[1]).unwrap();
        b.replace(&read[2], value(1)).unwrap();
        b.replace(&read[3], value(2)).unwrap();
        b.create(key("create"), value(1)).unwrap();
        b.put(key("put"), value(1)).unwrap();
    });
    assert_eq!(losers(answer.await), ["stale"]);
    for read in &read[..3] {
        assert_eq!(entry(store, read.key.as_str()).await, *read);
    }
}

/// What a batch writes is at the batch's id.
pub async fn revision_is_the_batch(store: &Shared) {
    let read = given(store, &["replace"]).await.remove(0);
    let written = batch(|b| {
        b.create(key("create"), value(1)).unwrap();
        b.put(key("put"), value(1)).unwrap();
        b.replace(&read, value(1)).unwrap();
    });
    store.commit(&written).await.unwrap();
    for name in ["create", "put", "replace"] {
        assert_eq!(entry(store, name).await.rev, written.id(), "{name}");
    }
}
