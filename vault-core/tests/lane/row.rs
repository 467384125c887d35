//! The row of lanes: who is in it, and how the dead leave it.

use crate::fixture::{Fixture, change, open};
use secrethub_core::{
    audit::{LANES_KEY, SubmitError, epoch_key, parse_lanes},
    host::Host as _,
    id::BootId,
    limits::{LANE_IDLE_MAX, LANES_MAX},
};

fn row(fixture: &Fixture) -> Vec<BootId> {
    let entry = fixture.entry(LANES_KEY).unwrap();
    parse_lanes(&entry.value.as_bytes()[LANES_KEY.len() + 1..]).unwrap()
}

fn has_epoch(fixture: &Fixture, boot: BootId) -> bool {
    fixture.entry(epoch_key(boot).unwrap().as_str()).is_some()
}

#[test]
fn silent_lanes_are_retired_and_living_ones_are_not() {
    let fixture = Fixture::new(1);
    let (dead, host) = (fixture.world.node(), fixture.world.node());
    let silent = open(&fixture.world, &dead, &fixture.store, true);
    fixture.world.kill(&dead);
    fixture.run(fixture.host.sleep(LANE_IDLE_MAX));
    fixture.ask(change("alive", [])).unwrap();
    let young = open(&fixture.world, &host, &fixture.store, true);
    assert_eq!(row(&fixture), [fixture.lane.boot(), young.boot()]);
    assert!(!has_epoch(&fixture, silent.boot()) && has_epoch(&fixture, young.boot()));
    fixture.ask(change("still alive", [])).unwrap();
    let chain = Fixture { lane: silent, ..fixture }.chain();
    assert_eq!(chain.len(), 1, "its chain and its witness stand");
}

/// It was only idle: it hears that it is out, and nothing of it is applied.
#[test]
fn a_retired_lane_cannot_commit() {
    let fixture = Fixture::new(1);
    fixture.run(fixture.host.sleep(LANE_IDLE_MAX));
    let lane = open(&fixture.world, &fixture.world.node(), &fixture.store, true);
    assert!(matches!(fixture.ask(change("late", [])), Err(SubmitError::Lost)));
    assert_eq!(fixture.chain().len(), 1);
    assert_eq!(row(&fixture), [lane.boot()]);
}

#[test]
fn the_row_is_never_longer_than_its_limit() {
    let fixture = Fixture::new(1);
    for _ in 0..LANES_MAX + 5 {
        let host = fixture.world.node();
        open(&fixture.world, &host, &fixture.store, true);
        fixture.world.kill(&host);
        fixture.ask(change("alive", [])).unwrap();
        fixture.run(fixture.host.sleep(std::time::Duration::from_secs(1)));
    }
    let row = row(&fixture);
    assert_eq!(row.len(), LANES_MAX);
    assert!(row.contains(&fixture.lane.boot()), "the most silent went, not the oldest");
    assert!(row.iter().all(|&boot| has_epoch(&fixture, boot)));
}
