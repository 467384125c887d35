//! The keyring: its state, and new terms.

use crate::{
    cx::{Cx, Item},
    engine::Call,
    error::Error,
    request::{Reply, Shape},
    system::{Effect, RotatePolicy},
};
use serde_json::json;

pub(super) async fn key_status(cx: &mut Cx) -> Result<Reply, Error> {
    let status = cx.barrier()?.key_status();
    let data = json!({
        "term": status.term,
        "install_time": status.install_time.to_rfc3339(),
        "encryptions": status.encryptions,
    });
    Reply::shaped(Shape::Double, &data)
}

/// What rotates the keyring without anybody asking.
pub(super) async fn policy(cx: &mut Cx) -> Result<Reply, Error> {
    let stored = cx.get(POLICY).await?;
    let RotatePolicy { enabled, max_operations, interval, .. } =
        stored.as_ref().map(Item::json).transpose()?.unwrap_or_default();
    let data = json!({ "enabled": enabled, "max_operations": max_operations, "interval": interval });
    Reply::shaped(Shape::Double, &data)
}

/// Changes what is given and keeps the rest.
pub(super) async fn set_policy(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let stored = cx.get(POLICY).await?;
    let mut policy: RotatePolicy = stored.as_ref().map(Item::json).transpose()?.unwrap_or_default();
    policy.enabled = call.boolean("enabled")?.unwrap_or(policy.enabled);
    policy.max_operations = call.integer("max_operations")?.unwrap_or(policy.max_operations);
    policy.interval = call.duration("interval")?.map_or(policy.interval, |interval| interval.as_secs());
    policy.check()?;
    match &stored {
        Some(item) => cx.replace_json(item, &policy)?,
        None => cx.create_json(POLICY, &policy)?,
    }
    Ok(Reply::empty())
}

/// Below the mount; [`crate::system::ROTATE_POLICY_KEY`] is the same from outside.
const POLICY: &str = "rotate/config";

/// Commits a keyring with a new term, and tells every lane by its epoch; this node uses it once it is durable.
pub(super) async fn rotate(cx: &mut Cx) -> Result<Reply, Error> {
    let read = cx.keyring_entry().await?;
    let (sealed, keyring) = cx.barrier()?.rotate(&read)?;
    cx.stage_keyring(&read, sealed)?;
    cx.advance_epochs().await?;
    cx.after_commit(Effect::Adopt(keyring));
    Ok(Reply::empty())
}
