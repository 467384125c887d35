//! [`Session`]: a vault as one token sees it, with a method for what is asked most. Each is one request through
//! [`Vault::handle`], and nothing else.

use crate::kv::Kv;
use secrethub_core::{Error, Operation, Reply, Request, Secret, Vault};
use serde_json::{Value, json};
use std::{fmt, sync::Arc};

/// What init hands out, once and never again.
#[non_exhaustive]
pub struct InitKeys {
    /// The shares, in base64.
    pub shares: Vec<Secret<String>>,
    /// A token that may do everything.
    pub root_token: Secret<String>,
}

impl fmt::Debug for InitKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InitKeys").field("shares", &self.shares.len()).finish_non_exhaustive()
    }
}

/// What an embedder does with a vault while there is no token yet, and how a [`Session`] begins.
pub trait Embed {
    /// Makes the vault, sealed by so many shares, of which `threshold` open it. The answer is the only copy.
    ///
    /// # Errors
    /// `Invalid` where there is a vault already, or one that guards itself; so for all: whatever the door refuses.
    fn init(&self, shares: u8, threshold: u8) -> impl Future<Output = Result<InitKeys, Error>> + Send;

    /// Gives one share, or the passphrase, and answers whether the vault is still sealed.
    ///
    /// # Errors
    /// `Invalid` for what is no share of this vault.
    fn unseal(&self, share: &Secret<String>) -> impl Future<Output = Result<bool, Error>> + Send;

    /// The vault as this token sees it.
    fn session(&self, token: &Secret<String>) -> Session;
}

impl Embed for Arc<Vault> {
    async fn init(&self, shares: u8, threshold: u8) -> Result<InitKeys, Error> {
        let fields = json!({"secret_shares": shares, "secret_threshold": threshold});
        let born = self.handle(request(Operation::Write, "sys/init").with_fields(fields)).await?.to_value();
        let text = |value: &Value| Secret::new(value.as_str().unwrap_or_default().to_owned());
        let shares = born["keys_base64"].as_array().into_iter().flatten().map(text).collect();
        Ok(InitKeys { shares, root_token: text(&born["root_token"]) })
    }

    async fn unseal(&self, share: &Secret<String>) -> Result<bool, Error> {
        // EXPOSE: the share goes to the vault, which is the purpose of the call.
        let fields = json!({"key": share.expose()});
        let told = self.handle(request(Operation::Write, "sys/unseal").with_fields(fields)).await?;
        Ok(told.to_value()["sealed"].as_bool().unwrap_or(true))
    }

    fn session(&self, token: &Secret<String>) -> Session {
        // EXPOSE: a second copy of the token, as hidden as the first.
        Session { vault: Self::clone(self), token: Secret::new(token.expose().clone()) }
    }
}

/// A request with an id of its own.
fn request(operation: Operation, path: &str) -> Request {
    Request::new(uuid::Uuid::new_v4().to_string(), operation, path)
}

/// A vault as one token sees it.
pub struct Session {
    vault: Arc<Vault>,
    token: Secret<String>,
}

impl Session {
    /// The vault itself.
    pub fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }

    /// Reads a path; `fields` are what stands in the query over HTTP, or `null`.
    ///
    /// # Errors
    /// Whatever the door refuses; so for all of the following.
    pub async fn read(&self, path: &str, fields: Value) -> Result<Reply, Error> {
        self.ask(Operation::Read, path, fields).await
    }

    /// The names below a path.
    pub async fn list(&self, path: &str) -> Result<Vec<String>, Error> {
        let told = self.ask(Operation::List, path, Value::Null).await?.to_value();
        let names = told["keys"].as_array().into_iter().flatten().filter_map(Value::as_str);
        Ok(names.map(str::to_owned).collect())
    }

    /// Writes fields to a path.
    pub async fn write(&self, path: &str, fields: Value) -> Result<Reply, Error> {
        self.ask(Operation::Write, path, fields).await
    }

    /// Merges fields into a path (RFC 7396: `null` removes one).
    pub async fn patch(&self, path: &str, fields: Value) -> Result<Reply, Error> {
        self.ask(Operation::Patch, path, fields).await
    }

    /// Removes a path.
    pub async fn delete(&self, path: &str) -> Result<Reply, Error> {
        self.ask(Operation::Delete, path, Value::Null).await
    }

    /// The secrets of a KV version 2 mount.
    pub fn kv<'a>(&'a self, mount: &'a str) -> Kv<'a> {
        Kv::new(self, mount)
    }

    async fn ask(&self, operation: Operation, path: &str, fields: Value) -> Result<Reply, Error> {
        // EXPOSE: the token goes to the door, which is the purpose of the session.
        self.vault.handle(request(operation, path).with_token(self.token.expose()).with_fields(fields)).await
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
