//! Users: what they are, and how they are made, changed and deleted.

use crate::{
    Secret,
    cx::{Cx, Item, Password},
    engine::{
        Call,
        kv::list::list_page,
        token_fields::{self, cidrs},
    },
    error::Error,
    limits::PASSPHRASE_BYTES_MAX,
    request::Reply,
    token::TokenSettings,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A user, as stored (format 1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct User {
    pub(super) format: u8,
    /// What the user's tokens rest on.
    pub(super) holder: String,
    pub(super) enabled: bool,
    pub(super) password: Password,
    pub(super) token: TokenSettings,
}

/// The password that a request brings.
pub(super) fn given(call: Call<'_>) -> Result<Option<Secret<String>>, Error> {
    let Some(password) = call.text("password")?.filter(|password| !password.is_empty()) else {
        return Ok(None);
    };
    if password.len() > PASSPHRASE_BYTES_MAX {
        return Err(Error::invalid(format!("a password may have at most {PASSPHRASE_BYTES_MAX} bytes")));
    }
    Ok(Some(Secret::new(password)))
}

/// The same; it must be there.
pub(super) fn required(call: Call<'_>) -> Result<Secret<String>, Error> {
    given(call)?.ok_or_else(|| Error::invalid("missing password"))
}

/// Names of users do not tell upper from lower case (Vault).
pub(super) fn name_of(call: Call<'_>) -> String {
    call.param("user").to_lowercase()
}

/// Where a user stands.
pub(super) fn key(name: &str) -> String {
    format!("user/{name}")
}

/// Reads a user's document.
pub(super) fn parse(item: &Item) -> Result<User, Error> {
    let user: User = item.json()?;
    match user.format {
        1 => Ok(user),
        format => Err(Error::internal(format!("a user of format {format}"))),
    }
}

async fn find(cx: &mut Cx, call: Call<'_>) -> Result<Option<(Item, User)>, Error> {
    let name = name_of(call);
    cx.note_secret(name.as_str());
    let Some(item) = cx.get(&key(&name)).await? else { return Ok(None) };
    let user = parse(&item)?;
    Ok(Some((item, user)))
}

pub(super) async fn list(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let names = list_page(cx, "user/", call).await?;
    if names.is_empty() { Err(Error::not_found()) } else { Reply::data(&json!({ "keys": names })) }
}

pub(super) async fn read(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let (_, user) = find(cx, call).await?.ok_or_else(Error::not_found)?;
    let mut shown = token_fields::show(&user.token);
    shown.insert("enabled".to_owned(), user.enabled.into());
    Reply::data(&shown)
}

pub(super) async fn write(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    match find(cx, call).await? {
        Some((item, user)) => change(cx, call, &item, user).await?,
        None => create(cx, call).await?,
    }
    Ok(Reply::empty())
}

async fn create(cx: &mut Cx, call: Call<'_>) -> Result<(), Error> {
    let (password, token) = (required(call)?, settings(TokenSettings::default(), call)?);
    let enabled = call.boolean("enabled")?.unwrap_or(true);
    let password = cx.hash_password(password).await?;
    let holder = if enabled { cx.raise_holder()? } else { cx.name_holder()? };
    let user = User { format: 1, holder, enabled, password, token };
    cx.create_json(&key(&name_of(call)), &user)
}

async fn change(cx: &mut Cx, call: Call<'_>, item: &Item, before: User) -> Result<(), Error> {
    let mut user = User { token: settings(before.token, call)?, ..before };
    let enabled = call.boolean("enabled")?.unwrap_or(user.enabled);
    if let Some(password) = given(call)? {
        user.password = cx.hash_password(password).await?;
    }
    match (user.enabled, enabled) {
        (true, false) => cx.end_holder(&user.holder).await?,
        (false, true) => cx.restore_holder(&user.holder)?,
        _ => {}
    }
    cx.replace_json(item, &User { enabled, ..user })
}

/// The `token_*` fields, and the names that they had for users.
fn settings(before: TokenSettings, call: Call<'_>) -> Result<TokenSettings, Error> {
    let seconds = |name: &str, before: u64| -> Result<u64, Error> {
        Ok(call.duration(name)?.map_or(before, |duration| duration.as_secs()))
    };
    let bound_cidrs = match call.list("bound_cidrs")? {
        Some(blocks) => cidrs(&blocks)?,
        None => before.bound_cidrs,
    };
    let (ttl, max_ttl) = (seconds("ttl", before.ttl)?, seconds("max_ttl", before.max_ttl)?);
    token_fields::parse(TokenSettings { ttl, max_ttl, bound_cidrs, ..before }, call)
}

pub(super) async fn write_password(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let password = required(call)?;
    let (item, user) = find(cx, call).await?.ok_or_else(|| Error::invalid("username does not exist"))?;
    let password = cx.hash_password(password).await?;
    cx.replace_json(&item, &User { password, ..user })?;
    Ok(Reply::empty())
}

pub(super) async fn write_policies(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let (item, user) = find(cx, call).await?.ok_or_else(|| Error::invalid("username does not exist"))?;
    let token = token_fields::parse(user.token, call)?;
    cx.replace_json(&item, &User { token, ..user })?;
    Ok(Reply::empty())
}

pub(super) async fn delete(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    if let Some((item, user)) = find(cx, call).await? {
        cx.end_holder(&user.holder).await?;
        cx.remove(&item)?;
    }
    Ok(Reply::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_format_1() {
        let golden = r#"{"format":1,"holder":"standing/m/h","enabled":true,"password":{"salt":"00000000000000000000000000000000","memory_kib":19456,"passes":2,"lanes":1,"key":"0000000000000000000000000000000000000000000000000000000000000000"},"token":{"policies":[],"ttl":0,"max_ttl":0,"explicit_max_ttl":0,"period":0,"num_uses":0,"no_default_policy":false,"bound_cidrs":[]}}"#;
        let user = User {
            format: 1,
            holder: "standing/m/h".into(),
            enabled: true,
            password: Password::nobodys(),
            token: TokenSettings::default(),
        };
        assert_eq!(serde_json::to_string(&user).unwrap(), golden);
        assert_eq!(serde_json::from_str::<User>(golden).unwrap(), user);
    }
}
