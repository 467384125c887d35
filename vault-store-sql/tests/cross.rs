//! Random operations on all stores at once: every answer is the same as that of the model in memory.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod support;

use secrethub_core::{
    audit::{AuditQuery, AuditRow, Columns, Cursor, Head, Status},
    id::{BootId, Timestamp},
    store::{Batch, CommitError, Entry, Key, Limit, Op, Range, Sealed, StoreError, memory::Memory},
    testing::{
        Seed,
        store::{Shared, columns, linked, rev},
    },
};
use secrethub_store_mongo::Mongo;
use secrethub_store_sql::{
    postgres::{Options, Postgres},
    sqlite::Sqlite,
};
use secrethub_testkit::Mongo as Server;
use std::{
    collections::HashMap,
    fmt::Debug,
    hash::{BuildHasher, Hasher, RandomState},
    sync::{Arc, OnceLock},
};

const NAMES: [&str; 10] =
    ["a", "a/b", "a/b/c", "a0", "é", "e\u{301}", "A", "z/\u{10FFFF}", "z/\u{E000}", "zz"];
const STEPS: usize = 400;

/// What a commit answered, as far as stores must agree.
#[derive(Debug, PartialEq)]
enum Answer {
    Done,
    Conflict(Vec<Key>),
    TooLarge,
}

struct Run {
    seed: Seed,
    /// Entries seen at any time, so that some are stale.
    seen: Vec<Entry>,
    /// Batches that carry a witness, which may be sent again.
    sent: Vec<Batch>,
    seq: HashMap<u8, u64>,
}

impl Run {
    fn key(&mut self) -> Key {
        Key::new(self.seed.pick(&NAMES)).unwrap()
    }

    fn value(&mut self) -> Sealed {
        let length = *self.seed.pick(&[0, 1, 10, 300, 20_000]);
        Sealed::from_stored(vec![self.seed.id()[0]; length])
    }

    fn op(&mut self) -> (Key, Op) {
        let read = if self.seen.is_empty() { None } else { Some(self.seed.pick(&self.seen).clone()) };
        let value = self.value();
        match (self.seed.below(6), read) {
            (0 | 1, _) | (_, None) => (self.key(), Op::Create(value)),
            (2, Some(read)) => (read.key, Op::Replace(read.rev, value)),
            (3, Some(read)) => (read.key, Op::Remove(read.rev)),
            (4, Some(read)) => (read.key, Op::Guard(read.rev)),
            (_, Some(_)) => (self.key(), Op::Put(value)),
        }
    }

    /// A batch, now and then one that was sent before.
    async fn batch(&mut self, model: &Shared) -> Batch {
        if !self.sent.is_empty() && self.seed.chance(150) {
            return self.seed.pick(&self.sent).clone();
        }
        let mut batch = Batch::new(rev());
        for _ in 0..self.seed.below(5) {
            let (key, op) = self.op();
            drop(batch.stage(key, op));
        }
        if self.seed.chance(500) {
            self.add_records(&mut batch, model).await;
            self.sent.push(batch.clone());
        }
        batch
    }

    /// Records, and the witness that keeps their numbers unique.
    async fn add_records(&mut self, batch: &mut Batch, model: &Shared) {
        let witness = Key::new("lane").unwrap();
        let value = self.value();
        match model.get(std::slice::from_ref(&witness)).await.unwrap().remove(0) {
            Some(read) => batch.replace(&read, value).unwrap(),
            None => batch.create(witness, value).unwrap(),
        }
        let chain = 1 + u8::try_from(self.seed.below(3)).unwrap();
        for _ in 0..=self.seed.below(3) {
            // A lost batch leaves a gap, which no store minds.
            let seq = self.seq.entry(chain).or_default();
            *seq += 1;
            let (seq, micros) = (*seq, self.seed.below(50) as u64);
            let operation = *self.seed.pick(&["read", "update", "list"]);
            let path = *self.seed.pick(&["secret/data/a", "secret/data/b", "sys/mounts", "é'\"\\\n"]);
            let status = *self.seed.pick(&[Status::Success, Status::Failure]);
            let actor = self.seed.pick(&[None, Some("ann"), Some("bob"), Some("")]).map(str::to_owned);
            batch.audit(linked(chain, seq, Columns { status, actor, ..columns(micros, operation, path) }));
        }
    }

    fn range(&mut self) -> Range {
        let range = Range::prefix(self.seed.pick::<&str>(&["", "a", "a/", "z/", "é", "none"]));
        if self.seed.chance(500) { range.after(self.seed.pick::<&str>(&NAMES)) } else { range }
    }

    fn limit(&mut self) -> Limit {
        Limit { entries: self.seed.below(12), bytes: *self.seed.pick(&[0, 50, 700, 1 << 20]) }
    }

    fn query(&mut self) -> AuditQuery {
        let text = |text: Option<&str>| text.map(str::to_owned);
        let times = [None, Some(columns(10, "", "").timestamp), Some(columns(40, "", "").timestamp)];
        AuditQuery {
            from: *self.seed.pick(&times),
            to: *self.seed.pick(&times),
            actor: text(*self.seed.pick(&[None, None, Some("ann"), Some("")])),
            path: text(*self.seed.pick(&[None, None, Some("secret/"), Some("é'"), Some("%")])),
            operation: text(*self.seed.pick(&[None, None, Some("read")])),
            status: *self.seed.pick(&[None, None, Some(Status::Failure)]),
            ..AuditQuery::default()
        }
    }

    fn cursor(&mut self) -> Option<Cursor> {
        let timestamp: Timestamp = columns(self.seed.below(50) as u64, "", "").timestamp;
        let chain = BootId([u8::try_from(self.seed.below(5)).unwrap(); 16]);
        let cursor = Cursor { timestamp, chain, seq: self.seed.below(40) as u64 };
        self.seed.chance(600).then_some(cursor)
    }

    async fn step(&mut self, stores: &[Shared]) {
        let chain = BootId([1 + u8::try_from(self.seed.below(3)).unwrap(); 16]);
        let (number, limit) = (self.seed.below(60) as u64, self.seed.below(20));
        match self.seed.below(10) {
            0..=4 => {
                let batch = self.batch(&stores[0]).await;
                agree(stores, async |store: Shared| answer(store.commit(&batch).await)).await;
            }
            5 => {
                let keys = [self.key(), self.key(), self.key()];
                let found = agree(stores, async |store: Shared| store.get(&keys).await.unwrap()).await;
                self.seen.extend(found.into_iter().flatten());
            }
            6 => {
                let (range, limit) = (self.range(), self.limit());
                let scan = async |store: Shared| store.scan(range.clone(), limit).await.unwrap();
                agree::<Vec<Entry>>(stores, scan).await;
            }
            7 => {
                let (query, after) = (self.query(), self.cursor());
                let search = async |store: Shared| store.search(&query, after, limit).await.unwrap().rows;
                agree::<Vec<AuditRow>>(stores, search).await;
            }
            8 => {
                let read = async |store: Shared| store.read(chain, number, limit).await.unwrap();
                agree::<Vec<AuditRow>>(stores, read).await;
                agree::<Vec<Head>>(stores, async |store: Shared| store.heads().await.unwrap()).await;
            }
            _ => {
                agree(stores, async |store: Shared| store.prune(chain, number / 4, limit).await.unwrap())
                    .await;
                agree(stores, async |store: Shared| everything(&store).await).await;
            }
        }
    }
}

fn answer(answer: Result<(), CommitError>) -> Answer {
    match answer {
        Ok(()) => Answer::Done,
        Err(CommitError::Conflict { keys }) => Answer::Conflict(keys),
        Err(CommitError::NotApplied(StoreError::TooLarge { .. })) => Answer::TooLarge,
        Err(other) => panic!("{other:?}"),
    }
}

async fn everything(store: &Shared) -> Vec<Entry> {
    let mut snapshot = store.snapshot().await.unwrap();
    let mut entries = snapshot.next_page(Limit::entries(3)).await.unwrap();
    entries.extend(snapshot.next_page(Limit::entries(1_000)).await.unwrap());
    entries
}

/// Asks every store, expects what the first one said.
async fn agree<T: Debug + PartialEq>(stores: &[Shared], ask: impl AsyncFn(Shared) -> T) -> T {
    let expect = ask(stores[0].clone()).await;
    for store in &stores[1..] {
        let found = ask(store.clone()).await;
        assert_eq!(found, expect, "{} against the model", store.kind());
    }
    expect
}

fn mongo() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start)
}

fn run(number: u64) {
    support::block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let database = support::Database::create(&format!("cross_{number}")).await;
        let url = mongo().url(&format!("cross_{}_{number}", std::process::id()));
        let stores: [Shared; 4] = [
            Arc::new(Memory::default()),
            Sqlite::open(&folder.path().join("cross.db")).unwrap(),
            Postgres::open(&database.url, Options::default()).await.unwrap(),
            Mongo::open(&url, secrethub_store_mongo::Options::default()).await.unwrap(),
        ];
        let mut run =
            Run { seed: Seed::new(number), seen: Vec::new(), sent: Vec::new(), seq: HashMap::new() };
        for step in 0..STEPS {
            let stepping = std::panic::AssertUnwindSafe(run.step(&stores));
            if let Err(panic) = futures::FutureExt::catch_unwind(stepping).await {
                println!("seed {number}, step {step}: replay with STORE_SEED={number}");
                std::panic::resume_unwind(panic);
            }
        }
        drop(stores);
        database.remove().await;
    });
}

#[test]
fn stores_agree() {
    match std::env::var("STORE_SEED") {
        Ok(seed) => run(seed.parse().unwrap()),
        Err(_) => [1, 2, RandomState::new().build_hasher().finish()].into_iter().for_each(run),
    }
}
