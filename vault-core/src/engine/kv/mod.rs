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

use super::{Engine, Place, Secrets};
use crate::{Operation, policy::Deed};
pub(in crate::engine) use routes::LIST_FIELDS;

/// KV version 2.
pub const ENGINE: Engine = Engine {
    kind: "kv",
    variant: "2",
    place: Place::Secrets,
    summary: "Secrets under paths, with versions, check-and-set, soft delete and a history.",
    routes: routes::ROUTES,
    target: Some(target),
    exists: Some(exists),
    secrets: Some(&Secrets { subject, views: &["metadata/", "data/"] }),
};

/// Whatever is done to a secret's data starts with its metadata.
fn target(_: crate::Operation, path: &str) -> Option<String> {
    path.strip_prefix("data/").filter(|path| !path.is_empty()).map(|path| format!("meta/{path}"))
}

/// A secret is there if its metadata is.
fn exists(path: &str) -> Option<String> {
    let secret = path.strip_prefix("data/").or_else(|| path.strip_prefix("metadata/"))?;
    (!secret.is_empty()).then(|| format!("meta/{secret}"))
}

/// The mount's own settings are no secret.
fn subject(operation: Operation, path: &str) -> Option<(&str, Deed)> {
    let (view, secret) = path.split_once('/').unwrap_or((path, ""));
    let deed = match view {
        "data" | "metadata" | "subkeys" | "history" | "compare" => Deed::of(operation),
        "undelete" | "rollback" => Deed::Write,
        "delete" | "destroy" => Deed::Delete,
        _ => return None,
    };
    Some((secret, deed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_secret_and_what_is_done_to_it() {
        let check = |operation: Operation, path: &str, expect: Option<(&str, Deed)>| {
            assert_eq!(subject(operation, path), expect, "{operation:?} {path}");
        };
        check(Operation::Read, "data/a/b", Some(("a/b", Deed::Read)));
        check(Operation::List, "metadata/a/", Some(("a/", Deed::Read)));
        check(Operation::List, "metadata", Some(("", Deed::Read)));
        check(Operation::Patch, "data/a", Some(("a", Deed::Write)));
        check(Operation::Delete, "data/a", Some(("a", Deed::Delete)));
        check(Operation::Write, "destroy/a", Some(("a", Deed::Delete)));
        check(Operation::Write, "delete/a", Some(("a", Deed::Delete)));
        check(Operation::Write, "undelete/a", Some(("a", Deed::Write)));
        check(Operation::Write, "config", None);
        check(Operation::Write, "datax/a", None);
        assert_eq!(exists("data/a/b").as_deref(), Some("meta/a/b"));
        assert_eq!(exists("metadata/a").as_deref(), Some("meta/a"));
        assert_eq!(exists("destroy/a"), None);
    }
}
