//! Initialise, unseal, seal, and what a node says of itself.

use crate::{
    Secret,
    cx::Cx,
    engine::Call,
    error::Error,
    request::{Health, Reply, Shape},
    system::{Effect, InitRequest},
};
use serde_json::json;

pub(super) async fn health(cx: &mut Cx) -> Result<Reply, Error> {
    let initialized = cx.system().is_initialized().await?;
    let sealed = cx.system().unsealed().is_none();
    let state = match (initialized, sealed) {
        (false, _) => Health::Uninitialized,
        (true, true) => Health::Sealed,
        (true, false) => Health::Active,
    };
    let settings = cx.system().settings();
    let mut data = json!({
        "initialized": initialized,
        "sealed": sealed,
        "standby": false,
        "performance_standby": false,
        "replication_performance_mode": "disabled",
        "replication_dr_mode": "disabled",
        "server_time_utc": cx.now().unix_seconds(),
        "version": settings.version,
        "storage_low": cx.system().is_room_low(),
        "clock_skewed": cx.system().is_clock_skewed(),
    });
    if let Some(unsealed) = cx.system().unsealed() {
        data["cluster_name"] = settings.cluster_name.clone().into();
        data["cluster_id"] = cx.system().cluster_id(&unsealed).into();
    }
    Reply::shaped(Shape::Health(state), &data)
}

/// Ready = unsealed, and the store answers.
pub(super) async fn ready(cx: &mut Cx) -> Result<Reply, Error> {
    let initialized = cx.system().is_initialized().await?;
    if !initialized || cx.system().unsealed().is_none() {
        return Err(Error::sealed());
    }
    cx.system().entry(crate::barrier::SEAL_KEY).await?;
    Reply::shaped(Shape::Bare, &json!({ "ready": true, "initialized": true, "sealed": false }))
}

pub(super) async fn live(cx: &mut Cx) -> Result<Reply, Error> {
    Reply::shaped(Shape::Bare, &json!({ "status": "alive", "timestamp": cx.now().to_rfc3339() }))
}

pub(super) async fn seal_status(cx: &mut Cx) -> Result<Reply, Error> {
    Reply::shaped(Shape::Bare, &cx.system().seal_status().await?)
}

/// Each node is its own leader, for as long as it is unsealed.
pub(super) async fn leader(cx: &mut Cx) -> Result<Reply, Error> {
    let data = json!({
        "ha_enabled": false,
        "is_self": cx.system().unsealed().is_some(),
        "active_time": "0001-01-01T00:00:00Z",
        "leader_address": "",
        "leader_cluster_address": "",
        "performance_standby": false,
    });
    Reply::shaped(Shape::Bare, &data)
}

pub(super) async fn read_init(cx: &mut Cx) -> Result<Reply, Error> {
    Reply::shaped(Shape::Bare, &json!({ "initialized": cx.system().is_initialized().await? }))
}

pub(super) async fn init(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let request = match call.text("passphrase")?.map(Secret::new) {
        Some(passphrase) => InitRequest::Passphrase(passphrase),
        None => {
            let (shares, threshold) = shares_of(call)?;
            InitRequest::Shares { shares, threshold }
        }
    };
    Reply::shaped(Shape::Bare, &cx.system().init(request).await?)
}

/// Shares to make, and how many of them shall suffice.
pub(super) fn shares_of(call: Call<'_>) -> Result<(u8, u8), Error> {
    let number = |name: &str, default: u64| -> Result<u8, Error> {
        let number = call.integer(name)?.unwrap_or(default);
        let bounds = || Error::invalid(format!("field {name:?} must be between 1 and 255"));
        u8::try_from(number).ok().filter(|number| *number > 0).ok_or_else(bounds)
    };
    let shares = number("secret_shares", 5)?;
    let threshold = number("secret_threshold", 3.min(u64::from(shares)))?;
    if threshold > shares {
        return Err(Error::invalid("secret_threshold must not be greater than secret_shares"));
    }
    Ok((shares, threshold))
}

pub(super) async fn unseal(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    if call.boolean("reset")?.unwrap_or(false) {
        return Reply::shaped(Shape::Bare, &cx.system().reset_unseal().await?);
    }
    let share = match call.text("key")? {
        Some(key) => Some(key),
        None => call.text("share")?,
    };
    let missing = || {
        Error::invalid("'key' must be one share in hex or base64, or the passphrase, or 'reset' must be true")
    };
    let share = share.filter(|share| !share.is_empty()).map(Secret::new).ok_or_else(missing)?;
    let migrate = call.boolean("migrate")?.unwrap_or(false);
    Reply::shaped(Shape::Bare, &cx.system().unseal(&share, migrate).await?)
}

pub(super) async fn seal(cx: &mut Cx) -> Result<Reply, Error> {
    cx.after_commit(Effect::Seal);
    Ok(Reply::empty())
}

pub(super) async fn step_down() -> Result<Reply, Error> {
    Ok(Reply::empty())
}

/// Only the right to them is asked here; what a front-end adds to this answer nobody could wrap.
pub(super) async fn metrics(call: Call<'_>) -> Result<Reply, Error> {
    match call.text("format")?.as_deref() {
        None | Some("" | "json" | "prometheus") => {}
        Some(_) => return Err(Error::invalid("field \"format\" must be \"prometheus\" or absent")),
    }
    match call.request.wrap_ttl {
        Some(_) => Err(Error::invalid("metrics cannot be wrapped; leave out the wrap TTL")),
        None => Ok(Reply::empty()),
    }
}
