//! `auth/token/`: making, looking up, renewing and revoking tokens (Vault API, `auth/token/*`).

mod create;
mod find;
mod renew;
mod revoke;
mod roles;

use super::{Access, Engine, Field, FieldKind, Place, Route, joined, rows};
use crate::Operation::{List, Read, Write};
use FieldKind::{Any, Boolean, Integer, List as ListKind, Map, Refused, Seconds, Text};

/// The engine of `auth/token/`.
pub(super) const ENGINE: Engine = Engine {
    kind: "token",
    variant: "",
    place: Place::BuiltIn,
    target: None,
    exists: None,
    secrets: None,
    summary: "Tokens: create, look up, renew and revoke.",
    routes: &joined::<{ rows(TABLES) }>(TABLES),
};

const CREATE: &[Field] = &[
    Field::new("id", Text, "The token's text; only root may choose it."),
    Field::new("policies", ListKind, "Policies; the parent's where absent."),
    Field::new("meta", Map, "Texts that stand with the token and in the audit log."),
    Field::new("ttl", Seconds, "How long it lives."),
    Field::new("lease", Seconds, "Old name of `ttl`."),
    Field::new("explicit_max_ttl", Seconds, "What no renewal passes."),
    Field::new("period", Seconds, "What every renewal gives; only root may set it."),
    Field::new("num_uses", Integer, "How often it may be used; 0 = unlimited."),
    Field::new("no_parent", Boolean, "Make an orphan; only root may."),
    Field::new("no_default_policy", Boolean, "Leave out the default policy."),
    Field::new("renewable", Boolean, "May it be renewed; true where absent."),
    Field::new("display_name", Text, "What people call it."),
    Field::new("type", Text, "`service`, or `batch`: nothing is stored of it."),
    Field::new("entity_alias", Refused, "Identity entities do not exist yet."),
];
const TOKEN: &[Field] = &[Field::new("token", Text, "The token's text.")];
const ACCESSOR: &[Field] = &[Field::new("accessor", Text, "The token's accessor.")];
const INCREMENT: &[Field] = &[
    Field::new("increment", Seconds, "How long it shall live from now."),
    Field::new("token", Text, "The token's text, for `renew`."),
    Field::new("accessor", Text, "The token's accessor, for `renew-accessor`."),
];
const PAGE: &[Field] = &[
    Field::new("after", Text, "Start after this name."),
    Field::new("limit", Integer, "At most so many names."),
    Field::new("list", Any, "Vault's way to ask for a listing with GET."),
];

const fn row(
    operation: crate::Operation,
    pattern: &'static str,
    summary: &'static str,
    fields: &'static [Field],
    example: &'static str,
    handler: super::Handler,
) -> Route {
    Route { operation, pattern, access: Access::Token, summary, fields, example, handler }
}

/// All rows; roles have their table in their own file.
const TABLES: &[&[Route]] = &[ROUTES, &roles::ROUTES];

const ROUTES: &[Route] = &[
    row(
        Write,
        "create",
        "Make a child of the token that asks.",
        CREATE,
        r#"{"policies":["default"],"ttl":"1h"}"#,
        |cx, call| Box::pin(create::create(cx, call)),
    ),
    row(
        Write,
        "create-orphan",
        "Make a token without a parent.",
        CREATE,
        r#"{"policies":["default"],"ttl":"1h"}"#,
        |cx, call| Box::pin(create::create_orphan(cx, call)),
    ),
    row(Write, "create/{role}", "Make a token as a role says.", CREATE, r#"{"ttl":"1h"}"#, |cx, call| {
        Box::pin(create::create_by_role(cx, call))
    }),
    row(Read, "lookup-self", "Look up the token that asks.", &[], "{}", |cx, call| {
        Box::pin(find::lookup_self(cx, call))
    }),
    row(Write, "lookup-self", "Look up the token that asks.", TOKEN, "{}", |cx, call| {
        Box::pin(find::lookup_self(cx, call))
    }),
    row(Write, "lookup", "Look up a token.", TOKEN, r#"{"token":"shs.…"}"#, |cx, call| {
        Box::pin(find::lookup(cx, call))
    }),
    row(Read, "lookup", "Look up the token that asks.", TOKEN, "{}", |cx, call| {
        Box::pin(find::lookup(cx, call))
    }),
    row(
        Write,
        "lookup-accessor",
        "Look up a token by its accessor.",
        ACCESSOR,
        r#"{"accessor":"…"}"#,
        |cx, call| Box::pin(find::lookup_accessor(cx, call)),
    ),
    row(Write, "renew-self", "Renew the token that asks.", INCREMENT, r#"{"increment":"1h"}"#, |cx, call| {
        Box::pin(renew::renew_self(cx, call))
    }),
    row(Write, "renew", "Renew a token.", INCREMENT, r#"{"token":"shs.…"}"#, |cx, call| {
        Box::pin(renew::renew(cx, call))
    }),
    row(
        Write,
        "renew-accessor",
        "Renew a token by its accessor.",
        INCREMENT,
        r#"{"accessor":"…"}"#,
        |cx, call| Box::pin(renew::renew_accessor(cx, call)),
    ),
    row(Write, "revoke-self", "Revoke the token that asks, and all below it.", &[], "{}", |cx, _| {
        Box::pin(revoke::revoke_self(cx))
    }),
    row(Write, "revoke", "Revoke a token and all below it.", TOKEN, r#"{"token":"shs.…"}"#, |cx, call| {
        Box::pin(revoke::revoke(cx, call))
    }),
    row(
        Write,
        "revoke-accessor",
        "Revoke a token by its accessor, and all below it.",
        ACCESSOR,
        r#"{"accessor":"…"}"#,
        |cx, call| Box::pin(revoke::revoke_accessor(cx, call)),
    ),
    Route {
        access: Access::Sudo,
        ..row(
            Write,
            "revoke-orphan",
            "Revoke a token and leave its children.",
            TOKEN,
            r#"{"token":"shs.…"}"#,
            |cx, call| Box::pin(revoke::revoke_orphan(cx, call)),
        )
    },
    Route {
        access: Access::Sudo,
        ..row(List, "accessors", "List accessors.", PAGE, "{}", |cx, call| {
            Box::pin(find::accessors(cx, call))
        })
    },
    Route {
        access: Access::Sudo,
        ..row(Write, "tidy", "Sweep what is left of dead tokens; a job does so anyway.", &[], "{}", |_, _| {
            Box::pin(revoke::tidy())
        })
    },
];
