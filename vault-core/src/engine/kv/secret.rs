//! One secret as a handler meets it: its name out of the path, its metadata as read, a version's data, and how both
//! are shown.

use super::{
    config::{self, Config},
    document::{Document, FORMAT, Metadata, Version},
};
use crate::{
    cx::{Cx, Held, Item},
    engine::Call,
    error::Error,
    id::Timestamp,
    request::{Reply, Shape},
};
use serde::Serialize;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, sync::Arc};

/// The name of a secret that shall be read; what cannot be a name is not there.
pub(super) fn name_to_read<'a>(call: &Call<'a>) -> Result<&'a str, Error> {
    let name = call.param("path");
    if name.is_empty() || name.ends_with('/') { Err(Error::not_found()) } else { Ok(name) }
}

/// The name of a secret that shall be changed; what cannot be a name is refused in words.
pub(super) fn name_to_write<'a>(call: &Call<'a>) -> Result<&'a str, Error> {
    match call.param("path") {
        "" => Err(Error::invalid("the path names no secret; add a name, such as my-app/database")),
        name if name.ends_with('/') => Err(Error::invalid("cannot write to a path ending in '/'")),
        name => Ok(name),
    }
}

/// Metadata and the entry it was read from, which every change replaces.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) item: Held,
    pub(super) metadata: Arc<Metadata>,
}

/// Reads a secret's metadata and names the secret in the audit record.
pub(super) async fn find(cx: &mut Cx, name: &str) -> Result<Option<Found>, Error> {
    let found = cx.document(&meta_key(name), Metadata::parse).await?;
    Ok(found.map(|(item, metadata)| noted(cx, item, metadata)))
}

/// The same, with the mount's configuration of the same instant.
pub(super) async fn find_with_config(cx: &mut Cx, name: &str) -> Result<(Option<Found>, Config), Error> {
    let mut items = cx.get_many(&[config::KEY, &meta_key(name)]).await?;
    let found = match items.pop().flatten() {
        Some(item) => Some(noted(cx, item.held().clone(), Arc::new(Metadata::parse(item.bytes())?))),
        None => None,
    };
    Ok((found, Config::read(items.pop().flatten().as_ref())?))
}

fn noted(cx: &mut Cx, item: Held, metadata: Arc<Metadata>) -> Found {
    cx.note_secret(&metadata.uid);
    Found { item, metadata }
}

/// Where a secret's metadata stands below the mount.
pub(super) fn meta_key(name: &str) -> String {
    ["meta/", name].concat()
}

/// A secret's metadata with one of its versions.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) found: Found,
    pub(super) number: u64,
    /// Its data; `None` if it was deleted or destroyed.
    pub(super) data: Option<Item>,
}

impl Chosen {
    pub(super) fn view(&self) -> VersionView<'_> {
        let metadata = &self.found.metadata;
        // Never: `choose` took the number out of this map.
        let version = metadata.versions.get(&self.number).cloned().unwrap_or_default();
        VersionView::new(metadata, self.number, &version)
    }

    /// What a caller is told where the data is gone but its metadata stands: Vault's 404 with a body.
    pub(super) fn gone(&self) -> Result<Reply, Error> {
        #[derive(Serialize)]
        struct Gone<'a> {
            data: (),
            metadata: VersionView<'a>,
        }
        Reply::shaped(Shape::Gone, &Gone { data: (), metadata: self.view() })
    }
}

/// Reads the version asked for (0 = the newest). Not there is an error; deleted is not.
pub(super) async fn choose(cx: &mut Cx, name: &str, number: u64) -> Result<Chosen, Error> {
    // A destroy, a pruning or a removal may come between the two reads; then the secret is simply read again.
    const ATTEMPTS: usize = 4;
    for _ in 0..ATTEMPTS {
        let found = find(cx, name).await?.ok_or_else(Error::not_found)?;
        let now = cx.now();
        let (number, version) = found.metadata.version(number).ok_or_else(Error::not_found)?;
        if !version.is_readable(now) {
            return Ok(Chosen { found, number, data: None });
        }
        if let Some(data) = cx.get(&found.metadata.data_key(number)).await? {
            return Ok(Chosen { found, number, data: Some(data) });
        }
    }
    Err(Error::internal(format!("data of a readable version is missing {ATTEMPTS} times in a row")))
}

/// A version as Vault shows it beside its data.
#[derive(Debug, Serialize)]
pub(super) struct VersionView<'a> {
    created_time: String,
    custom_metadata: Option<&'a BTreeMap<String, String>>,
    deletion_time: String,
    destroyed: bool,
    version: u64,
}

impl<'a> VersionView<'a> {
    pub(super) fn new(metadata: &'a Metadata, number: u64, version: &Version) -> Self {
        Self {
            created_time: version.created.to_rfc3339(),
            custom_metadata: metadata.custom.as_ref(),
            deletion_time: shown(version.deleted),
            destroyed: version.destroyed,
            version: number,
        }
    }
}

/// A time, or the empty text that Vault shows for none.
pub(super) fn shown(time: Option<Timestamp>) -> String {
    time.map(Timestamp::to_rfc3339).unwrap_or_default()
}

/// The version that a write builds on, out of an object of options.
pub(super) fn cas_in(options: &Map<String, Value>) -> Result<Option<u64>, Error> {
    let parsed = match options.get("cas") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) if number.as_i64().is_some_and(i64::is_negative) => {
            // A number that no version has. Clients know the mismatch by these words.
            return Err(Error::invalid(
                "check-and-set parameter did not match the current version; options.cas is never below 0",
            ));
        }
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(text)) => text.parse().ok(),
        Some(_) => None,
    };
    parsed
        .map(Some)
        .ok_or_else(|| Error::invalid("options.cas must be a version number; 0 means that none exists"))
}

/// What a new version is made of. No `Debug`: it would print the secret.
pub(super) enum NewData<'a> {
    /// An object to be stored.
    Object(&'a Map<String, Value>),
    /// The document of an older version, taken over as it is.
    Taken { from: u64, document: &'a Item },
}

/// Stages a new version and the removal of what it pushes out. Replies with its metadata.
pub(super) async fn add_version(
    cx: &mut Cx,
    name: &str,
    found: Option<Found>,
    config: &Config,
    new: NewData<'_>,
) -> Result<Reply, Error> {
    let (item, mut metadata) = match found {
        Some(found) => (Some(found.item), Arc::unwrap_or_clone(found.metadata)),
        None => (None, Metadata::new(cx.make_id()?, cx.now())),
    };
    cx.note_secret(&metadata.uid);
    let version = made_by(cx, &metadata, config, &new);
    let (number, pruned) = metadata.add(version, config.max_versions);
    let key = metadata.data_key(number);
    match new {
        NewData::Object(data) => cx.create_json(&key, &Document { format: FORMAT, data })?,
        NewData::Taken { document, .. } => cx.create(&key, document.bytes())?,
    }
    remove_data(cx, &metadata, &pruned).await?;
    match &item {
        Some(read) => cx.replace_json(read, &metadata)?,
        None => cx.create_json(&meta_key(name), &metadata)?,
    }
    // Never: a version that was just added is the newest, and the newest is never pruned.
    let version = &metadata.versions[&number];
    Reply::data(&VersionView::new(&metadata, number, version))
}

fn made_by(cx: &Cx, metadata: &Metadata, config: &Config, new: &NewData<'_>) -> Version {
    let (now, identity) = (cx.now(), cx.identity());
    Version {
        created: now,
        by: identity.map(|identity| identity.display_name.clone()).unwrap_or_default(),
        accessor: identity.and_then(|identity| identity.token.as_ref()).map(|token| token.accessor.clone()),
        rollback_of: match new {
            NewData::Object(_) => None,
            NewData::Taken { from, .. } => Some(*from),
        },
        deleted: super::expiry::DeleteAfter::end(config.delete_after, metadata.delete_after, now),
        destroyed: false,
    }
}

/// Stages the removal of versions' data; what is not there needs none.
pub(super) async fn remove_data(cx: &mut Cx, metadata: &Metadata, numbers: &[u64]) -> Result<(), Error> {
    // A removal must have seen what it removes, and each may be megabytes: few are in memory at a time.
    const AT_ONCE: usize = 8;
    for numbers in numbers.chunks(AT_ONCE) {
        let keys: Vec<String> = numbers.iter().map(|number| metadata.data_key(*number)).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        for item in cx.get_many(&keys).await?.iter().flatten() {
            cx.remove(item)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cas_is_never_ignored() {
        let check = |options: Value, expect: Result<Option<u64>, ()>| {
            let map = options.as_object().cloned().unwrap();
            assert_eq!(cas_in(&map).map_err(drop), expect, "{options}");
        };
        check(json!({}), Ok(None));
        check(json!({ "cas": null }), Ok(None));
        check(json!({ "cas": 0 }), Ok(Some(0)));
        check(json!({ "cas": "7" }), Ok(Some(7)));
        for bad in [json!({ "cas": -1 }), json!({ "cas": 1.5 }), json!({ "cas": "x" }), json!({ "cas": [1] })]
        {
            check(bad, Err(()));
        }
    }
}
