//! `sys/policies/acl`: who may do what, as texts under names.

use crate::{Client, Error, Reply};
use serde_json::{Value, json};

fn place(name: &str) -> String {
    format!("sys/policies/acl/{}", name.trim_matches('/'))
}

impl Client {
    /// Names of all policies, in `data.keys`.
    ///
    /// # Errors
    /// Of the transport, or the server's refusal; so for all of the following.
    pub async fn policies(&self) -> Result<Reply, Error> {
        self.list("sys/policies/acl").await
    }

    /// One policy: `data.policy` is its text.
    pub async fn policy_read(&self, name: &str) -> Result<Reply, Error> {
        self.read(&place(name), &[]).await
    }

    /// Writes a policy, in place of one of this name.
    pub async fn policy_write(&self, name: &str, text: &str) -> Result<Reply, Error> {
        self.write(&place(name), &json!({ "policy": text })).await
    }

    /// Deletes a policy. Tokens that name it keep its name, which then grants nothing.
    pub async fn policy_delete(&self, name: &str) -> Result<Reply, Error> {
        self.delete(&place(name)).await
    }

    /// What would be decided, and why; `fields` as `sys/policies/simulate` has them.
    pub async fn policy_simulate(&self, fields: &Value) -> Result<Reply, Error> {
        self.write("sys/policies/simulate", fields).await
    }
}
