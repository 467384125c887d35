//! `data/` and `subkeys/`: reading, writing, patching and soft-deleting a secret.

use super::{
    config::{self, Config},
    document::{Document, Metadata},
    merge::merge,
    secret::{self, NewData, VersionView, add_version, cas_in, choose, find, name_to_read, name_to_write},
};
use crate::{
    cx::Cx,
    engine::Call,
    error::Error,
    id::Timestamp,
    request::{Reply, Shape},
};
use serde::Serialize;
use serde_json::{Map, Value, value::RawValue};
use std::sync::Arc;

pub(super) async fn read_data(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    #[derive(Serialize)]
    struct Read<'a> {
        data: &'a RawValue,
        metadata: VersionView<'a>,
    }
    let number = call.integer("version")?.unwrap_or(0);
    let chosen = choose(cx, name_to_read(&call)?, number).await?;
    let Some(item) = &chosen.data else { return chosen.gone() };
    Reply::data(&Read { data: Document::read(item)?, metadata: chosen.view() })
}

pub(super) async fn write_data(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let name = name_to_write(&call)?;
    let data = data_of(&call)?;
    let cas = cas_of(&call)?;
    let (found, config) = secret::find_with_config(cx, name).await?;
    check_cas(found.as_ref(), cas, config.cas_required)?;
    add_version(cx, name, found, &config, NewData::Object(data)).await
}

/// Merges into the newest version, which must be readable.
pub(super) async fn patch_data(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let name = name_to_write(&call)?;
    let patch = data_of(&call)?;
    let cas = cas_of(&call)?;
    let chosen = choose(cx, name, 0).await?;
    let Some(item) = &chosen.data else { return chosen.gone() };
    let mut data: Map<String, Value> = Document::read(item)?;
    merge(&mut data, patch);
    let config = Config::read(cx.get(config::KEY).await?.as_ref())?;
    check_cas(Some(&chosen.found), cas, config.cas_required)?;
    add_version(cx, name, Some(chosen.found), &config, NewData::Object(&data)).await
}

/// Soft-deletes the newest version. What is not there is deleted already.
pub(super) async fn delete_data(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let Some(mut found) = find(cx, name_to_write(&call)?).await? else { return Ok(Reply::empty()) };
    let newest = found.metadata.current;
    if Arc::make_mut(&mut found.metadata).delete(&[newest], cx.now()) {
        cx.replace_json(&found.item, &*found.metadata)?;
    }
    Ok(Reply::empty())
}

/// The shape of a secret without its values: every leaf is `null`.
pub(super) async fn read_subkeys(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    #[derive(Serialize)]
    struct Subkeys<'a> {
        subkeys: Option<Value>,
        metadata: VersionView<'a>,
    }
    let number = call.integer("version")?.unwrap_or(0);
    let depth = call.integer("depth")?.unwrap_or(0);
    let chosen = choose(cx, name_to_read(&call)?, number).await?;
    let Some(item) = &chosen.data else {
        return Reply::shaped(Shape::Gone, &Subkeys { subkeys: None, metadata: chosen.view() });
    };
    let data: Map<String, Value> = Document::read(item)?;
    Reply::data(&Subkeys { subkeys: Some(names_of(&data, depth)), metadata: chosen.view() })
}

fn data_of<'a>(call: &Call<'a>) -> Result<&'a Map<String, Value>, Error> {
    call.map("data")?
        .ok_or_else(|| Error::invalid("no data provided; send {\"data\": {\"name\": \"value\"}}"))
}

pub(super) fn cas_of(call: &Call<'_>) -> Result<Option<u64>, Error> {
    call.map("options")?.map_or(Ok(None), cas_in)
}

/// A secret that is not there stands at version 0.
pub(super) fn check_cas(
    found: Option<&secret::Found>,
    cas: Option<u64>,
    required: bool,
) -> Result<(), Error> {
    match found {
        Some(found) => found.metadata.check_cas(cas, required),
        None => Metadata::new(String::new(), Timestamp(0)).check_cas(cas, required),
    }
}

/// Names down to `depth` levels (0 = all), with `null` for each leaf, array, empty object and what lies deeper.
fn names_of(data: &Map<String, Value>, depth: u64) -> Value {
    let names = data.iter().map(|(name, value)| {
        let below = match value {
            Value::Object(object) if depth != 1 && !object.is_empty() => {
                names_of(object, depth.saturating_sub(1))
            }
            _ => Value::Null,
        };
        (name.clone(), below)
    });
    Value::Object(names.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn subkeys_hold_no_value() {
        let data = json!({"foo": "abc", "bar": {"baz": {"qux": 1}}, "list": [{"a": 1}], "empty": {}});
        let check = |depth: u64, expect: Value| {
            assert_eq!(names_of(data.as_object().unwrap(), depth), expect, "{depth}");
        };
        let whole = json!({"foo": null, "bar": {"baz": {"qux": null}}, "list": null, "empty": null});
        check(0, whole.clone());
        check(1, json!({"foo": null, "bar": null, "list": null, "empty": null}));
        check(2, json!({"foo": null, "bar": {"baz": null}, "list": null, "empty": null}));
        check(3, whole);
    }
}
