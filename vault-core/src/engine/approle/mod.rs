//! `approle`: how an application logs in, with the id of its role and a SecretID (Vault API, `auth/approle/*`).
//!
//! | below the mount | what it is |
//! |---|---|
//! | `role/<name>` | a role |
//! | `role-id/<hash>` | from a role's id to its name |
//! | `secret/<role>/<hash>` | a SecretID, under a keyed hash of itself; `<role>` is random and the role's own |
//! | `accessor/<role>/<accessor>` | from a SecretID's accessor to its hash |

mod login;
mod role;
mod secret_id;
mod setting;

use super::{
    Access, Engine, Field,
    FieldKind::{Any, Boolean, Integer, List as ListKind, Seconds, Text},
    Place, Route,
    kv::LIST_FIELDS,
    row,
    token_fields::{TOKEN_FIELDS, both},
};
use crate::Operation::{Delete, List, Read, Write};

/// The engine of `approle`.
pub(super) const ENGINE: Engine = Engine {
    kind: "approle",
    variant: "",
    place: Place::Auth,
    target: None,
    exists: Some(|path| {
        let name = path.strip_prefix("role/").filter(|name| !name.is_empty() && !name.contains('/'))?;
        Some(format!("role/{}", name.to_lowercase()))
    }),
    secrets: None,
    summary: "Logins of applications, by role and SecretID.",
    routes: ROUTES,
};

const OWN: &[Field] = &[
    Field::new("role_id", Text, "The role's id; random where none is chosen."),
    Field::new("bind_secret_id", Boolean, "A login needs a SecretID; true where absent."),
    Field::new("secret_id_bound_cidrs", ListKind, "Addresses from which a login may come."),
    Field::new("bound_cidr_list", ListKind, "Old name of `secret_id_bound_cidrs`."),
    Field::new("secret_id_num_uses", Integer, "Logins that a SecretID is good for; 0 = unlimited."),
    Field::new("secret_id_ttl", Seconds, "How long a SecretID is good; 0 = for ever."),
    Field::new("local_secret_ids", Boolean, "Kept and shown; set when the role is made."),
    Field::new(
        "enabled",
        Boolean,
        "`false` stops its logins and its tokens, at the next request; true where absent.",
    ),
];
const ROLE: &[Field] = &both::<{ OWN.len() + TOKEN_FIELDS.len() }>(OWN, TOKEN_FIELDS);
const ROLE_ID: &[Field] = &[Field::new("role_id", Text, "The role's id.")];
const NEW_SECRET: &[Field] = &[
    Field::new("metadata", Any, "Texts that stand with its tokens: an object, or one as JSON text."),
    Field::new("cidr_list", ListKind, "Addresses from which a login with it may come."),
    Field::new("token_bound_cidrs", ListKind, "Addresses from which its tokens may be used."),
    Field::new("ttl", Seconds, "How long it is good; within the role's."),
    Field::new("num_uses", Integer, "Logins that it is good for; within the role's."),
    SECRET,
];
const SECRET: Field = Field::new("secret_id", Text, "The SecretID.");
const SECRETS: &[Field] = &[SECRET];
const ACCESSOR: &[Field] = &[Field::new("secret_id_accessor", Text, "The SecretID's accessor.")];
const LOGIN: &[Field] = &[Field::new("role_id", Text, "The role's id."), SECRET];

const BY_SECRET: &str = r#"{"secret_id":"the-secret"}"#;
const BY_ACCESSOR: &str = r#"{"secret_id_accessor":"SECRET_ID_ACCESSOR"}"#;

/// The first match wins: `{setting}` stands last.
#[rustfmt::skip]
const ROUTES: &[Route] = &[
    Route { access: Access::Login, ..row(Write, "login", "Log in with a role's id and a SecretID.", LOGIN,
        r#"{"role_id":"ROLE_ID","secret_id":"the-secret"}"#, |cx, call| Box::pin(login::login(cx, call))) },

    row(List, "role", "List roles.", LIST_FIELDS, "{}", |cx, call| Box::pin(role::list(cx, call))),
    row(Read, "role", "The roles, as the second seed lists them.", LIST_FIELDS, "{}",
        |cx, call| Box::pin(role::list_all(cx, call))),
    row(Read, "role/{role}", "Read a role.", &[], "{}", |cx, call| Box::pin(role::read(cx, call))),
    row(Write, "role/{role}", "Make or change a role; what is not named stays.", ROLE,
        r#"{"token_policies":["default"],"token_ttl":"1h"}"#, |cx, call| Box::pin(role::write(cx, call))),
    row(Delete, "role/{role}", "Delete a role; its tokens end at the next request.", &[], "{}",
        |cx, call| Box::pin(role::delete(cx, call))),
    row(Read, "role/{role}/role-id", "Read a role's id.", &[], "{}",
        |cx, call| Box::pin(role::read_id(cx, call))),
    row(Write, "role/{role}/role-id", "Choose a role's id.", ROLE_ID, r#"{"role_id":"another"}"#,
        |cx, call| Box::pin(role::write_id(cx, call))),

    row(Write, "role/{role}/secret-id", "Make a SecretID.", NEW_SECRET, r#"{"metadata":{"host":"a"}}"#,
        |cx, call| Box::pin(secret_id::make(cx, call, false))),
    row(Write, "role/{role}/custom-secret-id", "Make a SecretID of a text of one's own.", NEW_SECRET,
        r#"{"secret_id":"another-secret"}"#, |cx, call| Box::pin(secret_id::make(cx, call, true))),
    row(List, "role/{role}/secret-id", "List the accessors of a role's SecretIDs.", LIST_FIELDS, "{}",
        |cx, call| Box::pin(secret_id::list(cx, call))),
    row(Write, "role/{role}/secret-id/lookup", "What is known of a SecretID.", SECRETS, BY_SECRET,
        |cx, call| Box::pin(secret_id::lookup(cx, call))),
    row(Write, "role/{role}/secret-id/destroy", "Destroy a SecretID.", SECRETS, BY_SECRET,
        |cx, call| Box::pin(secret_id::destroy(cx, call))),
    row(Delete, "role/{role}/secret-id/destroy", "Destroy a SecretID.", SECRETS, BY_SECRET,
        |cx, call| Box::pin(secret_id::destroy(cx, call))),
    row(Write, "role/{role}/secret-id-accessor/lookup", "The same, by its accessor.", ACCESSOR, BY_ACCESSOR,
        |cx, call| Box::pin(secret_id::lookup_accessor(cx, call))),
    row(Write, "role/{role}/secret-id-accessor/destroy", "Destroy a SecretID by its accessor.", ACCESSOR, BY_ACCESSOR,
        |cx, call| Box::pin(secret_id::destroy_accessor(cx, call))),
    row(Delete, "role/{role}/secret-id-accessor/destroy", "Destroy a SecretID by its accessor.", ACCESSOR, BY_ACCESSOR,
        |cx, call| Box::pin(secret_id::destroy_accessor(cx, call))),
    row(Write, "tidy/secret-id", "Sweep SecretIDs that are over; a job does so anyway.", &[], "{}",
        |_, _| Box::pin(secret_id::tidy())),

    row(Read, "role/{role}/{setting}", "Read one setting of a role.", &[], "{}",
        |cx, call| Box::pin(setting::read(cx, call))),
    row(Write, "role/{role}/{setting}", "Change one setting of a role.", ROLE, r#"{"token_ttl":"1h"}"#,
        |cx, call| Box::pin(setting::write(cx, call))),
    row(Delete, "role/{role}/{setting}", "Put one setting of a role back to what it is by default.", &[], "{}",
        |cx, call| Box::pin(setting::reset(cx, call))),
];
