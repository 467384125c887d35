//! `userpass`: how people log in, with a name and a password (Vault API, `auth/userpass/*`).
//!
//! | below the mount | what it is |
//! |---|---|
//! | `user/<name>` | a user |
//! | `failed/<hash>` | failed logins under a name |

mod login;
mod user;

use super::{
    Access, Engine, Field,
    FieldKind::{Boolean, List as ListKind, Seconds, Text},
    Place, Route,
    kv::LIST_FIELDS,
    row,
    token_fields::{TOKEN_FIELDS, both},
};
use crate::Operation::{Delete, List, Read, Write};

/// The engine of `userpass`.
pub(super) const ENGINE: Engine = Engine {
    kind: "userpass",
    variant: "",
    place: Place::Auth,
    target: None,
    exists: Some(|path| {
        let name = path.strip_prefix("users/").filter(|name| !name.is_empty() && !name.contains('/'))?;
        Some(user::key(&name.to_lowercase()))
    }),
    secrets: None,
    summary: "Logins of people, by name and password.",
    routes: ROUTES,
};

const PASSWORD: Field = Field::new("password", Text, "The password.");
const OWN: &[Field] = &[
    PASSWORD,
    Field::new(
        "enabled",
        Boolean,
        "`false` stops the user's logins and tokens, at the next request; true where absent.",
    ),
    Field::new("ttl", Seconds, "Old name of `token_ttl`."),
    Field::new("max_ttl", Seconds, "Old name of `token_max_ttl`."),
    Field::new("bound_cidrs", ListKind, "Old name of `token_bound_cidrs`."),
];
const USER: &[Field] = &both::<{ OWN.len() + TOKEN_FIELDS.len() }>(OWN, TOKEN_FIELDS);
const PASSWORDS: &[Field] = &[PASSWORD];
const POLICIES: &[Field] = &[
    Field::new("token_policies", ListKind, "Policies of the user's tokens, beside the default one."),
    Field::new("policies", ListKind, "Old name of `token_policies`."),
];

#[rustfmt::skip]
const ROUTES: &[Route] = &[
    Route { access: Access::Login, ..row(Write, "login/{user}", "Log in with a password.", PASSWORDS,
        r#"{"password":"correct horse battery staple"}"#, |cx, call| Box::pin(login::login(cx, call))) },
    row(List, "users", "List users.", LIST_FIELDS, "{}", |cx, call| Box::pin(user::list(cx, call))),
    row(Read, "users/{user}", "Read a user; never the password.", &[], "{}",
        |cx, call| Box::pin(user::read(cx, call))),
    row(Write, "users/{user}", "Make or change a user; what is not named stays.", USER,
        r#"{"password":"correct horse battery staple","token_policies":["default"]}"#,
        |cx, call| Box::pin(user::write(cx, call))),
    row(Delete, "users/{user}", "Delete a user; the user's tokens end at the next request.", &[], "{}",
        |cx, call| Box::pin(user::delete(cx, call))),
    row(Write, "users/{user}/password", "Change a user's password.", PASSWORDS,
        r#"{"password":"correct horse battery staple"}"#, |cx, call| Box::pin(user::write_password(cx, call))),
    row(Write, "users/{user}/policies", "Change a user's policies.", POLICIES, r#"{"token_policies":["default"]}"#,
        |cx, call| Box::pin(user::write_policies(cx, call))),
];
