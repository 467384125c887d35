//! The cubbyhole: secrets that only the token that wrote them can see. They stand at `<token hash>/<path>`, so no
//! path leads from one token to another's.

use super::{
    Access, Call, Engine, FREE, Place, Route,
    kv::{LIST_FIELDS, flat, list::list_below},
};
use crate::{Operation, cx::Cx, error::Error, request::Reply, token::Token};

/// Every token's own drawer.
pub const ENGINE: Engine = Engine {
    kind: "cubbyhole",
    variant: "",
    place: Place::BuiltIn,
    target: None,
    exists: None,
    secrets: None,
    summary: "Secrets that belong to one token and end with it.",
    routes: ROUTES,
};

const ROUTES: &[Route] = &[
    Route {
        operation: Operation::Read,
        pattern: "{path*}",
        access: Access::Token,
        summary: "Read a secret of this token.",
        fields: &[],
        example: "{}",
        handler: |cx, call| Box::pin(read(cx, call)),
    },
    Route {
        operation: Operation::List,
        pattern: "{path*}",
        access: Access::Token,
        summary: "List this token's names below a path.",
        fields: LIST_FIELDS,
        example: "{}",
        handler: |cx, call| Box::pin(list(cx, call)),
    },
    Route {
        operation: Operation::Write,
        pattern: "{path*}",
        access: Access::Token,
        summary: "Write a secret for this token; all fields of the body are its data.",
        fields: FREE,
        example: r#"{"password": "hunter2"}"#,
        handler: |cx, call| Box::pin(write(cx, call)),
    },
    Route {
        operation: Operation::Delete,
        pattern: "{path*}",
        access: Access::Token,
        summary: "Remove a secret of this token.",
        fields: &[],
        example: "{}",
        handler: |cx, call| Box::pin(delete(cx, call)),
    },
];

/// The part of the mount that is the asking token's own.
fn root_of(cx: &Cx) -> Result<String, Error> {
    let identity = cx.require_identity()?;
    if identity.token.as_ref().is_some_and(Token::is_batch) {
        return Err(Error::invalid("cubbyhole operations are only supported by \"service\" type tokens"));
    }
    Ok(format!("{}/", identity.cubbyhole()))
}

async fn read(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let root = root_of(cx)?;
    Ok(flat::read(cx, &root, &call).await?.0)
}

async fn list(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let root = root_of(cx)?;
    list_below(cx, &root, &call).await
}

async fn write(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let root = root_of(cx)?;
    flat::write(cx, &root, &call).await
}

async fn delete(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let root = root_of(cx)?;
    flat::delete(cx, &root, &call).await
}
