//! The product from outside: every test here drives what a user can touch, over the boundary a user has.
//! The tests stand in `tests/`, one binary a subject; `python/` holds those that need a foreign client.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's tool fails by panicking"
)]

pub mod fleet;

pub use fleet::{Caller, Fleet};

/// Where the tests' vaults mount an engine; `None` for one that nobody has said it of.
#[must_use]
pub fn mount_of(kind: &str, variant: &str) -> Option<&'static str> {
    Some(match (kind, variant) {
        ("system", _) => "sys/",
        ("token", _) => "auth/token/",
        ("cubbyhole", _) => "cubbyhole/",
        ("audit", _) => "audit/",
        ("secret-manager", _) => "secret-manager/",
        ("apps", _) => "apps/",
        ("userpass", _) => "auth/userpass/",
        ("approle", _) => "auth/approle/",
        ("kv", "2") => "secret/",
        ("kv", "1") => "kv1/",
        _ => return None,
    })
}
