//! `apps`: applications that are registered by whoever runs them, and what they may do (the second seed's `/v1/apps`).
//!
//! | below the mount | what it is |
//! |---|---|
//! | `app/<id>` | an application, with the hash of the bootstrap token that it has not used yet |
//! | `name/<name>` | from a name to the id, so that each name is there once |

mod app;
mod change;
mod list;
mod login;

use super::{
    Access, Engine, Field,
    FieldKind::{Integer, List as ListKind, Map, Text},
    Place, Route, row,
    token_fields::{TOKEN_FIELDS, both},
};
use crate::Operation::{Delete, List, Read, Write};

/// The engine of `apps/`.
pub(super) const ENGINE: Engine = Engine {
    kind: "apps",
    variant: "",
    place: Place::BuiltIn,
    target: None,
    exists: Some(|path| app::parse_id(path).map(|id| app::key(&id))),
    secrets: None,
    summary: "Applications: register, suspend, delete; their policies and their first token.",
    routes: ROUTES,
};

const OWN: &[Field] = &[
    Field::new("name", Text, "Its name: 3 to 100 small letters, digits and inner hyphens; no other has it."),
    Field::new("description", Text, "For people."),
    Field::new("agent_id", Text, "The agent that it belongs to, a UUID."),
    Field::new("metadata", Map, "Texts that stand with it and its tokens."),
    Field::new("status", Text, "`active` or `suspended`."),
];
const APP: &[Field] = &both::<{ OWN.len() + TOKEN_FIELDS.len() }>(OWN, TOKEN_FIELDS);
const FILTERS: &[Field] = &[
    Field::new("agent_id", Text, "Only those of this agent."),
    Field::new("status", Text, "Only those in this state."),
    Field::new("limit", Integer, "At most so many; 100 where absent."),
    Field::new("offset", Integer, "Leave out so many from the first."),
    Field::new("after", Text, "Start after this id."),
];
const POLICIES: &[Field] = &[Field::new("policies", ListKind, "Names of policies.")];
const LOGIN: &[Field] = &[
    Field::new("app_id", Text, "The application's id."),
    Field::new("app_token", Text, "Its bootstrap token."),
];

#[rustfmt::skip]
const ROUTES: &[Route] = &[
    Route { access: Access::Login, ..row(Write, "login", "Log in for the first time, with the bootstrap token.", LOGIN,
        r#"{"app_id":"APP_ID","app_token":"APP_TOKEN"}"#, |cx, call| Box::pin(login::login(cx, call))) },
    row(Read, "", "The applications, page by page.", FILTERS, r#"{"status":"active","limit":10}"#,
        |cx, call| Box::pin(list::read(cx, call))),
    row(List, "", "The ids of the applications.", FILTERS, "{}", |cx, call| Box::pin(list::ids(cx, call))),
    row(Write, "", "Register an application.", APP, r#"{"name":"another-app","policies":["default"]}"#,
        |cx, call| Box::pin(change::register(cx, call))),
    row(Read, "{app}", "Read an application.", &[], "{}", |cx, call| Box::pin(change::read(cx, call))),
    row(Write, "{app}", "Change an application; what is not named stays.", APP, r#"{"description":"the web shop"}"#,
        |cx, call| Box::pin(change::update(cx, call))),
    row(Delete, "{app}", "Delete an application; all that it holds ends at the next request.", &[], "{}",
        |cx, call| Box::pin(change::delete(cx, call))),
    row(Write, "{app}/suspend", "Suspend an application: nothing that it holds is served meanwhile.", &[], "{}",
        |cx, call| Box::pin(change::suspend(cx, call))),
    row(Write, "{app}/activate", "Activate an application again.", &[], "{}",
        |cx, call| Box::pin(change::activate(cx, call))),
    row(Write, "{app}/token", "Make a new bootstrap token; the one before is worth nothing.", &[], "{}",
        |cx, call| Box::pin(change::make_token(cx, call))),
    row(Read, "{app}/policies", "Read an application's policies.", &[], "{}",
        |cx, call| Box::pin(change::read_policies(cx, call))),
    row(Write, "{app}/policies", "Bind policies to an application, beside those that it has.", POLICIES,
        r#"{"policies":["default"]}"#, |cx, call| Box::pin(change::bind(cx, call))),
    row(Delete, "{app}/policies/{policy}", "Take a policy from an application.", &[], "{}",
        |cx, call| Box::pin(change::unbind(cx, call))),
];
