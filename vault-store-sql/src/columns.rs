//! The columns of `audit_logs`, in one order for both databases.

/// What the first seed promises and what came after it, then the row's place, bytes and link.
pub(crate) const AUDIT_COLUMNS: &str = "timestamp, operation, secret_id, client_ip, status, actor, accessor, path, \
     mount, user_agent, rule, request_id, lease_id, error, elapsed_us, chain, seq, canonical, link";

/// What a stored row must be and is not; names the column, never its content.
pub(crate) fn unreadable(backend: &'static str, column: &str) -> secrethub_core::store::StoreError {
    let what = format!("audit_logs.{column}");
    secrethub_core::store::StoreError::Corrupt { backend, what }
}
