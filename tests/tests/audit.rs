//! The audit log from outside: who did what can be found, and whatever is changed afterwards is found too, with the
//! public key alone.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use async_trait::async_trait;
use secrethub::TokioHost;
use secrethub_core::{
    Operation, Parts, Request, Vault,
    audit::{AuditPage, AuditQuery, AuditRow, Checkpoint, Cursor, Head, Report, Status, verify},
    crypto::rustcrypto,
    id::BootId,
    store::{
        AuditLog, Backend, Batch, CommitError, Entry, Key, Limit, Range, SnapshotReader, Store, StoreError,
        memory::Memory,
    },
    system::Settings,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// A store that lies about its records.
#[derive(Debug)]
struct Liar {
    inner: Arc<Memory>,
    lie: fn(&mut Vec<AuditRow>),
    drop_checkpoints_from: u64,
}

#[async_trait]
impl Store for Liar {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>, StoreError> {
        self.inner.get(keys).await
    }
    async fn scan(&self, range: Range, limit: Limit) -> Result<Vec<Entry>, StoreError> {
        let mut page = self.inner.scan(range, limit).await?;
        page.retain(|entry| {
            Checkpoint::number_of(&entry.key).is_none_or(|number| number < self.drop_checkpoints_from)
        });
        Ok(page)
    }
    async fn commit(&self, batch: &Batch) -> Result<(), CommitError> {
        self.inner.commit(batch).await
    }
    async fn snapshot(&self) -> Result<Box<dyn SnapshotReader>, StoreError> {
        self.inner.snapshot().await
    }
    fn kind(&self) -> &'static str {
        "liar"
    }
}

#[async_trait]
impl AuditLog for Liar {
    async fn search(
        &self,
        q: &AuditQuery,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<AuditPage, StoreError> {
        self.inner.search(q, after, limit).await
    }
    async fn read(&self, chain: BootId, from: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        let mut rows = self.inner.read(chain, from, limit).await?;
        (self.lie)(&mut rows);
        rows.retain(|row| row.seq >= from);
        Ok(rows)
    }
    async fn heads(&self) -> Result<Vec<Head>, StoreError> {
        self.inner.heads().await
    }
    async fn prune(&self, chain: BootId, below: u64, limit: usize) -> Result<u64, StoreError> {
        self.inner.prune(chain, below, limit).await
    }
}

/// A vault with twenty records, sealed, and what an auditor keeps of it outside.
struct Evidence {
    store: Arc<Memory>,
    public: [u8; 32],
    checkpoint: Vec<u8>,
}

async fn ask(vault: &Vault, operation: Operation, path: &str, token: &str, fields: Value) -> Value {
    let id = format!("request {path}");
    let request = Request::new(id, operation, path).with_token(token).with_fields(fields);
    vault.handle(request).await.unwrap().to_value()
}

async fn collect() -> Evidence {
    let store = Arc::new(Memory::default());
    let backend: Arc<dyn Backend> = store.clone();
    let (host, crypto) = (Arc::new(TokioHost::new()), rustcrypto::provider());
    let vault = Vault::open(Parts { backend, host, crypto, settings: Settings::default() }).await.unwrap();
    let shares = json!({ "secret_shares": 1, "secret_threshold": 1 });
    let init = ask(&vault, Operation::Write, "sys/init", "", shares).await;
    let token = init["root_token"].as_str().unwrap().to_owned();
    ask(&vault, Operation::Write, "sys/unseal", "", json!({ "key": init["keys"][0] })).await;
    for _ in 0..20 {
        ask(&vault, Operation::Write, "auth/token/create", &token, json!({ "display_name": "who" })).await;
    }
    let found = ask(&vault, Operation::Read, "audit/records", &token, json!({ "path": "sys/unseal" })).await;
    assert_eq!(found["records"].as_array().unwrap().len(), 1, "the unseal is the first record after itself");
    let key = ask(&vault, Operation::Read, "audit/public-key", &token, json!({})).await;
    let mut public = [0; 32];
    hex::decode_to_slice(key["public_key"].as_str().unwrap(), &mut public).unwrap();
    vault.shutdown().await.unwrap();
    let prefix = Range::prefix("checkpoint/");
    let checkpoints = store.scan(prefix, Limit::entries(1_000)).await.unwrap();
    let checkpoint = checkpoints.last().unwrap().value.as_bytes().to_vec();
    Evidence { store, public, checkpoint }
}

impl Evidence {
    async fn verify(&self, lie: fn(&mut Vec<AuditRow>), drop_checkpoints_from: u64) -> Report {
        let liar = Liar { inner: Arc::clone(&self.store), lie, drop_checkpoints_from };
        let crypto = rustcrypto::provider();
        verify(&liar, &crypto, &self.public, Some(&self.checkpoint)).await.unwrap()
    }
}

#[tokio::test]
async fn an_honest_log_verifies() {
    let report = collect().await.verify(|_| (), u64::MAX).await;
    assert!(report.is_good(), "{:?}", report.faults);
    assert!(report.records() >= 23, "{report:?}");
    assert_eq!(report.chains[0].covered, report.chains[0].last, "the last checkpoint covers everything");
}

#[tokio::test]
async fn every_lie_is_found_and_named() {
    let evidence = collect().await;
    let check = async |lie: fn(&mut Vec<AuditRow>), expect: &str| {
        let report = evidence.verify(lie, u64::MAX).await;
        let faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
        assert!(faults.iter().any(|fault| fault.contains(expect)), "expected {expect:?}, found {faults:?}");
    };
    check(
        |rows| edit(rows, 5, |row| row.columns.actor = Some("somebody else".into())),
        "record 5 has columns",
    )
    .await;
    check(|rows| edit(rows, 5, |row| row.columns.status = Status::Failure), "record 5 has columns").await;
    check(|rows| edit(rows, 5, |row| row.canonical[40] ^= 1), "record 5 ").await;
    check(|rows| edit(rows, 5, |row| row.link[0] ^= 1), "record 5 does not match its link").await;
    check(|rows| edit(rows, 5, |row| row.canonical.clear()), "record 5 cannot be read").await;
    check(|rows| rows.retain(|row| row.seq != 5), "record 5 is missing").await;
    check(|rows| rows.retain(|row| row.seq > 3), "record 1 is missing").await;
    check(|rows| rows.retain(|row| row.seq < 20), "record 20 is missing").await;
    check(|rows| edit(rows, 6, |row| row.seq = 5), "is missing").await;
    check(|rows| rows.clear(), "record 1 is missing").await;
}

#[tokio::test]
async fn a_rollback_is_found_by_the_checkpoint_held_outside() {
    let evidence = collect().await;
    let report = evidence.verify(|rows| rows.retain(|row| row.seq < 3), 2).await;
    let faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
    assert!(faults.iter().any(|fault| fault.contains("rolled back")), "{faults:?}");
    assert!(faults.iter().any(|fault| fault.contains("record 3 is missing")), "{faults:?}");
}

#[tokio::test]
async fn another_key_verifies_nothing() {
    let mut evidence = collect().await;
    evidence.public[0] ^= 1;
    let report = evidence.verify(|_| (), u64::MAX).await;
    assert!(!report.is_good());
}

fn edit(rows: &mut [AuditRow], seq: u64, change: fn(&mut AuditRow)) {
    if let Some(row) = rows.iter_mut().find(|row| row.seq == seq) {
        change(row);
    }
}
