//! `GET <path>?help=1`: what can be done at a path, from the engines' own tables. Whether a caller may know where a
//! mount stands is the core's decision: it is asked for the mount, with the caller's token.

use crate::{
    decode::Head,
    router::{App, ask_as_caller},
};
use http::request::Parts;
use secrethub_core::{Error, Reply, engine, request::Shape, system::API_VERSION};
use serde_json::{Value, json};
use std::{fmt::Write, sync::Arc};

/// Answers without an envelope, as Vault does.
pub(crate) async fn answer(app: &App, id: &str, head: Head, parts: &Arc<Parts>) -> Result<Reply, Error> {
    let found =
        ask_as_caller(app, id, format!("sys/internal/ui/mounts/{}", head.path), parts).await?.to_value();
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let (mount, kind, version) =
        (text(&found["path"]), text(&found["type"]), text(&found["options"]["version"]));
    let mut described = engine::Mount::built_in(&mount, &kind, &kind, "");
    if !version.is_empty() {
        described.options.insert("version".to_owned(), version);
    }
    let engine = engine::engine_of(&described).ok_or_else(Error::not_found)?;
    let below = head.path.strip_prefix(mount.trim_end_matches('/')).unwrap_or("").trim_start_matches('/');
    let routes: Vec<_> = engine.routes.iter().filter(|route| route.matches(below).is_some()).collect();
    let routes = if routes.is_empty() { engine.routes.iter().collect() } else { routes };
    let document = engine::openapi::document([&described], API_VERSION);
    let mut help = format!("{}\n", engine.summary);
    for route in routes {
        let _ =
            write!(help, "\n{} {mount}{}\n    {}\n", route.operation.as_str(), route.pattern, route.summary);
        for field in route.fields {
            let _ = writeln!(help, "    {}: {}", field.name, field.summary);
        }
    }
    Reply::shaped(Shape::Bare, &json!({ "help": help, "see_also": ["/docs"], "openapi": document }))
}
