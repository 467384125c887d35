//! When checkpoints are made, and that the public key alone is enough to check them.

use crate::fixture::{Fixture, change, open};
use secrethub_core::{
    audit::{
        Checkpoint, FLOORS_KEY, LaneKeys as _,
        checkpoint::{self, FIRST, Mark, PREFIX},
    },
    host::Host as _,
    store::{Limit, Op, Range, Sealed, Store as _},
    testing::{PlainKeys, Rates},
};
use std::{sync::Arc, time::Duration};

/// All checkpoints in the store, verified: signature, numbers without gaps, each over the one before.
fn checkpoints(fixture: &Fixture) -> Vec<Checkpoint> {
    let store = Arc::clone(fixture.store.inner());
    let range = Range::prefix(PREFIX);
    let entries = fixture.run(async move { store.scan(range, Limit::entries(1_000)).await.unwrap() });
    let public = PlainKeys::new(&fixture.crypto, 0).audit_signer().public();
    let (mut previous, mut read) = (FIRST, Vec::new());
    for (entry, number) in entries.iter().zip(1..) {
        let found = Checkpoint::verify(fixture.crypto.signer, &public, entry.value.as_bytes()).unwrap();
        assert_eq!((found.number, found.previous), (number, previous));
        assert_eq!(Checkpoint::number_of(&entry.key), Some(number));
        previous = fixture.crypto.hash.sha256(&[entry.value.as_bytes()]);
        read.push(found);
    }
    read
}

fn heads(fixture: &Fixture) -> Vec<u64> {
    checkpoints(fixture).iter().map(|point| point.heads[0].seq).collect()
}

fn write(fixture: &Fixture, count: usize) {
    for _ in 0..count {
        fixture.ask(change("r", [])).unwrap();
    }
}

#[test]
fn at_the_start_after_an_interval_and_at_the_end() {
    let fixture = Fixture::new(1);
    assert_eq!(heads(&fixture), [1], "the start");
    write(&fixture, 3);
    assert_eq!(heads(&fixture), [1], "not yet due");
    assert!(fixture.world.settle(1_000));
    assert_eq!(heads(&fixture), [1, 4], "after the interval");
    fixture.run(fixture.host.sleep(Duration::from_secs(3_600)));
    assert_eq!(heads(&fixture), [1, 4], "no activity, no checkpoint");
    write(&fixture, 1);
    let lane = fixture.lane.clone();
    fixture.run(async move { lane.close().await }).unwrap();
    assert_eq!(heads(&fixture), [1, 4, 6], "the end, with the record of it");
    let last = fixture.chain().pop().unwrap();
    let expect = Mark { chain: fixture.lane.boot(), seq: 6, link: last.link };
    assert_eq!(checkpoints(&fixture).pop().unwrap().heads, [expect]);
}

#[test]
fn after_enough_records() {
    let fixture = Fixture::new(1);
    let before = fixture.host.monotonic();
    write(&fixture, 1_001);
    assert_eq!(fixture.host.monotonic(), before, "no time has passed");
    assert!(heads(&fixture)[1] >= 1_001);
}

#[test]
fn lanes_share_one_row_of_numbers() {
    let fixture = Fixture::new(1);
    let lanes: Vec<_> =
        (0..4).map(|_| open(&fixture.world, &fixture.world.node(), &fixture.store, true)).collect();
    for (n, lane) in lanes.iter().cycle().take(40).enumerate() {
        let lane = lane.clone();
        let step = change(&n.to_string(), []);
        fixture.run(async move { lane.submit(step).await.unwrap() });
        if n % 7 == 0 {
            assert!(fixture.world.settle(10_000));
        }
    }
    assert!(fixture.world.settle(10_000));
    let points = checkpoints(&fixture);
    for lane in &lanes {
        let newest = points.iter().rev().find(|point| point.heads[0].chain == lane.boot()).unwrap();
        assert_eq!(newest.heads[0].seq, 11);
    }
}

#[test]
fn a_store_that_refuses_checkpoints_delays_no_reply() {
    let fixture = Fixture::new(1);
    write(&fixture, 1);
    fixture.store.rates(Rates { reads: 1_000, ..Rates::default() });
    fixture.run(fixture.host.sleep(Duration::from_secs(60)));
    write(&fixture, 10);
    fixture.store.rates(Rates::default());
    assert!(fixture.world.settle(10_000));
    assert_eq!(heads(&fixture).last(), Some(&12));
}

#[test]
fn floors_of_retention_are_signed_along() {
    let fixture = Fixture::new(1);
    let floor = Mark { chain: fixture.lane.boot(), seq: 1, link: [9; 32] };
    let mut plain = FLOORS_KEY.as_bytes().to_vec();
    plain.push(0);
    checkpoint::put_marks(&mut plain, &[floor]);
    let op = Op::Create(Sealed::from_stored(plain));
    fixture.ask(change("prune", [(FLOORS_KEY, op)])).unwrap();
    assert!(fixture.world.settle(10_000));
    assert_eq!(checkpoints(&fixture).pop().unwrap().floors, [floor]);
}
