//! The store battery on a server that speaks MongoDB's wire protocol.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use secrethub_core::testing::store::{Case, Shared};
use support::{Place, block_on, open};

fn run(name: &str, case: Case) {
    block_on(async {
        let place = Place::new(name);
        let store: Shared = open(&place.url).await;
        case(&store).await;
        drop(store);
        place.remove().await;
    });
}

secrethub_core::store_battery!(run);
