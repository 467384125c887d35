//! Policies as they can be read: the built-in ones, until there are written ones.

use super::row;
use crate::{
    Operation::{Delete, List, Read},
    engine::{Access::Token, Call, Route},
    error::Error,
    policy,
    request::{Reply, Shape},
    token::{DEFAULT, ROOT},
};
use serde_json::json;

/// What every vault has, in order.
const BUILT_IN: &[&str] = &[DEFAULT, ROOT];

/// The rows of `policies/acl` and of its old name `policy`.
pub(super) const ROUTES: &[Route] = &[
    row(List, "policies/acl", Token, "List policies.", &[], |_, _| Box::pin(list())),
    row(List, "policy", Token, "List policies.", &[], |_, _| Box::pin(list_by_old_name())),
    row(Read, "policy", Token, "List policies.", &[], |_, _| Box::pin(list_by_old_name())),
    row(Read, "policies/acl/{policy}", Token, "Read a policy.", &[], |_, call| Box::pin(read(call))),
    row(Read, "policy/{policy}", Token, "Read a policy.", &[], |_, call| Box::pin(read_by_old_name(call))),
    row(Delete, "policies/acl/{policy}", Token, "Delete a policy.", &[], |_, call| Box::pin(delete(call))),
    row(Delete, "policy/{policy}", Token, "Delete a policy.", &[], |_, call| Box::pin(delete(call))),
];

async fn list() -> Result<Reply, Error> {
    Reply::data(&json!({ "keys": BUILT_IN }))
}

async fn list_by_old_name() -> Result<Reply, Error> {
    Reply::shaped(Shape::Double, &json!({ "keys": BUILT_IN, "policies": BUILT_IN }))
}

fn text(call: Call<'_>) -> Result<(String, String), Error> {
    let name = call.param("policy").to_lowercase();
    let text = policy::text(&name).ok_or_else(Error::not_found)?;
    Ok((name, text))
}

async fn read(call: Call<'_>) -> Result<Reply, Error> {
    let (name, text) = text(call)?;
    Reply::data(&json!({ "name": name, "policy": text }))
}

async fn read_by_old_name(call: Call<'_>) -> Result<Reply, Error> {
    let (name, text) = text(call)?;
    Reply::shaped(Shape::Double, &json!({ "name": name, "rules": text }))
}

/// What is not there is deleted already.
async fn delete(call: Call<'_>) -> Result<Reply, Error> {
    let name = call.param("policy").to_lowercase();
    if BUILT_IN.contains(&name.as_str()) {
        return Err(Error::invalid(format!("cannot delete {name:?} policy")));
    }
    Ok(Reply::empty())
}
