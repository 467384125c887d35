//! A PostgreSQL server that goes away, and a wire that does: what the store says then, in what time, and what stands
//! afterwards. The outcome of a commit is checked by a second store that reaches the server by another way.

use crate::support;
use futures::FutureExt;
use secrethub_core::{
    id::BootId,
    limits::REQUEST_DEADLINE,
    store::{AuditLog, Batch, CommitError, Entry, Key, Limit, Op, Range, Sealed, Store, StoreError},
    testing::store::{columns, linked, rev},
};
use secrethub_store_sql::postgres::{OpenError, Options, Postgres};
use secrethub_testkit::{Cluster, Proxy, Setup, Wire};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// A server of one's own, and two stores on it: one behind a proxy.
struct House {
    cluster: Cluster,
    proxy: Proxy,
    far: Arc<Postgres>,
    near: Arc<Postgres>,
}

impl House {
    async fn new(setup: &Setup) -> Self {
        let cluster = Cluster::own(setup);
        let proxy = Proxy::to_port(cluster.port());
        let url = format!("postgres://vault:vault@127.0.0.1:{}/postgres?sslmode=disable", proxy.port());
        let near = Postgres::open(&cluster.url("postgres"), Options::default()).await.unwrap();
        let far = Postgres::open(&url, Options { connections: 4, ..Options::default() }).await.unwrap();
        Self { cluster, proxy, far, near }
    }

    async fn sql(&self, text: &str) {
        let mut db = PgConnection::connect(&self.cluster.url("postgres")).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut db).await.unwrap();
    }

    /// What stands at a key, seen by the store that has no proxy.
    async fn stands(&self, name: &str) -> Option<Entry> {
        self.near.get(&[key(name)]).await.unwrap().remove(0)
    }
}

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

/// A batch with a witness and a record, as the lane sends them.
fn batch(name: &str, seq: u64) -> Batch {
    let mut batch = Batch::new(rev());
    batch.create(key(name), Sealed::from_stored(vec![1; 100])).unwrap();
    batch.stage(key(&format!("witness/{name}")), Op::Create(Sealed::from_stored(vec![2]))).unwrap();
    batch.audit(linked(1, seq, columns(seq, "update", name)));
    batch
}

/// Does it, and expects an end within what a request may take.
async fn bounded<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(REQUEST_DEADLINE, work).await.expect("the store answers within a request's deadline")
}

fn is_unavailable<T: std::fmt::Debug>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Unavailable { .. }))
}

/// Sends the same batch until it is known, as the lane does.
async fn resolve(store: &Postgres, batch: &Batch) -> Result<(), CommitError> {
    for _ in 0..100 {
        match store.commit(batch).await {
            Err(CommitError::Unknown(_) | CommitError::NotApplied(StoreError::Unavailable { .. })) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            known => return known,
        }
    }
    panic!("the outcome stays unknown");
}

#[test]
fn a_wire_that_breaks_leaves_the_outcome_unknown_and_resending_finds_it() {
    support::block_on(async {
        let house = House::new(&Setup::default()).await;
        for (seq, (wire, done)) in
            (1..).zip([(Wire::CutAtAnswer, true), (Wire::CutAtRequest, false), (Wire::Deaf, true)])
        {
            let (name, witness) = (format!("cut/{seq}"), format!("witness/cut/{seq}"));
            let batch = batch(&name, seq);
            drop(house.far.get(&[key("warm")]).await);
            house.proxy.set(wire);
            let answer = bounded(house.far.commit(&batch)).await;
            assert!(matches!(answer, Err(CommitError::Unknown(_))), "{wire:?}: {answer:?}");
            house.proxy.set(Wire::Whole);
            assert_eq!(house.stands(&name).await.is_some(), done, "{wire:?}");
            assert_eq!(house.stands(&witness).await.is_some(), done, "whole or not at all, {wire:?}");
            resolve(&house.far, &batch).await.unwrap();
            assert_eq!(house.stands(&name).await.map(|entry| entry.rev), Some(batch.id()), "{wire:?}");
        }
        let rows = house.near.read(BootId([1; 16]), 0, 100).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2, 3], "each record once");
    });
}

#[test]
fn readers_hear_in_time_that_nobody_answers_and_go_on_when_somebody_does() {
    support::block_on(async {
        let house = House::new(&Setup::default()).await;
        for wire in [Wire::Cut, Wire::Stalled, Wire::Deaf] {
            drop(house.far.get(&[key("warm")]).await);
            house.proxy.set(wire);
            let answer = bounded(house.far.get(&[key("a")])).await;
            assert!(is_unavailable(&answer), "{wire:?}: {answer:?}");
            let answer = bounded(house.far.scan(Range::prefix(""), Limit::entries(10))).await;
            assert!(is_unavailable(&answer), "{wire:?}: {answer:?}");
            house.proxy.set(Wire::Whole);
            bounded(house.far.get(&[key("a")])).await.unwrap();
        }
        // Connections that died at rest are nobody's failure.
        for _ in 0..3 {
            house.proxy.cut();
            tokio::time::sleep(Duration::from_millis(50)).await;
            bounded(house.far.get(&[key("a")])).await.unwrap();
        }
    });
}

#[test]
fn a_server_that_is_killed_loses_nothing_and_is_found_again() {
    support::block_on(async {
        let house = House::new(&Setup::default()).await;
        for (seq, kill) in (1..).zip([Cluster::kill as fn(&Cluster), Cluster::stop]) {
            let name = format!("killed/{seq}");
            let before = batch(&name, seq);
            house.far.commit(&before).await.unwrap();
            kill(&house.cluster);
            assert!(is_unavailable(&bounded(house.far.get(&[key("a")])).await));
            let during = batch(&format!("during/{seq}"), 10 + seq);
            let answer = bounded(house.far.commit(&during)).await;
            assert!(matches!(
                answer,
                Err(CommitError::Unknown(_) | CommitError::NotApplied(StoreError::Unavailable { .. }))
            ));
            house.cluster.restart();
            assert_eq!(house.stands(&name).await.map(|entry| entry.rev), Some(before.id()));
            resolve(&house.far, &during).await.unwrap();
        }
    });
}

#[test]
fn a_session_that_is_ended_while_it_commits_leaves_the_outcome_unknown() {
    support::block_on(async {
        let house = House::new(&Setup::default()).await;
        house.far.commit(&batch("held", 1)).await.unwrap();
        let mut holder = PgConnection::connect(&house.cluster.url("postgres")).await.unwrap();
        sqlx::raw_sql("BEGIN; SELECT FROM kv WHERE key = 'held' FOR UPDATE")
            .execute(&mut holder)
            .await
            .unwrap();
        let mut held = Batch::new(rev());
        held.put(key("held"), Sealed::from_stored(vec![9])).unwrap();
        let committing = house.far.commit(&held);
        let ending = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            house
                .sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%secrethub_commit%'
                      AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()")
                .await;
        };
        let (answer, ()) = bounded(futures::future::join(committing, ending)).await;
        assert!(matches!(answer, Err(CommitError::Unknown(_))), "{answer:?}");
        // A row that stays locked is an answer too, and a certain one.
        let answer = bounded(house.far.commit(&held)).await;
        assert!(matches!(answer, Err(CommitError::NotApplied(StoreError::Unavailable { .. }))), "{answer:?}");
        holder.close().await.unwrap();
        resolve(&house.far, &held).await.unwrap();
    });
}

#[test]
fn callers_beyond_the_pool_wait_a_while_and_no_longer() {
    support::block_on(async {
        let house = House::new(&Setup::default()).await;
        let mut snapshots = Vec::new();
        for _ in 0..4 {
            snapshots.push(house.far.snapshot().await.unwrap());
        }
        let start = Instant::now();
        assert!(is_unavailable(&bounded(house.far.get(&[key("a")])).await));
        let answer = bounded(house.far.commit(&batch("a", 1))).await;
        assert!(matches!(answer, Err(CommitError::NotApplied(StoreError::Unavailable { .. }))), "{answer:?}");
        assert!(start.elapsed() < REQUEST_DEADLINE);
        snapshots.pop();
        house.far.get(&[key("a")]).await.unwrap();
        // The server's own limit is no other to the caller.
        house.sql("ALTER ROLE vault CONNECTION LIMIT 1; CREATE ROLE guest LOGIN PASSWORD 'vault' CONNECTION LIMIT 0").await;
        let url = house.cluster.url("postgres").replace("vault:vault", "guest:vault");
        let refused = Postgres::open(&url, Options::default()).await;
        assert!(matches!(refused, Err(OpenError::Unreachable(_))), "{refused:?}");
    });
}

#[test]
fn a_full_disk_is_said_to_be_full() {
    support::block_on(async {
        let disk = SmallDisk::mount();
        let house = House::new(&Setup::default()).await;
        house.far.commit(&batch("before", 1)).await.unwrap();
        house
            .sql(&format!("CREATE TABLESPACE small LOCATION '{}'", disk.0.path().join("pg").display()))
            .await;
        house.sql("ALTER TABLE kv SET TABLESPACE small").await;
        let big = |name: &str| {
            let mut batch = Batch::new(rev());
            batch.create(key(name), Sealed::from_stored(vec![7; 1 << 20])).unwrap();
            batch
        };
        let mut full = None;
        for n in 0..32 {
            match house.far.commit(&big(&format!("big/{n}"))).await {
                Ok(()) => {}
                other => {
                    full = Some((n, other));
                    break;
                }
            }
        }
        let (n, answer) = full.expect("the disk is small");
        assert!(matches!(answer, Err(CommitError::NotApplied(StoreError::Full { .. }))), "{answer:?}");
        assert!(house.stands(&format!("big/{n}")).await.is_none(), "nothing of it stands");
        assert!(house.stands("before").await.is_some() && house.stands("big/0").await.is_some());
        house.sql("ALTER TABLE kv SET TABLESPACE pg_default").await;
        house.far.commit(&big("after")).await.unwrap();
        house.sql("DROP TABLESPACE small").await;
    });
}

/// A file system of a few megabytes.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = |line: &str| {
            let line = line.replace("DIR", &folder.path().display().to_string());
            let done = std::process::Command::new("sh").args(["-c", &line]).status().unwrap();
            assert!(done.success(), "needs root: {line}");
        };
        run(
            "mount -t tmpfs -o size=12m,mode=755 tmpfs DIR && mkdir DIR/pg && chown postgres DIR/pg && chmod 700 DIR/pg",
        );
        run("chmod 755 DIR");
        Self(folder)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let umount = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
        assert!(umount.is_ok_and(|done| done.success()), "the small disk is not unmounted");
    }
}

/// A future that is dropped at any of its steps leaves a store that answers each question with its own answer, and a
/// batch that stands whole or not at all.
#[test]
fn a_dropped_question_spoils_no_answer() {
    support::block_on(async {
        let house = House::new(&Setup::default()).await;
        let names = ["first", "second"];
        for (seq, name) in (1..).zip(names) {
            house.far.commit(&batch(name, seq)).await.unwrap();
        }
        let (first, second) = (key(names[0]), key(names[1]));
        let mut dropped = 0;
        for polls in 0..60 {
            let mut asking = house.far.get(std::slice::from_ref(&first));
            let done = poll_times(&mut asking, polls).await;
            drop(asking);
            dropped += u32::from(!done);
            let found = house.far.get(std::slice::from_ref(&second)).await.unwrap();
            assert_eq!(found[0].as_ref().map(|entry| &entry.key), Some(&second), "after {polls} polls");

            let (name, seq) = (format!("dropped/{polls}"), 100 + polls);
            let sent = batch(&name, seq);
            let mut committing = house.far.commit(&sent);
            let done = poll_times(&mut committing, polls).await;
            drop(committing);
            dropped += u32::from(!done);
            let found = house.far.get(std::slice::from_ref(&second)).await.unwrap();
            assert_eq!(found[0].as_ref().map(|entry| &entry.key), Some(&second), "after {polls} polls");
            resolve(&house.far, &sent).await.unwrap();
            assert_eq!(house.stands(&name).await.map(|entry| entry.rev), Some(sent.id()));
        }
        assert!(dropped > 4, "only {dropped} were dropped before their end");
    });
}

/// Polls so many times, and between two polls lets the runtime look at the wire as often: the few first are over before
/// anything is answered, on however quick a machine, and the last come late enough for all of it. `true` if it is done.
async fn poll_times<T>(work: &mut (impl Future<Output = T> + Unpin), times: u64) -> bool {
    for _ in 0..times {
        if (&mut *work).now_or_never().is_some() {
            return true;
        }
        for _ in 0..times {
            tokio::task::yield_now().await;
        }
    }
    false
}
