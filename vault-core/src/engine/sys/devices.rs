//! `sys/audit`: where the audit log goes. It always rests in the store, with the changes that it tells of; what else
//! follows it is declared in the configuration, or here where the operator of the server allows it: who may call an API
//! should not be able to have files written by that alone.

use super::{mounts::options_of, row};
use crate::{
    Operation::{Delete, Read, Write},
    audit::export::written_hash,
    cx::Cx,
    engine::{
        Access::{Sudo, Token},
        Call, Field,
        FieldKind::{Boolean, Map as MapKind, Text},
        Route,
    },
    error::Error,
    limits::AUDIT_DEVICES_MAX,
    request::{Reply, Shape},
    system::{AuditDevice, DEVICE_PREFIX, DeviceKeeper, Effect, StoredDevice, parse_name},
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, sync::Arc};

const DEVICE: &[Field] = &[
    Field::new("type", Text, "Type of the device: `file`."),
    Field::new("description", Text, "For people."),
    Field::new("options", MapKind, "Options of the device: `file_path`."),
    Field::new("local", Boolean, "Every device is local to its node, and every node has it."),
];
const HASH: &[Field] = &[
    Field::new("input", Text, "The value to look for in the log."),
    Field::new("name", Text, "Name of the field that holds it, as records have it: `data.password`."),
];

#[rustfmt::skip]
pub(super) const ROUTES: &[Route] = &[
    row(Read, "audit", Sudo, "Where the audit log goes.", &[],
        |cx, _| Box::pin(all(cx))),
    Route { example: r#"{"type":"file","options":{"file_path":"/var/log/secrethub/audit.log"}}"#,
        ..row(Write, "audit/{path*}", Sudo, "Have a file follow the log, where the configuration allows it.", DEVICE,
        |cx, call| Box::pin(enable(cx, call))) },
    row(Delete, "audit/{path*}", Sudo, "Take away a device that was declared here.", &[],
        |cx, call| Box::pin(disable(cx, call))),
    Route { example: r#"{"input":"hunter2","name":"data.password"}"#, ..row(Write, "audit-hash/{path*}", Token,
        "What stands in the log for a value.", HASH, |cx, call| Box::pin(hash(cx, call))) },
];

/// The log itself, under the name that it has among the devices.
const STORE: &str = "store/";

/// The options that other servers know, and the values of each that say what holds here anyway. A value that asks for
/// something else is refused, not ignored.
const OPTIONS: &[(&str, &[&str])] = &[
    ("mode", &["0600", "600"]),
    ("format", &["json"]),
    ("log_raw", &["false"]),
    ("hmac_accessor", &["false"]),
    ("elide_list_responses", &["true", "false"]),
    ("prefix", &[""]),
];

async fn all(cx: &mut Cx) -> Result<Reply, Error> {
    let entries: Map<String, Value> =
        devices(cx).map(|device| (device.path.clone(), describe(&device))).collect();
    Reply::shaped(Shape::Double, &entries)
}

/// All there are: the store, what the configuration names, what was declared here.
fn devices(cx: &Cx) -> impl Iterator<Item = AuditDevice> {
    let store = AuditDevice {
        path: STORE.to_owned(),
        kind: "store".to_owned(),
        description: "the log itself: no reply leaves before its record is durable".to_owned(),
        ..AuditDevice::default()
    };
    let configured = cx.system().settings().audit_devices.iter().cloned();
    let declared = cx.auditing().into_iter().flat_map(|auditing| auditing.devices.iter().cloned());
    std::iter::once(store).chain(configured).chain(declared)
}

fn describe(device: &AuditDevice) -> Value {
    json!({
        "path": device.path,
        "type": device.kind,
        "description": device.description,
        "local": true,
        "options": device.options,
    })
}

async fn enable(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let keeper = keeper(cx)?;
    let device = parse(call)?;
    check_free(cx, &device)?;
    keeper.check(&device).await?;
    cx.create_json(&format!("{DEVICE_PREFIX}{}", bare(&device.path)), &StoredDevice { format: 1, device })?;
    cx.advance_epochs().await?;
    cx.after_commit(Effect::Refresh);
    Ok(Reply::empty())
}

async fn disable(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let path = format!("{}/", call.param("path").trim_matches('/'));
    if is_fixed(&path) {
        return Err(Error::invalid(format!(
            "{path:?} is not declared through the API; a file that the configuration names goes with its setting `audit_file`"
        )));
    }
    if !devices(cx).any(|device| device.path == path) {
        return Ok(Reply::empty());
    }
    keeper(cx)?;
    if let Some(item) = cx.get(&format!("{DEVICE_PREFIX}{}", bare(&path))).await? {
        cx.remove(&item)?;
        cx.advance_epochs().await?;
        cx.after_commit(Effect::Refresh);
    }
    Ok(Reply::empty())
}

/// Who keeps what is declared here; nobody where the operator of the server has not switched it on.
fn keeper(cx: &Cx) -> Result<Arc<dyn DeviceKeeper>, Error> {
    cx.system().settings().device_keeper.clone().ok_or_else(|| {
        Error::invalid(
            "cannot enable or disable an audit device via API: the server's configuration does not allow it; declare it \
             there with the setting `audit_file`, or set `audit_devices_folder` to the folder in which the API may",
        )
    })
}

/// What was asked for, or what is wrong with it.
fn parse(call: Call<'_>) -> Result<AuditDevice, Error> {
    let path = format!("{}/", parse_name(call.param("path"), "device")?);
    if is_fixed(&path) {
        return Err(Error::invalid(format!("path already in use: {path:?} is reserved")));
    }
    let kind = call.required_text("type")?;
    if kind != "file" {
        return Err(Error::invalid(format!("unknown backend type: {kind:?}; here is \"file\" and no other")));
    }
    call.boolean("local")?;
    let options = options_of(call)?;
    check_options(&options)?;
    Ok(AuditDevice { path, kind, description: call.text("description")?.unwrap_or_default(), options })
}

fn check_options(options: &BTreeMap<String, String>) -> Result<(), Error> {
    for (name, value) in options.iter().filter(|(name, _)| !["file_path", "path"].contains(&name.as_str())) {
        let Some((_, known)) = OPTIONS.iter().find(|(known, _)| known == name) else {
            return Err(Error::invalid(format!("unknown option {name:?} of a file; it has \"file_path\"")));
        };
        if !known.contains(&value.as_str()) {
            return Err(Error::invalid(format!(
                "option {name:?} of a file can only be {:?} here; leave it out",
                known.join("\" or \"")
            )));
        }
    }
    match (options.get("file_path"), options.get("path")) {
        (Some(one), Some(other)) if one != other => {
            Err(Error::invalid("options \"file_path\" and \"path\" name different files; leave one out"))
        }
        (None, None) => Err(Error::invalid("file_path is required: the file that shall follow the log")),
        _ => Ok(()),
    }
}

fn check_free(cx: &Cx, device: &AuditDevice) -> Result<(), Error> {
    for other in devices(cx) {
        if other.path == device.path {
            return Err(Error::invalid(format!(
                "path already in use: there is a device at {:?}",
                other.path
            )));
        }
        if other.file_path().is_some() && other.file_path() == device.file_path() {
            return Err(Error::invalid(format!("the device at {:?} writes this file already", other.path)));
        }
    }
    if cx.auditing().is_some_and(|auditing| auditing.devices.len() >= AUDIT_DEVICES_MAX) {
        return Err(Error::invalid(format!("the API may declare at most {AUDIT_DEVICES_MAX} devices")));
    }
    Ok(())
}

/// Is it no business of this API what stands there.
fn is_fixed(path: &str) -> bool {
    [STORE, AuditDevice::CONFIGURED].contains(&path)
}

fn bare(path: &str) -> &str {
    path.trim_end_matches('/')
}

async fn hash(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let path = format!("{}/", call.param("path").trim_matches('/'));
    if !devices(cx).any(|device| device.path == path) {
        let path = crate::audit::cut(call.param("path"));
        // Clients know the refusal by Vault's words.
        return Err(Error::invalid(format!("unknown audit backend {path:?}; the log itself is {STORE:?}")));
    }
    let input = call.text("input")?.ok_or_else(|| Error::invalid("missing field \"input\""))?;
    let name = call.text("name")?.unwrap_or_default();
    let hash = cx.barrier()?.value_hash(&name, input.as_bytes());
    let reply = Reply::shaped(Shape::Double, &json!({ "hash": written_hash(&hash) }))?;
    Ok(if name.is_empty() {
        reply.warn(
            "hashes in the log depend on the field's name: give it in \"name\", such as \"data.password\"",
        )
    } else {
        reply
    })
}
