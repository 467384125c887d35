//! Policies: written, read, listed and deleted (Vault API, `sys/policies/acl` and its old name `sys/policy`).

use super::row;
use crate::{
    Operation::{Delete, List, Read, Write},
    cx::Cx,
    engine::{
        Access::Token,
        Call, Field,
        FieldKind::{Any, Integer, Text},
        Route,
    },
    error::{Error, ErrorKind},
    limits::{POLICIES_BYTES_MAX, POLICIES_MAX, POLICY_NAME_BYTES_MAX},
    policy::{POLICY_FORMAT, Policy, StoredPolicy, is_fixed},
    request::{Reply, Shape},
    system::Effect,
    token::{DEFAULT, ROOT},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

const POLICY: &[Field] = &[Field::new(
    "policy",
    Any,
    "Its text: rules on paths in HCL or JSON, or a document on secrets; or base64 of it.",
)];
const OLD: &[Field] =
    &[Field::new("policy", Any, "Its text."), Field::new("rules", Text, "Old name of `policy`.")];
const PAGE: &[Field] = &[
    Field::new("after", Text, "List only names after this one."),
    Field::new("limit", Integer, "List at most so many names."),
];
const EXAMPLE: &str = r#"{"policy":"path \"secret/data/app/*\" {\n  capabilities = [\"read\"]\n}"}"#;

/// The rows of `policies/acl` and of its old name `policy`.
#[rustfmt::skip]
pub(super) const ROUTES: &[Route] = &[
    row(List, "policies/acl", Token, "List policies.", PAGE, |cx, call| Box::pin(list(cx, call))),
    row(List, "policy", Token, "List policies.", &[], |cx, _| Box::pin(list_by_old_name(cx))),
    row(Read, "policy", Token, "List policies.", &[], |cx, _| Box::pin(list_by_old_name(cx))),
    row(Read, "policies/acl/{name*}", Token, "Read a policy.", &[], |cx, call| Box::pin(read(cx, call))),
    row(Read, "policy/{name*}", Token, "Read a policy.", &[], |cx, call| Box::pin(read_by_old_name(cx, call))),
    Route { example: EXAMPLE, ..row(Write, "policies/acl/{name*}", Token, "Write a policy.", POLICY,
        |cx, call| Box::pin(write(cx, call))) },
    Route { example: EXAMPLE, ..row(Write, "policy/{name*}", Token, "Write a policy.", OLD,
        |cx, call| Box::pin(write_by_old_name(cx, call))) },
    row(Delete, "policies/acl/{name*}", Token, "Delete a policy.", &[], |cx, call| Box::pin(delete(cx, call))),
    row(Delete, "policy/{name*}", Token, "Delete a policy.", &[], |cx, call| Box::pin(delete(cx, call))),
];

fn names(cx: &Cx) -> Result<Vec<String>, Error> {
    let mut names: Vec<String> = cx.policies()?.names().into_iter().map(str::to_owned).collect();
    names.push(ROOT.to_owned());
    names.sort_unstable();
    Ok(names)
}

async fn list(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let (after, limit) = (call.text("after")?, call.integer("limit")?.filter(|limit| *limit > 0));
    let mut names = names(cx)?;
    names.retain(|name| after.as_ref().is_none_or(|after| name > after));
    names.truncate(limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)));
    match names.is_empty() {
        true => Err(Error::not_found()),
        false => Reply::data(&json!({ "keys": names })),
    }
}

async fn list_by_old_name(cx: &mut Cx) -> Result<Reply, Error> {
    let names = names(cx)?;
    Reply::shaped(Shape::Double, &json!({ "keys": names, "policies": names }))
}

/// The name in the path. Names are in lower case (Vault).
fn name_of(call: Call<'_>) -> Result<String, Error> {
    let name = call.param("name").trim_matches('/').to_lowercase();
    if name.is_empty() {
        return Err(Error::new(ErrorKind::Unsupported, "unsupported operation: name a policy, or LIST them"));
    }
    Ok(name)
}

fn text(cx: &Cx, call: Call<'_>) -> Result<(String, String), Error> {
    let name = name_of(call)?;
    if name == ROOT {
        return Ok((name, String::new()));
    }
    let policy = cx.policies()?.find(&name).filter(|_| !is_fixed(&name)).ok_or_else(Error::not_found)?;
    let text = policy.text().to_owned();
    Ok((name, text))
}

async fn read(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let (name, text) = text(cx, call)?;
    Reply::data(&json!({ "name": name, "policy": text }))
}

async fn read_by_old_name(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let (name, text) = text(cx, call)?;
    Reply::shaped(Shape::Double, &json!({ "name": name, "rules": text }))
}

async fn write(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let text = text_in(call, "policy")?.ok_or_else(|| Error::invalid("missing field \"policy\""))?;
    save(cx, &[(name_of(call)?, text)]).await
}

async fn write_by_old_name(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    if let Some(text) = text_in(call, "policy")? {
        return save(cx, &[(name_of(call)?, text)]).await;
    }
    let rules = text_in(call, "rules")?.ok_or_else(|| Error::invalid("missing field \"policy\""))?;
    let reply = save(cx, &[(name_of(call)?, rules)]).await?;
    Ok(reply.warn("field \"rules\" is the old name of \"policy\""))
}

/// A text, base64 of one, or the policy itself as JSON.
fn text_in(call: Call<'_>, field: &str) -> Result<Option<String>, Error> {
    let Some(value) = call.value(field) else { return Ok(None) };
    let Value::String(text) = value else {
        let object = value.is_object().then(|| value.to_string());
        return object.map(Some).ok_or_else(|| Error::invalid(format!("field {field:?} must be a text")));
    };
    if text.is_empty() {
        return Ok(None);
    }
    let decoded = STANDARD.decode(text.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    Ok(Some(decoded.unwrap_or_else(|| text.clone())))
}

/// Where a policy stands, below `ns/0/`.
fn key_of(name: &str) -> String {
    format!("policy/{name}")
}

/// Stages policies that are good, by name and text; warnings go with the reply.
pub(super) async fn save(cx: &mut Cx, policies: &[(String, String)]) -> Result<Reply, Error> {
    let mut all = Vec::new();
    for (name, text) in policies {
        check_name(name)?;
        let (_, warnings) = Policy::parse(name, text)
            .map_err(|what| Error::invalid(format!("failed to parse policy {name:?}: {what}")))?;
        all.extend(warnings);
        check_room(cx, name, text)?;
        let stored = StoredPolicy { format: POLICY_FORMAT, text: text.clone() };
        match cx.root_item(&key_of(name)).await? {
            Some(item) => cx.replace_json(&item, &stored)?,
            None => cx.create_root_json(&key_of(name), &stored)?,
        }
    }
    changed(cx).await?;
    Ok(Reply { warnings: all, ..Reply::empty() })
}

fn check_name(name: &str) -> Result<(), Error> {
    if is_fixed(name) {
        return Err(Error::invalid(format!("cannot update {name:?} policy")));
    }
    let unfit = |part: &str| part.is_empty() || part == "." || part == "..";
    if name.len() > POLICY_NAME_BYTES_MAX || name.split('/').any(unfit) || name.chars().any(char::is_control)
    {
        return Err(Error::invalid(format!(
            "a policy's name has at most {POLICY_NAME_BYTES_MAX} bytes, no empty segment and no control character"
        )));
    }
    if name.contains(',') || name.trim() != name {
        return Err(Error::invalid(
            "a policy's name has no comma and no space at its ends: lists of names could not be read",
        ));
    }
    Ok(())
}

/// How many there may be, and how much text together, with this one in place of one of its name.
fn check_room(cx: &Cx, name: &str, text: &str) -> Result<(), Error> {
    let (count, bytes) = cx.policies()?.size();
    let before = cx.policies()?.find(name).map_or(0, |policy| policy.text().len());
    if count >= POLICIES_MAX && before == 0 || bytes - before + text.len() > POLICIES_BYTES_MAX {
        return Err(Error::invalid(format!(
            "there may be at most {POLICIES_MAX} policies of {POLICIES_BYTES_MAX} bytes together; delete some"
        )));
    }
    Ok(())
}

/// What is not there is deleted already.
async fn delete(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let name = name_of(call)?;
    if is_fixed(&name) || name == DEFAULT {
        return Err(Error::invalid(format!("cannot delete {name:?} policy")));
    }
    match cx.root_item(&key_of(&name)).await? {
        Some(item) => cx.remove(&item)?,
        None => return Ok(Reply::empty()),
    }
    changed(cx).await?;
    Ok(Reply::empty())
}

/// Every node's next request knows.
async fn changed(cx: &mut Cx) -> Result<(), Error> {
    cx.advance_epochs().await?;
    cx.after_commit(Effect::Refresh);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |name: &str, expect: bool| assert_eq!(check_name(name).is_ok(), expect, "{name:?}");
        for good in ["app", "app-read", "team/app", "a b", "ü"] {
            check(good, true);
        }
        for bad in [
            "root",
            "response-wrapping",
            "secret-manager",
            "a//b",
            "a,b",
            " a",
            "a\n",
            "..",
            &"x".repeat(129),
        ] {
            check(bad, false);
        }
    }
}
