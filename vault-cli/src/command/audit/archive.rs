//! `audit archive`: signed segments of all chains in a folder, one file each, named after their chain and first record.
//! A run goes on where the last one ended, so it can be repeated as often as wanted; run it before retention prunes.

use super::verify::read_public_key;
use crate::{
    context::Context,
    failure::{Failure, OK, REMOTE},
};
use clap::Args;
use secrethub::{core::audit::Segment, default_crypto};
use secrethub_client::{Client, Kind};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

#[derive(Args, Debug)]
pub(super) struct Archive {
    /// Folder for the segments; made if need be
    folder: PathBuf,
}

/// Where a chain's archive ends: the number of the next record, and the link before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct End {
    next: u64,
    link: Option<String>,
}

impl Archive {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Failure> {
        let client = context.client()?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let key = client.audit_public_key().await?;
        let public = read_public_key(key.data()["public_key"].as_str().unwrap_or_default())?;
        let mut ends = ends(&read_all(&self.folder)?);
        let chains = client.audit_chains().await?;
        let (mut files, mut records) = (0_u64, 0);
        for chain in chains.data()["chains"].as_array().into_iter().flatten() {
            let name = chain["chain"].as_str().unwrap_or_default();
            let first = chain["first"].as_u64().unwrap_or(1);
            let mut end = ends.remove(name).unwrap_or_default();
            end.next = end.next.max(if first > 1 { first + 1 } else { 1 });
            // Each fetch leaves a record of its own, so the end is where the chain stood at the start.
            let last = chain["last"].as_u64().unwrap_or_default();
            while end.next <= last {
                let Some(segment) = fetch(&client, name, &end, &public).await? else { break };
                write(&self.folder, &segment)?;
                end = end_of(&segment);
                files += 1;
                records += segment.records.len();
            }
        }
        let whole = json!({"files": files, "records": records, "folder": self.folder.display().to_string()});
        context.print(&whole, &whole, || {
            format!("Success! Archived {records} records in {files} files: {}", self.folder.display())
        })?;
        Ok(OK)
    }
}

/// The next segment, checked; `None` at the chain's end.
async fn fetch(
    client: &Client,
    chain: &str,
    end: &End,
    public: &[u8; 32],
) -> Result<Option<Segment>, Failure> {
    let reply = match client.audit_segment(chain, end.next).await {
        Ok(reply) => reply,
        Err(error) if error.kind() == Some(Kind::NotFound) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let bad =
        |what: String| Failure::remote(format!("the segment of chain {chain} from {} {what}", end.next));
    let segment: Segment =
        serde_json::from_value(reply.data().clone()).map_err(|_| bad("cannot be read".to_owned()))?;
    segment.verify(&default_crypto(), public).map_err(|error| bad(format!("is bad: {error}")))?;
    if end.link.as_ref().is_some_and(|link| *link != segment.previous) {
        return Err(bad("does not follow what the folder holds".to_owned()));
    }
    Ok(Some(segment))
}

fn end_of(segment: &Segment) -> End {
    End { next: segment.first + segment.records.len() as u64, link: Some(segment.last_link.clone()) }
}

/// Where each chain's archive ends.
fn ends(segments: &[Segment]) -> BTreeMap<String, End> {
    // In order of their first records, so the last one stays.
    segments.iter().map(|segment| (segment.chain.clone(), end_of(segment))).collect()
}

/// A new file, whole or not at all.
fn write(folder: &Path, segment: &Segment) -> Result<(), Failure> {
    let path = folder.join(format!("{}-{:016}.json", segment.chain, segment.first));
    let about = |error| Failure::from(error).about(&path.display().to_string());
    let text = serde_json::to_string(segment).map_err(|error| Failure::local(error.to_string()))?;
    let fresh = path.with_extension("new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)
        .map_err(about)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(about)?;
    fs::rename(&fresh, &path).map_err(about)
}

/// All segments of a folder, by chain and first record.
fn read_all(folder: &Path) -> Result<Vec<Segment>, Failure> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let read = |path: &PathBuf| {
        let about = |error| Failure::from(error).about(&path.display().to_string());
        let text = fs::read_to_string(path).map_err(about)?;
        serde_json::from_str(&text).map_err(|_| Failure::local(format!("{} is no segment", path.display())))
    };
    paths.iter().map(read).collect()
}

/// Checks every segment and that those of a chain join; answers as `audit verify` does.
pub(super) fn verify(folder: &Path, public: &[u8; 32]) -> Result<Value, Failure> {
    let segments =
        read_all(folder).map_err(|failure| failure.about(&folder.display().to_string()).code(REMOTE))?;
    let crypto = default_crypto();
    let (mut faults, mut records) = (Vec::new(), 0);
    let mut ends: BTreeMap<&str, End> = BTreeMap::new();
    for segment in &segments {
        let place = format!("chain {}: segment from {}", segment.chain, segment.first);
        match segment.verify(&crypto, public) {
            Ok(found) => records += found.len(),
            Err(error) => faults.push(format!("{place}: {error}")),
        }
        let here = End { next: segment.first, link: Some(segment.previous.clone()) };
        if ends.get(segment.chain.as_str()).is_some_and(|end| *end != here) {
            faults.push(format!("{place}: does not follow the one before"));
        }
        ends.insert(&segment.chain, end_of(segment));
    }
    let chains: Vec<_> =
        ends.iter().map(|(chain, end)| json!({"chain": chain, "last": end.next - 1})).collect();
    Ok(
        json!({"verified": faults.is_empty(), "records": records, "checkpoints": 0, "chains": chains, "faults": faults}),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrethub::core::{
        Secret,
        audit::{AuditRecord, AuditRow, Chain, Columns, chain::GENESIS},
        crypto::SigningKey,
        id::BootId,
    };

    fn key() -> Box<dyn SigningKey> {
        default_crypto().signer.key(&Secret::new([7; 32]))
    }

    fn rows(count: u64) -> Vec<AuditRow> {
        let mut chain = Chain::new(BootId([3; 16]));
        let crypto = default_crypto();
        let record = |seq| AuditRecord {
            chain: BootId([3; 16]),
            seq,
            columns: Columns { path: format!("p/{seq}"), request_id: "r".into(), ..Columns::default() },
            writes: Vec::new(),
            fields: Vec::new(),
            headers: Vec::new(),
        };
        (1..=count).map(|seq| AuditRow::of(&chain.append(crypto.hash, record(seq)))).collect()
    }

    #[test]
    fn a_folder_verifies_until_something_is_missing_or_changed() {
        let dir = tempfile::tempdir().unwrap();
        let (rows, key) = (rows(6), key());
        let cut = |from: usize, to: usize, previous: &[u8; 32]| {
            Segment::sign(&rows[from..to], previous, &*key).unwrap()
        };
        let segments = [cut(0, 2, &GENESIS), cut(2, 4, &rows[1].link), cut(4, 6, &rows[3].link)];
        for segment in &segments {
            write(dir.path(), segment).unwrap();
        }
        let found = verify(dir.path(), &key.public()).unwrap();
        assert_eq!((found["verified"].clone(), found["records"].clone()), (json!(true), json!(6)));
        assert_eq!(ends(&read_all(dir.path()).unwrap()).values().next().unwrap().next, 7);
        assert_eq!(verify(dir.path(), &[1; 32]).unwrap()["verified"], false, "another key");
        let middle = dir.path().join(format!("{}-{:016}.json", segments[1].chain, 3));
        fs::remove_file(&middle).unwrap();
        let found = verify(dir.path(), &key.public()).unwrap();
        assert!(found["faults"][0].as_str().unwrap().contains("does not follow"), "{found}");
    }
}
