//! Ceremonies through the one door, on several nodes over one store: each share goes to another node, nodes are lost in
//! between, and those who may not are refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod attacks;
mod generate_root;
mod house;
mod migrate;
mod passphrase;
mod rekey;
mod rotation;
mod storm;
