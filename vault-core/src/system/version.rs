//! [`Version`]: which versions of the product this vault has seen, and since when.

use crate::id::Timestamp;
use serde::{Deserialize, Serialize};

/// Where the documents stand, below the mount `sys/`.
pub(crate) const VERSION_PREFIX: &str = "version/";

/// One version, as stored (format 1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    /// Version of this document.
    pub(crate) format: u8,
    /// The version.
    pub(crate) version: String,
    /// The one before it, if there was one.
    pub(crate) previous: Option<String>,
    /// When it was first seen.
    pub(crate) installed: Timestamp,
}

impl Version {
    /// A version that was seen just now.
    pub(crate) fn new(version: String, previous: Option<String>, installed: Timestamp) -> Self {
        Self { format: 1, version, previous, installed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden() {
        let golden = r#"{"format":1,"version":"1.2.3","previous":"1.2.2","installed":7}"#;
        let version = Version::new("1.2.3".to_owned(), Some("1.2.2".to_owned()), Timestamp(7));
        assert_eq!(serde_json::to_string(&version).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Version>(golden).unwrap(), version);
    }
}
