//! `audit verify`: is the log what was written. The server can check itself; who does not trust it checks the
//! database file, or an archive, with the public key that was kept outside.

use super::archive;
use crate::{
    config::{Environment, StoreUrl},
    context::Context,
    failure::{Failure, OK, REMOTE},
    input, output,
};
use clap::Args;
use secrethub::{
    StoreOptions,
    core::audit::{self, Report},
    default_crypto, open_store_with,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Faults that people are shown; a wrong key makes one a checkpoint.
const FAULTS_SHOWN: usize = 10;

#[derive(Args, Debug)]
pub(super) struct Verify {
    /// Check this store directly, with no server: sqlite:PATH, or file:PATH of a URL
    #[arg(long, value_name = "URL", requires = "public_key")]
    store: Option<String>,
    /// Check the segments in a folder, as `audit archive` wrote them
    #[arg(long, value_name = "FOLDER", requires = "public_key", conflicts_with = "store")]
    archive: Option<PathBuf>,
    /// The key as `audit checkpoint --public-key` printed it: hex, or a file of it
    #[arg(long, value_name = "HEX|FILE")]
    public_key: Option<String>,
    /// The newest checkpoint that was kept outside, as `audit checkpoint` printed it: hex, or a file
    #[arg(long, value_name = "HEX|FILE")]
    checkpoint: Option<String>,
}

impl Verify {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Failure> {
        let checkpoint = self.checkpoint.as_deref().map(read_checkpoint).transpose()?;
        let public = self.public_key.as_deref().map(read_public_key).transpose()?;
        let found = match (public, &self.store, &self.archive) {
            (Some(public), Some(store), _) => verify_store(store, &public, checkpoint.as_deref()).await?,
            (Some(public), None, Some(folder)) => archive::verify(folder, &public)?,
            _ => {
                let hexed = checkpoint.map(hex::encode);
                context.client()?.audit_verify(hexed.as_deref()).await?.data().clone()
            }
        };
        context.print(&found, &found, || table(&found))?;
        Ok(if found["verified"] == Value::Bool(true) { OK } else { REMOTE })
    }
}

async fn verify_store(url: &str, public: &[u8; 32], checkpoint: Option<&[u8]>) -> Result<Value, Failure> {
    let url = StoreUrl::read("--store", url, &Environment::read()?)?;
    let opened = open_store_with(url.as_str(), StoreOptions::default().read_only()).await;
    let store = opened.map_err(|error| Failure::local(error.to_string()))?;
    let report = audit::verify(&*store, &default_crypto(), public, checkpoint).await;
    report.map(|report| describe(&report)).map_err(|error| Failure::local(error.to_string()))
}

/// A report under the names that the server's answer has.
fn describe(report: &Report) -> Value {
    let chains = report.chains.iter().map(|one| {
        json!({"chain": one.chain.to_hex(), "records": one.records, "last": one.last, "covered": one.covered})
    });
    json!({
        "verified": report.is_good(),
        "records": report.records(),
        "checkpoints": report.checkpoints,
        "newest_checkpoint": report.newest,
        "chains": chains.collect::<Vec<_>>(),
        "faults": report.faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn table(found: &Value) -> String {
    let count = |name: &str| found[name].as_array().map_or(0, Vec::len).to_string();
    let rows = [
        ("verified", output::cell(&found["verified"])),
        ("records", output::cell(&found["records"])),
        ("chains", count("chains")),
        ("checkpoints", output::cell(&found["checkpoints"])),
        ("faults", count("faults")),
    ];
    let faults = found["faults"].as_array().map_or(&[][..], Vec::as_slice);
    let mut lines = vec![output::key_values(&rows)];
    lines.extend(faults.iter().take(FAULTS_SHOWN).map(|fault| format!("fault: {}", output::cell(fault))));
    if let Some(more) = faults.len().checked_sub(FAULTS_SHOWN).filter(|more| *more > 0) {
        lines.push(format!("and {more} more: --format json has them all"));
    }
    lines.join("\n")
}

/// The public key, from hex or from a file of it.
pub(super) fn read_public_key(text: &str) -> Result<[u8; 32], Failure> {
    let bytes = read_hex(text, "public_key")?;
    bytes.try_into().map_err(|_| Failure::local("a public key is 32 bytes, 64 hex digits"))
}

fn read_checkpoint(text: &str) -> Result<Vec<u8>, Failure> {
    read_hex(text, "checkpoint")
}

/// Hex, or a file that holds hex, or a file of JSON with a field of it.
fn read_hex(text: &str, field: &str) -> Result<Vec<u8>, Failure> {
    if let Ok(bytes) = hex::decode(text) {
        return Ok(bytes);
    }
    if !Path::new(text).exists() {
        return Err(Failure::local(format!("{text:?} is neither hex nor a file")));
    }
    let content = input::file(text)?;
    let value: Value = serde_json::from_str(&content).unwrap_or_default();
    let inner = value[field].as_str().unwrap_or(content.trim());
    hex::decode(inner).map_err(|_| Failure::local(format!("{text} holds no {field} in hex")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_comes_bare_from_a_file_or_in_json() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let key = "0f".repeat(32);
        let check = |text: &str, good: bool| assert_eq!(read_public_key(text).is_ok(), good, "{text}");
        check(&key, true);
        check(&write("bare", &format!("{key}\n")), true);
        check(&write("json", &json!({"public_key": key}).to_string()), true);
        check(&write("other", &json!({"checkpoint": key}).to_string()), false);
        check("0f", false);
        check("/nonexistent", false);
    }

    #[test]
    fn faults_are_named() {
        let found = json!({"verified": false, "records": 2, "chains": [1], "checkpoints": 1, "faults": ["chain 0: bad"]});
        let text = table(&found);
        assert!(text.ends_with("faults         1\nfault: chain 0: bad"), "{text}");
        let text = table(&json!({"faults": vec!["bad"; 12]}));
        assert!(text.ends_with("fault: bad\nand 2 more: --format json has them all"), "{text}");
    }

    #[tokio::test]
    async fn a_store_is_checked_without_a_server() {
        let found = verify_store("memory:", &[9; 32], None).await.unwrap();
        assert_eq!(found["verified"], true);
        assert!(verify_store("sqlite:/nonexistent/x.db", &[9; 32], None).await.is_err());
    }
}
