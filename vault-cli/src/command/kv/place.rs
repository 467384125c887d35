//! [`Place`]: which mount serves a path, which version of KV it is, and what is left of the path below it.

use super::At;
use crate::failure::Failure;
use secrethub_client::{Client, Error, Kind, Kv};
use serde_json::Value;

/// A path, split at its mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    mount: String,
    path: String,
    versioned: bool,
}

impl At {
    /// Asks the server which mount serves the path.
    pub(super) async fn find(&self, client: &Client) -> Result<Place, Failure> {
        let path = self.path.trim_matches('/');
        let whole = match &self.mount {
            Some(mount) => format!("{}/{path}", mount.trim_matches('/')),
            None => path.to_owned(),
        };
        match client.mount_of(&whole).await {
            Ok(mount) => Place::split(&whole, &mount),
            // A server that does not tell has the oldest KV there is.
            Err(Error::Refused(refusal)) if refusal.kind == Kind::NotFound => {
                Place::split(&whole, &Value::Null)
            }
            Err(error) => Err(Failure::from(error).about(&format!("cannot tell which mount serves {whole}"))),
        }
    }
}

impl Place {
    /// What `sys/internal/ui/mounts/<path>` says, applied to the path.
    fn split(whole: &str, mount: &Value) -> Result<Self, Failure> {
        let first = whole.split('/').next().unwrap_or_default();
        let name = mount["path"].as_str().unwrap_or(first).trim_matches('/');
        let below = whole.strip_prefix(name).map(|rest| rest.trim_start_matches('/'));
        let Some(path) = below else {
            return Err(Failure::remote(format!("the server says that {name:?} serves {whole:?}")));
        };
        let version = &mount["options"]["version"];
        let versioned = version.as_str() == Some("2") || version.as_u64() == Some(2);
        Ok(Self { mount: name.to_owned(), path: path.to_owned(), versioned })
    }

    /// Is the mount KV version 2.
    pub(super) fn is_versioned(&self) -> bool {
        self.versioned
    }

    /// Refuses a mount without versions.
    pub(super) fn versioned(self, command: &str) -> Result<Self, Failure> {
        if self.versioned {
            return Ok(self);
        }
        let mount = self.mount;
        Err(Failure::local(format!("{command} needs a KV version 2 mount, and {mount}/ is version 1")))
    }

    /// The mount's engine.
    pub(super) fn kv<'a>(&'a self, client: &'a Client) -> Kv<'a> {
        client.kv(&self.mount)
    }

    /// The path below the mount.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Mount and path.
    pub(super) fn whole(&self) -> String {
        format!("{}/{}", self.mount, self.path)
    }

    /// The path as the API has it, for people: `secret/data/app`.
    pub(super) fn shown(&self, kind: &str) -> String {
        match self.versioned {
            true => format!("{}/{kind}/{}", self.mount, self.path),
            false => self.whole(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn splits_at_the_mount() {
        let check = |whole: &str, mount: Value, expect: (&str, &str, bool)| {
            let place = Place::split(whole, &mount).unwrap();
            assert_eq!((place.mount.as_str(), place.path.as_str(), place.versioned), expect, "{whole}");
        };
        let v2 = |path: &str| json!({"path": path, "options": {"version": "2"}});
        check("secret/app", v2("secret/"), ("secret", "app", true));
        check("team/kv/a/b", v2("team/kv/"), ("team/kv", "a/b", true));
        check("secret", v2("secret/"), ("secret", "", true));
        check("old/app", json!({"path": "old/", "options": {"version": "1"}}), ("old", "app", false));
        check("old/app", json!({"path": "old/", "options": null}), ("old", "app", false));
        check("any/where", Value::Null, ("any", "where", false));
        assert!(Place::split("secret/app", &v2("other/")).is_err());
    }

    #[test]
    fn commands_of_version_2_refuse_version_1() {
        let old = Place { mount: "old".into(), path: "app".into(), versioned: false };
        assert_eq!(old.shown("data"), "old/app");
        assert!(old.versioned("kv patch").unwrap_err().to_string().contains("old/ is version 1"));
    }
}
