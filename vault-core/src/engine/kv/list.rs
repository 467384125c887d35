//! Lists of names, for all engines that keep secrets under paths: the level below a path or, with `recursive`,
//! everything below it; paged with `after` and `limit`.

use crate::{cx::Cx, engine::Call, error::Error, limits, request::Reply};
use serde_json::json;

/// Lists what stands below `root` (ends with `/`) and the call's `path`. Nothing there is "not found", as Vault has it.
pub(in crate::engine) async fn list_below(cx: &mut Cx, root: &str, call: &Call<'_>) -> Result<Reply, Error> {
    let path = call.param("path");
    let separator = if path.is_empty() || path.ends_with('/') { "" } else { "/" };
    let prefix = format!("{root}{path}{separator}");
    let after = call.text("after")?.filter(|after| !after.is_empty());
    let max = limits::LIST_NAMES_MAX;
    let asked = call.integer("limit")?.filter(|limit| *limit > 0);
    let limit = asked.map_or(max, |limit| usize::try_from(limit).unwrap_or(max).min(max));
    let names = match call.boolean("recursive")?.unwrap_or(false) {
        true => names_recursive(cx, &prefix, after.as_deref(), limit).await?,
        false => cx.list(&prefix, after.as_deref(), limit).await?,
    };
    if names.is_empty() {
        return Err(Error::not_found());
    }
    let reply = Reply::data(&json!({ "keys": names }))?;
    let is_cut = asked.is_none() && names.len() == max;
    Ok(if is_cut {
        reply.warn(format!("only the first {max} names; ask again with after=<last name>"))
    } else {
        reply
    })
}

/// A page of the names below a prefix of the mount's keys, as `after` and `limit` ask for it.
pub(in crate::engine) async fn list_page(
    cx: &mut Cx,
    prefix: &str,
    call: Call<'_>,
) -> Result<Vec<String>, Error> {
    let after = call.text("after")?.filter(|after| !after.is_empty());
    let max = limits::LIST_NAMES_MAX;
    let asked = call.integer("limit")?.filter(|limit| *limit > 0);
    let limit = asked.map_or(max, |limit| usize::try_from(limit).unwrap_or(max).min(max));
    cx.list(prefix, after.as_deref(), limit).await
}

/// Names of all entries below a prefix, relative to it.
async fn names_recursive(
    cx: &mut Cx,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<String>, Error> {
    let mut names: Vec<String> = Vec::new();
    let mut from = after.map(|after| format!("{prefix}{after}"));
    while names.len() < limit {
        let page =
            cx.scan(prefix, from.as_deref(), (limit - names.len()).min(limits::SCAN_ENTRIES_MAX)).await?;
        let Some(last) = page.last() else { break };
        from = Some(last.key().to_owned());
        let found = page.iter().map(|item| &item.key()[prefix.len()..]);
        names.extend(found.filter(|name| cx.shows(name)).map(str::to_owned));
    }
    Ok(names)
}
