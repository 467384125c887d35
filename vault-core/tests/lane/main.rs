//! The lane from outside: what callers are told, and what the store then holds, under each answer a store can give.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod answers;
mod checkpoints;
mod drops;
mod fixture;
mod merging;
mod row;
mod slow;
