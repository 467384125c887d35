//! Taking over the first seed: its documents are served beside the vault's own, and can be imported.

use crate::house::House;
use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use secrethub_core::{
    Error, ErrorKind,
    Operation::{Read, Write},
    Parts, Request, Secret, Vault,
    barrier::MasterKey,
    crypto::rustcrypto,
    first_seed::FirstSeed,
    request::Origin,
    store::{StoreError, memory::Memory},
    system::{Guardian, SecretManagerApi, Settings},
    testing::World,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

const OLD: &str = "3f2c0b34-7c8c-4a3c-9d27-3f5c1f6f7a11";
const BROKEN: &str = "3f2c0b34-7c8c-4a3c-9d27-3f5c1f6f7a12";
const UNKNOWN: &str = "3f2c0b34-7c8c-4a3c-9d27-3f5c1f6f7a13";
/// `my_secret` as the first seed seals it under [`KEY`]; see the golden vectors in `barrier/first_seed`.
const SEALED: &str = "QEFCQ0RFRkdISUpLj8DxUENf9Wa52OkPuRWCAd8yyjrv6uzbBw==";
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The first seed's database.
#[derive(Debug)]
struct Documents(BTreeMap<&'static str, &'static str>);

#[async_trait]
impl FirstSeed for Documents {
    async fn ciphertext(&self, id: &str) -> Result<Option<String>, StoreError> {
        Ok(self.0.get(id).map(|text| (*text).to_owned()))
    }

    async fn sample(&self, most: usize) -> Result<Vec<String>, StoreError> {
        Ok(self.0.values().take(most).map(|text| (*text).to_owned()).collect())
    }
}

/// A vault that takes over these documents with this key.
async fn open(
    world: &World,
    key: &str,
    documents: &[(&'static str, &'static str)],
) -> Result<Arc<Vault>, Error> {
    let settings = Settings {
        guardian: Guardian::MasterKey(MasterKey::parse(&Secret::new(key.to_owned()))?),
        secret_manager: SecretManagerApi::Open,
        first_seed: Some(Arc::new(Documents(documents.iter().copied().collect()))),
        ..Settings::default()
    };
    let (backend, crypto) = (Arc::new(Memory::default()), rustcrypto::provider());
    Vault::open(Parts { backend, host: world.node(), crypto, settings }).await
}

async fn ask(vault: &Vault, path: &str, fields: Value) -> Result<Value, ErrorKind> {
    let operation = if path.ends_with("imported") { Read } else { Write };
    let mut request = Request::new("1", operation, path).with_fields(fields);
    request.origin = Origin::SecretManager;
    vault.handle(request).await.map(|reply| reply.to_value()).map_err(|error| error.kind())
}

fn run<F: Future<Output = ()> + Send + 'static>(test: impl FnOnce(Arc<World>) -> F) {
    let world = Arc::new(World::new(1));
    assert!(world.run(test(Arc::clone(&world))).is_some(), "everything stands still");
}

#[test]
fn its_secrets_are_served_beside_the_vaults_own() {
    run(|world| async move {
        let vault = open(&world, KEY, &[(OLD, SEALED), (BROKEN, "AAAA")]).await.unwrap();
        let check = async |id: &str, expect: Result<&[u8], ErrorKind>| {
            let found = ask(&vault, "secret-manager/fetch", json!({ "secret_id": id })).await;
            assert_eq!(found, expect.map(|bytes| json!({ "secret": BASE64_STANDARD.encode(bytes) })), "{id}");
        };
        check(OLD, Ok(b"my_secret")).await;
        check(&OLD.to_uppercase(), Ok(b"my_secret")).await;
        check(BROKEN, Err(ErrorKind::Internal)).await;
        check(UNKNOWN, Err(ErrorKind::NotFound)).await;
        let made = ask(&vault, "secret-manager/create", json!({ "secret": "aGk=" })).await.unwrap();
        check(made["secret_id"].as_str().unwrap(), Ok(b"hi")).await;
        // Whoever only reaches the first seed's interface imports nothing and reads no old log.
        for path in ["secret-manager/import", "secret-manager/imported"] {
            assert_eq!(ask(&vault, path, json!({})).await, Err(ErrorKind::Denied), "{path}");
        }
    });
}

/// A vault that is made beside documents of another key would never serve them.
#[test]
fn another_key_makes_no_vault() {
    run(|world| async move {
        let check = async |key: &str, documents: &[(&'static str, &'static str)], expect: Option<&str>| {
            let text = open(&world, key, documents).await.err().map(|error| error.to_string());
            let part = text.as_deref().zip(expect).is_none_or(|(text, part)| text.contains(part));
            assert!(text.is_some() == expect.is_some() && part, "{text:?}");
        };
        let other = "k".repeat(32);
        check(&other, &[(OLD, SEALED)], Some("opens none of the secrets")).await;
        check(&other, &[], None).await;
        check(KEY, &[(OLD, SEALED), (BROKEN, "AAAA")], None).await;
    });
}

#[test]
fn an_import_keeps_ids_and_can_be_repeated() {
    House::run(|house| async move {
        let secrets = json!([
            { "id": OLD, "secret": "bXlfc2VjcmV0", "created": "2024-01-02T03:04:05Z" },
            { "id": BROKEN.to_uppercase(), "secret": "" },
        ]);
        let records = json!([{ "id": "65a1", "timestamp": "2024-01-02T03:04:06Z", "operation": "fetch",
            "status": "success", "secret_id": OLD, "client_ip": "10.0.0.7" }]);
        let import = async |dry_run: bool, created: [u64; 2], present: [u64; 2]| {
            let fields = json!({ "secrets": secrets, "records": records, "dry_run": dry_run });
            let told = house.write("secret-manager/import", fields).await;
            let counts = |[secrets, records]: [u64; 2]| json!({ "secrets": secrets, "records": records });
            let expect = json!({ "created": counts(created), "present": counts(present), "differ": [],
                "dry_run": dry_run });
            assert_eq!(told, expect);
        };
        import(true, [2, 1], [0, 0]).await;
        import(false, [2, 1], [0, 0]).await;
        import(false, [0, 0], [2, 1]).await;
        import(true, [0, 0], [2, 1]).await;
        for (id, secret) in [(OLD, "bXlfc2VjcmV0"), (BROKEN, "")] {
            let found = house.write("secret-manager/fetch", json!({ "secret_id": id })).await;
            assert_eq!(found["secret"], secret);
        }
        // What is there is never overwritten.
        let other = json!({ "secrets": [{ "id": OLD, "secret": "aGk=" }] });
        assert_eq!(house.write("secret-manager/import", other).await["differ"], json!([OLD]));
        let found = house.write("secret-manager/fetch", json!({ "secret_id": OLD })).await;
        assert_eq!(found["secret"], "bXlfc2VjcmV0");
    });
}

#[test]
fn imported_records_are_told_in_their_order_and_apart() {
    House::run(|house| async move {
        let record = |n: u32| {
            json!({ "id": format!("{n:x}"), "timestamp": format!("2024-01-02T03:{:02}:{:02}Z", n / 60, n % 60),
                "operation": "fetch", "status": "success", "secret_id": if n % 50 == 7 { OLD } else { UNKNOWN } })
        };
        for page in 0..3 {
            let records: Vec<Value> = (0..100).map(|n| record(page * 100 + n)).collect();
            house.write("secret-manager/import", json!({ "records": records })).await;
        }
        let pages = async |query: Value| {
            let (mut times, mut query) = (Vec::new(), query);
            loop {
                let page =
                    house.ask(Read, "secret-manager/imported", query.clone()).await.unwrap().to_value();
                let records = page["records"].as_array().unwrap().clone();
                times.extend(records.iter().map(|record| record["timestamp"].as_str().unwrap().to_owned()));
                match page["next"].as_str() {
                    Some(next) => query["cursor"] = json!(next),
                    None => return times,
                }
            }
        };
        let all = pages(json!({ "limit": 70 })).await;
        assert_eq!(all.len(), 300);
        assert!(all.is_sorted());
        assert_eq!(pages(json!({ "secret_id": OLD, "limit": 4 })).await.len(), 6);
        let (from, to) = (&all[10], &all[20]);
        assert_eq!(pages(json!({ "from": from, "to": to })).await, all[10..20]);
        for bad in [json!({ "cursor": "../x" }), json!({ "from": "yesterday" }), json!({ "limit": -1 })] {
            let refused = house.ask(Read, "secret-manager/imported", bad.clone()).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Invalid, "{bad}");
        }
        // They are no records of ours.
        let ours =
            house.ask(Read, "audit/records", json!({ "operation": "fetch" })).await.unwrap().to_value();
        assert_eq!(ours["records"], json!([]));
    });
}

#[test]
fn what_cannot_be_imported_is_named_and_not_repeated() {
    House::run(|house| async move {
        let good = json!({ "id": OLD, "secret": "aHVudGVyMg==" });
        let many: Vec<Value> = (0..101).map(|n| json!({ "id": uuid(n), "secret": "" })).collect();
        for (fields, part) in [
            (json!({ "secrets": 7 }), "list of objects"),
            (json!({ "secrets": [good, 7] }), "secrets[1]"),
            (json!({ "secrets": [{ "id": "hunter2", "secret": "" }] }), "no UUID"),
            (json!({ "secrets": [{ "id": OLD, "secret": "hunter2" }] }), "base64"),
            (json!({ "secrets": [{ "id": OLD, "secret": "", "created": "hunter2" }] }), "RFC 3339"),
            (json!({ "secrets": [{ "id": OLD, "secret": "A".repeat(4 * 350_000) }] }), "1 MiB"),
            (json!({ "secrets": [good, { "id": OLD.to_uppercase(), "secret": "" }] }), "twice"),
            (json!({ "secrets": many }), "at most 100"),
            (json!({ "records": [{ "id": "hunter2" }] }), "records[0]"),
        ] {
            let refused = house.ask(Write, "secret-manager/import", fields).await.unwrap_err();
            let text = refused.to_string();
            assert!(refused.kind() == ErrorKind::Invalid && text.contains(part), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
        let found = house.ask(Write, "secret-manager/fetch", json!({ "secret_id": OLD })).await.unwrap_err();
        assert_eq!(found.kind(), ErrorKind::NotFound, "nothing is taken in by halves");
    });
}

fn uuid(n: u32) -> String {
    format!("{n:08x}-7c8c-4a3c-9d27-3f5c1f6f7a11")
}
