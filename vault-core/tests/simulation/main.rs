//! The simulation: nodes with a lane each over one store that fails in every way a store can, on a deterministic host.
//! One seed is one run. After every step of any task the whole state is checked (see `check`); and since a check that
//! cannot fail proves nothing, the same runs over stores that break the contract must be found out (see `liars`).
//!
//! A failure prints its seed. `SECRETHUB_SIM_SEED=n` runs that seed alone; `SECRETHUB_SIM_RUNS=n` runs so many.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what a run saw is worth reading with --nocapture")]

mod callers;
mod check;
mod liars;
mod run;

use liars::Lie;
use run::{Stats, simulate};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn every_schedule_keeps_the_promises() {
    let only = number("SECRETHUB_SIM_SEED");
    let seeds = only.map_or(0..number("SECRETHUB_SIM_RUNS").unwrap_or(40), |seed| seed..seed + 1);
    let mut total = Stats::default();
    for seed in seeds {
        match simulate(seed, Lie::None) {
            Ok(stats) => total.add(&stats),
            Err(what) => panic!("SECRETHUB_SIM_SEED={seed} replays this: {what}"),
        }
    }
    println!("{total:?}");
    if only.is_none() {
        total.assert_eventful();
    }
}

#[test]
fn the_seed_is_the_run() {
    let runs = [simulate(7, Lie::None).unwrap(), simulate(7, Lie::None).unwrap()];
    assert_eq!(runs[0], runs[1]);
}

/// How many seeds it took to find a lie out; at most `most`.
fn found_out(lie: Lie, most: u64) {
    let found = (0..most).find_map(|seed| simulate(seed, lie).err().map(|what| (seed, what)));
    let (seed, what) = found.unwrap_or_else(|| panic!("{lie:?} went unnoticed"));
    println!("{lie:?}: seed {seed}: {what}");
}

#[test]
fn a_store_that_acknowledges_and_forgets_is_found_out() {
    found_out(Lie::Forgets, 5);
}

#[test]
fn a_store_that_loses_records_is_found_out() {
    found_out(Lie::LosesRecords, 5);
}

#[test]
fn a_store_that_ignores_guards_is_found_out() {
    found_out(Lie::IgnoresGuards, 40);
}

#[test]
fn a_store_that_ignores_revisions_is_found_out() {
    found_out(Lie::IgnoresRevisions, 10);
}

#[test]
fn a_store_that_applies_half_a_batch_is_found_out() {
    found_out(Lie::AppliesHalf, 10);
}

/// To the lane this is what renumbering after an unknown outcome would be: it goes on as if nothing could come.
#[test]
fn a_lane_that_numbers_on_after_unknown_is_found_out() {
    found_out(Lie::CallsUnknownNotApplied, 10);
}

/// To the lane this is what a missing fence would be: a late commit applies though its conflict was told.
#[test]
fn a_batch_that_applies_twice_is_found_out() {
    found_out(Lie::AppliesAfterConflict, 20);
}
