//! The audit log: every reply waits until its record is durable, and the chain verifies without the vault.

mod record;
mod row;

pub use record::{AuditRecord, Columns, Status, cut};
pub use row::{AuditPage, AuditQuery, AuditRow, Cursor, Head, Linked};
