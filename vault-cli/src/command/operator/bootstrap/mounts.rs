//! Secrets engines and auth methods: compared first, all of them, then made.

use super::{Outcome, Step, plan::Mount};
use crate::failure::Failure;
use secrethub_client::{Client, Table};
use serde_json::{Value, json};

/// A mount of the file, and whether it is missing.
pub(super) struct Missing<'a>(&'a Mount, bool);

/// What of `wanted` is missing; something else in its place is an error.
pub(super) async fn compare<'a>(
    client: &Client,
    table: Table,
    wanted: &'a [Mount],
) -> Result<Vec<Missing<'a>>, Failure> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let have = client.mounts(table).await?;
    let judge = |mount| Ok(Missing(mount, !is_there(mount, &have.data()[Mount::place(mount)])?));
    wanted.iter().map(judge).collect()
}

/// Makes what is missing.
pub(super) async fn make(
    client: &Client,
    table: Table,
    mounts: Vec<Missing<'_>>,
    steps: &mut Vec<Step>,
) -> Result<(), Failure> {
    let what = if table == Table::Auth { "auth" } else { "mount" };
    for Missing(mount, missing) in mounts {
        if missing {
            let fields =
                json!({"type": mount.kind, "description": mount.description, "options": mount.options});
            let made = client.enable(table, &mount.path, &fields).await;
            made.map_err(|error| Failure::from(error).about(&format!("{what} {}", mount.place())))?;
        }
        steps.push(Step::new(what, mount.place(), if missing { Outcome::Made } else { Outcome::There }));
    }
    Ok(())
}

/// Is `have` what is wanted, by type and by the options that are named. Descriptions are words, not identity.
fn is_there(wanted: &Mount, have: &Value) -> Result<bool, Failure> {
    if have.is_null() {
        return Ok(false);
    }
    let other = |what: String| {
        let place = wanted.place();
        Err(Failure::remote(format!("{place} exists with {what}; nothing was changed there or after it"))
            .hint("give the new one another path, or move the old one: secrethub secrets move"))
    };
    // Vault's short name of an option.
    let (kind, version) = match wanted.kind.as_str() {
        "kv-v2" => ("kv", Some("2")),
        "kv-v1" => ("kv", Some("1")),
        kind => (kind, None),
    };
    if have["type"] != kind {
        return other(format!("another type, {}", have["type"]));
    }
    let named = wanted.options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in named.chain(version.map(|version| ("version", version))) {
        if have["options"][name] != value {
            return other(format!("another {name}, {}", have["options"][name]));
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_else_in_its_place_is_an_error() {
        let check = |kind: &str, version: Option<&str>, have: Value, expect: Option<bool>| {
            let options =
                version.iter().map(|version| ("version".to_owned(), (*version).to_owned())).collect();
            let wanted = Mount { path: "a".into(), kind: kind.into(), description: "words".into(), options };
            assert_eq!(is_there(&wanted, &have).ok(), expect, "{kind} {version:?} {have}");
        };
        let kv =
            |version: &str| json!({"type": "kv", "options": {"version": version}, "description": "else"});
        check("kv", None, Value::Null, Some(false));
        check("kv", None, kv("1"), Some(true));
        check("kv", Some("2"), kv("2"), Some(true));
        check("kv-v2", None, kv("2"), Some(true));
        check("kv-v2", None, kv("1"), None);
        check("kv", Some("2"), kv("1"), None);
        check("kv", Some("2"), json!({"type": "kv", "options": null}), None);
        check("transit", None, kv("1"), None);
    }
}
