//! Mounts, read only: as tables, one by one, and as clients ask before they read a secret.

use super::tune::show as show_config;
use crate::{
    cx::Cx,
    engine::{Call, Mount, openapi::document},
    error::{Error, ErrorKind},
    policy,
    request::{Reply, Shape},
    system::API_VERSION,
    token::Identity,
};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) async fn all(cx: &mut Cx, auth: bool) -> Result<Reply, Error> {
    let table = cx.system().mounts().await?;
    let wanted = table.iter().filter(|mount| is_public(mount) && mount.is_auth() == auth);
    let name = |mount: &Mount| mount.path.strip_prefix("auth/").unwrap_or(&mount.path).to_owned();
    let entries: Map<String, Value> = wanted.map(|mount| (name(mount), describe(mount))).collect();
    Reply::shaped(Shape::Double, &entries)
}

pub(super) async fn one(cx: &mut Cx, call: Call<'_>, below: &str) -> Result<Reply, Error> {
    let mount = find(cx, call.param("path"), below).await?;
    Reply::shaped(Shape::Double, &describe(&mount))
}

/// The mount at a path, relative to `below`.
pub(super) async fn find(cx: &Cx, path: &str, below: &str) -> Result<Arc<Mount>, Error> {
    let path = path.trim_matches('/');
    let what = if below.is_empty() { "secret engine" } else { "auth engine" };
    let missing = || Error::invalid(format!("No {what} mount at {path}/"));
    let table = cx.system().mounts().await?;
    let mount = table.at(&format!("{below}{path}")).filter(|mount| is_public(mount));
    mount.cloned().ok_or_else(missing)
}

/// A stranger sees the mounts whose listing says so; who holds a token, also those on which it may do something.
pub(super) async fn visible(cx: &mut Cx) -> Result<Reply, Error> {
    let (mut secret, mut auth) = (Map::new(), Map::new());
    let identity = cx.identity().cloned();
    let table = cx.system().mounts().await?;
    for mount in table.iter().filter(|mount| is_public(mount)) {
        let known = touches(cx, identity.as_ref(), mount)?;
        if !known && mount.config.listing_visibility != "unauth" {
            continue;
        }
        let shown = if identity.is_some() { describe(mount) } else { introduce(mount) };
        match mount.path.strip_prefix("auth/") {
            Some(name) => auth.insert(name.to_owned(), shown),
            None => secret.insert(mount.path.clone(), shown),
        };
    }
    Reply::data(&json!({ "auth": auth, "secret": secret }))
}

/// The same mounts as an OpenAPI document; without a token it is empty.
pub(super) async fn openapi(cx: &mut Cx) -> Result<Reply, Error> {
    let identity = cx.identity().cloned();
    let table = cx.system().mounts().await?;
    let mut seen: Vec<&Mount> = Vec::new();
    for mount in table.iter().filter(|mount| is_public(mount)) {
        if touches(cx, identity.as_ref(), mount)? {
            seen.push(mount);
        }
    }
    Reply::shaped(Shape::Bare, &document(seen, API_VERSION))
}

/// The question that clients ask before every KV read. Absent and forbidden look alike.
pub(super) async fn serving(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let forbidden = || {
        let path = crate::audit::cut(call.param("path"));
        Error::new(
            ErrorKind::Denied,
            format!(
                "preflight capability check returned 403, please ensure client's policies grant access to path \"{path}/\""
            ),
        )
    };
    let identity = cx.identity().cloned().ok_or_else(forbidden)?;
    let table = cx.system().mounts().await?;
    let (mount, _) = table.resolve(call.param("path")).ok_or_else(forbidden)?;
    let reachable = touches(cx, Some(&identity), mount)? || cx.rights(&identity, call.param("path"))?.any();
    if !reachable || !is_public(mount) {
        return Err(forbidden());
    }
    let mut data = describe(mount);
    data["path"] = mount.path.clone().into();
    Reply::data(&data)
}

/// May who asks do anything below the mount.
fn touches(cx: &Cx, identity: Option<&Identity>, mount: &Mount) -> Result<bool, Error> {
    identity.map_or(Ok(false), |identity| cx.reaches(identity, mount))
}

/// The first seed's mount is no part of the Vault API.
fn is_public(mount: &Mount) -> bool {
    mount.kind != policy::SECRET_MANAGER
}

/// What a stranger needs to know to log in.
fn introduce(mount: &Mount) -> Value {
    json!({ "type": mount.kind, "description": mount.description, "options": options_of(mount) })
}

fn options_of(mount: &Mount) -> Value {
    if mount.options.is_empty() { Value::Null } else { json!(mount.options) }
}

fn describe(mount: &Mount) -> Value {
    let mut config = json!({
        "default_lease_ttl": mount.config.default_lease_ttl,
        "max_lease_ttl": mount.config.max_lease_ttl,
        "force_no_cache": mount.config.force_no_cache,
    });
    show_config(mount, &mut config);
    json!({
        "accessor": mount.accessor,
        "config": config,
        "deprecation_status": "supported",
        "description": mount.description,
        "external_entropy_access": false,
        "local": mount.local,
        "options": options_of(mount),
        "plugin_version": "",
        "running_plugin_version": "",
        "running_sha256": "",
        "seal_wrap": mount.seal_wrap,
        "type": mount.kind,
        "uuid": mount.uuid,
    })
}
