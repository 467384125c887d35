//! KV and the cubbyhole through the one door: tables of requests and what must come of them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod changes;
mod door;
mod faults;
mod history;
mod names;
mod secrets;
mod unversioned;
