//! Operating a vault through the one door, on one node and on several over one store: mounts, wrapping, leases, audit devices.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod approle;
mod apps;
mod devices;
mod first_seed;
mod headers;
mod house;
mod jobs;
mod leases;
mod logins;
mod mounts;
mod node;
mod policies;
mod presence;
mod quotas;
mod tokens;
mod userpass;
mod wrapping;
