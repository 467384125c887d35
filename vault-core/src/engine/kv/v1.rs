//! KV version 1: one object under each path, without versions. Data stands at `d/<path>` (format 1).

use super::{flat, list::list_below};
use crate::{
    Operation,
    cx::Cx,
    engine::{Access, Call, Engine, FREE, Place, Route, Secrets},
    error::Error,
    policy::Deed,
    request::Reply,
};

const ROOT: &str = "d/";

/// KV version 1.
pub const ENGINE: Engine = Engine {
    kind: "kv",
    variant: "1",
    place: Place::Secrets,
    target: None,
    exists: Some(|path| Some(format!("{ROOT}{path}"))),
    secrets: Some(&Secrets { subject: |operation, path| Some((path, Deed::of(operation))), views: &[""] }),
    summary: "Secrets under paths; a write overwrites. Version 2 keeps what was before.",
    routes: ROUTES,
};

const ROUTES: &[Route] = &[
    Route {
        operation: Operation::Read,
        pattern: "{path*}",
        access: Access::Token,
        summary: "Read a secret.",
        fields: &[],
        example: "{}",
        handler: |cx, call| Box::pin(read(cx, call)),
    },
    Route {
        operation: Operation::List,
        pattern: "{path*}",
        access: Access::Token,
        summary: "List the names below a path.",
        fields: super::routes::LIST_FIELDS,
        example: "{}",
        handler: |cx, call| Box::pin(list(cx, call)),
    },
    Route {
        operation: Operation::Write,
        pattern: "{path*}",
        access: Access::Token,
        summary: "Write a secret; all fields of the body are its data.",
        fields: FREE,
        example: r#"{"password": "hunter2"}"#,
        handler: |cx, call| Box::pin(write(cx, call)),
    },
    Route {
        operation: Operation::Delete,
        pattern: "{path*}",
        access: Access::Token,
        summary: "Remove a secret for good.",
        fields: &[],
        example: "{}",
        handler: |cx, call| Box::pin(delete(cx, call)),
    },
];

async fn read(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let (mut reply, item) = flat::read(cx, ROOT, &call).await?;
    reply.lease.duration = flat::stated_ttl(&item)?.unwrap_or(cx.mount().default_ttl());
    Ok(reply)
}

async fn list(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    list_below(cx, ROOT, &call).await
}

async fn write(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    flat::write(cx, ROOT, &call).await
}

async fn delete(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    flat::delete(cx, ROOT, &call).await
}
