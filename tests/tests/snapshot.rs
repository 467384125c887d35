//! Snapshots and copies: what was acknowledged before is there after, the audit log still verifies, and a store that is
//! half filled is never taken for a vault.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use secrethub::{TokioHost, open_store};
use secrethub_core::{
    Error, ErrorKind, Operation, Parts, Request, Vault,
    audit::{AuditQuery, verify},
    backup::{Restore, Source, Tally, Target, copy},
    crypto::{CryptoProvider, rustcrypto},
    host::Host,
    store::{Backend, memory::Memory},
    system::Settings,
    testing::unreliable::{Rates, Unreliable},
};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

fn crypto() -> CryptoProvider {
    rustcrypto::provider()
}

fn host() -> Arc<dyn Host> {
    Arc::new(TokioHost::new())
}

fn memory() -> Arc<dyn Backend> {
    Arc::new(Memory::default())
}

struct House {
    vault: Arc<Vault>,
    store: Arc<dyn Backend>,
    token: String,
    share: Value,
}

impl House {
    async fn open(store: Arc<dyn Backend>) -> Arc<Vault> {
        let parts = Parts { backend: store, host: host(), crypto: crypto(), settings: Settings::default() };
        Vault::open(parts).await.unwrap()
    }

    async fn build() -> Self {
        let store = memory();
        let mut house = Self {
            vault: Self::open(Arc::clone(&store)).await,
            store,
            token: String::new(),
            share: json!(0),
        };
        let shares = json!({ "secret_shares": 1, "secret_threshold": 1 });
        let init = house.ask(Operation::Write, "sys/init", shares).await.unwrap();
        house.share = init["keys"][0].clone();
        house.unseal().await;
        house.token = init["root_token"].as_str().unwrap().to_owned();
        house
    }

    /// The same vault on another store.
    async fn again(&self, store: Arc<dyn Backend>) -> Self {
        let vault = Self::open(Arc::clone(&store)).await;
        let house = Self { vault, store, token: self.token.clone(), share: self.share.clone() };
        house.unseal().await;
        house
    }

    async fn unseal(&self) {
        self.ask(Operation::Write, "sys/unseal", json!({ "key": self.share })).await.unwrap();
    }

    async fn ask(&self, operation: Operation, path: &str, fields: Value) -> Result<Value, Error> {
        let request = Request::new("id", operation, path).with_fields(fields);
        let request = if self.token.is_empty() { request } else { request.with_token(&self.token) };
        Ok(self.vault.handle(request).await?.to_value())
    }

    async fn put(&self, n: usize) {
        let data = json!({ "data": { "v": n } });
        self.ask(Operation::Write, &format!("secret/data/app/{n}"), data).await.unwrap();
    }

    async fn has(&self, n: usize) {
        let found = self.ask(Operation::Read, &format!("secret/data/app/{n}"), json!({})).await.unwrap();
        assert_eq!(found["data"]["v"], n);
    }

    async fn save(&self) -> Vec<u8> {
        let request =
            Request::new("id", Operation::Read, "sys/storage/raft/snapshot").with_token(&self.token);
        let mut pieces = self.vault.handle(request).await.unwrap().bytes.unwrap();
        let mut file = Vec::new();
        while let Some(piece) = pieces.next().await.unwrap() {
            file.extend(piece);
            tokio::task::yield_now().await;
        }
        file
    }

    async fn verifies(&self) {
        let key = self.ask(Operation::Read, "audit/public-key", json!({})).await.unwrap();
        self.vault.shutdown().await.unwrap();
        let mut public = [0; 32];
        hex::decode_to_slice(key["public_key"].as_str().unwrap(), &mut public).unwrap();
        let report = verify(&*self.store, &crypto(), &public, None).await.unwrap();
        assert!(report.is_good(), "{:?}", report.faults);
    }
}

async fn restore(file: &[u8], store: &Arc<dyn Backend>) -> Result<Tally, Error> {
    let mut restore = Restore::into(Arc::clone(store), host(), crypto());
    for piece in file.chunks(1_000) {
        restore.push(piece).await?;
    }
    Ok(restore.finish().await?.1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_of_a_vault_that_serves_becomes_a_vault_on_any_store() {
    let house = Arc::new(House::build().await);
    for n in 0..300 {
        house.put(n).await;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (house, stop) = (Arc::clone(&house), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut n = 1_000 * (writer + 1);
                while !stop.load(Ordering::Relaxed) {
                    house.put(n).await;
                    n += 1;
                }
            })
        })
        .collect();
    let file = house.save().await;
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let sqlite = open_store(&format!("sqlite:{}", folder.path().join("v.db").display())).await.unwrap();
    for store in [memory(), sqlite] {
        let tally = restore(&file, &store).await.unwrap();
        assert!(tally.records > 300 && tally.entries > 600, "{tally:?}");
        let restored = house.again(Arc::clone(&store)).await;
        for n in 0..300 {
            restored.has(n).await;
        }
        restored.put(9_999).await;
        let query = AuditQuery { operation: Some("restore".to_owned()), ..AuditQuery::default() };
        let found = store.search(&query, None, 10).await.unwrap().rows;
        assert_eq!(found.len(), 1, "the new incarnation is recorded, once");
        assert!(found[0].columns.rule.as_ref().unwrap().contains(&tally.digest[..8]));
        restored.verifies().await;
    }
}

#[tokio::test]
async fn a_restoring_that_was_interrupted_is_no_vault_and_goes_on() {
    let house = House::build().await;
    for n in 0..40 {
        house.put(n).await;
    }
    let (file, other) = (house.save().await, House::build().await.save().await);
    for cut in [0, 100, file.len() / 3, file.len() / 2, file.len() - 1] {
        let store = memory();
        let error = restore(&file[..cut], &store).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        if cut > 300 {
            let vault = House {
                vault: House::open(Arc::clone(&store)).await,
                token: String::new(),
                ..House::build().await
            };
            let error = vault.ask(Operation::Write, "sys/init", json!({})).await.unwrap_err();
            assert!(error.to_string().contains("already holds data"), "{error}");
            let error = restore(&other, &store).await.unwrap_err();
            assert!(error.to_string().contains("something else"), "{error}");
        }
        restore(&file, &store).await.unwrap();
        let restored = house.again(store).await;
        restored.has(39).await;
        restored.verifies().await;
    }
}

#[tokio::test]
async fn what_is_damaged_or_has_no_room_is_refused() {
    let house = House::build().await;
    house.put(1).await;
    let file = house.save().await;
    let error = restore(&file, &house.store).await.unwrap_err();
    assert!(error.to_string().contains("not empty"), "{error}");
    assert!(house.vault.restore().await.unwrap_err().to_string().contains("never overwritten"));
    for at in (0..file.len()).step_by(97) {
        let mut changed = file.clone();
        changed[at] ^= 1;
        let store = memory();
        let error = restore(&changed, &store).await;
        // What the snapshot says of itself (its time, its version) is told, not believed.
        let Err(error) = error else { continue };
        assert_eq!(error.kind(), ErrorKind::Invalid, "{at}: {error}");
        let vault = House::open(store).await;
        let status = vault.handle(Request::new("id", Operation::Read, "sys/seal-status")).await.unwrap();
        assert_eq!(status.to_value()["initialized"], false, "{at}");
    }
}

async fn copied(source: &Arc<dyn Backend>, target: Arc<dyn Backend>) -> Result<Tally, Error> {
    let target = Target::begin(target, host(), crypto(), "it").await?;
    copy(Source::at_rest(Arc::clone(source)).await?, target, |_| ()).await
}

#[tokio::test]
async fn a_copy_holds_the_same_whatever_the_store_does_meanwhile() {
    let house = House::build().await;
    for n in 0..50 {
        house.put(n).await;
    }
    house.vault.shutdown().await.unwrap();
    let expect = copied(&house.store, memory()).await.unwrap();
    let mut interrupted = 0;
    for seed in 0..20 {
        // A table takes a record twice where the model in memory would not show it.
        let folder = tempfile::tempdir().unwrap();
        let inner = open_store(&format!("sqlite:{}", folder.path().join("v.db").display())).await.unwrap();
        let rates = Rates { before: 150, after: 150, later: 100, reads: 30, pauses: 0 };
        let target = Unreliable::new(Arc::clone(&inner), seed);
        target.rates(rates);
        let target: Arc<dyn Backend> = Arc::new(target);
        let tally = loop {
            match copied(&house.store, Arc::clone(&target)).await {
                Ok(tally) => break tally,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "seed {seed}: {error:?}"),
            }
            interrupted += 1;
        };
        assert_eq!(tally, expect, "seed {seed}");
        let copy = house.again(inner).await;
        copy.has(49).await;
        copy.verifies().await;
    }
    assert!(interrupted > 10, "{interrupted}");
}

#[tokio::test]
async fn a_store_that_is_in_use_is_not_copied() {
    let house = House::build().await;
    house.put(1).await;
    let source = Source::at_rest(Arc::clone(&house.store)).await.unwrap();
    house.put(2).await;
    let target = Target::begin(memory(), host(), crypto(), "it").await.unwrap();
    let error = copy(source, target, |_| ()).await.unwrap_err();
    assert!(error.to_string().contains("stop it"), "{error}");
}
