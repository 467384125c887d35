//! `auth/token/*`: tokens.

use crate::{Client, Error, Reply};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

impl Client {
    /// What is known of the client's own token.
    ///
    /// # Errors
    /// Of the transport, or the server's refusal; so for all of the following.
    pub async fn token_lookup_self(&self) -> Result<Reply, Error> {
        self.read("auth/token/lookup-self", &[]).await
    }

    /// What is known of another token.
    pub async fn token_lookup(&self, token: &SecretString) -> Result<Reply, Error> {
        self.write("auth/token/lookup", &naming(token)).await
    }

    /// A new token: a child of the client's own, or without a parent when `orphan`. `fields` are Vault's
    /// (`policies`, `ttl`, `num_uses`, …).
    pub async fn token_create(&self, orphan: bool, fields: &Value) -> Result<Reply, Error> {
        self.write(if orphan { "auth/token/create-orphan" } else { "auth/token/create" }, fields).await
    }

    /// Lets the client's own token live longer by `increment` (Go's duration text, or empty).
    pub async fn token_renew_self(&self, increment: &str) -> Result<Reply, Error> {
        self.write("auth/token/renew-self", &with_increment(json!({}), increment)).await
    }

    /// Lets another token live longer.
    pub async fn token_renew(&self, token: &SecretString, increment: &str) -> Result<Reply, Error> {
        self.write("auth/token/renew", &with_increment(naming(token), increment)).await
    }

    /// Ends the client's own token and all its children.
    pub async fn token_revoke_self(&self) -> Result<(), Error> {
        self.write("auth/token/revoke-self", &json!({})).await.map(drop)
    }

    /// Ends a token and all its children.
    pub async fn token_revoke(&self, token: &SecretString) -> Result<(), Error> {
        self.write("auth/token/revoke", &naming(token)).await.map(drop)
    }

    /// Ends the token that an accessor names, and all its children.
    pub async fn token_revoke_accessor(&self, accessor: &str) -> Result<(), Error> {
        self.write("auth/token/revoke-accessor", &json!({"accessor": accessor})).await.map(drop)
    }

    /// What the client's own token may do to a path.
    pub async fn capabilities(&self, path: &str) -> Result<Reply, Error> {
        self.write("sys/capabilities-self", &json!({"paths": [path]})).await
    }

    /// What another token may do to a path.
    pub async fn capabilities_of(&self, token: &SecretString, path: &str) -> Result<Reply, Error> {
        let mut body = naming(token);
        body["paths"] = json!([path]);
        self.write("sys/capabilities", &body).await
    }

    /// What the token that an accessor names may do to a path.
    pub async fn capabilities_by_accessor(&self, accessor: &str, path: &str) -> Result<Reply, Error> {
        self.write("sys/capabilities-accessor", &json!({"accessor": accessor, "paths": [path]})).await
    }
}

fn naming(token: &SecretString) -> Value {
    // EXPOSE: the token goes to the server, which is the purpose of the call.
    json!({"token": token.expose_secret().trim()})
}

fn with_increment(mut body: Value, increment: &str) -> Value {
    if !increment.is_empty() {
        body["increment"] = increment.into();
    }
    body
}
