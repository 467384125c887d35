//! `/vault/secret/*`: the first seed's API, one value in, one id out.

use crate::{Client, Error, Method, Reply};
use serde_json::{Value, json};

impl Client {
    /// Stores base64 text (standard alphabet, padded) and gives the id to fetch it by.
    ///
    /// # Errors
    /// Of the transport, or the server's refusal.
    pub async fn secret_create(&self, base64: &str) -> Result<String, Error> {
        self.secret_manager("vault/secret/create/", "secret", base64, "secret_id").await
    }

    /// The base64 text stored under an id.
    ///
    /// # Errors
    /// [`crate::Kind::NotFound`] when there is none; of the transport, or the server's refusal.
    pub async fn secret_fetch(&self, id: &str) -> Result<String, Error> {
        self.secret_manager("vault/secret/fetch", "secret_id", id, "secret").await
    }

    /// Has the server take in secrets and audit records of the first seed, at most 100 of both together; what is there
    /// stays. Answers how many were `created` and `present`, and which ids `differ`.
    ///
    /// # Errors
    /// Of the transport, or the server's refusal.
    pub async fn secret_import(
        &self,
        secrets: &[Value],
        records: &[Value],
        dry_run: bool,
    ) -> Result<Reply, Error> {
        let body = json!({ "secrets": secrets, "records": records, "dry_run": dry_run });
        self.write("secret-manager/import", &body).await
    }

    async fn secret_manager(&self, path: &str, give: &str, value: &str, want: &str) -> Result<String, Error> {
        let reply = self.send(Method::Post, &self.url(path)?, &[], Some(&json!({give: value}))).await?;
        let found = reply.body()[want].as_str().map(str::to_owned);
        found.ok_or_else(|| Error::Foreign { address: self.address() })
    }
}
