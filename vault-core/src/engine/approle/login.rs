//! The login. Whatever is wrong, the answer is the same and so is the work before it: a stranger learns neither which
//! roles there are nor which half of what he has is right. The audit log says.

use super::{
    role::{self, Index, Role, id_key},
    secret_id::{self, SecretId},
};
use crate::{
    cidr::admits,
    cx::{Cx, Item, Login},
    engine::Call,
    error::{Error, ErrorKind},
    request::Reply,
    token::TokenSettings,
};
use serde_json::{Map, Value};
use std::net::IpAddr;

/// A role and a SecretID that are asked for where there are none: no name of a role has a slash, no role this id.
const NOBODY: &str = "-/-";

pub(super) async fn login(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let role_id = call.required_text("role_id")?;
    let text = call.text("secret_id")?.unwrap_or_default();
    let index = cx.get(&id_key(cx, &role_id)?).await?;
    let index: Option<Index> = index.map(|item| item.json()).transpose()?;
    let (name, uid) = index.as_ref().map_or((NOBODY, NOBODY), |index| (&index.name, &index.uid));
    let keys = [format!("role/{name}"), secret_id::key(cx, uid, &text)?];
    let found = cx.get_many(&[&keys[0], &keys[1]]).await?;
    let [role, secret] = found.try_into().map_err(|_| Error::internal("two keys, two answers"))?;
    let role = role.as_ref().map(role::parse).transpose()?;
    // A role that was deleted meanwhile and made anew under its name is another.
    let role = role.filter(|role| role.uid == *uid && role.role_id == role_id);
    let secret = secret.map(|item| secret_id::parse(&item).map(|secret| (item, secret))).transpose()?;
    let known = secret.as_ref().map(|(_, secret)| secret);
    let role = match judge(role, known, call.request.remote.address, cx) {
        Ok(role) => role,
        Err(_) if text.is_empty() => return Err(Error::invalid("missing secret_id")),
        Err(reason) => {
            cx.note_rule(reason);
            return Err(Error::new(ErrorKind::Credentials, "invalid role or secret ID"));
        }
    };
    cx.note_secret(name);
    come_in(cx, call, name, &role, secret.filter(|_| role.bind_secret_id)).await
}

/// The role that comes in, or why it does not.
fn judge(
    role: Option<Role>,
    secret: Option<&SecretId>,
    address: Option<IpAddr>,
    cx: &Cx,
) -> Result<Role, &'static str> {
    let role = role.ok_or("no role has this role_id")?;
    if !role.enabled {
        return Err("the role is disabled");
    }
    if role.bind_secret_id {
        let secret = secret.ok_or("the role has no such SecretID")?;
        if secret.is_over(cx.now()) {
            return Err("the SecretID has expired");
        }
        if !admits(&secret.cidr_list, address) {
            return Err("the SecretID is bound to other addresses");
        }
    }
    if !admits(&role.secret_id_bound_cidrs, address) {
        return Err("the role's logins are bound to other addresses");
    }
    Ok(role)
}

async fn come_in(
    cx: &mut Cx,
    call: Call<'_>,
    name: &str,
    role: &Role,
    secret: Option<(Item, SecretId)>,
) -> Result<Reply, Error> {
    let mut settings = role.token.clone();
    let mut meta = Map::new();
    if let Some((item, secret)) = secret {
        if !secret.token_bound_cidrs.is_empty() {
            settings.bound_cidrs.clone_from(&secret.token_bound_cidrs);
        }
        meta.extend(secret.metadata.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))));
        spend(cx, &item, &secret, &role.uid).await?;
    }
    // Last: what a SecretID says does not pass for what the role is called.
    meta.insert("role_name".to_owned(), name.into());
    let mount = cx.mount().path.trim_start_matches("auth/").trim_end_matches('/').to_owned();
    issue(cx, call, &settings, (mount, name, role), meta)
}

fn issue(
    cx: &mut Cx,
    call: Call<'_>,
    settings: &TokenSettings,
    (mount, name, role): (String, &str, &Role),
    meta: Map<String, Value>,
) -> Result<Reply, Error> {
    let mut entities = vec![format!("{mount}/{name}")];
    entities.extend((!role.id_chosen).then(|| role.role_id.clone()));
    let login = Login {
        settings,
        path: "login".to_owned(),
        entities,
        holders: vec![role.holder.clone()],
        meta: Some(meta),
        display_name: mount,
    };
    cx.issue_login(call, login)
}

/// A SecretID that is counted pays for the login in the same commit: of two who use its last use at once, on two nodes,
/// one is first, and the other finds nothing.
async fn spend(cx: &mut Cx, item: &Item, secret: &SecretId, uid: &str) -> Result<(), Error> {
    match secret.uses_left {
        0 => Ok(()),
        1 => secret_id::remove(cx, item, secret, uid).await,
        left => {
            let spent = SecretId { uses_left: left - 1, updated: cx.now(), ..secret.clone() };
            cx.replace_json(item, &spent)
        }
    }
}
