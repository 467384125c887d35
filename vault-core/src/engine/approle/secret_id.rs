//! SecretIDs: what they are, and how they are made, looked up and destroyed. What is stored of one is a keyed hash.

use super::role::{Role, blocks, required};
use crate::{
    cidr::Cidr,
    cx::{Cx, Item},
    engine::{Call, kv::list::list_page, token_fields::cidrs},
    error::Error,
    id::Timestamp,
    limits::{
        CUSTOM_METADATA_KEYS_MAX, CUSTOM_METADATA_NAME_BYTES_MAX, CUSTOM_METADATA_VALUE_BYTES_MAX,
        SECRET_ID_BYTES_MAX,
    },
    request::{Reply, Shape},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

/// A SecretID, as stored (format 1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SecretId {
    pub(super) format: u8,
    pub(super) accessor: String,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    /// `None` = never.
    pub(super) expires: Option<Timestamp>,
    /// Seconds it was given; 0 = for ever.
    pub(super) ttl: u64,
    /// Logins left; 0 = unlimited. One that is used up is not there.
    pub(super) uses_left: u64,
    pub(super) cidr_list: Vec<Cidr>,
    pub(super) token_bound_cidrs: Vec<Cidr>,
    pub(super) metadata: BTreeMap<String, String>,
}

impl SecretId {
    /// As it is looked up.
    fn show(&self) -> Value {
        json!({
            "cidr_list": blocks(&self.cidr_list),
            "creation_time": self.created.to_rfc3339(),
            "expiration_time": self.expires.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), Timestamp::to_rfc3339),
            "last_updated_time": self.updated.to_rfc3339(),
            "metadata": self.metadata,
            "secret_id_accessor": self.accessor,
            "secret_id_num_uses": self.uses_left,
            "secret_id_ttl": self.ttl,
            "token_bound_cidrs": self.token_bound_cidrs,
        })
    }

    /// Is its time over.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }
}

/// Where a SecretID of a role stands.
pub(super) fn key(cx: &Cx, uid: &str, text: &str) -> Result<String, Error> {
    Ok(format!("secret/{uid}/{}", cx.secret_index("approle secret id", text)?))
}

fn accessor_key(uid: &str, accessor: &str) -> String {
    format!("accessor/{uid}/{accessor}")
}

/// Reads a SecretID's document.
pub(super) fn parse(item: &Item) -> Result<SecretId, Error> {
    let secret: SecretId = item.json()?;
    match secret.format {
        1 => Ok(secret),
        format => Err(Error::internal(format!("a SecretID of format {format}"))),
    }
}

pub(super) async fn make(cx: &mut Cx, call: Call<'_>, custom: bool) -> Result<Reply, Error> {
    let (role_item, role) = required(cx, call).await?;
    if !role.bind_secret_id {
        return Err(Error::invalid("bind_secret_id is not set on the role"));
    }
    let text = match custom {
        true => call.required_text("secret_id")?,
        false => cx.make_uuid()?,
    };
    if text.len() > SECRET_ID_BYTES_MAX {
        return Err(Error::invalid(format!("a SecretID may have at most {SECRET_ID_BYTES_MAX} bytes")));
    }
    let secret = drafted(cx, call, &role)?;
    let key = key(cx, &role.uid, &text)?;
    if cx.get(&key).await?.is_some() {
        return Err(Error::invalid("SecretID is already registered"));
    }
    // A role that goes meanwhile takes its SecretIDs along.
    cx.guard(&role_item)?;
    let accessor = accessor_key(&role.uid, &secret.accessor);
    cx.create_json(&key, &secret)?;
    let hash = key.rsplit('/').next().unwrap_or_default();
    cx.create(&accessor, hash.as_bytes())?;
    if let Some(end) = secret.expires {
        cx.expire_later(end, &[&key, &accessor])?;
    }
    Reply::data(&json!({
        "secret_id": text,
        "secret_id_accessor": secret.accessor,
        "secret_id_num_uses": secret.uses_left,
        "secret_id_ttl": secret.ttl,
    }))
}

/// What was asked for, within what the role gives.
fn drafted(cx: &Cx, call: Call<'_>, role: &Role) -> Result<SecretId, Error> {
    let ttl = call.duration("ttl")?.map_or(role.secret_id_ttl, |ttl| ttl.as_secs());
    let uses = call.integer("num_uses")?.unwrap_or(role.secret_id_num_uses);
    // 0 is the most.
    let exceeds = |asked: u64, bound: u64| bound > 0 && (asked == 0 || asked > bound);
    if exceeds(ttl, role.secret_id_ttl) {
        return Err(Error::invalid("ttl cannot be longer than the role's secret_id_ttl"));
    }
    if exceeds(uses, role.secret_id_num_uses) {
        return Err(Error::invalid("num_uses cannot be higher than the role's secret_id_num_uses"));
    }
    let cidr_list = within(call, "cidr_list", &role.secret_id_bound_cidrs)?;
    let token_bound_cidrs = within(call, "token_bound_cidrs", &role.token.bound_cidrs)?;
    let now = cx.now();
    Ok(SecretId {
        format: 1,
        accessor: cx.make_uuid()?,
        created: now,
        updated: now,
        expires: (ttl > 0).then(|| now.plus(Duration::from_secs(ttl))),
        ttl,
        uses_left: uses,
        cidr_list,
        token_bound_cidrs,
        metadata: metadata(call)?,
    })
}

/// Blocks that lie within the role's.
fn within(call: Call<'_>, field: &str, bound: &[Cidr]) -> Result<Vec<Cidr>, Error> {
    let blocks = cidrs(&call.list(field)?.unwrap_or_default())?;
    let inside = |block: &Cidr| bound.is_empty() || bound.iter().any(|bound| bound.covers(block));
    match blocks.iter().find(|block| !inside(block)) {
        Some(block) => {
            Err(Error::invalid(format!("{field}: {block} is not within the addresses of the role")))
        }
        None => Ok(blocks),
    }
}

/// Texts, as an object or as the JSON text of one.
fn metadata(call: Call<'_>) -> Result<BTreeMap<String, String>, Error> {
    let wrong = || Error::invalid("field \"metadata\" must be an object of texts, or one as JSON text");
    let map: BTreeMap<String, String> = match call.value("metadata") {
        None => BTreeMap::new(),
        Some(Value::String(text)) if text.is_empty() => BTreeMap::new(),
        Some(Value::String(text)) => serde_json::from_str(text).map_err(|_| wrong())?,
        Some(value) => serde_json::from_value(value.clone()).map_err(|_| wrong())?,
    };
    let fits = |(name, value): (&String, &String)| {
        name.len() <= CUSTOM_METADATA_NAME_BYTES_MAX && value.len() <= CUSTOM_METADATA_VALUE_BYTES_MAX
    };
    if map.len() > CUSTOM_METADATA_KEYS_MAX || !map.iter().all(fits) {
        return Err(Error::invalid(format!(
            "metadata may hold {CUSTOM_METADATA_KEYS_MAX} names of {CUSTOM_METADATA_NAME_BYTES_MAX} bytes with values of \
             {CUSTOM_METADATA_VALUE_BYTES_MAX}"
        )));
    }
    Ok(map)
}

pub(super) async fn list(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let (_, role) = required(cx, call).await?;
    let accessors = list_page(cx, &format!("accessor/{}/", role.uid), call).await?;
    if accessors.is_empty() {
        return Err(Error::not_found());
    }
    Reply::data(&json!({ "keys": accessors }))
}

/// One that stands; what is over is not there.
async fn by_text(cx: &mut Cx, call: Call<'_>) -> Result<Option<(Item, SecretId, Role)>, Error> {
    let text = call.required_text("secret_id")?;
    let (_, role) = required(cx, call).await?;
    let key = key(cx, &role.uid, &text)?;
    standing(cx, &key, role).await
}

async fn standing(cx: &mut Cx, key: &str, role: Role) -> Result<Option<(Item, SecretId, Role)>, Error> {
    let Some(item) = cx.get(key).await? else { return Ok(None) };
    let secret = parse(&item)?;
    Ok((!secret.is_over(cx.now())).then_some((item, secret, role)))
}

async fn by_accessor(cx: &mut Cx, call: Call<'_>) -> Result<(Item, SecretId, Role), Error> {
    let accessor = call.required_text("secret_id_accessor")?;
    let (_, role) = required(cx, call).await?;
    if accessor.contains('/') {
        return Err(Error::not_found());
    }
    let found = cx.get(&accessor_key(&role.uid, &accessor)).await?.ok_or_else(Error::not_found)?;
    let hash = String::from_utf8(found.bytes().to_vec()).map_err(Error::internal)?;
    let key = format!("secret/{}/{hash}", role.uid);
    standing(cx, &key, role).await?.ok_or_else(Error::not_found)
}

pub(super) async fn lookup(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    match by_text(cx, call).await? {
        Some((_, secret, _)) => Reply::data(&secret.show()),
        None => Ok(Reply::empty()), // Vault's answer.
    }
}

pub(super) async fn lookup_accessor(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    Reply::data(&by_accessor(cx, call).await?.1.show())
}

pub(super) async fn destroy(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    if let Some((item, secret, role)) = by_text(cx, call).await? {
        remove(cx, &item, &secret, &role.uid).await?;
    }
    Ok(Reply::empty())
}

pub(super) async fn destroy_accessor(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let (item, secret, role) = by_accessor(cx, call).await?;
    remove(cx, &item, &secret, &role.uid).await?;
    Ok(Reply::empty())
}

/// Removes one, with what leads to it.
pub(super) async fn remove(cx: &mut Cx, item: &Item, secret: &SecretId, uid: &str) -> Result<(), Error> {
    if let Some(accessor) = cx.get(&accessor_key(uid, &secret.accessor)).await? {
        cx.remove(&accessor)?;
    }
    cx.remove(item)
}

pub(super) async fn tidy() -> Result<Reply, Error> {
    let reply = Reply { shape: Shape::Accepted, ..Reply::empty() };
    Ok(reply.warn("SecretIDs that are over are swept continuously; there is nothing to start."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Operation, Request, engine::Params};

    #[test]
    fn golden_format_1() {
        let golden = r#"{"format":1,"accessor":"a","created":5,"updated":6,"expires":7,"ttl":60,"uses_left":2,"cidr_list":["10.0.0.0/8"],"token_bound_cidrs":[],"metadata":{"host":"h"}}"#;
        let secret = SecretId {
            format: 1,
            accessor: "a".into(),
            created: Timestamp(5),
            updated: Timestamp(6),
            expires: Some(Timestamp(7)),
            ttl: 60,
            uses_left: 2,
            cidr_list: vec!["10.0.0.0/8".parse().unwrap()],
            token_bound_cidrs: vec![],
            metadata: BTreeMap::from([("host".into(), "h".into())]),
        };
        assert_eq!(serde_json::to_string(&secret).unwrap(), golden);
        assert_eq!(serde_json::from_str::<SecretId>(golden).unwrap(), secret);
        assert!(secret.is_over(Timestamp(7)) && !secret.is_over(Timestamp(6)));
    }

    #[test]
    fn metadata_is_an_object_of_texts() {
        let check = |value: Value, expect: Option<usize>| {
            let fields = json!({ "metadata": value });
            let request = Request::new("id", Operation::Write, "p").with_fields(fields);
            let read = metadata(Call { request: &request, params: Params::default() });
            assert_eq!(read.ok().map(|map| map.len()), expect, "{value}");
        };
        check(json!(null), Some(0));
        check(json!(""), Some(0));
        check(json!({ "a": "b" }), Some(1));
        check(json!(r#"{"a":"b"}"#), Some(1));
        check(json!({ "a": 1 }), None);
        check(json!("a=b"), None);
        check(json!([]), None);
        check(json!({ "a": "x".repeat(600) }), None);
    }
}
