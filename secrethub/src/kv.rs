//! [`Kv`]: secrets whose versions are kept, of one mount.

use crate::Session;
use secrethub_core::{Error, Reply, request::Shape};
use serde_json::{Map, Value, json};
use std::fmt;

/// The secrets of a KV version 2 mount; from [`Session::kv`].
#[derive(Clone, Copy, Debug)]
pub struct Kv<'a> {
    session: &'a Session,
    mount: &'a str,
}

/// The values of one version of a secret. They are plain in memory, and not wiped: do not keep them longer than needed.
pub struct Found {
    /// The version's number.
    pub version: u64,
    /// Its fields.
    pub data: Map<String, Value>,
}

impl Found {
    /// A field that is a text.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.data.get(field)?.as_str()
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.data.keys().collect();
        f.debug_struct("Found").field("version", &self.version).field("names", &names).finish_non_exhaustive()
    }
}

impl<'a> Kv<'a> {
    pub(crate) fn new(session: &'a Session, mount: &'a str) -> Self {
        Self { session, mount: mount.trim_matches('/') }
    }

    /// A new version with these fields; answers its number.
    ///
    /// # Errors
    /// Whatever the door refuses; so for all of the following.
    pub async fn put(&self, path: &str, data: Value) -> Result<u64, Error> {
        version_of(&self.session.write(&self.at("data", path), json!({ "data": data })).await?)
    }

    /// The same, only if the newest version is this number; 0 = it must not exist.
    pub async fn put_over(&self, path: &str, newest: u64, data: Value) -> Result<u64, Error> {
        let fields = json!({"data": data, "options": {"cas": newest}});
        version_of(&self.session.write(&self.at("data", path), fields).await?)
    }

    /// A new version made of the newest and these fields; `null` removes one.
    pub async fn patch(&self, path: &str, data: Value) -> Result<u64, Error> {
        version_of(&self.session.patch(&self.at("data", path), json!({ "data": data })).await?)
    }

    /// The newest version. A deleted one is `NotFound`.
    pub async fn get(&self, path: &str) -> Result<Found, Error> {
        self.version(path, 0).await
    }

    /// One version; 0 is the newest.
    pub async fn version(&self, path: &str, number: u64) -> Result<Found, Error> {
        let reply = self.session.read(&self.at("data", path), json!({ "version": number })).await?;
        if reply.shape == Shape::Gone {
            return Err(Error::not_found());
        }
        let mut told = reply.to_value();
        let version = told["metadata"]["version"].as_u64().unwrap_or_default();
        let Value::Object(data) = told["data"].take() else { return Err(Error::not_found()) };
        Ok(Found { version, data })
    }

    /// Deletes the newest version, so that [`Kv::undelete`] brings it back.
    pub async fn delete(&self, path: &str) -> Result<(), Error> {
        self.session.delete(&self.at("data", path)).await.map(drop)
    }

    /// Brings deleted versions back.
    pub async fn undelete(&self, path: &str, versions: &[u64]) -> Result<(), Error> {
        self.session.write(&self.at("undelete", path), json!({ "versions": versions })).await.map(drop)
    }

    /// Destroys the values of versions for good.
    pub async fn destroy(&self, path: &str, versions: &[u64]) -> Result<(), Error> {
        self.session.write(&self.at("destroy", path), json!({ "versions": versions })).await.map(drop)
    }

    /// The names below a path; those that end with a slash have more below.
    pub async fn list(&self, path: &str) -> Result<Vec<String>, Error> {
        self.session.list(&self.at("metadata", path)).await
    }

    /// What is known of a secret and all its versions, as [`docs/kv.md`] lays it out.
    ///
    /// [`docs/kv.md`]: https://github.com/secrethub-rs/secrethub/blob/main/docs/kv.md
    pub async fn metadata(&self, path: &str) -> Result<Value, Error> {
        Ok(self.session.read(&self.at("metadata", path), Value::Null).await?.to_value())
    }

    /// Removes a secret with all its versions.
    pub async fn delete_all(&self, path: &str) -> Result<(), Error> {
        self.session.delete(&self.at("metadata", path)).await.map(drop)
    }

    fn at(&self, kind: &str, path: &str) -> String {
        format!("{}/{kind}/{}", self.mount, path.trim_start_matches('/'))
    }
}

fn version_of(reply: &Reply) -> Result<u64, Error> {
    let number = reply.to_value()["version"].as_u64();
    number.ok_or_else(|| Error::internal("KV answered without a version"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Embed, core::system::Settings, open};
    use secrethub_core::{ErrorKind, Secret};

    async fn root() -> Session {
        let vault = open("memory:", Settings::default()).await.unwrap();
        let keys = vault.init(2, 2).await.unwrap();
        assert!(vault.unseal(&keys.shares[0]).await.unwrap());
        assert!(!vault.unseal(&keys.shares[1]).await.unwrap());
        vault.session(&keys.root_token)
    }

    #[tokio::test]
    async fn a_secret_from_first_to_last() {
        let session = root().await;
        let kv = session.kv("/secret/");
        assert_eq!(kv.put_over("app", 0, json!({"password": "hunter2", "n": 1})).await.unwrap(), 1);
        let refused = kv.put_over("app", 0, json!({})).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        assert_eq!(kv.patch("app", json!({"n": null})).await.unwrap(), 2);
        let found = kv.get("app").await.unwrap();
        assert_eq!((found.version, found.text("password"), found.text("n")), (2, Some("hunter2"), None));
        assert!(format!("{found:?}").contains("password") && !format!("{found:?}").contains("hunter2"));
        assert_eq!(kv.version("app", 1).await.unwrap().data["n"], 1);
        kv.delete("app").await.unwrap();
        assert_eq!(kv.get("app").await.unwrap_err().kind(), ErrorKind::NotFound);
        kv.undelete("app", &[2]).await.unwrap();
        kv.destroy("app", &[1]).await.unwrap();
        assert_eq!(kv.metadata("app").await.unwrap()["versions"]["1"]["destroyed"], true);
        assert_eq!(kv.list("").await.unwrap(), ["app"]);
        kv.delete_all("app").await.unwrap();
        assert_eq!(kv.list("").await.unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_session_is_its_token() {
        let session = root().await;
        session.write("cubbyhole/a", json!({"b": "c"})).await.unwrap();
        assert_eq!(session.read("cubbyhole/a", Value::Null).await.unwrap().to_value(), json!({"b": "c"}));
        let stranger = session.vault().session(&Secret::new("shs.stranger".to_owned()));
        let refused = stranger.kv("secret").get("app").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unauthenticated);
        assert!(!format!("{session:?} {stranger:?}").contains("stranger"));
    }
}
