//! How secrets and their versions are printed.

use super::Place;
use crate::{context::Context, failure::Failure, output};
use secrethub_client::{Error, Kind, Reply};
use serde_json::{Map, Value, json};

/// A secret: path, metadata, fields. `--field` takes one of its fields out.
pub(super) fn secret(context: &Context, place: &Place, reply: &Reply) -> Result<u8, Failure> {
    let fields = &reply.data()["data"];
    context.print_answer(reply, fields, || {
        let path = path_section(place);
        [path, metadata_section(&reply.data()["metadata"]), fields_section(fields)].join("\n\n")
    })
}

/// What a write answers: the new version's metadata.
pub(super) fn written(context: &Context, place: &Place, reply: &Reply) -> Result<u8, Failure> {
    let metadata = reply.data();
    context.print_answer(reply, metadata, || [path_section(place), metadata_section(metadata)].join("\n\n"))
}

/// A secret that is not there: never was, or is deleted; a deleted version still shows its metadata.
pub(super) fn absent(place: &Place, error: Error) -> Result<u8, Failure> {
    let shown = place.shown("data");
    let Error::Refused(refusal) = error else { return Err(error.into()) };
    if refusal.kind != Kind::NotFound || !refusal.messages.is_empty() {
        return Err(Error::Refused(refusal).into());
    }
    let metadata = &refusal.body["data"]["metadata"];
    if !metadata.is_object() {
        return Err(Failure::remote(format!("No value found at {shown}")));
    }
    output::note([path_section(place), metadata_section(metadata)].join("\n\n"));
    let version = output::cell(&metadata["version"]);
    let failure = Failure::remote(format!("version {version} of {shown} is deleted"));
    Err(match metadata["destroyed"].as_bool() {
        Some(true) => Failure::remote(format!("version {version} of {shown} is destroyed")),
        _ => failure.hint("bring it back: secrethub kv undelete -versions=N PATH"),
    })
}

/// Everything known of a secret: settings, then a section a version.
pub(super) fn versions(context: &Context, place: &Place, reply: &Reply) -> Result<u8, Failure> {
    let data = reply.data();
    context.print_answer(reply, data, || {
        let mut whole = data.as_object().cloned().unwrap_or_default();
        let versions = whole.remove("versions").unwrap_or_default();
        let path = place.shown("metadata");
        let head = format!("{}\n{path}", output::section("Metadata Path", path.chars().count()));
        let mut parts = vec![head, output::object_section("Metadata", &readable(whole))];
        let mut numbered: Vec<_> = versions.as_object().into_iter().flatten().collect();
        numbered.sort_by_key(|(number, _)| number.parse::<u64>().unwrap_or_default());
        for (number, version) in numbered {
            let fields = readable(version.as_object().cloned().unwrap_or_default());
            parts.push(output::object_section(&format!("Version {number}"), &fields));
        }
        parts.join("\n\n")
    })
}

fn path_section(place: &Place) -> String {
    let path = place.shown("data");
    format!("{}\n{path}", output::section("Secret Path", path.chars().count()))
}

fn metadata_section(metadata: &Value) -> String {
    output::object_section("Metadata", &readable(metadata.as_object().cloned().unwrap_or_default()))
}

fn fields_section(fields: &Value) -> String {
    output::object_section("Data", &fields.as_object().cloned().unwrap_or_default())
}

/// Vault writes a time that has not come as `n/a`.
fn readable(mut fields: Map<String, Value>) -> Map<String, Value> {
    if fields.get("deletion_time").is_some_and(|time| time == "") {
        fields.insert("deletion_time".to_owned(), json!("n/a"));
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_read_like_vaults() {
        let fields = json!({"user": "app", "password": "x"});
        let expect = "\
====== Data ======
Key         Value
---         -----
password    x
user        app";
        assert_eq!(fields_section(&fields), expect);
        let metadata = metadata_section(&json!({"deletion_time": "", "version": 2}));
        assert!(metadata.contains("deletion_time    n/a"), "{metadata}");
    }
}
