//! Mounts come, move and go. Each is one commit: the mount's document, and every lane's epoch. What stood below a mount
//! that went is swept by a job; nothing can be written there any more, since each write is held to its lane's epoch.

use super::{super::leases::stage_revocation, tune::configure};
use crate::{
    cx::{Cx, Item},
    engine::{Call, ENGINES, MOUNT_FORMAT, Mount, MountConfig, Moved, Place, engine_of},
    error::Error,
    limits::{MOUNT_BYTES_MAX, MOUNTS_MAX},
    request::Reply,
    system::{MountTable, is_built_in, parse_path},
};
use serde_json::json;
use std::collections::BTreeMap;

/// What an auth method's path starts with.
fn below(place: Place) -> &'static str {
    if place == Place::Auth { "auth/" } else { "" }
}

pub(super) async fn enable(cx: &mut Cx, call: Call<'_>, place: Place) -> Result<Reply, Error> {
    let path = parse_path(call.param("path"), below(place))?;
    let (kind, options) = parse_type(call, place)?;
    let table = cx.system().mounts().await?;
    check_free(&table, &path)?;
    if table.len() >= MOUNTS_MAX {
        return Err(Error::invalid(format!("a vault may have at most {MOUNTS_MAX} mounts")));
    }
    let mut name = [0; 4];
    cx.make_bytes(&mut name)?;
    let mut mount = Mount {
        format: MOUNT_FORMAT,
        id: cx.make_id()?,
        accessor: format!("{kind}_{}", hex::encode(name)),
        uuid: cx.make_uuid()?,
        path,
        kind,
        description: call.text("description")?.unwrap_or_default(),
        options,
        config: MountConfig::default(),
        local: call.boolean("local")?.unwrap_or(false),
        seal_wrap: call.boolean("seal_wrap")?.unwrap_or(false),
        moved: None,
    };
    let warning = configure(&mut mount, call)?;
    create(cx, &mount)?;
    cx.advance_epochs().await?;
    Ok(Reply { warnings: warning.into_iter().collect(), ..Reply::empty() })
}

/// From the words of Vault's API to an engine and its options.
fn parse_type(call: Call<'_>, place: Place) -> Result<(String, BTreeMap<String, String>), Error> {
    let mut named = call.required_text("type")?;
    if named == "plugin" {
        named = call.required_text("plugin_name")?;
    }
    let mut options = options_of(call)?;
    let (kind, version) = match named.as_str() {
        "generic" => ("kv", Some("1")),
        "kv-v1" => ("kv", Some("1")),
        "kv-v2" => ("kv", Some("2")),
        other => (other, None),
    };
    if let Some(version) = version {
        options.insert("version".to_owned(), version.to_owned());
    }
    let mut of_kind = ENGINES.iter().filter(|engine| engine.place == place && engine.kind == kind).peekable();
    if of_kind.peek().is_none() {
        let what = if place == Place::Auth { "auth method" } else { "secrets engine" };
        return Err(Error::invalid(format!("no {what} of type {named:?} here{}", known(place))));
    }
    let probe = Mount { options, ..Mount::built_in("", kind, "", "") };
    if engine_of(&probe).is_none() {
        let versions: Vec<&str> = of_kind.map(|engine| engine.variant).collect();
        return Err(Error::invalid(format!("option \"version\" of {kind} must be one of {versions:?}")));
    }
    Ok((kind.to_owned(), probe.options))
}

fn known(place: Place) -> String {
    let kinds = ENGINES.iter().filter(|engine| engine.place == place).map(|engine| engine.kind);
    let mut kinds: Vec<&str> = kinds.collect();
    kinds.dedup();
    if kinds.is_empty() { String::new() } else { format!("; there is {}", kinds.join(", ")) }
}

/// Options are texts; clients send numbers too.
pub(in super::super) fn options_of(call: Call<'_>) -> Result<BTreeMap<String, String>, Error> {
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        serde_json::Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    };
    let Some(map) = call.map("options")? else { return Ok(BTreeMap::new()) };
    let given = map.iter().filter(|(_, value)| !value.is_null());
    let options = given.map(|(name, value)| Some((name.clone(), text(value)?))).collect::<Option<_>>();
    options.ok_or_else(|| Error::invalid("field \"options\" must be an object of texts"))
}

fn check_free(table: &MountTable, path: &str) -> Result<(), Error> {
    match table.conflict(path) {
        Some(other) => Err(Error::invalid(format!("path is already in use at {}", other.path))),
        None => Ok(()),
    }
}

pub(super) async fn disable(cx: &mut Cx, call: Call<'_>, place: Place) -> Result<Reply, Error> {
    let path = named(call.param("path"), below(place))?;
    check_movable(&path, "unmount")?;
    if place == Place::Secrets && path.starts_with("auth/") {
        return Err(Error::invalid(format!("{path:?} is an auth method: disable it by sys/{path}")));
    }
    let Some((item, mount)) = stored(cx, &path).await? else { return Ok(Reply::empty()) };
    cx.remove(&item)?;
    cx.create_root_json(&format!("unmounted/{}", mount.id), &json!({ "format": 1, "path": mount.path }))?;
    if mount.is_auth() {
        stage_revocation(cx, path.trim_end_matches('/')).await?; // Who came in that way has to come in anew.
    }
    cx.advance_epochs().await?;
    Ok(Reply::empty())
}

/// The path of a mount that may be there.
fn named(name: &str, below: &str) -> Result<String, Error> {
    match name.trim_matches('/') {
        "" => Err(Error::invalid("say which mount: its path is missing")),
        name => Ok(format!("{below}{name}/")),
    }
}

/// What every vault has stays where it is.
fn check_movable(path: &str, what: &str) -> Result<(), Error> {
    if is_built_in(path) {
        return Err(Error::invalid(format!("cannot {what} {path:?}: every vault has it there")));
    }
    Ok(())
}

pub(super) async fn remount(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let from = named(&call.required_text("from")?, "")?;
    let to = call.required_text("to")?;
    check_movable(&from, "remount")?;
    let to = match (from.strip_prefix("auth/"), to.trim_matches('/').strip_prefix("auth/")) {
        (Some(_), Some(name)) => parse_path(name, "auth/")?,
        (None, None) => parse_path(&to, "")?,
        _ => {
            return Err(Error::invalid(
                "a secrets engine stays among secrets engines, an auth method below auth/",
            ));
        }
    };
    let missing = || Error::invalid(format!("no matching mount at {from:?}"));
    let (item, mount) = stored(cx, &from).await?.ok_or_else(missing)?;
    check_free(&*cx.system().mounts().await?, &to)?;
    let id = cx.make_uuid()?;
    cx.remove(&item)?;
    let moved = Some(Moved { id: id.clone(), from });
    create(cx, &Mount { format: MOUNT_FORMAT, path: to, moved, ..mount })?;
    cx.advance_epochs().await?;
    Reply::shaped(crate::request::Shape::Double, &json!({ "migration_id": id }))
}

/// A move is done when it is answered, so its only state is success; a mount remembers its newest.
pub(super) async fn remount_status(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let id = call.param("id");
    let table = cx.system().mounts().await?;
    let found =
        table.iter().find_map(|mount| Some((mount, mount.moved.as_ref().filter(|moved| moved.id == id)?)));
    let (mount, moved) = found.ok_or_else(Error::not_found)?;
    let info = json!({ "source_mount": moved.from, "target_mount": mount.path, "status": "success" });
    Reply::data(&json!({ "migration_id": id, "migration_info": info }))
}

/// A mount's entry and document.
pub(super) async fn stored(cx: &mut Cx, path: &str) -> Result<Option<(Item, Mount)>, Error> {
    let Some(item) = cx.root_item(&key(path)).await? else { return Ok(None) };
    let mount = Mount::parse(item.bytes())?;
    Ok(Some((item, mount)))
}

fn create(cx: &mut Cx, mount: &Mount) -> Result<(), Error> {
    check_size(mount)?;
    cx.create_root_json(&key(&mount.path), mount)
}

/// Every node keeps every mount's document in memory.
pub(super) fn check_size(mount: &Mount) -> Result<(), Error> {
    let bytes = serde_json::to_vec(mount).map_err(Error::internal)?.len();
    if bytes <= MOUNT_BYTES_MAX {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "description, options and lists of a mount may take {MOUNT_BYTES_MAX} bytes in all"
    )))
}

/// Where a mount's document stands below `ns/0/`.
pub(super) fn key(path: &str) -> String {
    format!("mount/{}", path.trim_end_matches('/'))
}
