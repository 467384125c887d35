//! One setting of a role at a path of its own: `role/web/token-ttl`.

use super::role;
use crate::{Request, cx::Cx, engine::Call, error::Error, request::Reply};
use serde_json::{Map, Value};

/// The names in the path, and the fields that they stand for.
const SETTINGS: &[(&str, &str)] = &[
    ("policies", "token_policies"),
    ("token-ttl", "token_ttl"),
    ("token-max-ttl", "token_max_ttl"),
    ("period", "token_period"),
    ("token-num-uses", "token_num_uses"),
    ("token-bound-cidrs", "token_bound_cidrs"),
    ("secret-id-ttl", "secret_id_ttl"),
    ("secret-id-num-uses", "secret_id_num_uses"),
    ("secret-id-bound-cidrs", "secret_id_bound_cidrs"),
    ("bound-cidr-list", "secret_id_bound_cidrs"),
    ("bind-secret-id", "bind_secret_id"),
];

/// Old names that some clients send.
const OLD: &[(&str, &str)] = &[
    ("token_policies", "policies"),
    ("token_period", "period"),
    ("secret_id_bound_cidrs", "bound_cidr_list"),
];

/// The field that the path names.
fn field_of(call: Call<'_>) -> Result<&'static str, Error> {
    let name = call.param("setting");
    let found = SETTINGS.iter().find(|(path, _)| *path == name);
    found.map(|(_, field)| *field).ok_or_else(Error::not_found)
}

pub(super) async fn read(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    if call.param("setting") == "local-secret-ids" {
        return one(cx, call, "local_secret_ids").await;
    }
    one(cx, call, field_of(call)?).await
}

async fn one(cx: &mut Cx, call: Call<'_>, field: &str) -> Result<Reply, Error> {
    let mut shown = role::required(cx, call).await?.1.show();
    let value = shown.remove(field).unwrap_or_default();
    let mut data = Map::from_iter([(field.to_owned(), value.clone())]);
    if let Some((_, old)) = OLD.iter().find(|(new, _)| *new == field) {
        data.insert((*old).to_owned(), value);
    }
    Reply::data(&data)
}

pub(super) async fn write(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let field = field_of(call)?;
    let old = OLD.iter().find(|(new, _)| *new == field).map(|(_, old)| *old);
    let named = |name: &str| call.value(name).cloned();
    let value: Value = named(field)
        .or_else(|| named(old?))
        .ok_or_else(|| Error::invalid(format!("missing field {field:?}")))?;
    let (item, before) = role::required(cx, call).await?;
    let mut alone = Request::new("", call.request.operation, "");
    alone.fields.insert(field.to_owned(), value);
    let role = before.changed(Call { request: &alone, params: call.params })?;
    cx.replace_json(&item, &role)?;
    Ok(Reply::empty())
}

pub(super) async fn reset(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let field = field_of(call)?;
    let (item, mut role) = role::required(cx, call).await?;
    role.reset(field)?;
    cx.replace_json(&item, &role)?;
    Ok(Reply::empty())
}
