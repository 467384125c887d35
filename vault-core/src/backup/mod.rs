//! Moving and keeping what a store holds, without its keys: sealed entries as they are, and the audit log beside them.
//!
//! | file | what it is |
//! |---|---|
//! | `source` | one instant of a store, page by page |
//! | `tally` | what passed by: counts and one digest |
//! | `target` | an empty store that is being filled; goes on where it was interrupted |
//! | `frame` | how pages lie in a snapshot file |
//! | `save`, `restore` | from a store to the bytes of a snapshot, and back |
//! | `cover` | a passphrase over those bytes |
//!
//! A restored vault is another incarnation: what was revoked after the instant of its snapshot stands again. So its
//! first record, after it is unsealed, says which snapshot it came from.

mod cover;
mod frame;
mod restore;
mod save;
mod source;
mod tally;
mod target;

pub use cover::{Cover, CoverHeader, Uncover};
pub use frame::About;
pub use restore::Restore;
pub use save::Save;
pub use source::{Page, Source, copy};
pub use tally::Tally;
pub use target::{RESTORED_KEY, Restored, Target};
