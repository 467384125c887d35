//! KV: secrets under paths. Version 2 (here) keeps every version of a secret, can take back a delete, and refuses a
//! write that does not build on what its writer has seen; [version 1](v1) overwrites in place.
//!
//! | file | what it is |
//! |---|---|
//! | `routes` | the table: what can be asked of a mount |
//! | `document` | what stands in the store, and how it changes: pure |
//! | `secret` | finding a secret and adding a version |
//! | `data`, `versions`, `metadata`, `config`, `history`, `list` | the handlers, a file for each part of the API |
//! | `flat`, `v1` | secrets without versions |
//! | `merge`, `expiry` | RFC 7396, and how long a version lives |

mod config;
mod data;
mod document;
mod expiry;
pub(in crate::engine) mod flat;
mod history;
pub(in crate::engine) mod list;
mod merge;
mod metadata;
mod routes;
mod secret;
pub mod v1;
mod versions;

use super::{Engine, Place};
pub(in crate::engine) use routes::LIST_FIELDS;

/// KV version 2.
pub const ENGINE: Engine = Engine {
    kind: "kv",
    variant: "2",
    place: Place::Secrets,
    summary: "Secrets under paths, with versions, check-and-set, soft delete and a history.",
    routes: routes::ROUTES,
    target: Some(target),
};

/// Whatever is done to a secret's data starts with its metadata.
fn target(_: crate::Operation, path: &str) -> Option<String> {
    path.strip_prefix("data/").filter(|path| !path.is_empty()).map(|path| format!("meta/{path}"))
}
