//! Mounts, read only: as tables, one by one, and as clients ask before they read a secret.

use crate::{
    cx::Cx,
    engine::{Call, Mount, openapi::document},
    error::{Error, ErrorKind},
    limits::LEASE_TTL_DEFAULT,
    policy,
    request::{Reply, Shape},
    system::API_VERSION,
};
use serde_json::{Map, Value, json};

pub(super) async fn all(cx: &mut Cx, auth: bool) -> Result<Reply, Error> {
    let table = cx.system().mounts().await?;
    let wanted = table.iter().filter(|mount| is_public(mount) && mount.path.starts_with("auth/") == auth);
    let name = |mount: &Mount| mount.path.strip_prefix("auth/").unwrap_or(&mount.path).to_owned();
    let entries: Map<String, Value> = wanted.map(|mount| (name(mount), describe(mount))).collect();
    Reply::shaped(Shape::Double, &entries)
}

pub(super) async fn one(cx: &mut Cx, call: Call<'_>, below: &str) -> Result<Reply, Error> {
    let path = call.param("path").trim_end_matches('/');
    let (path, tune) = path.strip_suffix("/tune").map_or((path, false), |path| (path, true));
    let wanted = format!("{below}{path}/");
    let table = cx.system().mounts().await?;
    let Some(mount) = table.iter().find(|mount| mount.path == wanted && is_public(mount)) else {
        return Err(Error::invalid(format!("No secret engine mount at {path}/")));
    };
    Reply::shaped(Shape::Double, &if tune { tuning(mount) } else { describe(mount) })
}

/// What anybody sees without a token is nothing; with one, the mounts on which it may do something.
pub(super) async fn visible(cx: &mut Cx) -> Result<Reply, Error> {
    let (mut secret, mut auth) = (Map::new(), Map::new());
    if let Some(identity) = cx.identity().cloned() {
        let table = cx.system().mounts().await?;
        for mount in table.iter().filter(|mount| is_public(mount) && touches(&identity.policies, mount)) {
            match mount.path.strip_prefix("auth/") {
                Some(name) => auth.insert(name.to_owned(), describe(mount)),
                None => secret.insert(mount.path.clone(), describe(mount)),
            };
        }
    }
    Reply::data(&json!({ "auth": auth, "secret": secret }))
}

/// The same mounts as an OpenAPI document; without a token it is empty.
pub(super) async fn openapi(cx: &mut Cx) -> Result<Reply, Error> {
    let policies = cx.identity().map_or(Vec::new(), |identity| identity.policies.clone());
    let table = cx.system().mounts().await?;
    let seen = table.iter().filter(|mount| is_public(mount) && touches(&policies, mount));
    Reply::shaped(Shape::Bare, &document(seen.map(AsRef::as_ref), API_VERSION))
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
    let reachable = touches(&identity.policies, mount)
        || policy::capabilities(&identity.policies, call.param("path")) != ["deny"];
    if !reachable || !is_public(mount) {
        return Err(forbidden());
    }
    let mut data = describe(mount);
    data["path"] = mount.path.clone().into();
    Reply::data(&data)
}

/// May a holder of the policies do anything at or below the mount.
fn touches(policies: &[String], mount: &Mount) -> bool {
    policy::capabilities(policies, &format!("{}x", mount.path)) != ["deny"]
}

/// The first seed's mount is no part of the Vault API.
fn is_public(mount: &Mount) -> bool {
    mount.kind != policy::SECRET_MANAGER
}

fn describe(mount: &Mount) -> Value {
    let options = if mount.options.is_empty() { Value::Null } else { json!(mount.options) };
    let mut config = json!({ "default_lease_ttl": 0, "max_lease_ttl": 0, "force_no_cache": false });
    if mount.path.starts_with("auth/") {
        config["token_type"] = "default-service".into();
    }
    json!({
        "accessor": mount.accessor,
        "config": config,
        "deprecation_status": "supported",
        "description": mount.description,
        "external_entropy_access": false,
        "local": false,
        "options": options,
        "plugin_version": "",
        "running_plugin_version": "",
        "running_sha256": "",
        "seal_wrap": false,
        "type": mount.kind,
        "uuid": mount.uuid,
    })
}

fn tuning(mount: &Mount) -> Value {
    let ttl = LEASE_TTL_DEFAULT.as_secs();
    let mut data = json!({
        "default_lease_ttl": ttl,
        "max_lease_ttl": ttl,
        "force_no_cache": false,
        "description": mount.description,
    });
    if !mount.options.is_empty() {
        data["options"] = json!(mount.options);
    }
    if mount.path.starts_with("auth/") {
        data["token_type"] = "default-service".into();
    }
    data
}
