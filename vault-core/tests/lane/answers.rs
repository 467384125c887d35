//! What each answer of the store means to the callers.

use crate::fixture::{Fixture, change, create, key, open, value};
use secrethub_core::{
    audit::{AuditRow, LANES_KEY, Status, SubmitError, epoch_key, parse_lanes},
    host::Host as _,
    store::Op,
    testing::{
        Fault::{After, Before, Later},
        Rates,
        sim::poll_once,
    },
};
use std::time::Duration;

#[test]
fn a_commit_brings_record_and_change_together() {
    let fixture = Fixture::new(1);
    fixture.ask(change("r1", [("a", create("1"))])).unwrap();
    fixture.ask(change("r2", [])).unwrap();
    assert_eq!(fixture.requests(), ["r1", "r2"]);
    assert_eq!(fixture.entry("a").unwrap().value, value("1"));
}

#[test]
fn each_record_lists_what_it_wrote_and_no_guards() {
    let fixture = Fixture::new(1);
    fixture.ask(change("r1", [("a", create("1")), ("b", create("2"))])).unwrap();
    let (a, b) = (fixture.entry("a").unwrap(), fixture.entry("b").unwrap());
    let ops = [("b", Op::Guard(b.rev)), ("a", Op::Remove(a.rev)), ("c", create("3"))];
    fixture.ask(change("r2", ops)).unwrap();
    let last = fixture.chain().pop().unwrap();
    let record = secrethub_core::audit::AuditRecord::parse(&last.canonical).unwrap();
    let digest = fixture.crypto.hash.sha256(&[b"3"]);
    assert_eq!(record.writes, [(key("a"), None), (key("c"), Some(digest))]);
}

#[test]
fn only_losers_leave_a_conflict() {
    let fixture = Fixture::new(1);
    fixture.behind(|batch| batch.create(key("taken"), value("x")).unwrap());
    let loser = fixture.submit(change("loser", [("taken", create("1")), ("y", create("1"))]));
    let winner = fixture.submit(change("winner", [("free", create("1"))]));
    assert!(fixture.world.settle(10_000));
    assert!(matches!(loser.answer(), Some(Err(SubmitError::Conflict(keys))) if keys == [key("taken")]));
    assert!(matches!(winner.answer(), Some(Ok(()))));
    assert_eq!(fixture.requests(), ["winner"]);
    assert!(fixture.entry("y").is_none());
}

#[test]
fn not_applied_is_told_and_the_numbers_go_on() {
    let fixture = Fixture::new(1);
    fixture.store.script([Before]);
    assert!(matches!(fixture.ask(change("r1", [])), Err(SubmitError::Unavailable(_))));
    fixture.ask(change("r2", [])).unwrap();
    assert_eq!(fixture.requests(), ["r2"]);
}

#[test]
fn unknown_is_sent_again_until_it_is_known() {
    for faults in
        [&[After][..], &[Later(1)], &[Later(3), Before, Before], &[Later(9), After], &[After, Before]]
    {
        let fixture = Fixture::new(1);
        fixture.store.script(faults.iter().copied());
        fixture.ask(change("r1", [("a", create("1"))])).unwrap_or_else(|e| panic!("{faults:?}: {e}"));
        fixture.ask(change("r2", [("b", create("1"))])).unwrap();
        assert_eq!(fixture.requests(), ["r1", "r2"], "{faults:?}");
    }
}

/// The trap that the fence is for: r1's first sending is late; its re-send meets a conflict; then what conflicted
/// goes away, and the first sending arrives. Whoever was told "conflict" must not be in the store.
#[test]
fn a_conflict_after_unknown_is_final() {
    for calls in 1..8 {
        let fixture = Fixture::new(1);
        fixture.behind(|batch| batch.create(key("a"), value("x")).unwrap());
        fixture.store.script([Later(calls)]);
        let caller = fixture.submit(change("r1", [("a", create("1"))]));
        let entry = fixture.entry("a").unwrap();
        assert!(fixture.world.settle(10_000));
        let told = caller.answer().expect("an answer");
        fixture.behind(|batch| batch.remove(&entry).unwrap());
        fixture.run({
            let store = std::sync::Arc::clone(&fixture.store);
            async move { store.settle().await }
        });
        assert!(matches!(told, Err(SubmitError::Conflict(_))), "{calls}: {told:?}");
        assert!(fixture.entry("a").is_none(), "{calls}: a change whose caller lost is there");
        fixture.ask(change("r2", [("a", create("2"))])).unwrap();
        assert_eq!(fixture.requests(), ["r2"], "{calls}");
    }
}

#[test]
fn a_stranger_on_the_lanes_key_ends_it() {
    let fixture = Fixture::new(1);
    let witness = fixture.entry(&format!("lane/{}", fixture.lane.boot())).unwrap();
    fixture.behind(|batch| batch.replace(&witness, value("clone")).unwrap());
    assert!(matches!(fixture.ask(change("r1", [])), Err(SubmitError::Lost)));
    assert!(matches!(fixture.ask(change("r2", [])), Err(SubmitError::Lost)));
    let lane = fixture.lane.clone();
    assert!(fixture.run(async move { lane.close().await }).is_err());
}

#[test]
fn what_cannot_be_committed_is_refused_at_once() {
    let fixture = Fixture::new(1);
    let check = |ops: Vec<(&'static str, Op)>, expect: fn(&SubmitError) -> bool| {
        let told = fixture.ask(change("r", ops)).unwrap_err();
        assert!(expect(&told), "{told:?}");
    };
    check(vec![("a", create("1")), ("a", create("2"))], |e| matches!(e, SubmitError::Clash(_)));
    check(vec![("a", create("1")); 257], |e| matches!(e, SubmitError::TooLarge));
    check(vec![("a", create(&"x".repeat(8 * 1024 * 1024 + 1)))], |e| matches!(e, SubmitError::TooLarge));
    let own: &'static str = format!("lane/{}", fixture.lane.boot()).leak();
    check(vec![(own, create("1"))], |e| matches!(e, SubmitError::Clash(_)));
    assert_eq!(fixture.requests().len(), 0);
    fixture.ask(change("large", [("a", create(&"x".repeat(8 * 1024 * 1024)))])).unwrap();
}

#[test]
fn a_full_queue_says_so() {
    let fixture = Fixture::new(1);
    let mut waiting: Vec<_> = (0..8_193)
        .map(|n| {
            let lane = fixture.lane.clone();
            Box::pin(async move { lane.submit(change(&n.to_string(), [])).await })
        })
        .collect();
    let refused: Vec<_> =
        waiting.iter_mut().filter_map(|future| poll_once(future).is_ready().then_some(())).collect();
    assert_eq!(refused.len(), 1);
    assert!(fixture.world.settle(100_000));
    let requests = fixture.run({
        let (store, boot) = (std::sync::Arc::clone(&fixture.store), fixture.lane.boot());
        async move {
            secrethub_core::store::AuditLog::heads(&*store)
                .await
                .unwrap()
                .iter()
                .find(|h| h.chain == boot)
                .unwrap()
                .last
        }
    });
    assert_eq!(requests, 8_193, "all that were taken, and the record of the start");
}

#[test]
fn close_commits_what_waits_then_leaves() {
    let fixture = Fixture::new(1);
    let last = fixture.submit(change("last", [("a", create("1"))]));
    // The caller has been polled once, so its change waits.
    fixture.world.step();
    let lane = fixture.lane.clone();
    fixture.run(async move { lane.close().await }).unwrap();
    assert!(matches!(last.answer(), Some(Ok(()))));
    assert!(matches!(fixture.ask(change("late", [])), Err(SubmitError::Closed)));
    let operations: Vec<String> = fixture.chain().into_iter().map(|row| row.columns.operation).collect();
    assert_eq!(operations, ["audit-start", "update", "audit-stop"]);
    let lanes = fixture.entry(LANES_KEY).unwrap();
    assert_eq!(parse_lanes(&lanes.value.as_bytes()[LANES_KEY.len() + 1..]).unwrap(), []);
    assert!(fixture.entry(epoch_key(fixture.lane.boot()).unwrap().as_str()).is_none());
}

#[test]
fn close_ends_even_if_the_store_does_not_answer() {
    let fixture = Fixture::new(1);
    fixture.store.script([Later(u32::MAX)]);
    fixture.store.rates(Rates { before: 1_000, reads: 1_000, ..Rates::default() });
    let stuck = fixture.submit(change("r1", [("a", create("1"))]));
    for _ in 0..50 {
        fixture.world.step();
    }
    let (before, lane) = (fixture.host.monotonic(), fixture.lane.clone());
    assert!(fixture.run(async move { lane.close().await }).is_err());
    assert!(fixture.host.monotonic() - before < Duration::from_secs(30));
    assert!(matches!(stuck.answer(), Some(Err(SubmitError::Unknown))));
}

#[test]
fn switched_off_it_keeps_the_link_and_says_so() {
    let fixture = Fixture::new(1);
    fixture.ask(change("r1", [("a", create("1"))])).unwrap();
    let lane = open(&fixture.world, &fixture.host, &fixture.store, false);
    let quiet = Fixture { lane, ..fixture };
    let mut told = change("r2", [("b", create("1"))]);
    told.draft.columns.status = Status::Failure;
    told.draft.fields.push(("f".to_owned(), [1; 16]));
    quiet.ask(told).unwrap();
    let rows = quiet.chain();
    let switch = &rows[1].columns;
    assert_eq!((switch.operation.as_str(), switch.path.as_str()), ("audit-switch", "sys/audit/off"));
    let AuditRow { columns, canonical, .. } = &rows[2];
    let record = secrethub_core::audit::AuditRecord::parse(canonical).unwrap();
    assert_eq!((record.writes.len(), record.fields.len()), (0, 0));
    assert_eq!((columns.request_id.as_str(), columns.path.as_str()), ("r2", ""));
    assert_eq!(columns.status, Status::Failure);

    let lane = open(&quiet.world, &quiet.host, &quiet.store, false);
    let still = Fixture { lane, ..quiet };
    assert_eq!(still.chain().len(), 1, "no switch, no record of one");
    let lane = open(&still.world, &still.host, &still.store, true);
    let loud = Fixture { lane, ..still };
    assert_eq!(loud.chain()[1].columns.path, "sys/audit/on");
}

#[test]
fn time_never_falls_within_a_chain() {
    let fixture = Fixture::new(1);
    for micros in [5, 9, 3, 0, 9, 10] {
        let mut step = change("r", []);
        step.draft.columns.timestamp = secrethub_core::id::Timestamp(u64::MAX / 2 + micros);
        fixture.ask(step).unwrap();
    }
    let times: Vec<u64> =
        fixture.chain().iter().skip(1).map(|row| row.columns.timestamp.0 - u64::MAX / 2).collect();
    assert_eq!(times, [5, 9, 9, 9, 9, 10]);
}
