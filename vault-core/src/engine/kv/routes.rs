//! What can be asked of a KV version 2 mount: Vault's paths first, then ours, then the answer to wrong paths.

use super::{config, data, history, list, metadata, versions};
use crate::{
    Operation,
    cx::Cx,
    engine::{Call, Field, FieldKind, Route, row},
    error::{Error, ErrorKind},
    request::{Reply, Shape},
};
use std::future::ready;

/// Fields of every list.
pub(in crate::engine) const LIST_FIELDS: &[Field] = &[
    Field::new("after", FieldKind::Text, "List only names after this one."),
    Field::new("limit", FieldKind::Integer, "List at most so many names."),
    Field::new("recursive", FieldKind::Boolean, "List everything below, not only the next level."),
];
const VERSION: Field = Field::new("version", FieldKind::Integer, "Which version; 0 or none is the newest.");
const DATA: &[Field] = &[
    Field::new("data", FieldKind::Map, "The secret: names and values."),
    Field::new(
        "options",
        FieldKind::Map,
        "`cas`: the version this write builds on; 0 = the secret must be new.",
    ),
];
const VERSIONS: &[Field] = &[Field::new("versions", FieldKind::List, "Numbers of versions.")];
const CONFIG: &[Field] = &[MAX_VERSIONS, CAS_REQUIRED, DELETE_AFTER];
const MAX_VERSIONS: Field =
    Field::new("max_versions", FieldKind::Integer, "How many versions to keep; 0 = default.");
const CAS_REQUIRED: Field = Field::new("cas_required", FieldKind::Boolean, "Refuse writes without `cas`.");
const DELETE_AFTER: Field = Field::new(
    "delete_version_after",
    FieldKind::Seconds,
    "Delete new versions after this long; 0s = never.",
);
const METADATA: &[Field] = &[
    MAX_VERSIONS,
    CAS_REQUIRED,
    DELETE_AFTER,
    Field::new("custom_metadata", FieldKind::Map, "Texts to attach, by name."),
];
const ROLLBACK: &[Field] = &[
    VERSION,
    Field::new("cas", FieldKind::Integer, "The version this rollback builds on."),
    Field::new("options", FieldKind::Map, "`cas`, as in a write."),
];

use Operation::{Delete, List, Patch, Read, Write};

#[rustfmt::skip]
pub(super) const ROUTES: &[Route] = &[
    row(Read, "config", "Read the mount's settings.", &[], "{}",
        |cx, call| Box::pin(config::read_config(cx, call))),
    row(Write, "config", "Change the mount's settings; what is not named stays.", CONFIG, r#"{"max_versions": 5}"#,
        |cx, call| Box::pin(config::write_config(cx, call))),

    row(Read, "data/{path*}", "Read a secret.", &[VERSION], r#"{"version": 1}"#,
        |cx, call| Box::pin(data::read_data(cx, call))),
    row(Write, "data/{path*}", "Write a new version of a secret.", DATA,
        r#"{"data": {"password": "hunter2"}, "options": {"cas": 0}}"#,
        |cx, call| Box::pin(data::write_data(cx, call))),
    row(Patch, "data/{path*}", "Merge into the newest version (RFC 7396) and write the result as a new one.", DATA,
        r#"{"data": {"password": "hunter3"}}"#,
        |cx, call| Box::pin(data::patch_data(cx, call))),
    row(Delete, "data/{path*}", "Delete the newest version; it can be undeleted.", &[], "{}",
        |cx, call| Box::pin(data::delete_data(cx, call))),
    row(Read, "subkeys/{path*}", "Read the names inside a secret without their values.",
        &[VERSION, Field::new("depth", FieldKind::Integer, "How many levels; 0 = all.")], r#"{"depth": 1}"#,
        |cx, call| Box::pin(data::read_subkeys(cx, call))),

    row(Write, "delete/{path*}", "Delete versions; they can be undeleted.", VERSIONS, r#"{"versions": [1]}"#,
        |cx, call| Box::pin(versions::delete_versions(cx, call))),
    row(Write, "undelete/{path*}", "Make deleted versions readable again.", VERSIONS, r#"{"versions": [1]}"#,
        |cx, call| Box::pin(versions::undelete_versions(cx, call))),
    row(Write, "destroy/{path*}", "Remove the data of versions for good.", VERSIONS, r#"{"versions": [1]}"#,
        |cx, call| Box::pin(versions::destroy_versions(cx, call))),

    row(Read, "metadata/{path*}", "Read what is known about a secret and its versions.", &[], "{}",
        |cx, call| Box::pin(metadata::read_metadata(cx, call))),
    row(List, "metadata/{path*}", "List the names below a path.", LIST_FIELDS, r#"{"limit": 100}"#,
        |cx, call| Box::pin(list_metadata(cx, call))),
    row(Write, "metadata/{path*}", "Set what is known about a secret.", METADATA,
        r#"{"custom_metadata": {"owner": "ops"}}"#,
        |cx, call| Box::pin(metadata::write_metadata(cx, call))),
    row(Patch, "metadata/{path*}", "Change some of what is known about a secret.", METADATA,
        r#"{"custom_metadata": {"owner": null}}"#,
        |cx, call| Box::pin(metadata::patch_metadata(cx, call))),
    row(Delete, "metadata/{path*}", "Remove a secret with all of its versions, for good.", &[], "{}",
        |cx, call| Box::pin(metadata::delete_metadata(cx, call))),

    row(Read, "history/{path*}", "Read who wrote which version when.", &[], "{}",
        |cx, call| Box::pin(history::read_history(cx, call))),
    row(Read, "compare/{path*}", "Read which names differ between two versions; never their values.",
        &[Field::new("versions", FieldKind::List, "Two version numbers.")], r#"{"versions": [1, 2]}"#,
        |cx, call| Box::pin(history::compare_versions(cx, call))),
    row(Write, "rollback/{path*}", "Write an older version's data as a new version.", ROLLBACK, r#"{"version": 1}"#,
        |cx, call| Box::pin(history::roll_back(cx, call))),

    row(Read, "{path*}", "Say which path was meant.", &[], "{}",
        |_, call| Box::pin(ready(wrong_path(call, "get")))),
    row(List, "{path*}", "Say which path was meant.", &[], "{}",
        |_, call| Box::pin(ready(wrong_path(call, "list")))),
    row(Write, "{path*}", "Say which path was meant.", DATA, "{}",
        |_, call| Box::pin(ready(wrong_path(call, "put")))),
    row(Delete, "{path*}", "Say which path was meant.", &[], "{}",
        |_, call| Box::pin(ready(wrong_path(call, "delete")))),
];

async fn list_metadata(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    list::list_below(cx, "meta/", &call).await
}

/// Vault's answer to a version 1 path on a version 2 mount: not there, with a warning that says why. A path that
/// exists, but not for this operation, is said to be just that.
fn wrong_path(call: Call<'_>, command: &str) -> Result<Reply, Error> {
    let first = |path: &str| path.split('/').next().unwrap_or_default().to_owned();
    let asked = first(call.param("path"));
    if ROUTES.iter().any(|route| first(route.pattern) == asked) {
        return Err(Error::new(ErrorKind::Unsupported, "unsupported operation"));
    }
    let reply = Reply { shape: Shape::Gone, ..Reply::empty() };
    Ok(reply.warn(format!(
        "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to \
         use. If using the Vault CLI, use 'vault kv {command}' for this operation."
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Request, engine::Params};

    #[test]
    fn every_example_is_an_object_of_known_fields() {
        for route in ROUTES {
            let example: serde_json::Value = serde_json::from_str(route.example).unwrap();
            for name in example.as_object().unwrap().keys() {
                assert!(route.fields.iter().any(|field| field.name == name), "{route:?}: {name}");
            }
        }
    }

    #[test]
    fn wrong_paths_and_wrong_operations_differ() {
        let check = |path: &str, expect: Result<&str, ErrorKind>| {
            let request = Request::new("id", Operation::Read, path);
            let wrong =
                ROUTES.iter().rev().find(|route| route.operation == Read && route.pattern == "{path*}");
            let params: Params<'_> = wrong.and_then(|route| route.matches(path)).unwrap();
            let answer = wrong_path(Call { request: &request, params }, "get");
            let got = answer.map(|reply| (reply.shape, reply.warnings.concat()));
            match (got, expect) {
                (Ok((shape, warning)), Ok(text)) => {
                    assert_eq!(shape, Shape::Gone, "{path}");
                    assert!(warning.contains(text), "{path}: {warning}");
                }
                (Err(error), Err(kind)) => assert_eq!(error.kind(), kind, "{path}"),
                (got, _) => panic!("{path}: {got:?}"),
            }
        };
        check("my-app", Ok("Invalid path for a versioned K/V secrets engine"));
        check("database/x", Ok("'vault kv get'"));
        check("", Ok("'vault kv get'"));
        check("destroy/x", Err(ErrorKind::Unsupported));
        check("undelete", Err(ErrorKind::Unsupported));
    }
}
