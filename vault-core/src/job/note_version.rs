//! Notes a version of the product when it serves for the first time, for `sys/version-history`.

use super::{Job, Work, background::Background};
use crate::{
    error::Error,
    limits::EXPIRE_PAGE,
    store::{Key, Op},
    system::{VERSION_PREFIX, Version},
};
use std::time::Duration;

pub(super) const JOB: Job = Job {
    name: "note-version",
    every: Duration::from_secs(60),
    work: Work::Shared { shards: 1, activate: |background| Box::pin(activate(background)) },
};

/// The scope of the mount `sys/`.
const SCOPE: &str = "ns/0/m/system/";

async fn activate(background: &Background<'_>) -> Result<(), Error> {
    let version = &background.system().settings().version;
    let prefix = format!("{SCOPE}{VERSION_PREFIX}");
    let name = format!("{prefix}{version}");
    if background.entry(&name).await?.is_some() {
        return Ok(());
    }
    let mut newest: Option<Version> = None;
    for entry in background.page(&prefix, EXPIRE_PAGE).await? {
        let seen: Version = background.open(&entry, |bytes| serde_json::from_slice(bytes).ok())?;
        newest = newest.into_iter().chain([seen]).max_by_key(|version| version.installed);
    }
    let document = Version::new(version.clone(), newest.map(|newest| newest.version), background.now());
    let key = Key::new(name).map_err(Error::internal)?;
    let sealed = background.seal(&key, &serde_json::to_vec(&document).map_err(Error::internal)?)?;
    background.submit("note-version", "sys/version-history", vec![(key, Op::Create(sealed))]).await
}
