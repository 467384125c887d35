//! The cluster simulation: whole vaults, several of them unsealed at once over one store that fails in every way a store
//! can, on a deterministic host. What is promised to callers of the one door must hold on every node:
//!
//! - no reply without its record, every chain verifies;
//! - a write that was acknowledged is there, under its own version number, whatever crashed meanwhile;
//! - a read that begins after an acknowledged write sees it, on every node;
//! - a token is dead on every node once its revocation is acknowledged.
//!
//! `SECRETHUB_SIM_SEED` and `SECRETHUB_SIM_RUNS` as in the simulation of the lanes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what a run saw is worth reading with --nocapture")]

mod callers;
mod nodes;

use callers::Log;
use nodes::Cluster;
use std::sync::Arc;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn the_door_keeps_its_promises_on_every_node() {
    let only = number("SECRETHUB_SIM_SEED");
    let seeds = only.map_or(0..number("SECRETHUB_SIM_RUNS").unwrap_or(6), |seed| seed..seed + 1);
    let mut seen = [0; 5];
    for seed in seeds {
        match run(seed) {
            Ok(counts) => seen.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count),
            Err(what) => panic!("SECRETHUB_SIM_SEED={seed} replays this: {what}"),
        }
    }
    println!("replies, writes, reads, uses of living tokens, refused uses of revoked ones: {seen:?}");
    if only.is_none() {
        assert!(seen.iter().all(|&count| count >= 20), "too little happened: {seen:?}");
    }
}

fn run(seed: u64) -> Result<[usize; 5], String> {
    let log = Arc::new(Log::default());
    let mut cluster = Cluster::new(seed, Arc::clone(&log));
    for step in 0..4_000 {
        cluster.act();
        cluster.step();
        log.breach().map_or(Ok(()), |what| Err(format!("step {step}: {what}")))?;
    }
    cluster.heal()?;
    log.breach().map_or(Ok(()), |what| Err(format!("after healing: {what}")))?;
    cluster.check_writes()?;
    cluster.check_records()?;
    Ok(log.counts())
}
