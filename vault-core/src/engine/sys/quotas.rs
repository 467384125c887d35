//! `sys/quotas`: how many requests of a client each node lets through to a path, and how that is told. Quotas by leases
//! do not exist: a lease costs nothing here but its entry.

use super::row;
use crate::{
    Operation::{Delete, List, Read, Write},
    cx::Cx,
    engine::{
        Access::Token,
        Call, Field,
        FieldKind::{Any, Boolean, List as ListKind, Refused, Seconds, Text},
        Route,
    },
    error::Error,
    limits::{QUOTA_EXEMPT_PATHS_MAX, QUOTA_INTERVAL_MAX, QUOTA_RATE_MAX, QUOTAS_MAX},
    request::Reply,
    system::{Effect, GroupBy, MountTable, QUOTA_CONFIG, QUOTA_PREFIX, Quota, QuotaConfig, Quotas},
};
use serde_json::{Value, json};

const QUOTA: &[Field] = &[
    Field::new(
        "path",
        Text,
        "Empty: everything. `secret/`: a mount. `secret/data/app`: a path. `secret/data/*`: all below.",
    ),
    Field::new("rate", Any, "Requests in an interval; more than 0."),
    Field::new("interval", Seconds, "The interval; 1 second where absent."),
    Field::new(
        "block_interval",
        Seconds,
        "How long a client is shut out that asked for more; 0: not at all.",
    ),
    Field::new("group_by", Text, "Who shares a bucket: `ip` (default), `token`, `none`."),
    Field::new("role", Refused, "Logins are not counted by role."),
    Field::new("type", Text, "`rate-limit`."),
    Field::new("name", Text, "As in the path."),
    Field::new("inheritable", Boolean, "There is one namespace: without meaning."),
];
const CONFIG: &[Field] = &[
    Field::new(
        "enable_rate_limit_audit_logging",
        Boolean,
        "Record each refusal by itself, not all of an address together.",
    ),
    Field::new("enable_rate_limit_response_headers", Boolean, "Tell in each reply how its bucket stands."),
    Field::new(
        "rate_limit_exempt_paths",
        ListKind,
        "Paths that no quota counts; a `*` at the end stands for any rest.",
    ),
];

#[rustfmt::skip]
pub(super) const ROUTES: &[Route] = &[
    row(List, "quotas/rate-limit", Token, "Names of the rate limit quotas.", &[],
        |cx, _| Box::pin(list(cx))),
    row(Read, "quotas/rate-limit/{quota}", Token, "One of them.", &[],
        |cx, call| Box::pin(read(cx, call))),
    Route { example: r#"{"path":"secret/","rate":100,"interval":"1m"}"#, ..row(Write, "quotas/rate-limit/{quota}", Token,
        "Have each node let through only so many requests.", QUOTA, |cx, call| Box::pin(write(cx, call))) },
    row(Delete, "quotas/rate-limit/{quota}", Token, "Have it count no more.", &[],
        |cx, call| Box::pin(remove(cx, call))),
    row(Read, "quotas/config", Token, "How quotas are heeded.", &[],
        |cx, _| Box::pin(read_config(cx))),
    Route { example: r#"{"enable_rate_limit_response_headers":true}"#, ..row(Write, "quotas/config", Token,
        "Choose how.", CONFIG, |cx, call| Box::pin(write_config(cx, call))) },
];

fn table(cx: &Cx) -> Result<&MountTable, Error> {
    cx.table.as_deref().ok_or_else(Error::sealed)
}

fn quotas(cx: &Cx) -> Result<&Quotas, Error> {
    table(cx).map(MountTable::quotas)
}

async fn list(cx: &mut Cx) -> Result<Reply, Error> {
    let names: Vec<&str> = quotas(cx)?.names().collect();
    if names.is_empty() { Err(Error::not_found()) } else { Reply::data(&json!({ "keys": names })) }
}

async fn read(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let name = call.param("quota");
    let quota = quotas(cx)?.named(name).ok_or_else(Error::not_found)?;
    // Clients compare all of it: what is as usual does not stand here.
    let mut data = json!({
        "name": name,
        "path": quota.path,
        "type": "rate-limit",
        "rate": short(quota.rate),
        "interval": quota.interval,
        "block_interval": quota.block_interval,
        "role": "",
    });
    if !quota.group_by.is_ip() {
        data["group_by"] = serde_json::to_value(quota.group_by).map_err(Error::internal)?;
    }
    Reply::data(&data)
}

/// Whole numbers without a point, as other servers write them.
fn short(rate: f64) -> Value {
    if rate.fract() == 0.0 { json!(rate as u64) } else { json!(rate) }
}

async fn write(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let name = parse_name(call.param("quota"))?;
    let quota = parse(call)?;
    check_place(cx, name, &quota)?;
    let key = format!("{QUOTA_PREFIX}{name}");
    match cx.get(&key).await? {
        Some(item) => cx.replace_json(&item, &quota)?,
        None if quotas(cx)?.names().count() >= QUOTAS_MAX => {
            return Err(Error::invalid(format!("there may be at most {QUOTAS_MAX} quotas")));
        }
        None => cx.create_json(&key, &quota)?,
    }
    changed(cx).await
}

async fn remove(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let Ok(name) = parse_name(call.param("quota")) else { return Ok(Reply::empty()) };
    match cx.get(&format!("{QUOTA_PREFIX}{name}")).await? {
        Some(item) => cx.remove(&item)?,
        None => return Ok(Reply::empty()),
    }
    changed(cx).await
}

/// Every node's next request knows.
async fn changed(cx: &mut Cx) -> Result<Reply, Error> {
    cx.advance_epochs().await?;
    cx.after_commit(Effect::Refresh);
    Ok(Reply::empty())
}

fn parse_name(name: &str) -> Result<&str, Error> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.len() > 128 || !name.bytes().all(fits) {
        return Err(Error::invalid("a quota's name has letters, digits, '-', '_' and '.', at most 128"));
    }
    Ok(name)
}

fn parse(call: Call<'_>) -> Result<Quota, Error> {
    if call.text("type")?.is_some_and(|kind| kind != "rate-limit") {
        return Err(Error::invalid("field \"type\" can only be \"rate-limit\" here; leave it out"));
    }
    if call.text("name")?.is_some_and(|name| name != call.param("quota")) {
        return Err(Error::invalid("field \"name\" differs from the name in the path; leave it out"));
    }
    let path = call.text("path")?.unwrap_or_default();
    Ok(Quota {
        format: 1,
        path: path.trim_start_matches('/').to_owned(),
        rate: rate(call)?,
        interval: seconds(call, "interval", 1)?.unwrap_or(1),
        block_interval: seconds(call, "block_interval", 0)?.unwrap_or(0),
        group_by: group_by(call)?,
    })
}

fn rate(call: Call<'_>) -> Result<f64, Error> {
    let rate = match call.value("rate") {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    let fits = |rate: &f64| rate.is_finite() && *rate > 0.0 && *rate <= QUOTA_RATE_MAX;
    rate.filter(fits).ok_or_else(|| {
        Error::invalid(format!("field \"rate\" must be a number above 0, at most {QUOTA_RATE_MAX}"))
    })
}

/// Whole ones, as they are told again.
fn seconds(call: Call<'_>, name: &str, least: u64) -> Result<Option<u64>, Error> {
    let Some(duration) = call.duration(name)? else { return Ok(None) };
    let most = QUOTA_INTERVAL_MAX.as_secs();
    if duration.subsec_nanos() != 0 || !(least..=most).contains(&duration.as_secs()) {
        return Err(Error::invalid(format!("field {name:?} must be whole seconds, from {least} to {most}")));
    }
    Ok(Some(duration.as_secs()))
}

fn group_by(call: Call<'_>) -> Result<GroupBy, Error> {
    let Some(text) = call.text("group_by")?.filter(|text| !text.is_empty()) else {
        return Ok(GroupBy::default());
    };
    serde_json::from_value(Value::String(text))
        .map_err(|_| Error::invalid("field \"group_by\" must be \"ip\", \"token\" or \"none\""))
}

/// It must be about something, and about nothing that another one is about.
fn check_place(cx: &Cx, name: &str, quota: &Quota) -> Result<(), Error> {
    let path = quota.path.as_str();
    let plain = path.strip_suffix('*').unwrap_or(path);
    if plain.contains('*') {
        return Err(Error::invalid("a '*' can only stand at the end of a quota's path"));
    }
    if !path.is_empty() && table(cx)?.resolve(plain).is_none() {
        return Err(Error::invalid(format!(
            "there is no mount at {path:?}; for everything leave the path empty"
        )));
    }
    match quotas(cx)?.at(path) {
        Some(other) if other != name => {
            Err(Error::invalid(format!("the quota {other:?} is about {path:?} already; change or delete it")))
        }
        _ => Ok(()),
    }
}

async fn read_config(cx: &mut Cx) -> Result<Reply, Error> {
    let config = &quotas(cx)?.config;
    Reply::data(&json!({
        "enable_rate_limit_audit_logging": config.audit_logging,
        "enable_rate_limit_response_headers": config.response_headers,
        "rate_limit_exempt_paths": config.exempt_paths,
    }))
}

async fn write_config(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let old = quotas(cx)?.config.clone();
    let config = QuotaConfig {
        format: 1,
        audit_logging: call.boolean("enable_rate_limit_audit_logging")?.unwrap_or(old.audit_logging),
        response_headers: call.boolean("enable_rate_limit_response_headers")?.unwrap_or(old.response_headers),
        exempt_paths: exempt_paths(call)?.unwrap_or(old.exempt_paths),
    };
    match cx.get(QUOTA_CONFIG).await? {
        Some(item) => cx.replace_json(&item, &config)?,
        None => cx.create_json(QUOTA_CONFIG, &config)?,
    }
    changed(cx).await
}

fn exempt_paths(call: Call<'_>) -> Result<Option<Vec<String>>, Error> {
    let Some(paths) = call.list("rate_limit_exempt_paths")? else { return Ok(None) };
    if paths.len() > QUOTA_EXEMPT_PATHS_MAX {
        return Err(Error::invalid(format!("at most {QUOTA_EXEMPT_PATHS_MAX} paths may be exempt")));
    }
    let paths = paths.iter().map(|path| path.trim_start_matches('/').to_owned());
    let paths: Vec<String> = paths.collect();
    if paths.iter().any(|path| path.strip_suffix('*').unwrap_or(path).contains('*')) {
        return Err(Error::invalid("a '*' can only stand at the end of an exempt path"));
    }
    Ok(Some(paths))
}
