//! What operators choose of the audit log while the vault runs: files that follow it, headers that its records tell of.
//! Sealed documents of the mount `sys/`, kept with the mount table under the lane's epoch, so that every node heeds them.

use crate::{
    barrier::Barrier,
    cx::store_error,
    error::Error,
    limits::SCAN_ENTRIES_MAX,
    store::{Limit, Range, Store},
};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;

/// The scope of the mount `sys/`.
const SCOPE: &str = "ns/0/m/system/";
/// Where declared devices stand, by path, below the mount `sys/`.
pub(crate) const DEVICE_PREFIX: &str = "audit/device/";
/// Where audited headers stand, by name in lower case, below the mount `sys/`.
pub(crate) const HEADER_PREFIX: &str = "audit/header/";

/// Something that follows the audit log: a file, a collector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditDevice {
    /// Its name, with a trailing slash.
    pub path: String,
    /// Its type: `file` …
    #[serde(rename = "type")]
    pub kind: String,
    /// For people.
    pub description: String,
    /// What it was declared with; holds no secret.
    pub options: BTreeMap<String, String>,
}

impl AuditDevice {
    /// The path under which the file of the configuration is shown.
    pub const CONFIGURED: &str = "audit_file/";

    /// The file that the configuration names, one JSON object a line.
    pub fn file(file_path: &str) -> Self {
        Self {
            path: Self::CONFIGURED.to_owned(),
            kind: "file".to_owned(),
            description: "a file that follows the log".to_owned(),
            options: BTreeMap::from([("file_path".to_owned(), file_path.to_owned())]),
        }
    }

    /// The file that it writes.
    pub fn file_path(&self) -> Option<&str> {
        self.options.get("file_path").or_else(|| self.options.get("path")).map(String::as_str)
    }
}

/// Keeps the devices that the API declares: the core has no files. Whoever runs a vault and gives none has switched
/// declaring devices off.
pub trait DeviceKeeper: std::fmt::Debug + Send + Sync + 'static {
    /// Could this node follow the log with it? Asked before it is declared; a refusal is the caller's answer.
    fn check<'a>(&'a self, device: &'a AuditDevice) -> BoxFuture<'a, Result<(), Error>>;

    /// These shall follow the log from now on, and no others. Called after each change and each unseal, in order; it
    /// must be quick, and a device that fails is tried again without being asked.
    fn keep(&self, devices: &[AuditDevice]);
}

/// A device as stored (format 1).
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredDevice {
    pub(crate) format: u8,
    pub(crate) device: AuditDevice,
}

/// How records tell of a header, as stored (format 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditedHeader {
    pub(crate) format: u8,
    /// As a keyed hash instead of as it came.
    pub(crate) hmac: bool,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Auditing {
    /// In the order of their paths.
    pub(crate) devices: Vec<AuditDevice>,
    /// By name in lower case.
    pub(crate) headers: BTreeMap<String, AuditedHeader>,
}

impl Auditing {
    pub(crate) async fn load(store: &dyn Store, barrier: &Barrier) -> Result<Self, Error> {
        let devices = documents::<StoredDevice>(store, barrier, DEVICE_PREFIX).await?;
        let headers = documents::<AuditedHeader>(store, barrier, HEADER_PREFIX).await?;
        let devices = devices.into_iter().map(|(_, stored)| match stored.format {
            1 => Ok(stored.device),
            format => Err(Error::internal(format!("an audit device of format {format}"))),
        });
        if let Some((name, header)) = headers.iter().find(|(_, header)| header.format != 1) {
            return Err(Error::internal(format!("the audited header {name} of format {}", header.format)));
        }
        Ok(Self { devices: devices.collect::<Result<_, _>>()?, headers: headers.into_iter().collect() })
    }
}

/// The documents below a prefix, by what follows it. Their number is bounded where they are made.
pub(super) async fn documents<T: DeserializeOwned>(
    store: &dyn Store,
    barrier: &Barrier,
    prefix: &str,
) -> Result<Vec<(String, T)>, Error> {
    let prefix = format!("{SCOPE}{prefix}");
    let page = store.scan(Range::prefix(&prefix), Limit::entries(SCAN_ENTRIES_MAX)).await;
    let mut found = Vec::new();
    for entry in page.map_err(store_error)? {
        // EXPOSE: an operator's choice, no secret.
        let document = serde_json::from_slice(barrier.open(&entry)?.expose()).map_err(Error::internal)?;
        found.push((entry.key.as_str()[prefix.len()..].to_owned(), document));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_formats() {
        const DEVICE: &str = r#"{"format":1,"device":{"path":"logs/","type":"file","description":"for people","options":{"file_path":"/var/log/a"}}}"#;
        let device = AuditDevice {
            path: "logs/".to_owned(),
            description: "for people".to_owned(),
            ..AuditDevice::file("/var/log/a")
        };
        let stored = StoredDevice { format: 1, device };
        assert_eq!(serde_json::to_string(&stored).unwrap(), DEVICE);
        assert_eq!(serde_json::from_str::<StoredDevice>(DEVICE).unwrap(), stored);
        const HEADER: &str = r#"{"format":1,"hmac":true}"#;
        let header = AuditedHeader { format: 1, hmac: true };
        assert_eq!(serde_json::to_string(&header).unwrap(), HEADER);
        assert_eq!(serde_json::from_str::<AuditedHeader>(HEADER).unwrap(), header);
    }
}
