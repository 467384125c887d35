//! `audit/*`: search, export, archive and verification of the audit log.

use crate::{Client, Error, Reply};
use serde_json::json;

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

impl Client {
    /// One page of records, newest first: `data.records`, and `data.next` to go on from.
    ///
    /// # Errors
    /// Of the transport, or the server's refusal; so for all of the following.
    pub async fn audit_records(&self, search: &AuditSearch) -> Result<Reply, Error> {
        self.read("audit/records", &search.pairs()).await
    }

    /// One page of records as text, `csv` or `json` (a line each): `data.text`, and `data.next` to go on from.
    pub async fn audit_export(&self, search: &AuditSearch, format: &str) -> Result<Reply, Error> {
        let mut query = search.pairs();
        query.push(("format", format.to_owned()));
        self.read("audit/export", &query).await
    }

    /// Every chain with its first and last record: `data.chains`.
    pub async fn audit_chains(&self) -> Result<Reply, Error> {
        self.read("audit/chains", &[]).await
    }

    /// A signed stretch of a chain from record `first` on; [`crate::Kind::NotFound`] behind its end.
    pub async fn audit_segment(&self, chain: &str, first: u64) -> Result<Reply, Error> {
        self.read("audit/segment", &[("chain", chain.to_owned()), ("first", first.to_string())]).await
    }

    /// The newest checkpoint, to be held outside the store: `data.number`, `data.checkpoint` in hex.
    pub async fn audit_checkpoint(&self) -> Result<Reply, Error> {
        self.read("audit/checkpoint", &[]).await
    }

    /// The public key that verifies checkpoints and archives with no trust in the server: `data.public_key` in hex.
    pub async fn audit_public_key(&self) -> Result<Reply, Error> {
        self.read("audit/public-key", &[]).await
    }

    /// Asks the server to verify its own log, against a checkpoint in hex that was held outside, if there is one.
    pub async fn audit_verify(&self, checkpoint: Option<&str>) -> Result<Reply, Error> {
        let body = checkpoint.map_or_else(|| json!({}), |checkpoint| json!({"checkpoint": checkpoint}));
        self.write("audit/verify", &body).await
    }

    /// Removes what is older than the configured retention, up to a checkpoint.
    pub async fn audit_prune(&self) -> Result<Reply, Error> {
        self.write("audit/prune", &json!({})).await
    }
}
