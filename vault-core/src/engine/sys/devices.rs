//! `sys/audit`: where the audit log goes. It always rests in the store, with the changes that it tells of; what else
//! follows it is declared in the configuration, never here: who may call an API should not be able to have files written.

use super::row;
use crate::{
    Operation::{Delete, Read, Write},
    audit::export::written_hash,
    cx::Cx,
    engine::{
        Access::{Sudo, Token},
        Call, Field,
        FieldKind::{Any, Boolean, Map as MapKind, Text},
        Route,
    },
    error::Error,
    request::{Reply, Shape},
    system::AuditDevice,
};
use serde_json::{Map, Value, json};

const DEVICE: &[Field] = &[
    Field::new("type", Text, "Type of the device."),
    Field::new("description", Text, "For people."),
    Field::new("options", MapKind, "Options of the device."),
    Field::new("local", Boolean, "Every device is local to its node."),
];
const HASH: &[Field] = &[
    Field::new("input", Text, "The value to look for in the log."),
    Field::new("name", Text, "Name of the field that holds it, as records have it: `data.password`."),
];
const HEADER: &[Field] = &[Field::new("hmac", Any, "Would be hashed in any case.")];

#[rustfmt::skip]
pub(super) const ROUTES: &[Route] = &[
    row(Read, "audit", Sudo, "Where the audit log goes.", &[],
        |cx, _| Box::pin(all(cx))),
    Route { example: r#"{"type":"file"}"#, ..row(Write, "audit/{path*}", Sudo, "Refused: devices are declared in the configuration.", DEVICE,
        |_, _| Box::pin(declared())) },
    row(Delete, "audit/{path*}", Sudo, "Refused for what is there: devices are declared in the configuration.", &[],
        |cx, call| Box::pin(remove(cx, call))),
    Route { example: r#"{"input":"hunter2","name":"data.password"}"#, ..row(Write, "audit-hash/{path*}", Token,
        "What stands in the log for a value.", HASH, |cx, call| Box::pin(hash(cx, call))) },
    row(Read, "config/auditing/request-headers", Sudo, "Headers that records tell of: none.", &[],
        |_, _| Box::pin(headers())),
    row(Read, "config/auditing/request-headers/{header}", Sudo, "The same for one header.", &[],
        |_, _| Box::pin(header())),
    row(Write, "config/auditing/request-headers/{header}", Sudo, "Refused: records tell of no headers.", HEADER,
        |_, _| Box::pin(add_header())),
    row(Delete, "config/auditing/request-headers/{header}", Sudo, "Nothing to do.", &[],
        |_, _| Box::pin(remove_header())),
];

/// The log itself, under the name that it has among the devices.
const STORE: &str = "store/";

async fn all(cx: &mut Cx) -> Result<Reply, Error> {
    let store = AuditDevice {
        path: STORE.to_owned(),
        kind: "store".to_owned(),
        description: "the log itself: no reply leaves before its record is durable".to_owned(),
        ..AuditDevice::default()
    };
    let devices = std::iter::once(&store).chain(&cx.system().settings().audit_devices);
    let entries: Map<String, Value> = devices.map(|device| (device.path.clone(), describe(device))).collect();
    Reply::shaped(Shape::Double, &entries)
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

/// Is there a device at this path.
fn is_device(cx: &Cx, path: &str) -> bool {
    let path = format!("{}/", path.trim_matches('/'));
    path == STORE || cx.system().settings().audit_devices.iter().any(|device| device.path == path)
}

async fn declared() -> Result<Reply, Error> {
    Err(Error::invalid(
        "audit devices are declared in the server's configuration, not through the API; see the setting `audit_file`",
    ))
}

async fn remove(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    if is_device(cx, call.param("path")) { declared().await } else { Ok(Reply::empty()) }
}

async fn hash(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    if !is_device(cx, call.param("path")) {
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

async fn headers() -> Result<Reply, Error> {
    Reply::shaped(Shape::Double, &json!({ "headers": {} }))
}

async fn header() -> Result<Reply, Error> {
    Err(Error::not_found())
}

async fn add_header() -> Result<Reply, Error> {
    Err(Error::invalid("records tell of no headers but the user agent, which always stands there"))
}

async fn remove_header() -> Result<Reply, Error> {
    Ok(Reply::empty())
}
