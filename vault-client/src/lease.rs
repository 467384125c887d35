//! `sys/leases/*`: what was given for a time.

use crate::{Client, Error, Reply};
use serde_json::json;

/// Which leases to end, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoke {
    /// The one of this id.
    One,
    /// All whose ids start so.
    Prefix,
    /// The same, and they are forgotten even if what they stand for cannot be destroyed.
    Force,
}

impl Client {
    /// What is known of a lease.
    ///
    /// # Errors
    /// Of the transport, or the server's refusal; so for all of the following.
    pub async fn lease_lookup(&self, id: &str) -> Result<Reply, Error> {
        self.write("sys/leases/lookup", &json!({"lease_id": id})).await
    }

    /// Lets a lease live longer by `increment` (Go's duration text, or empty).
    pub async fn lease_renew(&self, id: &str, increment: &str) -> Result<Reply, Error> {
        let mut body = json!({"lease_id": id});
        if !increment.is_empty() {
            body["increment"] = increment.into();
        }
        self.write("sys/leases/renew", &body).await
    }

    /// Ends leases. With `sync` the answer waits until what they stand for is destroyed.
    pub async fn lease_revoke(&self, id: &str, which: Revoke, sync: bool) -> Result<Reply, Error> {
        match which {
            Revoke::One => self.write("sys/leases/revoke", &json!({"lease_id": id, "sync": sync})).await,
            Revoke::Prefix => {
                self.write(&format!("sys/leases/revoke-prefix/{id}"), &json!({"sync": sync})).await
            }
            Revoke::Force => self.write(&format!("sys/leases/revoke-force/{id}"), &json!({})).await,
        }
    }
}
