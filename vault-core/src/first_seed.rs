//! [`FirstSeed`]: a database of the first seed that a vault takes over. Its documents are read where they stand and never
//! changed; a vault that is guarded by their `MASTER_KEY` serves them as its own.
//!
//! What it says is believed less than what the vault holds: its ciphertexts are bound to no id (no associated data), so
//! whoever writes to that database can swap them. An id that is in the vault is never looked for here.

use crate::store::StoreError;
use async_trait::async_trait;
use std::fmt;

/// Where the first seed's documents are read.
#[async_trait]
pub trait FirstSeed: fmt::Debug + Send + Sync + 'static {
    /// The ciphertext under an id (a UUID in lower case, hyphenated), as it stands there.
    async fn ciphertext(&self, id: &str) -> Result<Option<String>, StoreError>;

    /// Some ciphertexts, if there are any: a key that opens none of them is not theirs.
    async fn sample(&self, most: usize) -> Result<Vec<String>, StoreError>;
}
