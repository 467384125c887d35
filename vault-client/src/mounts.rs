//! `sys/mounts`, `sys/auth`, `sys/audit`: what stands where. The three tables have one shape.

use crate::{Client, Error, Reply};
use serde_json::{Value, json};

/// Which table of mounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Secrets engines.
    Secrets,
    /// Auth methods.
    Auth,
    /// Audit devices.
    Audit,
}

impl Table {
    fn path(self) -> &'static str {
        match self {
            Self::Secrets => "sys/mounts",
            Self::Auth => "sys/auth",
            Self::Audit => "sys/audit",
        }
    }

    fn of(self, path: &str) -> String {
        format!("{}/{}", self.path(), path.trim_matches('/'))
    }
}

impl Client {
    /// Everything in a table: from paths with a slash at the end to what stands there.
    ///
    /// # Errors
    /// Of the transport, or the server's refusal; so for all of the following.
    pub async fn mounts(&self, table: Table) -> Result<Reply, Error> {
        self.read(table.path(), &[]).await
    }

    /// Puts something at a path. `fields` are Vault's (`type`, `description`, `config`, `options` …).
    pub async fn enable(&self, table: Table, path: &str, fields: &Value) -> Result<Reply, Error> {
        self.write(&table.of(path), fields).await
    }

    /// Takes away what stands at a path, with everything in it.
    pub async fn disable(&self, table: Table, path: &str) -> Result<Reply, Error> {
        self.delete(&table.of(path)).await
    }

    /// Changes settings; what is not named stays as it is.
    pub async fn tune(&self, table: Table, path: &str, fields: &Value) -> Result<Reply, Error> {
        self.write(&format!("{}/tune", table.of(path)), fields).await
    }

    /// Moves a mount with everything in it; `data.migration_id` names the move.
    pub async fn remount(&self, from: &str, to: &str) -> Result<Reply, Error> {
        self.write("sys/remount", &json!({"from": from, "to": to})).await
    }

    /// How a move stands: `data.migration_info.status` is `in-progress`, `success` or `failure`.
    pub async fn remount_status(&self, id: &str) -> Result<Reply, Error> {
        self.read(&format!("sys/remount/status/{id}"), &[]).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        assert_eq!(Table::Secrets.of("team/kv/"), "sys/mounts/team/kv");
        assert_eq!(Table::Auth.of("/userpass"), "sys/auth/userpass");
        assert_eq!(Table::Audit.of("file"), "sys/audit/file");
    }
}
