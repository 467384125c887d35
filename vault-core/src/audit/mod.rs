//! The audit log: every reply waits until its record is durable, and the chain verifies without the vault.

pub mod chain;
pub mod checkpoint;
pub mod export;
mod lane;
mod record;
mod row;
mod segment;
mod verify;

pub use chain::Chain;
pub use checkpoint::Checkpoint;
pub use lane::{
    AUDIT_STATE_KEY, Change, Draft, FLOORS_KEY, Follower, LANES_KEY, Lane, LaneKeys, LaneParts, SubmitError,
    Witness, encode_lanes, epoch_key, parse_lanes,
};
pub use record::{AuditRecord, Columns, HeaderValue, Status, cut};
pub use row::{AuditPage, AuditQuery, AuditRow, Cursor, Head, Linked};
pub use segment::{BadSegment, Segment};
pub use verify::{ChainReport, Fault, Report, verify};
