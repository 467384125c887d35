//! What one node says of its machine and process: facts, requests in flight, and what it logs. None of it is stored: each
//! node answers for itself.

use super::row;
use crate::{
    Operation::{Delete, Read, Write},
    cx::Cx,
    engine::{Access::Token, Call, Field, FieldKind::Text, Route},
    error::Error,
    id::Timestamp,
    request::{Reply, Shape},
    system::{Effect, InFlight, LogLevel, Machine},
};
use serde_json::{Map, Value, json};
use std::sync::Arc;

const LEVEL: &[Field] = &[Field::new("level", Text, "`trace`, `debug`, `info`, `warn` or `error`.")];

#[rustfmt::skip]
pub(super) const ROUTES: &[Route] = &[
    row(Read, "host-info", Token, "Processors, memory, disks and system of this node.", &[],
        |cx, _| Box::pin(host_info(cx))),
    row(Read, "in-flight-req", Token, "The requests that this node is serving.", &[],
        |cx, _| Box::pin(in_flight(cx))),
    row(Read, "loggers", Token, "What this node logs, and from which level on.", &[],
        |cx, _| Box::pin(loggers(cx))),
    Route { example: r#"{"level":"debug"}"#, ..row(Write, "loggers", Token, "Set the level of all.", LEVEL,
        |cx, call| Box::pin(set(cx, call, None))) },
    row(Delete, "loggers", Token, "Set all to the configured level.", &[],
        |cx, _| Box::pin(reset(cx, None))),
    row(Read, "loggers/{logger}", Token, "The level of one.", &[],
        |cx, call| Box::pin(logger(cx, call.param("logger")))),
    Route { example: r#"{"level":"debug"}"#, ..row(Write, "loggers/{logger}", Token, "Set the level of one.", LEVEL,
        |cx, call| Box::pin(set(cx, call, Some(call.param("logger"))))) },
    row(Delete, "loggers/{logger}", Token, "Set one to the configured level.", &[],
        |cx, call| Box::pin(reset(cx, Some(call.param("logger"))))),
];

fn machine(cx: &Cx) -> Result<Arc<dyn Machine>, Error> {
    let unknown = || Error::invalid("this program does not tell of the machine that it runs on");
    cx.system().settings().machine.clone().ok_or_else(unknown)
}

async fn host_info(cx: &mut Cx) -> Result<Reply, Error> {
    let facts = machine(cx)?.facts().await?;
    let mut told = serde_json::to_value(facts).map_err(Error::internal)?;
    told["timestamp"] = cx.now().to_rfc3339().into();
    Reply::data(&told)
}

async fn in_flight(cx: &mut Cx) -> Result<Reply, Error> {
    let tell = |request: InFlight| {
        let age = u64::try_from(request.age.as_micros()).unwrap_or(u64::MAX);
        json!({
            "start_time": Timestamp(cx.now().0.saturating_sub(age)).to_rfc3339(),
            "client_remote_address": request.remote,
            "request_path": request.path,
            "request_method": request.method,
            // Who asks stands in the audit log alone.
            "client_id": "",
        })
    };
    let requests: Map<String, Value> =
        machine(cx)?.in_flight().into_iter().map(|(id, request)| (id, tell(request))).collect();
    Reply::shaped(Shape::Bare, &requests)
}

async fn loggers(cx: &mut Cx) -> Result<Reply, Error> {
    let levels = machine(cx)?.loggers();
    let levels: Map<String, Value> =
        levels.into_iter().map(|(name, level)| (name.to_owned(), level.as_str().into())).collect();
    Reply::data(&levels)
}

/// One that is not there is told as nothing, as Vault does.
async fn logger(cx: &mut Cx, name: &str) -> Result<Reply, Error> {
    let level = machine(cx)?.loggers().get(name).map(|level| level.as_str());
    let told: Map<String, Value> = level.map(|level| (name.to_owned(), level.into())).into_iter().collect();
    Reply::data(&told)
}

async fn set(cx: &mut Cx, call: Call<'_>, name: Option<&str>) -> Result<Reply, Error> {
    let text = call.text("level")?.filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| Error::invalid("level is required"))?;
    let unknown = || {
        let text = crate::audit::cut(&text);
        Error::invalid(format!(
            "invalid level provided: unknown log level: {text}; it is trace, debug, info, warn or error"
        ))
    };
    change(cx, name, Some(LogLevel::parse(&text).ok_or_else(unknown)?))
}

async fn reset(cx: &mut Cx, name: Option<&str>) -> Result<Reply, Error> {
    change(cx, name, None)
}

/// Once it is recorded, and only then.
fn change(cx: &mut Cx, name: Option<&str>, level: Option<LogLevel>) -> Result<Reply, Error> {
    let machine = machine(cx)?;
    if let Some(name) = name
        && !machine.loggers().contains_key(name)
    {
        return Err(Error::invalid(format!("logger {:?} not found", crate::audit::cut(name))));
    }
    let name = name.map(str::to_owned);
    cx.after_commit(Effect::Run(Box::new(move || machine.set_log_level(name.as_deref(), level))));
    Ok(Reply::empty())
}
