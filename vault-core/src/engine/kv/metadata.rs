//! `metadata/`: what is known about a secret, and what people attach to it.

use super::{
    config::{Config, max_versions_of},
    document::{FORMAT, Metadata, Tombstone},
    expiry::DeleteAfter,
    secret::{Found, find, find_with_config, meta_key, name_to_read, name_to_write, shown},
};
use crate::{cx::Cx, engine::Call, error::Error, limits, request::Reply};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, sync::Arc};

pub(super) async fn read_metadata(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let Found { metadata, .. } = find(cx, name_to_read(&call)?).await?.ok_or_else(Error::not_found)?;
    let versions = metadata.versions.iter().map(|(number, version)| {
        let view = json!({
            "created_time": version.created.to_rfc3339(),
            "deletion_time": shown(version.deleted),
            "destroyed": version.destroyed,
        });
        (number.to_string(), view)
    });
    Reply::data(&json!({
        "cas_required": metadata.cas_required,
        "created_time": metadata.created.to_rfc3339(),
        "current_version": metadata.current,
        "custom_metadata": metadata.custom,
        "delete_version_after": metadata.delete_after.to_string(),
        "max_versions": metadata.max_versions,
        "oldest_version": metadata.oldest,
        "updated_time": metadata.updated.to_rfc3339(),
        "versions": versions.collect::<Map<_, _>>(),
    }))
}

/// Sets what the request names, on a secret that need not exist yet; custom metadata is set as a whole.
pub(super) async fn write_metadata(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let name = name_to_write(&call)?;
    let custom = call.map("custom_metadata")?;
    let (found, config) = find_with_config(cx, name).await?;
    let (item, mut metadata) = match found {
        Some(found) => (Some(found.item), Arc::unwrap_or_clone(found.metadata)),
        None => (None, Metadata::new(cx.make_id()?, cx.now())),
    };
    cx.note_secret(&metadata.uid);
    let warning = set_fields(&mut metadata, &call, &config)?;
    if let Some(custom) = custom {
        metadata.custom = merged(None, custom)?;
    }
    match &item {
        Some(read) => cx.replace_json(read, &metadata)?,
        None => cx.create_json(&meta_key(name), &metadata)?,
    }
    Ok(warning.map_or_else(Reply::empty, |warning| Reply::empty().warn(warning)))
}

/// Sets what the request names, on a secret that exists; custom metadata is merged name by name.
pub(super) async fn patch_metadata(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let name = name_to_write(&call)?;
    let (found, config) = find_with_config(cx, name).await?;
    let Found { item, metadata } = found.ok_or_else(Error::not_found)?;
    let mut metadata = Arc::unwrap_or_clone(metadata);
    let warning = set_fields(&mut metadata, &call, &config)?;
    if let Some(custom) = call.map("custom_metadata")? {
        metadata.custom = merged(metadata.custom.take(), custom)?;
    }
    cx.replace_json(&item, &metadata)?;
    Ok(warning.map_or_else(Reply::empty, |warning| Reply::empty().warn(warning)))
}

/// Removes a secret with all of its versions. What does not fit one commit is out of reach at once, because no name
/// leads to its uid any more; the tombstone tells a sweep what is left.
pub(super) async fn delete_metadata(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let Some(Found { item, metadata }) = find(cx, name_to_write(&call)?).await? else {
        return Ok(Reply::empty());
    };
    let prefix = format!("v/{}/", metadata.uid);
    let (mut removed, mut after, mut is_empty) = (0, None, false);
    while removed < limits::KV_VERSIONS_PER_CALL && !is_empty {
        let page = cx.scan(&prefix, after.as_deref(), limits::KV_VERSIONS_PER_CALL - removed).await?;
        for version in &page {
            cx.remove(version)?;
        }
        (removed, is_empty) = (removed + page.len(), page.is_empty());
        after = page.last().map(|version| version.key().to_owned()).or(after);
    }
    if !is_empty {
        cx.create_json(&format!("gone/{}", metadata.uid), &Tombstone { format: FORMAT })?;
    }
    cx.remove(&item)?;
    Ok(Reply::empty())
}

/// Sets what a write and a patch have in common. Returns what the caller should know beside the answer.
fn set_fields(
    metadata: &mut Metadata,
    call: &Call<'_>,
    config: &Config,
) -> Result<Option<&'static str>, Error> {
    metadata.max_versions = max_versions_of(call)?.unwrap_or(metadata.max_versions);
    let cas_required = call.boolean("cas_required")?;
    metadata.cas_required = cas_required.unwrap_or(metadata.cas_required);
    let delete_after = DeleteAfter::of(call)?;
    if delete_after.is_some_and(DeleteAfter::is_off) {
        return Err(Error::invalid("delete_version_after of a secret may not be negative; the mount's may"));
    }
    metadata.delete_after = delete_after.unwrap_or(metadata.delete_after);
    let overruled = config.delete_after.is_off()
        || (config.delete_after.0 > 0 && metadata.delete_after.0 > config.delete_after.0);
    Ok(match (cas_required, delete_after) {
        (Some(false), _) if config.cas_required => Some(
            "\"cas_required\" set to false, but is mandated by backend config. This value will be ignored.",
        ),
        (_, Some(after)) if after.0 > 0 && overruled => Some(
            "\"delete_version_after\" is longer than the mount's config allows; the mount's value is used",
        ),
        _ => None,
    })
}

/// Custom metadata after a merge: names set to `null` go. Vault's limits hold.
fn merged(
    before: Option<BTreeMap<String, String>>,
    change: &Map<String, Value>,
) -> Result<Option<BTreeMap<String, String>>, Error> {
    let mut all = before.unwrap_or_default();
    for (name, value) in change {
        match value {
            Value::Null => {
                all.remove(name);
            }
            Value::String(text) => {
                check_custom(name, text)?;
                all.insert(name.clone(), text.clone());
            }
            _ => return Err(Error::invalid(format!("custom_metadata {name:?} must be a text"))),
        }
    }
    if all.len() > limits::CUSTOM_METADATA_KEYS_MAX {
        return Err(too_much("at most", limits::CUSTOM_METADATA_KEYS_MAX, "names"));
    }
    Ok((!all.is_empty()).then_some(all))
}

fn check_custom(name: &str, value: &str) -> Result<(), Error> {
    if name.is_empty() || name.len() > limits::CUSTOM_METADATA_NAME_BYTES_MAX {
        return Err(too_much("names of 1 to", limits::CUSTOM_METADATA_NAME_BYTES_MAX, "bytes"));
    }
    if value.len() > limits::CUSTOM_METADATA_VALUE_BYTES_MAX {
        return Err(too_much("values of at most", limits::CUSTOM_METADATA_VALUE_BYTES_MAX, "bytes"));
    }
    if name.chars().chain(value.chars()).any(char::is_control) {
        return Err(Error::invalid("custom_metadata may not hold control characters"));
    }
    Ok(())
}

fn too_much(what: &str, limit: usize, unit: &str) -> Error {
    Error::invalid(format!("custom_metadata may hold {what} {limit} {unit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custom_metadata_has_limits() {
        let check = |before: Value, change: Value, expect: Option<Value>| {
            let before = serde_json::from_value(before).unwrap();
            let merged = merged(before, change.as_object().unwrap());
            assert_eq!(merged.ok().map(|all| json!(all)), expect, "{change}");
        };
        let wide =
            |count: usize| json!((0..count).map(|n| (n.to_string(), json!("v"))).collect::<Map<_, _>>());
        check(json!(null), json!({}), Some(json!(null)));
        check(json!(null), json!({"a": "1"}), Some(json!({"a": "1"})));
        check(json!({"a": "1", "b": "2"}), json!({"a": null, "c": "3"}), Some(json!({"b": "2", "c": "3"})));
        check(json!({"a": "1"}), json!({"a": null}), Some(json!(null)));
        check(json!(null), wide(64), Some(wide(64)));
        check(json!(null), wide(65), None);
        check(json!({"x": "y"}), wide(64), None);
        check(
            json!(null),
            json!({"k".repeat(128): "v".repeat(512)}),
            Some(json!({"k".repeat(128): "v".repeat(512)})),
        );
        check(json!(null), json!({"k".repeat(129): "v"}), None);
        check(json!(null), json!({"k": "v".repeat(513)}), None);
        check(json!(null), json!({"": "v"}), None);
        check(json!(null), json!({"k": "a\nb"}), None);
        check(json!(null), json!({"k": 1}), None);
        check(json!(null), json!({"k": {}}), None);
    }
}
