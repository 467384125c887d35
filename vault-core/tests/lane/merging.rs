//! Which changes may share a commit: only those for which arrival order is an order in which they all hold.

use crate::fixture::{Fixture, Pending, change, create, key, value};
use secrethub_core::{
    audit::{Change, SubmitError},
    id::Rev,
    store::Op,
    testing::sim::poll_once,
};

/// Puts changes into the queue in this order, so that the lane sees them all at once; then their answers.
fn together(fixture: &Fixture, changes: Vec<Change>) -> Vec<Result<(), SubmitError>> {
    let mut waiting: Vec<_> = changes
        .into_iter()
        .map(|change| {
            let lane = fixture.lane.clone();
            Box::pin(async move { lane.submit(change).await })
        })
        .collect();
    waiting.iter_mut().for_each(|future| assert!(poll_once(future).is_pending()));
    assert!(fixture.world.settle(10_000));
    let ready = |future| match poll_once(future) {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => panic!("somebody hangs"),
    };
    waiting.iter_mut().map(ready).collect()
}

fn two_entries() -> (Fixture, Rev, Rev) {
    let fixture = Fixture::new(1);
    fixture.ask(change("setup", [("a", create("0")), ("b", create("0"))])).unwrap();
    let (a, b) = (fixture.entry("a").unwrap().rev, fixture.entry("b").unwrap().rev);
    (fixture, a, b)
}

/// Each guards what the other writes. Either order forbids the second, so a merged commit of both would be a lie.
#[test]
fn no_write_skew() {
    let (fixture, a, b) = two_entries();
    let told = together(
        &fixture,
        vec![
            change("r1", [("a", Op::Guard(a)), ("b", Op::Replace(b, value("1")))]),
            change("r2", [("b", Op::Guard(b)), ("a", Op::Replace(a, value("1")))]),
        ],
    );
    assert!(told[0].is_ok());
    assert!(matches!(&told[1], Err(SubmitError::Conflict(_))), "{told:?}");
    assert_eq!(fixture.requests(), ["setup", "r1"]);
}

#[test]
fn a_guard_before_the_change_shares_its_commit_and_after_it_fails() {
    let (fixture, a, _) = two_entries();
    let guard = |id| change(id, [("a", Op::Guard(a))]);
    let told = together(
        &fixture,
        vec![guard("r1"), guard("r2"), change("revoke", [("a", Op::Remove(a))]), guard("r3")],
    );
    assert_eq!(told.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, true, false]);
    let rows = fixture.chain();
    assert_eq!(fixture.requests(), ["setup", "r1", "r2", "revoke"]);
    let rev = fixture.entry(&format!("lane/{}", fixture.lane.boot())).unwrap().rev;
    assert_ne!(rev, a, "{rows:?}");
}

/// One of many wins a hot key; the others all hear at once, not one a commit.
#[test]
fn losers_of_a_race_hear_together() {
    let (fixture, a, _) = two_entries();
    let step = |n: usize| change("r", [("a", Op::Replace(a, value(&n.to_string())))]);
    let told = together(&fixture, (0..1_000).map(step).collect());
    assert_eq!(told.iter().filter(|told| told.is_ok()).count(), 1);
    assert!(told[0].is_ok(), "the first came first");
    assert!(
        told[1..].iter().all(|told| matches!(told, Err(SubmitError::Conflict(keys)) if *keys == [key("a")]))
    );
}

/// r2 has to wait for r1; r3, which came later, may not take b away from it meanwhile.
#[test]
fn nobody_overtakes_who_waits() {
    let (fixture, _, b) = two_entries();
    let told = together(
        &fixture,
        vec![
            change("r1", [("c", Op::Put(value("1")))]),
            change("r2", [("b", Op::Replace(b, value("2"))), ("c", Op::Put(value("2")))]),
            change("r3", [("b", Op::Replace(b, value("3")))]),
        ],
    );
    assert!(told[0].is_ok() && told[1].is_ok() && told[2].is_err(), "{told:?}");
    assert_eq!(fixture.requests(), ["setup", "r1", "r2"]);
}

/// A change that lost takes its guards with it; what it shared a guard with loses too, the rest keeps its values.
#[test]
fn survivors_keep_their_operations() {
    let (fixture, a, b) = two_entries();
    fixture.behind(|batch| batch.put(key("a"), value("x")).unwrap());
    let told = together(
        &fixture,
        vec![
            change("r1", [("a", Op::Guard(a)), ("d", create("1"))]),
            change("r2", [("b", Op::Guard(b)), ("e", create("2"))]),
            change("r3", [("a", Op::Replace(a, value("3")))]),
            change("r4", [("b", Op::Replace(b, value("4"))), ("f", create("4"))]),
        ],
    );
    assert_eq!(told.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true, false, true]);
    assert_eq!(fixture.requests(), ["setup", "r2", "r4"]);
    let found = |name| fixture.entry(name).map(|entry| entry.value);
    assert_eq!((found("d"), found("e"), found("b")), (None, Some(value("2")), Some(value("4"))));
    assert_eq!(found("f"), Some(value("4")));
}

#[test]
fn more_than_a_commit_holds_is_committed_in_order() {
    let fixture = Fixture::new(1);
    let big = "x".repeat(1024 * 1024);
    let step = |n: usize| change(&n.to_string(), [(&*format!("k/{n}").leak(), create(&big))]);
    let told = together(&fixture, (0..12).map(step).collect());
    assert!(told.iter().all(Result::is_ok));
    assert_eq!(fixture.requests(), (0..12).map(|n: usize| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn answers_reach_whoever_waits_on_a_task() {
    let fixture = Fixture::new(1);
    let pending: Vec<Pending> = (0..100).map(|n| fixture.submit(change(&n.to_string(), []))).collect();
    assert!(fixture.world.settle(100_000));
    assert!(pending.into_iter().all(|pending| matches!(pending.answer(), Some(Ok(())))));
    assert_eq!(fixture.requests().len(), 100);
}
