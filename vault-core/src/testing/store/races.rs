//! Many callers at once: nobody's change is lost, nobody waits for ever.

use super::{Shared, commit, entry, given, key, number, rev, value};
use crate::{
    store::{Batch, CommitError, Op},
    testing::pause,
};
use futures::future::join_all;

const WORKERS: usize = 8;

/// Eight workers count with read and replace, each retried until it lands: the sum is right.
pub async fn counter_sums_up(store: &Shared) {
    const EACH: usize = 25;
    given(store, &["counter"]).await;
    let count = async |_| {
        for _ in 0..EACH {
            loop {
                let read = entry(store, "counter").await;
                pause().await;
                match commit(store, |b| b.replace(&read, value(number(&read) + 1)).unwrap()).await {
                    Ok(()) => break,
                    Err(CommitError::Conflict { .. }) => pause().await,
                    Err(other) => panic!("{other}"),
                }
            }
        }
    };
    join_all((0..WORKERS).map(count)).await;
    assert_eq!(number(&entry(store, "counter").await), (WORKERS * EACH) as u64);
}

/// Eight workers create the same key: one wins, the others are told, and the winner's value stands.
pub async fn creation_has_one_winner(store: &Shared) {
    for round in 0..20 {
        let name = format!("one/{round}");
        let create = async |worker| {
            pause().await;
            commit(store, |b| b.create(key(&name), value(worker)).unwrap()).await
        };
        let answers = join_all((0..WORKERS).map(create)).await;
        let winners: Vec<usize> = (0..WORKERS).filter(|&worker| answers[worker].is_ok()).collect();
        assert_eq!(winners.len(), 1, "round {round}: {answers:?}");
        assert_eq!(entry(store, &name).await.value, value(winners[0]));
        for answer in answers.into_iter().filter(Result::is_err) {
            assert_eq!(super::losers(answer), [name.as_str()]);
        }
    }
}

/// Two writers, each guarding what the other writes: exactly one succeeds.
pub async fn no_write_skew(store: &Shared) {
    for round in 0..40 {
        let read = given(store, &[&format!("skew/{round}/a"), &format!("skew/{round}/b")]).await;
        let write = async |guarded: usize, written: usize| {
            pause().await;
            commit(store, |b| {
                b.guard(&read[guarded]).unwrap();
                b.replace(&read[written], value(1)).unwrap();
            })
            .await
        };
        let (one, other) = futures::join!(write(0, 1), write(1, 0));
        assert!(one.is_ok() != other.is_ok(), "round {round}: {one:?} {other:?}");
    }
}

/// Overlapping batches of eight workers, staged in opposite orders, all finish.
pub async fn overlapping_batches_finish(store: &Shared) {
    let names: Vec<String> = (0..12).map(|n| format!("dead/{n:02}")).collect();
    let write = async |worker: usize| {
        for round in 0..15 {
            let answer = commit(store, |b| {
                for step in 0..6 {
                    let turn = if worker.is_multiple_of(2) { step } else { 11 - step };
                    b.put(key(&names[(worker * 5 + round * 7 + turn) % 12]), value(worker)).unwrap();
                }
            });
            answer.await.unwrap();
        }
    };
    join_all((0..WORKERS).map(write)).await;
}

/// create(a) + put(b) against create(b) + put(a): a backend that locks kind by kind deadlocks here.
pub async fn crossed_create_and_put_finish(store: &Shared) {
    for round in 0..40 {
        let (a, b) = (key(&format!("x/{round}/a")), key(&format!("x/{round}/b")));
        let write = async |created: &crate::store::Key, put: &crate::store::Key| {
            let mut batch = Batch::new(rev());
            batch.stage(put.clone(), Op::Put(value("put"))).unwrap();
            batch.stage(created.clone(), Op::Create(value("created"))).unwrap();
            pause().await;
            store.commit(&batch).await
        };
        let (one, other) = futures::join!(write(&a, &b), write(&b, &a));
        let lost: Vec<Vec<String>> =
            [one, other].into_iter().filter(Result::is_err).map(super::losers).collect();
        // Whoever comes second finds its key already put, and its batch does nothing.
        assert_eq!(lost.len(), 1, "round {round}");
        let read = store.get(&[a, b]).await.unwrap();
        assert_eq!(read[0].as_ref().map(|e| e.rev), read[1].as_ref().map(|e| e.rev), "round {round}");
    }
}
