//! What can be set of a mount: by `config` when it is made, by `tune` later.

use super::{TUNE, change};
use crate::{
    Request,
    cx::Cx,
    engine::{Call, FieldKind, Lockout, MOUNT_FORMAT, Mount, Params, is_nothing},
    error::Error,
    limits::LEASE_TTL_CONFIGURABLE_MAX,
    request::{Reply, Shape},
    token::TokenType,
};
use serde_json::{Map, Value, json};

/// Lists that are kept and shown.
const LISTS: &[&str] = &[
    "audit_non_hmac_request_keys",
    "audit_non_hmac_response_keys",
    "passthrough_request_headers",
    "allowed_response_headers",
];

pub(super) async fn read(cx: &mut Cx, call: Call<'_>, below: &str) -> Result<Reply, Error> {
    let mount = super::show::find(cx, call.param("path"), below).await?;
    let config = &mount.config;
    let mut data = json!({
        "default_lease_ttl": mount.default_ttl().as_secs(),
        "max_lease_ttl": mount.max_ttl().as_secs(),
        "force_no_cache": config.force_no_cache,
        "description": mount.description,
    });
    if !mount.options.is_empty() {
        data["options"] = json!(mount.options);
    }
    show(&mount, &mut data);
    Reply::shaped(Shape::Double, &data)
}

/// What stands in `config` and in `tune` alike, where it is set.
pub(super) fn show(mount: &Mount, data: &mut Value) {
    let config = &mount.config;
    if !config.listing_visibility.is_empty() {
        data["listing_visibility"] = config.listing_visibility.as_str().into();
    }
    if mount.is_auth() {
        let kind = config.token_type.as_str();
        data["token_type"] = if kind.is_empty() { "default-service" } else { kind }.into();
    }
    if let Some(lockout) = config.lockout {
        data["user_lockout_config"] = json!({
            "lockout_threshold": lockout.threshold,
            "lockout_duration": lockout.duration,
            "lockout_counter_reset_duration": lockout.reset,
            "lockout_disable": lockout.disabled,
        });
    }
    for (name, list) in &config.lists {
        data[name] = json!(list);
    }
}

pub(super) async fn write(cx: &mut Cx, call: Call<'_>, below: &str) -> Result<Reply, Error> {
    let found = super::show::find(cx, call.param("path"), below).await?;
    let stored = change::stored(cx, &found.path).await?;
    // What is built in has a document from the day it is tuned.
    let mut mount = stored.as_ref().map_or_else(|| (*found).clone(), |(_, mount)| mount.clone());
    mount.format = MOUNT_FORMAT;
    if let Some(description) = call.text("description")? {
        mount.description = description;
    }
    let options = change::options_of(call)?;
    check_version(&mount, options.get("version"))?;
    mount.options.extend(options);
    apply(&mut mount, call)?;
    change::check_size(&mount)?;
    match &stored {
        Some((item, _)) => cx.replace_json(item, &mount)?,
        None => cx.create_root_json(&change::key(&mount.path), &mount)?,
    }
    cx.advance_epochs().await?;
    Ok(Reply::empty())
}

/// The versions of kv keep their secrets in different formats, and a mount has only one.
fn check_version(mount: &Mount, wanted: Option<&String>) -> Result<(), Error> {
    match wanted.filter(|wanted| wanted.as_str() != mount.variant()) {
        None => Ok(()),
        Some(_) if mount.kind != "kv" => Ok(()),
        Some(wanted) => Err(Error::invalid(format!(
            "version {} of {:?} cannot be made version {wanted} in place; mount a new one and copy the secrets",
            mount.variant(),
            mount.path,
        ))),
    }
}

/// Reads the field `config` of a new mount; says which of its fields nobody reads.
pub(super) fn configure(mount: &mut Mount, call: Call<'_>) -> Result<Option<String>, Error> {
    let Some(config) = call.map("config")? else { return Ok(None) };
    let mut inner = Request::new("", call.request.operation, "");
    inner.fields.clone_from(config);
    for field in TUNE.iter().filter(|field| field.kind == FieldKind::Refused) {
        if config.get(field.name).is_some_and(|value| !is_nothing(value)) {
            return Err(Error::invalid(format!(
                "field \"config.{}\" is not available here; leave it out",
                field.name
            )));
        }
    }
    apply(mount, Call { request: &inner, params: call.params })?;
    let unread = |name: &&String| {
        TUNE.iter().all(|field| field.name != name.as_str() && name.as_str() != "plugin_name")
    };
    let unread: Vec<&str> = config.keys().filter(unread).map(String::as_str).collect();
    let warning =
        || format!("Endpoint ignored these unrecognized parameters of config: [{}]", unread.join(" "));
    Ok((!unread.is_empty()).then(warning))
}

/// Takes over what the fields name and leaves the rest.
fn apply(mount: &mut Mount, call: Call<'_>) -> Result<(), Error> {
    let config = &mut mount.config;
    config.default_lease_ttl = ttl(call, "default_lease_ttl")?.unwrap_or(config.default_lease_ttl);
    config.max_lease_ttl = ttl(call, "max_lease_ttl")?.unwrap_or(config.max_lease_ttl);
    config.force_no_cache = call.boolean("force_no_cache")?.unwrap_or(config.force_no_cache);
    for name in LISTS {
        if let Some(list) = call.list(name)? {
            config.lists.insert((*name).to_owned(), list);
        }
    }
    config.lists.retain(|_, list| !list.is_empty());
    if let Some(visibility) = call.text("listing_visibility")? {
        if !matches!(visibility.as_str(), "" | "hidden" | "unauth") {
            return Err(Error::invalid("field \"listing_visibility\" must be \"unauth\" or \"hidden\""));
        }
        config.listing_visibility = visibility;
    }
    if let Some(kind) = call.text("token_type")?.filter(|kind| !kind.is_empty()) {
        config.token_type = token_type(&mount.path, kind)?;
    }
    if let Some(fields) = call.map("user_lockout_config")? {
        config.lockout = Some(lockout(&mount.path, config.lockout.unwrap_or_default(), fields)?);
    }
    let config = &mount.config;
    if config.default_lease_ttl > mount.max_ttl().as_secs() {
        return Err(Error::invalid(format!(
            "default_lease_ttl of {}s may not be greater than max_lease_ttl, which is {}s here",
            config.default_lease_ttl,
            mount.max_ttl().as_secs()
        )));
    }
    Ok(())
}

/// Seconds, or `system` for the vault's own. Nothing stays as it was.
fn ttl(call: Call<'_>, name: &str) -> Result<Option<u64>, Error> {
    if call.value(name).and_then(Value::as_str) == Some("system") {
        return Ok(Some(0));
    }
    let ttl = call.duration(name)?;
    if ttl.is_some_and(|ttl| ttl > LEASE_TTL_CONFIGURABLE_MAX) {
        return Err(Error::invalid(format!("field {name:?} may be at most 100 years")));
    }
    Ok(ttl.map(|ttl| ttl.as_secs()))
}

/// When names are locked, with what the fields name.
fn lockout(path: &str, before: Lockout, fields: &Map<String, Value>) -> Result<Lockout, Error> {
    if !path.starts_with("auth/") {
        return Err(Error::invalid("'user_lockout_config' can only be set on auth methods"));
    }
    let mut inner = Request::new("", crate::Operation::Write, "");
    inner.fields.clone_from(fields);
    let call = Call { request: &inner, params: Params::default() };
    let seconds = |name: &str, before: u64| -> Result<u64, Error> {
        Ok(ttl(call, name)?.filter(|seconds| *seconds > 0).unwrap_or(before))
    };
    Ok(Lockout {
        threshold: call.integer("lockout_threshold")?.filter(|count| *count > 0).unwrap_or(before.threshold),
        duration: seconds("lockout_duration", before.duration)?,
        reset: seconds("lockout_counter_reset_duration", before.reset)?,
        disabled: call.boolean("lockout_disable")?.unwrap_or(before.disabled),
    })
}

fn token_type(path: &str, kind: String) -> Result<String, Error> {
    if !path.starts_with("auth/") {
        return Err(Error::invalid("'token_type' can only be set on auth methods"));
    }
    let parsed = TokenType::parse(&kind)?;
    if parsed.may_be_batch() && path == "auth/token/" {
        return Err(Error::invalid(
            "a batch token has no children: give them by a token role, or ask for them",
        ));
    }
    Ok(kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Operation;

    fn applied(path: &str, fields: Value) -> Result<Mount, Error> {
        let mut mount = Mount::built_in(path, "kv", "id", "");
        let request = Request::new("id", Operation::Write, "p").with_fields(fields);
        apply(&mut mount, Call { request: &request, params: Params::default() })?;
        Ok(mount)
    }

    #[test]
    fn settings_are_taken_leniently() {
        let check = |fields: Value, expect: (u64, u64, bool)| {
            let config = applied("kv/", fields.clone()).unwrap().config;
            assert_eq!(
                (config.default_lease_ttl, config.max_lease_ttl, config.force_no_cache),
                expect,
                "{fields}"
            );
        };
        check(json!({}), (0, 0, false));
        check(json!({ "default_lease_ttl": "1h", "max_lease_ttl": 7200 }), (3_600, 7_200, false));
        check(json!({ "default_lease_ttl": "", "force_no_cache": "true" }), (0, 0, true));
        check(json!({ "default_lease_ttl": "system", "max_lease_ttl": "0" }), (0, 0, false));
        let lists =
            applied("kv/", json!({ "passthrough_request_headers": "A, B", "allowed_response_headers": [] }));
        assert_eq!(
            lists.unwrap().config.lists.into_iter().collect::<Vec<_>>(),
            [("passthrough_request_headers".to_owned(), vec!["A".to_owned(), "B".to_owned()])]
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let check = |path: &str, fields: Value, good: bool| {
            assert_eq!(applied(path, fields.clone()).is_ok(), good, "{path} {fields}");
        };
        check("kv/", json!({ "default_lease_ttl": "2h", "max_lease_ttl": "1h" }), false);
        check("kv/", json!({ "default_lease_ttl": "40d" }), false);
        check("kv/", json!({ "default_lease_ttl": "40d", "max_lease_ttl": "40d" }), true);
        check("kv/", json!({ "max_lease_ttl": "200000d" }), false);
        check("kv/", json!({ "max_lease_ttl": "soon" }), false);
        check("kv/", json!({ "listing_visibility": "unauth" }), true);
        check("kv/", json!({ "listing_visibility": "all" }), false);
        check("kv/", json!({ "token_type": "service" }), false);
        check("auth/x/", json!({ "token_type": "service" }), true);
        check("auth/x/", json!({ "token_type": "batch" }), true);
        check("auth/x/", json!({ "token_type": "default-batch" }), true);
        check("auth/x/", json!({ "token_type": "other" }), false);
        check("auth/token/", json!({ "token_type": "batch" }), false);
    }
}
