//! `sys/mounts`, `sys/auth`, `sys/remount`: what stands where. The mount table is data: a change is one commit that
//! replaces every lane's epoch, so that each request begun after its reply sees it, on every node.
//!
//! | file | what it is |
//! |---|---|
//! | `show` | the mounts as tables, one by one, and as clients ask before they read a secret |
//! | `change` | enable, disable, move |
//! | `tune` | what can be set of a mount, when it is made and later |

mod change;
mod show;
mod tune;

pub(super) use change::options_of;

use super::row;
use crate::{
    Operation::{Delete, Read, Write},
    engine::{
        Access::{Login, Sudo, Token},
        Field,
        FieldKind::{Any, Boolean, List, Map, Refused, Seconds, Text},
        Place, Route,
    },
};

const MOUNT: &[Field] = &[
    Field::new("type", Text, "Type of the engine: `kv`, `kv-v2`, `kv-v1` …"),
    Field::new("plugin_name", Text, "The same, where `type` is `plugin`."),
    Field::new("description", Text, "For people."),
    Field::new("config", Map, "What can be tuned, see `tune`."),
    Field::new("options", Map, "Options of the engine: `version` of kv."),
    Field::new("local", Boolean, "Kept and shown; every mount is local to its cluster."),
    Field::new("seal_wrap", Boolean, "Kept and shown; every value is sealed."),
    Field::new("external_entropy_access", Refused, "Entropy comes from the operating system."),
    Field::new("plugin_version", Refused, "Engines are part of the server and have its version."),
];
const TUNE: &[Field] = &[
    Field::new("default_lease_ttl", Seconds, "How long leases live by default; 0 = the vault's default."),
    Field::new("max_lease_ttl", Seconds, "What no lease passes; 0 = the vault's bound."),
    Field::new("description", Text, "For people."),
    Field::new("listing_visibility", Text, "`unauth`: strangers may know of it; else `hidden`."),
    Field::new(
        "token_type",
        Text,
        "Of an auth method: `default-service`, `default-batch`, `service` or `batch`.",
    ),
    Field::new("options", Map, "Options of the engine; kv's version cannot be changed."),
    Field::new("force_no_cache", Boolean, "Kept and shown; nothing is cached."),
    Field::new("audit_non_hmac_request_keys", List, "Kept and shown; no value ever stands in the audit log."),
    Field::new("audit_non_hmac_response_keys", List, "As before."),
    Field::new("passthrough_request_headers", List, "Kept and shown; no engine sees headers."),
    Field::new("allowed_response_headers", List, "Kept and shown; no engine sets headers."),
    Field::new("allowed_managed_keys", Refused, "There are no managed keys."),
    Field::new(
        "user_lockout_config",
        Map,
        "Of an auth method: `lockout_threshold`, `lockout_duration`, `lockout_counter_reset_duration`, `lockout_disable`.",
    ),
    Field::new("plugin_version", Refused, "Engines are part of the server and have its version."),
];
const REMOUNT: &[Field] =
    &[Field::new("from", Text, "Where the mount is."), Field::new("to", Text, "Where it shall be.")];
const OPENAPI: &[Field] =
    &[Field::new("generic_mount_paths", Any, "Ignored: mounts stand under their own paths.")];

const KV: &str = r#"{"type":"kv","options":{"version":"2"}}"#;
const TTLS: &str = r#"{"default_lease_ttl":"1h","max_lease_ttl":"24h"}"#;

/// The rows of all of them; `tune` stands in front of the path that would swallow it.
#[rustfmt::skip]
pub(super) const ROUTES: &[Route] = &[
    row(Read, "mounts", Token, "All secrets engines.", &[],
        |cx, _| Box::pin(show::all(cx, false))),
    row(Read, "mounts/{path*}/tune", Token, "What is set of a mount, effective times.", &[],
        |cx, call| Box::pin(tune::read(cx, call, ""))),
    Route { example: TTLS, ..row(Write, "mounts/{path*}/tune", Token, "Tune a secrets engine or `auth/PATH`.", TUNE,
        |cx, call| Box::pin(tune::write(cx, call, ""))) },
    row(Read, "mounts/{path*}", Token, "One secrets engine.", &[],
        |cx, call| Box::pin(show::one(cx, call, ""))),
    Route { example: KV, ..row(Write, "mounts/{path*}", Token, "Enable a secrets engine at a path.", MOUNT,
        |cx, call| Box::pin(change::enable(cx, call, Place::Secrets))) },
    row(Delete, "mounts/{path*}", Token, "Disable it; what it kept is unreachable at once and then removed.", &[],
        |cx, call| Box::pin(change::disable(cx, call, Place::Secrets))),

    row(Read, "auth", Token, "All auth methods.", &[],
        |cx, _| Box::pin(show::all(cx, true))),
    row(Read, "auth/{path*}/tune", Token, "What is set of an auth method, effective times.", &[],
        |cx, call| Box::pin(tune::read(cx, call, "auth/"))),
    Route { example: TTLS, ..row(Write, "auth/{path*}/tune", Sudo, "Tune an auth method.", TUNE,
        |cx, call| Box::pin(tune::write(cx, call, "auth/"))) },
    row(Read, "auth/{path*}", Token, "One auth method.", &[],
        |cx, call| Box::pin(show::one(cx, call, "auth/"))),
    Route { example: r#"{"type":"userpass"}"#, ..row(Write, "auth/{path*}", Sudo, "Enable an auth method.", MOUNT,
        |cx, call| Box::pin(change::enable(cx, call, Place::Auth))) },
    row(Delete, "auth/{path*}", Sudo, "Disable it.", &[],
        |cx, call| Box::pin(change::disable(cx, call, Place::Auth))),

    Route { example: r#"{"from":"secret","to":"moved"}"#, ..row(Write, "remount", Sudo,
        "Move a mount; nothing is re-encrypted, so it is done when this is answered.", REMOUNT,
        |cx, call| Box::pin(change::remount(cx, call))) },
    row(Read, "remount/status/{id}", Token, "How a move went.", &[],
        |cx, call| Box::pin(change::remount_status(cx, call))),

    row(Read, "internal/ui/mounts", Login, "What the token may see of the mounts.", &[],
        |cx, _| Box::pin(show::visible(cx))),
    row(Read, "internal/ui/mounts/{path*}", Login, "The mount that serves a path.", &[],
        |cx, call| Box::pin(show::serving(cx, call))),
    row(Read, "internal/specs/openapi", Login, "What the token may see, as OpenAPI.", OPENAPI,
        |cx, _| Box::pin(show::openapi(cx))),
];
