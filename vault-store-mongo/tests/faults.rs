//! What the driver reports and what the caller is told: failures injected into the server's commands, answers swallowed
//! by the wire, a server that goes away. Whatever happened, the same batch sent again is applied once.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;
#[path = "support/tap.rs"]
mod tap;

use mongodb::bson::{Document, doc};
use secrethub_core::{
    store::{Batch, CommitError, Entry, Key, Limit, Range, Sealed, StoreError},
    testing::store::{Shared, columns, linked, rev},
};
use secrethub_store_mongo::{Mongo, OpenError, Options};
use secrethub_testkit::Mongo as Server;
use std::time::Duration;
use support::{block_on, driver, open};
use tap::Tap;

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

fn value() -> Sealed {
    Sealed::from_stored(vec![7; 100])
}

/// A batch as a lane sends it: a witness that only it writes, and a row.
fn batch(number: u8) -> Batch {
    let mut batch = Batch::new(rev());
    batch.create(key(&format!("lane/{number}")), value()).unwrap();
    batch.put(key("hot"), value()).unwrap();
    batch.audit(linked(number, 1, columns(1, "update", "hot")));
    batch
}

async fn find(store: &Shared, name: &str) -> Option<Entry> {
    store.get(&[key(name)]).await.unwrap().remove(0)
}

/// Sends the same bytes until there is an answer, as a lane does; then the batch stands, once.
async fn settle(store: &Shared, batch: &Batch, number: u8) {
    let mut tries = 0;
    while let Err(error) = store.commit(batch).await {
        tries += 1;
        assert!(tries < 20 && !matches!(error, CommitError::Conflict { .. }), "{error:?}");
    }
    assert_eq!(find(store, &format!("lane/{number}")).await.unwrap().rev, batch.id());
    assert_eq!(store.read(batch.records()[0].record.chain, 0, 10).await.unwrap().len(), 1);
}

/// What a commit may be answered with.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Told {
    Done,
    NotApplied,
    Full,
    Unknown,
}

fn told(answer: &Result<(), CommitError>) -> Told {
    match answer {
        Ok(()) => Told::Done,
        Err(CommitError::NotApplied(StoreError::Full { .. })) => Told::Full,
        Err(CommitError::NotApplied(_)) => Told::NotApplied,
        Err(CommitError::Unknown(_)) => Told::Unknown,
        Err(other) => panic!("{other:?}"),
    }
}

/// Lets a command of the driver fail so many times. A real server does the same when it is started for tests.
async fn inject(url: &str, times: i32, failure: Document) {
    let point = doc! { "configureFailPoint": "failCommand", "mode": { "times": times }, "data": failure };
    driver(url).await.client().database("admin").run_command(point).await.unwrap();
}

/// Ends the failure, and what a minute would end: transactions whose commit never came through.
async fn heal(url: &str) {
    let admin = driver(url).await.client().database("admin");
    admin.run_command(doc! { "configureFailPoint": "failCommand", "mode": "off" }).await.unwrap();
    admin.run_command(doc! { "killAllSessions": [] }).await.unwrap();
}

fn cut() -> Document {
    doc! { "closeConnection": true }
}

fn code(code: i32) -> Document {
    doc! { "errorCode": code }
}

fn labelled(code: i32, label: &str) -> Document {
    doc! { "errorCode": code, "errorLabels": [label] }
}

/// It is applied here, and perhaps nowhere else yet.
fn not_everywhere() -> Document {
    doc! { "writeConcernError": { "code": 64, "errmsg": "waiting timed out" } }
}

#[test]
fn every_failure_is_told_as_what_it_is() {
    const LASTING: i32 = 100;
    const TRANSIENT: &str = "TransientTransactionError";
    const UNKNOWN: &str = "UnknownTransactionCommitResult";
    let table: &[(&str, i32, Document, Told)] = &[
        // Before the commit was sent: nothing was applied, and what may pass is tried again.
        ("update", 3, labelled(112, TRANSIENT), Told::Done),
        ("update", 1, labelled(251, TRANSIENT), Told::Done),
        ("insert", 1, labelled(246, TRANSIENT), Told::Done),
        ("update", 1, cut(), Told::Done),
        ("update", 1, code(13), Told::NotApplied),
        ("insert", 1, code(14_031), Told::Full),
        // After it was sent the same transaction is asked for again …
        ("commitTransaction", 1, cut(), Told::Done),
        ("commitTransaction", 5, cut(), Told::Done),
        ("commitTransaction", 2, labelled(50, UNKNOWN), Told::Done),
        ("commitTransaction", 2, not_everywhere(), Told::Done),
        // … and then nobody knows.
        ("commitTransaction", LASTING, cut(), Told::Unknown),
        ("commitTransaction", LASTING, labelled(50, UNKNOWN), Told::Unknown),
        ("commitTransaction", LASTING, not_everywhere(), Told::Unknown),
        ("commitTransaction", 1, labelled(251, TRANSIENT), Told::Unknown),
        ("commitTransaction", 1, code(13), Told::Unknown),
    ];
    block_on(async {
        let server = Server::start_own(&["--enable-test-commands"]);
        let url = server.url("faults");
        let store: Shared = open(&url).await;
        for (number, (command, times, failure, expect)) in (1..).zip(table) {
            let mut failure = failure.clone();
            failure.insert("failCommands", [*command]);
            inject(&url, *times, failure.clone()).await;
            let batch = batch(number);
            let answer = store.commit(&batch).await;
            assert_eq!(told(&answer), *expect, "{command} {times} times {failure}: {answer:?}");
            heal(&url).await;
            settle(&store, &batch, number).await;
        }
    });
}

/// A read asks once more by itself, and no more.
#[test]
fn a_read_that_failed_once_is_repeated() {
    block_on(async {
        let server = Server::start_own(&["--enable-test-commands"]);
        let url = server.url("faults");
        let store: Shared = open(&url).await;
        store.commit(&batch(1)).await.unwrap();
        for failure in [cut(), code(6)] {
            let mut failure = failure;
            failure.insert("failCommands", ["find"]);
            inject(&url, 1, failure.clone()).await;
            assert!(find(&store, "hot").await.is_some());
            inject(&url, 100, failure).await;
            let answer = store.get(&[key("hot")]).await;
            assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
            heal(&url).await;
        }
        settle(&store, &batch(2), 2).await;
    });
}

/// The commit was done and nobody heard of it.
#[test]
fn an_answer_that_was_swallowed_is_unknown() {
    block_on(async {
        let server = Server::start_own(&[]);
        let tap = Tap::to(server.port()).await;
        let store: Shared = open(&tap.url()).await;
        let near: Shared = open(&server.url("tapped")).await;
        for number in 1..=2 {
            let batch = batch(number);
            tap.poison(Some("commitTransaction"));
            let answer = store.commit(&batch).await;
            assert_eq!(told(&answer), Told::Unknown, "{answer:?}");
            tap.poison(None);
            let landed = find(&near, &format!("lane/{number}")).await;
            assert_eq!(landed.map(|entry| entry.rev), Some(batch.id()), "the server had done it");
            settle(&store, &batch, number).await;
        }
    });
}

/// Every read asks who is primary, and names the time of the answer; a snapshot keeps to the one it began with.
#[test]
fn every_read_names_its_time() {
    block_on(async {
        let server = Server::start_own(&[]);
        let tap = Tap::to(server.port()).await;
        let store: Shared = open(&tap.url()).await;
        store.commit(&batch(1)).await.unwrap();
        let words = ["linearizable", "atClusterTime", "snapshot"];
        tap.heard(&words);
        store.get(&[key("hot")]).await.unwrap();
        assert_eq!(tap.heard(&words), [1, 1, 1], "get");
        store.scan(Range::prefix(""), Limit::entries(10)).await.unwrap();
        assert_eq!(tap.heard(&words), [1, 1, 1], "scan");
        store.search(&Default::default(), None, 10).await.unwrap();
        assert_eq!(tap.heard(&words), [1, 1, 1], "search");
        let mut snapshot = store.snapshot().await.unwrap();
        while !snapshot.next_page(Limit::entries(1)).await.unwrap().is_empty() {}
        assert_eq!(tap.heard(&words), [1, 1, 1], "snapshot");
        let (one, other) = (store.get(&[]), store.get(&[]));
        let (third, fourth) = (store.get(&[]), store.get(&[]));
        futures::future::join_all([one, other, third, fourth])
            .await
            .into_iter()
            .for_each(|read| drop(read.unwrap()));
        assert_eq!(tap.heard(&words)[..2], [2, 4], "those who wait share the next question");
    });
}

/// "It was applied before" is said only once a majority has it: the transaction that found it is committed, too.
#[test]
fn what_was_applied_before_is_confirmed() {
    block_on(async {
        let server = Server::start_own(&[]);
        let tap = Tap::to(server.port()).await;
        let store: Shared = open(&tap.url()).await;
        let batch = batch(1);
        let words = ["abortTransaction", "commitTransaction", "majority"];
        for expect in [[0, 1], [1, 1], [1, 1]] {
            tap.heard(&words);
            store.commit(&batch).await.unwrap();
            let heard = tap.heard(&words);
            assert_eq!(heard[..2], expect);
            assert!(heard[2] >= 1, "the commit asks for a majority");
        }
    });
}

/// Killed under its callers and started again: they are told so in time, and go on without being opened again.
#[test]
fn a_server_that_comes_back_is_used_again() {
    block_on(async {
        let server = Server::start_own(&[]);
        let url = format!("{}?serverSelectionTimeoutMS=500", server.url("outage"));
        let store: Shared = open(&url).await;
        settle(&store, &batch(1), 1).await;
        for number in 2..4 {
            server.kill();
            let answer = store.commit(&batch(number)).await;
            assert!(matches!(told(&answer), Told::NotApplied | Told::Unknown), "{answer:?}");
            let answer = store.get(&[key("hot")]).await;
            assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
            server.restart();
            let again = batch(number);
            settle(&store, &again, number).await;
            for earlier in 1..=number {
                assert!(
                    find(&store, &format!("lane/{earlier}")).await.is_some(),
                    "lane/{earlier} was acknowledged"
                );
            }
        }
    });
}

/// A wire that takes questions and says nothing holds nobody for longer than a request may take.
#[test]
fn silence_is_bounded() {
    block_on(async {
        let server = Server::start_own(&["--enable-test-commands"]);
        let url = server.url("silence");
        let store: Shared = open(&url).await;
        let slow = |command: &str| doc! { "failCommands": [command], "blockConnection": true, "blockTimeMS": 20_000 };
        inject(&url, 1, slow("find")).await;
        let limit = Duration::from_secs(12);
        let answer = tokio::time::timeout(limit, store.get(&[key("hot")])).await.expect("an answer in time");
        assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
        inject(&url, 1, slow("commitTransaction")).await;
        let batch = batch(1);
        let answer = tokio::time::timeout(limit, store.commit(&batch)).await.expect("an answer in time");
        assert_eq!(told(&answer), Told::Unknown, "{answer:?}");
        settle(&store, &batch, 1).await;
    });
}

#[test]
fn nobody_there_is_worth_another_try() {
    block_on(async {
        let url = "mongodb://me:hunter2@127.0.0.1:1/vault?serverSelectionTimeoutMS=100";
        let error = Mongo::open(url, Options::default()).await.unwrap_err();
        assert!(matches!(error, OpenError::Unreachable(_)), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    });
}
