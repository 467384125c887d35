//! `history/`, `compare/` and `rollback/`: ours, not Vault's. Who wrote which version when, which names differ between
//! two versions (never their values), and going back.

use super::{
    config::{self, Config},
    data::{cas_of, check_cas},
    document::{Document, Metadata, Version},
    secret::{Chosen, Found, NewData, add_version, cas_in, choose, find, name_to_read, name_to_write, shown},
};
use crate::{
    cx::Cx,
    engine::Call,
    error::{Error, ErrorKind},
    id::Timestamp,
    request::Reply,
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// A version as its history shows it.
#[derive(Debug, Serialize)]
struct Row<'a> {
    version: u64,
    created_time: String,
    created_by: &'a str,
    accessor: Option<&'a str>,
    rollback_of: Option<u64>,
    deletion_time: String,
    destroyed: bool,
    /// `readable`, `deleted` or `destroyed`.
    state: &'static str,
}

impl<'a> Row<'a> {
    fn new(number: u64, version: &'a Version, now: Timestamp) -> Self {
        Self {
            version: number,
            created_time: version.created.to_rfc3339(),
            created_by: &version.by,
            accessor: version.accessor.as_deref(),
            rollback_of: version.rollback_of,
            deletion_time: shown(version.deleted),
            destroyed: version.destroyed,
            state: version.state(now),
        }
    }
}

/// All versions, newest first.
pub(super) async fn read_history(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let Found { metadata, .. } = find(cx, name_to_read(&call)?).await?.ok_or_else(Error::not_found)?;
    let now = cx.now();
    let rows = metadata.versions.iter().rev().map(|(number, version)| Row::new(*number, version, now));
    Reply::data(&json!({
        "created_time": metadata.created.to_rfc3339(),
        "updated_time": metadata.updated.to_rfc3339(),
        "current_version": metadata.current,
        "oldest_version": metadata.oldest,
        "versions": rows.collect::<Vec<_>>(),
    }))
}

/// Two versions side by side: what is known of each, and the names that were added, removed or changed.
pub(super) async fn compare_versions(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let name = name_to_read(&call)?;
    let numbers = call.integers("versions")?.unwrap_or_default();
    let &[from, to] = numbers.as_slice() else {
        return Err(Error::invalid("name two versions to compare, such as versions=1,3"));
    };
    let (metadata, old) = readable(cx, name, from).await?;
    let (again, new) = readable(cx, name, to).await?;
    if again.uid != metadata.uid {
        return Err(Error::new(ErrorKind::Conflict, "the secret was replaced by another meanwhile"));
    }
    let mut changes = Changes::default();
    changes.collect("", &old, &new);
    let now = cx.now();
    let row = |number| metadata.version(number).map(|(number, version)| Row::new(number, version, now));
    Reply::data(&json!({
        "from": row(from),
        "to": row(to),
        "added": changes.added,
        "removed": changes.removed,
        "changed": changes.changed,
    }))
}

/// Writes an older version's data as a new version.
pub(super) async fn roll_back(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let name = name_to_write(&call)?;
    let number = call.integer("version")?.filter(|number| *number > 0);
    let number =
        number.ok_or_else(|| Error::invalid("name the version to go back to, such as {\"version\": 3}"))?;
    let cas = cas_of(&call)?.or(cas_in(&call.request.fields)?);
    cx.note_operation("rollback");
    let Chosen { found, data, .. } = choose_kept(cx, name, number).await?;
    let Some(document) = &data else { return Err(unreadable(number)) };
    let config = Config::read(cx.get(config::KEY).await?.as_ref())?;
    check_cas(Some(&found), cas, config.cas_required)?;
    add_version(cx, name, Some(found), &config, NewData::Taken { from: number, document }).await
}

/// [`choose`], with an answer that says which version is missing.
async fn choose_kept(cx: &mut Cx, name: &str, number: u64) -> Result<Chosen, Error> {
    let missing = || Error::new(ErrorKind::NotFound, format!("version {number} of this secret is not kept"));
    let is_missing = |error: &Error| error.kind() == ErrorKind::NotFound;
    choose(cx, name, number).await.map_err(|error| if is_missing(&error) { missing() } else { error })
}

async fn readable(
    cx: &mut Cx,
    name: &str,
    number: u64,
) -> Result<(Arc<Metadata>, Map<String, Value>), Error> {
    let chosen = choose_kept(cx, name, number).await?;
    let item = chosen.data.as_ref().ok_or_else(|| unreadable(chosen.number))?;
    let data = Document::read(item)?;
    Ok((chosen.found.metadata, data))
}

fn unreadable(number: u64) -> Error {
    Error::invalid(format!("version {number} is deleted or destroyed; a deleted one can be undeleted first"))
}

/// Names by what became of them. A name inside an object reads `outer/inner`, with `~1` for a slash and `~0` for a
/// tilde in a name, as RFC 6901 writes them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Changes {
    added: Vec<String>,
    removed: Vec<String>,
    changed: Vec<String>,
}

impl Changes {
    fn collect(&mut self, above: &str, old: &Map<String, Value>, new: &Map<String, Value>) {
        let full = |name: &str| format!("{above}{}", name.replace('~', "~0").replace('/', "~1"));
        for (name, before) in old {
            match (before, new.get(name)) {
                (_, None) => self.removed.push(full(name)),
                (Value::Object(before), Some(Value::Object(after))) => {
                    self.collect(&format!("{}/", full(name)), before, after);
                }
                (before, Some(after)) if before != after => self.changed.push(full(name)),
                _ => {}
            }
        }
        self.added.extend(new.keys().filter(|name| !old.contains_key(*name)).map(|name| full(name)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparison_names_names_only() {
        let check = |old: Value, new: Value, added: &[&str], removed: &[&str], changed: &[&str]| {
            let mut changes = Changes::default();
            changes.collect("", old.as_object().unwrap(), new.as_object().unwrap());
            let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
            let expect = Changes { added: own(added), removed: own(removed), changed: own(changed) };
            assert_eq!(changes, expect, "{old} → {new}");
        };
        check(json!({}), json!({}), &[], &[], &[]);
        check(json!({"a": 1}), json!({"a": 1}), &[], &[], &[]);
        check(json!({"a": 1, "b": 1}), json!({"b": 2, "c": 3}), &["c"], &["a"], &["b"]);
        check(json!({"a": {"x": 1}}), json!({"a": {"x": 2, "y": 1}}), &["a/y"], &[], &["a/x"]);
        check(json!({"a": {"x": 1}}), json!({"a": "x"}), &[], &[], &["a"]);
        check(json!({"a/b": {"~": 1}}), json!({"a/b": {}}), &[], &["a~1b/~0"], &[]);
        check(json!({"a": [1, 2]}), json!({"a": [2, 1]}), &[], &[], &["a"]);
    }
}
