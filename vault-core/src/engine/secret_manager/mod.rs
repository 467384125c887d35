//! The first seed's interface: store a value, get an id; give the id, get the value. Each secret is one entry under
//! its own random UUID. What the first seed itself kept is served from its database while that is taken over, and can be
//! imported.

mod import;
mod imported;

use super::{Access, Call, Engine, Field, FieldKind, Place, Route};
use crate::{
    Operation,
    cx::Cx,
    error::{Error, ErrorKind},
    limits::SECRET_MANAGER_BYTES_MAX,
    request::Reply,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use zeroize::Zeroizing;

/// The engine of `secret-manager/`.
pub(super) const ENGINE: Engine = Engine {
    kind: "secret-manager",
    variant: "",
    place: Place::BuiltIn,
    target: None,
    exists: None,
    secrets: None,
    summary: "The first seed's interface: values under random ids.",
    routes: &[
        Route {
            operation: Operation::Write,
            pattern: "create",
            access: Access::Token,
            summary: "Store a value and get its id.",
            fields: &[Field::new(
                "secret",
                FieldKind::Text,
                "The value in standard base64, at most 1 MiB decoded.",
            )],
            example: r#"{"secret":"bXlfc2VjcmV0"}"#,
            handler: |cx, call| Box::pin(create(cx, call)),
        },
        Route {
            operation: Operation::Write,
            pattern: "fetch",
            access: Access::Token,
            summary: "Get a value by its id.",
            fields: &[Field::new("secret_id", FieldKind::Text, "The id that create gave.")],
            example: r#"{"secret_id":"550e8400-e29b-41d4-a716-446655440000"}"#,
            handler: |cx, call| Box::pin(fetch(cx, call)),
        },
        Route {
            operation: Operation::Write,
            pattern: "import",
            access: Access::Sudo,
            summary: "Take in secrets and audit records of the first seed, under their ids.",
            fields: import::FIELDS,
            example: r#"{"secrets":[{"id":"0b5c8a52-9a39-4d0c-8f0e-0d3c6d1d6c11","secret":"bXlfc2VjcmV0"}]}"#,
            handler: |cx, call| Box::pin(import::import(cx, call)),
        },
        Route {
            operation: Operation::Read,
            pattern: "imported",
            access: Access::Sudo,
            summary: "The audit records that were imported, oldest first; not part of the chain.",
            fields: imported::FIELDS,
            example: r#"{"limit":10}"#,
            handler: |cx, call| Box::pin(imported::imported(cx, call)),
        },
    ],
};

async fn create(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    cx.note_operation("create");
    let text = call.value("secret").and_then(serde_json::Value::as_str);
    let text = text.ok_or_else(|| Error::invalid("field \"secret\" must be a text in base64"))?;
    let too_large = || Error::new(ErrorKind::TooLarge, "a secret may have at most 1 MiB");
    if text.len() > SECRET_MANAGER_BYTES_MAX.div_ceil(3) * 4 {
        return Err(too_large());
    }
    // The decoder's own words name an offending byte and its place: that is part of the secret.
    let value = STANDARD.decode(text).map(Zeroizing::new);
    let value = value
        .map_err(|_| Error::invalid("invalid base64: only the standard alphabet with padding is accepted"))?;
    if value.len() > SECRET_MANAGER_BYTES_MAX {
        return Err(too_large());
    }
    let id = cx.make_uuid()?;
    cx.note_secret(&*id);
    cx.create(&id, &value)?;
    Reply::data(&json!({ "secret_id": id }))
}

async fn fetch(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    cx.note_operation("fetch");
    let id = uuid::Uuid::try_parse(&call.required_text("secret_id")?);
    let id = id.map_err(|_| Error::invalid("field \"secret_id\" must be a UUID"))?.to_string();
    cx.note_secret(&*id);
    let own = cx.get(&id).await?.map(|item| STANDARD.encode(item.bytes()));
    let text = match own {
        Some(text) => text,
        None => {
            let old = cx.first_seed(&id).await?;
            let old = old.ok_or_else(|| Error::new(ErrorKind::NotFound, "Secret not found"))?;
            STANDARD.encode(old.expose()) // EXPOSE: the caller asked for this value.
        }
    };
    let text = Zeroizing::new(text);
    Reply::data(&json!({ "secret": &*text }))
}
