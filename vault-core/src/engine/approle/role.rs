//! Roles: what they are, and how they are made, changed and deleted.

use crate::{
    cidr::Cidr,
    cx::{Cx, Item},
    engine::{
        Call,
        kv::list::list_page,
        token_fields::{self, cidrs},
    },
    error::Error,
    limits::ROLE_ID_BYTES_MAX,
    request::Reply,
    token::TokenSettings,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A role, as stored (format 1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Role {
    pub(super) format: u8,
    /// Random; its SecretIDs stand below it, so that a role made anew under the name has none.
    pub(super) uid: String,
    pub(super) role_id: String,
    /// Somebody chose the id: then it names no entity, since he could have chosen another's name.
    pub(super) id_chosen: bool,
    /// What its tokens rest on.
    pub(super) holder: String,
    pub(super) enabled: bool,
    pub(super) bind_secret_id: bool,
    pub(super) secret_id_bound_cidrs: Vec<Cidr>,
    pub(super) secret_id_num_uses: u64,
    /// Seconds; 0 = for ever.
    pub(super) secret_id_ttl: u64,
    pub(super) local_secret_ids: bool,
    pub(super) token: TokenSettings,
}

/// From a role's id to the role, as stored (format 1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Index {
    pub(super) format: u8,
    pub(super) name: String,
    pub(super) uid: String,
}

impl Role {
    fn new() -> Self {
        Self {
            format: 1,
            uid: String::new(),
            role_id: String::new(),
            id_chosen: false,
            holder: String::new(),
            enabled: true,
            bind_secret_id: true,
            secret_id_bound_cidrs: Vec::new(),
            secret_id_num_uses: 0,
            secret_id_ttl: 0,
            local_secret_ids: false,
            token: TokenSettings::default(),
        }
    }

    /// The role with what the request names; what says which role it is stays.
    pub(super) fn changed(self, call: Call<'_>) -> Result<Self, Error> {
        let seconds = |name: &str, before: u64| -> Result<u64, Error> {
            Ok(call.duration(name)?.map_or(before, |duration| duration.as_secs()))
        };
        let blocks = match call.list("secret_id_bound_cidrs")? {
            None => call.list("bound_cidr_list")?,
            found => found,
        };
        let role = Self {
            enabled: call.boolean("enabled")?.unwrap_or(self.enabled),
            bind_secret_id: call.boolean("bind_secret_id")?.unwrap_or(self.bind_secret_id),
            secret_id_bound_cidrs: match blocks {
                Some(blocks) => cidrs(&blocks)?,
                None => self.secret_id_bound_cidrs,
            },
            secret_id_num_uses: call.integer("secret_id_num_uses")?.unwrap_or(self.secret_id_num_uses),
            secret_id_ttl: seconds("secret_id_ttl", self.secret_id_ttl)?,
            token: token_fields::parse(self.token, call)?,
            ..self
        };
        role.check()?;
        Ok(role)
    }

    /// Who knows a role's id alone must not be able to log in from everywhere.
    fn check(&self) -> Result<(), Error> {
        let bound = !self.secret_id_bound_cidrs.is_empty() || !self.token.bound_cidrs.is_empty();
        if self.bind_secret_id || bound {
            return Ok(());
        }
        Err(Error::invalid(
            "at least one constraint should be enabled on the role: \"bind_secret_id\", \"secret_id_bound_cidrs\" or \
             \"token_bound_cidrs\"",
        ))
    }

    /// One setting as it is by default.
    pub(super) fn reset(&mut self, field: &str) -> Result<(), Error> {
        let new = Self::new();
        match field {
            "token_policies" => self.token.policies = new.token.policies,
            "token_ttl" => self.token.ttl = 0,
            "token_max_ttl" => self.token.max_ttl = 0,
            "token_period" => self.token.period = 0,
            "token_num_uses" => self.token.num_uses = 0,
            "token_bound_cidrs" => self.token.bound_cidrs = new.token.bound_cidrs,
            "secret_id_ttl" => self.secret_id_ttl = 0,
            "secret_id_num_uses" => self.secret_id_num_uses = 0,
            "secret_id_bound_cidrs" => self.secret_id_bound_cidrs = new.secret_id_bound_cidrs,
            _ => self.bind_secret_id = true,
        }
        self.check()
    }

    /// As it is read.
    pub(super) fn show(&self) -> Map<String, Value> {
        let own = json!({
            "bind_secret_id": self.bind_secret_id,
            "enabled": self.enabled,
            "local_secret_ids": self.local_secret_ids,
            "secret_id_bound_cidrs": blocks(&self.secret_id_bound_cidrs),
            "secret_id_num_uses": self.secret_id_num_uses,
            "secret_id_ttl": self.secret_id_ttl,
        });
        let mut shown = token_fields::show(&self.token);
        shown.extend(own.as_object().cloned().unwrap_or_default());
        shown
    }
}

/// Blocks as they are read back here: with their length, also of one address (Vault).
pub(super) fn blocks(cidrs: &[Cidr]) -> Vec<String> {
    cidrs.iter().map(Cidr::to_block).collect()
}

/// Names of roles do not tell upper from lower case (Vault).
pub(super) fn name_of(call: Call<'_>) -> String {
    call.param("role").to_lowercase()
}

fn key(name: &str) -> String {
    format!("role/{name}")
}

/// Where a role's id leads to its role.
pub(super) fn id_key(cx: &Cx, role_id: &str) -> Result<String, Error> {
    Ok(format!("role-id/{}", cx.secret_index("approle role id", role_id)?))
}

/// The role that the path names.
pub(super) async fn find(cx: &mut Cx, call: Call<'_>) -> Result<Option<(Item, Role)>, Error> {
    let name = name_of(call);
    cx.note_secret(name.as_str());
    let Some(item) = cx.get(&key(&name)).await? else { return Ok(None) };
    let role = parse(&item)?;
    Ok(Some((item, role)))
}

/// Reads a role's document.
pub(super) fn parse(item: &Item) -> Result<Role, Error> {
    let role: Role = item.json()?;
    match role.format {
        1 => Ok(role),
        format => Err(Error::internal(format!("a role of format {format}"))),
    }
}

/// The same; what is not there cannot be used.
pub(super) async fn required(cx: &mut Cx, call: Call<'_>) -> Result<(Item, Role), Error> {
    find(cx, call).await?.ok_or_else(Error::not_found)
}

pub(super) async fn list(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let names = list_page(cx, "role/", call).await?;
    if names.is_empty() { Err(Error::not_found()) } else { Reply::data(&json!({ "keys": names })) }
}

/// The second seed's list: empty where there is none.
pub(super) async fn list_all(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let names = list_page(cx, "role/", call).await?;
    Reply::data(&json!({ "keys": names, "roles": names }))
}

pub(super) async fn read(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    Reply::data(&required(cx, call).await?.1.show())
}

pub(super) async fn read_id(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    Reply::data(&json!({ "role_id": required(cx, call).await?.1.role_id }))
}

pub(super) async fn write(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    match find(cx, call).await? {
        Some((item, role)) => change(cx, call, &item, role).await?,
        None => create(cx, call).await?,
    }
    Ok(Reply::empty())
}

async fn create(cx: &mut Cx, call: Call<'_>) -> Result<(), Error> {
    let mut role = Role { uid: cx.make_id()?, ..Role::new() }.changed(call)?;
    role.local_secret_ids = call.boolean("local_secret_ids")?.unwrap_or(false);
    (role.role_id, role.id_chosen) = match call.text("role_id")?.filter(|id| !id.is_empty()) {
        Some(id) => (checked_id(id)?, true),
        None => (cx.make_uuid()?, false),
    };
    role.holder = match role.enabled {
        true => cx.raise_holder()?,
        false => cx.name_holder()?,
    };
    let name = name_of(call);
    lead(cx, &name, &role).await?;
    cx.create_json(&key(&name), &role)
}

async fn change(cx: &mut Cx, call: Call<'_>, item: &Item, before: Role) -> Result<(), Error> {
    if call.boolean("local_secret_ids")?.is_some_and(|local| local != before.local_secret_ids) {
        return Err(Error::invalid("local_secret_ids can only be modified during role creation"));
    }
    let mut role = before.clone().changed(call)?;
    if let Some(id) = call.text("role_id")?.filter(|id| !id.is_empty() && *id != before.role_id) {
        (role.role_id, role.id_chosen) = (checked_id(id)?, true);
        move_id(cx, &name_of(call), &before, &role).await?;
    }
    match (before.enabled, role.enabled) {
        (true, false) => cx.end_holder(&role.holder).await?,
        (false, true) => cx.restore_holder(&role.holder)?,
        _ => {}
    }
    cx.replace_json(item, &role)
}

pub(super) async fn write_id(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let id = checked_id(call.required_text("role_id")?)?;
    let (item, before) = required(cx, call).await?;
    if id != before.role_id {
        let role = Role { role_id: id, id_chosen: true, ..before.clone() };
        move_id(cx, &name_of(call), &before, &role).await?;
        cx.replace_json(&item, &role)?;
    }
    Ok(Reply::empty())
}

fn checked_id(id: String) -> Result<String, Error> {
    if id.len() <= ROLE_ID_BYTES_MAX {
        return Ok(id);
    }
    Err(Error::invalid(format!("field \"role_id\" may have at most {ROLE_ID_BYTES_MAX} bytes")))
}

async fn move_id(cx: &mut Cx, name: &str, before: &Role, role: &Role) -> Result<(), Error> {
    if let Some(old) = cx.get(&id_key(cx, &before.role_id)?).await? {
        cx.remove(&old)?;
    }
    lead(cx, name, role).await
}

/// Has a role's id lead to it.
async fn lead(cx: &mut Cx, name: &str, role: &Role) -> Result<(), Error> {
    let key = id_key(cx, &role.role_id)?;
    if cx.get(&key).await?.is_some() {
        return Err(Error::invalid("this role_id is another role's already; choose another"));
    }
    cx.create_json(&key, &Index { format: 1, name: name.to_owned(), uid: role.uid.clone() })
}

/// The role goes at once, with all that rests on it; its SecretIDs are unreachable and swept.
pub(super) async fn delete(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let Some((item, role)) = find(cx, call).await? else { return Ok(Reply::empty()) };
    if let Some(index) = cx.get(&id_key(cx, &role.role_id)?).await? {
        cx.remove(&index)?;
    }
    cx.end_holder(&role.holder).await?;
    cx.remove(&item)?;
    cx.sweep_later(&format!("secret/{}/", role.uid))?;
    cx.sweep_later(&format!("accessor/{}/", role.uid))?;
    Ok(Reply::empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Operation, Request, engine::Params, token::TokenType};

    #[test]
    fn golden_format_1() {
        let golden = r#"{"format":1,"uid":"u","role_id":"r","id_chosen":false,"holder":"standing/m/h","enabled":true,"bind_secret_id":true,"secret_id_bound_cidrs":["10.0.0.0/8"],"secret_id_num_uses":3,"secret_id_ttl":60,"local_secret_ids":false,"token":{"policies":["a"],"ttl":60,"max_ttl":120,"explicit_max_ttl":0,"period":0,"num_uses":0,"no_default_policy":false,"bound_cidrs":[],"type":"batch"}}"#;
        let token = TokenSettings {
            policies: vec!["a".into()],
            ttl: 60,
            max_ttl: 120,
            kind: TokenType::Batch,
            ..TokenSettings::default()
        };
        let role = Role {
            uid: "u".into(),
            role_id: "r".into(),
            holder: "standing/m/h".into(),
            secret_id_bound_cidrs: vec!["10.0.0.0/8".parse().unwrap()],
            secret_id_num_uses: 3,
            secret_id_ttl: 60,
            token,
            ..Role::new()
        };
        assert_eq!(serde_json::to_string(&role).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Role>(golden).unwrap(), role);
        let golden = r#"{"format":1,"name":"web","uid":"u"}"#;
        let index = Index { format: 1, name: "web".into(), uid: "u".into() };
        assert_eq!(serde_json::to_string(&index).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Index>(golden).unwrap(), index);
    }

    #[test]
    fn a_role_binds_its_logins_to_something() {
        let check = |fields: Value, good: bool| {
            let request = Request::new("id", Operation::Write, "p").with_fields(fields.clone());
            let call = Call { request: &request, params: Params::default() };
            assert_eq!(Role::new().changed(call).is_ok(), good, "{fields}");
        };
        check(json!({}), true);
        check(json!({ "bind_secret_id": false }), false);
        check(json!({ "bind_secret_id": false, "secret_id_bound_cidrs": "10.0.0.0/8" }), true);
        check(json!({ "bind_secret_id": false, "bound_cidr_list": ["10.0.0.0/8"] }), true);
        check(json!({ "bind_secret_id": false, "token_bound_cidrs": ["10.0.0.0/8"] }), true);
        check(json!({ "secret_id_bound_cidrs": ["10.0.0.0/99"] }), false);
        check(json!({ "secret_id_ttl": "soon" }), false);
    }
}
