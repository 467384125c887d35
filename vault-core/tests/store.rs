//! The store battery on the reference model.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use secrethub_core::{
    store::memory::Memory,
    testing::store::{CASES, Case, Shared},
};
use std::sync::Arc;

fn run(_: &str, case: Case) {
    let store: Shared = Arc::new(Memory::default());
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(case(&store));
}

secrethub_core::store_battery!(run);

#[test]
fn battery_is_as_large_as_promised() {
    assert!(CASES.len() >= 30, "{}", CASES.len());
}
