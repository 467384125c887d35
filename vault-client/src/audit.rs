//! `audit/*`: search, export and verification of the audit log.

use crate::{Client, Error, Method, Reply, client::request_id};
use serde_json::{Value, json};

/// Which records to find. Every field that is set must match; times are RFC 3339.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditSearch {
    /// Not before.
    pub from: Option<String>,
    /// Before.
    pub to: Option<String>,
    /// Exact actor.
    pub actor: Option<String>,
    /// Paths that start so.
    pub path: Option<String>,
    /// Exact operation: `read`, `update`, `create`, `fetch` …
    pub operation: Option<String>,
    /// `success` or `failure`.
    pub status: Option<String>,
    /// Exact request id.
    pub request_id: Option<String>,
    /// Exact secret id.
    pub secret_id: Option<String>,
    /// Where the former page ended.
    pub cursor: Option<String>,
    /// Records a page, at most 1,000.
    pub limit: Option<usize>,
}

impl AuditSearch {
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let limit = self.limit.map(|limit| limit.to_string());
        let all = [
            ("from", &self.from),
            ("to", &self.to),
            ("actor", &self.actor),
            ("path", &self.path),
            ("operation", &self.operation),
            ("status", &self.status),
            ("request_id", &self.request_id),
            ("secret_id", &self.secret_id),
            ("cursor", &self.cursor),
            ("limit", &limit),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
    }
}

/// A body that comes in pieces.
#[derive(Debug)]
pub struct Download {
    client: Client,
    response: reqwest::Response,
}

impl Download {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// When the connection breaks: what came so far is not all.
    pub async fn piece(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let piece = self.response.chunk().await.map_err(|error| self.client.transport(error))?;
        Ok(piece.map(|bytes| bytes.to_vec()))
    }
}

impl Client {
    /// One page of records, newest first: `data.records`, and `data.next` to go on from.
    ///
    /// # Errors
    /// Of the transport, or the server's refusal; so for all of the following.
    pub async fn audit_records(&self, search: &AuditSearch) -> Result<Reply, Error> {
        self.read("audit/records", &search.pairs()).await
    }

    /// The checkpoints, newest first.
    pub async fn audit_checkpoints(&self) -> Result<Reply, Error> {
        self.read("audit/checkpoints", &[]).await
    }

    /// The public key that verifies checkpoints, with no trust in the server.
    pub async fn audit_public_key(&self) -> Result<Reply, Error> {
        self.read("audit/public-key", &[]).await
    }

    /// Asks the server to verify its own log.
    pub async fn audit_verify(&self) -> Result<Reply, Error> {
        self.write("audit/verify", &json!({})).await
    }

    /// Removes what is older than the retention; `fields` may name another.
    pub async fn audit_prune(&self, fields: &Value) -> Result<Reply, Error> {
        self.write("audit/prune", fields).await
    }

    /// All matching records as a file of `csv` or `json`, in pieces.
    pub async fn audit_export(&self, search: &AuditSearch, format: &str) -> Result<Download, Error> {
        let mut query = search.pairs();
        query.push(("format", format.to_owned()));
        // No limit on the whole: a large log takes long. The read timeout still ends a connection that hangs.
        let response = self.open(Method::Get, &self.url("v1/audit/export")?, &query, None, None).await?;
        let (status, id) = (response.status(), request_id(response.headers()));
        if status.is_success() {
            return Ok(Download { client: self.clone(), response });
        }
        let bytes = response.bytes().await.map_err(|error| self.transport(error))?;
        Err(Error::refused(status, id, serde_json::from_slice(&bytes).unwrap_or_default()))
    }
}
