//! `delete/`, `undelete/` and `destroy/`: what happens to versions that are named by number.

use super::secret::{find, name_to_write, remove_data};
use crate::{cx::Cx, engine::Call, error::Error, limits, request::Reply};
use std::sync::Arc;

pub(super) async fn delete_versions(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let numbers = numbers_of(&call)?;
    let Some(mut found) = find(cx, name_to_write(&call)?).await? else { return Ok(Reply::empty()) };
    if Arc::make_mut(&mut found.metadata).delete(&numbers, cx.now()) {
        cx.replace_json(&found.item, &*found.metadata)?;
    }
    Ok(Reply::empty())
}

pub(super) async fn undelete_versions(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let numbers = numbers_of(&call)?;
    cx.note_operation("undelete");
    let Some(mut found) = find(cx, name_to_write(&call)?).await? else { return Ok(Reply::empty()) };
    if Arc::make_mut(&mut found.metadata).undelete(&numbers) {
        cx.replace_json(&found.item, &*found.metadata)?;
    }
    Ok(Reply::empty())
}

/// Removes data for good. Copies in backups and logs of the database stay until those are gone.
pub(super) async fn destroy_versions(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let numbers = numbers_of(&call)?;
    cx.note_operation("destroy");
    let Some(mut found) = find(cx, name_to_write(&call)?).await? else { return Ok(Reply::empty()) };
    if Arc::make_mut(&mut found.metadata).destroy(&numbers) {
        remove_data(cx, &found.metadata, &numbers).await?;
        cx.replace_json(&found.item, &*found.metadata)?;
    }
    Ok(Reply::empty())
}

/// The numbers a request names, each once.
fn numbers_of(call: &Call<'_>) -> Result<Vec<u64>, Error> {
    let mut numbers = call.integers("versions")?.unwrap_or_default();
    numbers.sort_unstable();
    numbers.dedup();
    match numbers.len() {
        0 => Err(Error::invalid("no version number provided; send {\"versions\": [1, 2]}")),
        1..=limits::KV_VERSIONS_PER_CALL => Ok(numbers),
        _ => Err(Error::invalid(format!("name at most {} versions at once", limits::KV_VERSIONS_PER_CALL))),
    }
}
