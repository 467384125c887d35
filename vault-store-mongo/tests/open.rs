//! Opening: what is made and what is left alone, what is refused and how it is told.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use futures::TryStreamExt;
use mongodb::{
    Database, IndexModel,
    bson::{Document, doc},
    options::{Collation, IndexOptions},
};
use secrethub_core::{
    store::{AuditLog, Batch, CommitError, Key, Sealed, Store},
    testing::store::{columns, linked, rev},
};
use secrethub_store_mongo::{Mongo, OpenError, Options};
use secrethub_testkit::Mongo as Server;
use std::time::Duration;
use support::{Place, block_on, open};

/// What the first seed leaves behind, its index on `ts` with it.
async fn first_seed(database: &Database) {
    let secret = doc! { "_id": "3f2c0b34-7c8c-4a3c-9d27-3f5c1f6f7a11", "ciphertext": "AAAA" };
    database.collection("secrets").insert_one(secret).await.unwrap();
    let row =
        doc! { "ts": mongodb::bson::DateTime::now(), "action": "create", "status": "success", "ip": "::1" };
    database.collection("audit_logs").insert_one(row).await.unwrap();
    let index = IndexModel::builder().keys(doc! { "ts": 1 }).build();
    database.collection::<Document>("audit_logs").create_index(index).await.unwrap();
}

async fn everything(database: &Database, name: &str) -> Vec<Document> {
    let all = database.collection::<Document>(name);
    all.find(doc! {}).sort(doc! { "_id": 1 }).await.unwrap().try_collect().await.unwrap()
}

async fn index_names(database: &Database) -> Vec<String> {
    let mut names = database.collection::<Document>("audit_logs").list_index_names().await.unwrap();
    names.sort();
    names
}

fn batch() -> Batch {
    let mut batch = Batch::new(rev());
    batch.put(Key::new("a").unwrap(), Sealed::from_stored(vec![1])).unwrap();
    batch.audit(linked(1, 1, columns(1, "read", "a")));
    batch
}

fn keep(days: u64) -> Options {
    Options { audit_ttl: Some(Duration::from_secs(days * 86_400)), ..Options::default() }
}

#[test]
fn the_first_seeds_data_is_left_alone() {
    block_on(async {
        let place = Place::new("seed");
        let database = place.driver().await;
        first_seed(&database).await;
        let before = (everything(&database, "secrets").await, everything(&database, "audit_logs").await);
        let store = Mongo::open(&place.url, keep(30)).await.unwrap();
        store.commit(&batch()).await.unwrap();
        // Its rows are not ours: not found, not counted, not pruned.
        assert_eq!(store.search(&Default::default(), None, 10).await.unwrap().rows.len(), 1);
        assert_eq!(store.heads().await.unwrap().len(), 1);
        let chain = store.heads().await.unwrap()[0].chain;
        assert_eq!(store.prune(chain, u64::MAX, 100).await.unwrap(), 1);
        let after = (everything(&database, "secrets").await, everything(&database, "audit_logs").await);
        assert_eq!(before, after);
        assert_eq!(index_names(&database).await, ["_id_", "secrethub_newest", "secrethub_ttl", "ts_1"]);
        place.remove().await;
    });
}

/// The server's own clean-up follows the setting, a day later than the job of the vault.
#[test]
fn retention_is_an_index() {
    block_on(async {
        let place = Place::new("retention");
        let database = place.driver().await;
        let expiry = async || {
            let indexes = database.collection::<Document>("audit_logs").list_indexes().await.unwrap();
            let indexes: Vec<IndexModel> = indexes.try_collect().await.unwrap();
            indexes.into_iter().filter_map(|index| index.options).find_map(|options: IndexOptions| {
                (options.name.as_deref() == Some("secrethub_ttl")).then_some(options.expire_after)
            })
        };
        let day = Duration::from_secs(86_400);
        for (options, expect) in [
            (Options::default(), None),
            (keep(30), Some(Some(31 * day))),
            (keep(30), Some(Some(31 * day))),
            (keep(7), Some(Some(8 * day))),
            (Options::default(), None),
        ] {
            Mongo::open(&place.url, options).await.unwrap();
            assert_eq!(expiry().await, expect, "{options:?}");
        }
        place.remove().await;
    });
}

/// Many nodes that start together make everything once.
#[test]
fn nodes_may_start_together() {
    block_on(async {
        let place = Place::new("together");
        let opened = futures::future::join_all((0..4).map(|_| Mongo::open(&place.url, keep(3)))).await;
        assert!(opened.iter().all(Result::is_ok), "{opened:?}");
        place.remove().await;
    });
}

#[test]
fn a_standalone_is_read_and_told_how_to_convert() {
    block_on(async {
        let server = Server::start_own(&["--standalone"]);
        let refused = Mongo::open(&server.url("vault"), Options::default()).await.unwrap_err();
        let OpenError::Refused(text) = refused else { panic!("{refused:?}") };
        assert!(text.contains("mongod --replSet rs0") && text.contains("rs.initiate()"), "{text}");
        first_seed(&support::driver(&server.url("vault")).await).await;
        let store = open(&server.url("vault")).await;
        assert_eq!(store.get(&[Key::new("a").unwrap()]).await.unwrap(), [None]);
        match store.commit(&batch()).await {
            Err(CommitError::NotApplied(error)) => {
                let source = std::error::Error::source(&error).unwrap().to_string();
                assert!(source.contains("rs.initiate()"), "{source}");
            }
            other => panic!("{other:?}"),
        }
        let made = support::driver(&server.url("vault")).await.list_collection_names().await.unwrap();
        assert!(!made.contains(&"kv".to_owned()), "nothing is made: {made:?}");
    });
}

#[test]
fn read_only_makes_nothing_and_commits_nothing() {
    block_on(async {
        let place = Place::new("read_only");
        let read_only = Options { read_only: true, ..Options::default() };
        let store = Mongo::open(&place.url, read_only).await.unwrap();
        assert!(matches!(store.commit(&batch()).await, Err(CommitError::NotApplied(_))));
        assert_eq!(place.driver().await.list_collection_names().await.unwrap(), [""; 0]);
        open(&place.url).await.commit(&batch()).await.unwrap();
        assert!(store.get(&[Key::new("a").unwrap()]).await.unwrap()[0].is_some());
        place.remove().await;
    });
}

#[test]
fn what_cannot_work_is_refused_with_a_reason() {
    block_on(async {
        let place = Place::new("refused");
        let collation = Collation::builder().locale("de").build();
        place.driver().await.create_collection("kv").collation(collation).await.unwrap();
        for (url, part) in [
            (place.url.as_str(), "collation"),
            ("mongodb://me:hun/ter2@db/v", "%XX"),
            ("mongodb://me:hun@ter2@db/v", "%XX"),
            ("mongodb://db/admin", "authSource=admin"),
            ("mongodb://db/v?nonsense=1", "MongoDB's"),
        ] {
            let refused = Mongo::open(url, Options::default()).await.unwrap_err();
            let text = format!("{refused} {refused:?}");
            assert!(matches!(refused, OpenError::Refused(_)) && text.contains(part), "{text}");
            assert!(!text.contains("ter2"), "{text}");
        }
        place.remove().await;
    });
}

/// A name without rights is not waited for.
#[test]
fn a_wrong_password_is_refused_and_not_repeated() {
    block_on(async {
        let server = Server::start_own(&["--auth"]);
        let url = server.url("vault").replace("127.0.0.1", "me:hunter2@127.0.0.1");
        let refused = Mongo::open(&url, Options::default()).await.unwrap_err();
        let text = format!("{refused} {refused:?}");
        assert!(matches!(refused, OpenError::Refused(_)) && !text.contains("hunter2"), "{text}");
    });
}

/// Operators are promised these names, and a date that their shell compares.
#[test]
fn rows_have_the_promised_fields() {
    block_on(async {
        let place = Place::new("fields");
        open(&place.url).await.commit(&batch()).await.unwrap();
        let rows = everything(&place.driver().await, "audit_logs").await;
        assert!(rows[0].get_datetime("timestamp").is_ok());
        let fields: Vec<&str> = rows[0].keys().map(String::as_str).collect();
        for field in
            ["timestamp", "operation", "status", "path", "request_id", "chain", "seq", "canonical", "link"]
        {
            assert!(fields.contains(&field), "{field} in {fields:?}");
        }
        place.remove().await;
    });
}
