//! What an engine leaves to jobs: entries that go when their time comes, and whatever stands below a name that leads
//! nowhere any more. Both are promised in the request's own commit.

use super::{Cx, json_bytes};
use crate::{error::Error, id::Timestamp};
use serde::{Deserialize, Serialize};

/// Where it stands what is to be swept.
pub(crate) const SWEEP_PREFIX: &str = "ns/0/sweep/";
/// Where it stands what ends by time, in the order of time.
pub(crate) const DUE_PREFIX: &str = "ns/0/due/";

/// What is to be swept (format 1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sweep {
    pub(crate) format: u8,
    /// Everything below this prefix goes; nothing is written there any more.
    pub(crate) below: String,
}

/// What ends by time (format 1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Due {
    pub(crate) format: u8,
    /// Keys of entries. The document of the first says in `expires` whether the time has come indeed.
    pub(crate) keys: Vec<String>,
}

/// Where a due entry stands.
pub(crate) fn due_name(at: Timestamp, id: &str) -> String {
    format!("due/{:016x}/{id}", at.0)
}

impl Cx {
    /// Has everything removed that stands below a prefix of the mount's keys. The engine must not lead there any more,
    /// nor write there.
    pub fn sweep_later(&mut self, prefix: &str) -> Result<(), Error> {
        let sweep = Sweep { format: 1, below: self.mount.scope() + prefix };
        let name = format!("sweep/{}", self.make_id()?);
        self.create_root_document(&name, &json_bytes(&sweep)?)
    }

    /// Has entries removed at a time. The first must be a JSON document whose field `expires` says when it ends; one that
    /// lives longer meanwhile is looked at again.
    pub fn expire_later(&mut self, at: Timestamp, keys: &[&str]) -> Result<(), Error> {
        let scope = self.mount.scope();
        let keys = keys.iter().map(|key| [scope.as_str(), key].concat()).collect();
        let name = due_name(at, &self.make_id()?);
        self.create_root_document(&name, &json_bytes(&Due { format: 1, keys })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_formats() {
        let golden = r#"{"format":1,"below":"ns/0/m/x/secret/u/"}"#;
        let sweep = Sweep { format: 1, below: "ns/0/m/x/secret/u/".into() };
        assert_eq!(serde_json::to_string(&sweep).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Sweep>(golden).unwrap(), sweep);
        let golden = r#"{"format":1,"keys":["ns/0/m/x/a"]}"#;
        let due = Due { format: 1, keys: vec!["ns/0/m/x/a".into()] };
        assert_eq!(serde_json::to_string(&due).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Due>(golden).unwrap(), due);
        assert_eq!(due_name(Timestamp(255), "i"), "due/00000000000000ff/i");
    }
}
