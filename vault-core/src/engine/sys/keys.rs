//! The keyring: its state, and new terms.

use crate::{
    cx::Cx,
    error::Error,
    request::{Reply, Shape},
    system::Effect,
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

/// Commits a keyring with a new term, and tells every lane by its epoch; this node uses it once it is durable.
pub(super) async fn rotate(cx: &mut Cx) -> Result<Reply, Error> {
    let read = cx.keyring_entry().await?;
    let (sealed, keyring) = cx.barrier()?.rotate(&read)?;
    cx.stage_keyring(&read, sealed)?;
    cx.advance_epochs().await?;
    cx.after_commit(Effect::Adopt(keyring));
    Ok(Reply::empty())
}
