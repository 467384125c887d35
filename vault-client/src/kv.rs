//! `kv` version 2: versioned secrets under a mount.

use crate::{Client, Error, Method, Reply};
use serde_json::{Value, json};

/// The secrets of one mount; from [`Client::kv`].
#[derive(Clone, Copy, Debug)]
pub struct Kv<'a> {
    client: &'a Client,
    mount: &'a str,
}

impl Client {
    /// The KV version 2 engine at `mount`, e.g. `secret`.
    pub fn kv<'a>(&'a self, mount: &'a str) -> Kv<'a> {
        Kv { client: self, mount: mount.trim_matches('/') }
    }
}

impl Kv<'_> {
    /// One version, the newest unless named: `data.data` are the fields, `data.metadata` what is known of them.
    ///
    /// # Errors
    /// Of the transport, or the server's refusal; so for all of the following. A deleted version is a
    /// [`crate::Kind::NotFound`] whose body still holds the metadata.
    pub async fn read(&self, path: &str, version: Option<u64>) -> Result<Reply, Error> {
        let query: Vec<_> = version.map(|version| ("version", version.to_string())).into_iter().collect();
        self.client.read(&self.at("data", path), &query).await
    }

    /// A new version with these fields. With `cas` only if the newest version is that number; 0 = must not exist.
    pub async fn put(&self, path: &str, fields: &Value, cas: Option<u64>) -> Result<Reply, Error> {
        self.client.write(&self.at("data", path), &versioned(fields, cas)).await
    }

    /// A new version made of the newest and these fields (RFC 7396: `null` removes one).
    pub async fn patch(&self, path: &str, fields: &Value, cas: Option<u64>) -> Result<Reply, Error> {
        self.client.patch(&self.at("data", path), &versioned(fields, cas)).await
    }

    /// Soft-deletes the newest version.
    pub async fn delete(&self, path: &str) -> Result<Reply, Error> {
        self.client.delete(&self.at("data", path)).await
    }

    /// Soft-deletes versions.
    pub async fn delete_versions(&self, path: &str, versions: &[u64]) -> Result<Reply, Error> {
        self.client.write(&self.at("delete", path), &json!({"versions": versions})).await
    }

    /// Brings soft-deleted versions back.
    pub async fn undelete(&self, path: &str, versions: &[u64]) -> Result<Reply, Error> {
        self.client.write(&self.at("undelete", path), &json!({"versions": versions})).await
    }

    /// Destroys the data of versions for good.
    pub async fn destroy(&self, path: &str, versions: &[u64]) -> Result<Reply, Error> {
        self.client
            .call(Method::Put, &self.at("destroy", path), &[], Some(&json!({"versions": versions})))
            .await
    }

    /// Names below a path.
    pub async fn list(&self, path: &str) -> Result<Reply, Error> {
        self.client.list(&self.at("metadata", path)).await
    }

    /// What is known of a secret and all its versions.
    pub async fn metadata(&self, path: &str) -> Result<Reply, Error> {
        self.client.read(&self.at("metadata", path), &[]).await
    }

    /// Sets `max_versions`, `cas_required`, `delete_version_after`, `custom_metadata`.
    pub async fn put_metadata(&self, path: &str, fields: &Value) -> Result<Reply, Error> {
        self.client.write(&self.at("metadata", path), fields).await
    }

    /// Removes a secret with all its versions and metadata.
    pub async fn delete_metadata(&self, path: &str) -> Result<Reply, Error> {
        self.client.delete(&self.at("metadata", path)).await
    }

    /// Makes an old version the newest, as a new version; refused if somebody writes in between.
    pub async fn rollback(&self, path: &str, version: u64) -> Result<Reply, Error> {
        let bare = self.client.bare();
        let before = Kv { client: &bare, mount: self.mount };
        let known = before.metadata(path).await?;
        let newest = known.data()["current_version"].as_u64().unwrap_or_default();
        let old = before.read(path, Some(version)).await?;
        self.put(path, &old.data()["data"], Some(newest)).await
    }

    fn at(&self, kind: &str, path: &str) -> String {
        format!("{}/{kind}/{}", self.mount, path.trim_start_matches('/'))
    }
}

fn versioned(fields: &Value, cas: Option<u64>) -> Value {
    match cas {
        Some(cas) => json!({"data": fields, "options": {"cas": cas}}),
        None => json!({"data": fields}),
    }
}
