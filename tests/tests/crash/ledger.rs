//! What was acknowledged, what was not, and how the two compare with the server's audit table.

use super::vault::Answer;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    future::Future,
    path::Path,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

/// One acknowledged write.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) path: String,
    pub(crate) value: String,
    pub(crate) version: u64,
    pub(crate) request_id: String,
}

/// Shared by the writers and the killer.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    writes: Mutex<Vec<Write>>,
    written: AtomicU64,
    in_flight: AtomicU64,
    unanswered: AtomicU64,
    stopped: AtomicBool,
}

impl Ledger {
    /// Counts a request as under way until it ends, and as unanswered if that is how it ended.
    pub(crate) async fn in_flight(&self, request: impl Future<Output = Answer>) -> Answer {
        self.in_flight.fetch_add(1, SeqCst);
        let answer = request.await;
        self.in_flight.fetch_sub(1, SeqCst);
        self.unanswered.fetch_add(u64::from(matches!(answer, Answer::Unanswered)), SeqCst);
        answer
    }

    pub(crate) fn add(&self, write: Write) {
        self.writes.lock().unwrap().push(write);
        self.written.fetch_add(1, SeqCst);
    }

    pub(crate) fn writes(&self) -> Vec<Write> {
        self.writes.lock().unwrap().clone()
    }

    /// Every secret with the highest version acknowledged.
    pub(crate) fn secrets(&self) -> BTreeMap<String, u64> {
        let mut secrets = BTreeMap::new();
        for write in self.writes.lock().unwrap().iter() {
            let version = secrets.entry(write.path.clone()).or_insert(0);
            *version = write.version.max(*version);
        }
        secrets
    }

    pub(crate) fn written(&self) -> u64 {
        self.written.load(SeqCst)
    }

    pub(crate) fn unanswered(&self) -> u64 {
        self.unanswered.load(SeqCst)
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, SeqCst);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(SeqCst)
    }

    pub(crate) async fn wait_for_writes(&self, more: u64, at_most: Duration) {
        let enough = self.written() + more;
        wait(at_most, "writes", || self.written() >= enough).await;
    }

    pub(crate) async fn wait_in_flight(&self, at_most: Duration) {
        wait(at_most, "a request in flight", || self.in_flight.load(SeqCst) > 0).await;
    }

    pub(crate) async fn wait_unanswered(&self, enough: u64, at_most: Duration) {
        wait(at_most, "an unanswered request", || self.unanswered() >= enough).await;
    }
}

async fn wait(at_most: Duration, what: &str, done: impl Fn() -> bool) {
    let polling = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(at_most, polling).await.unwrap_or_else(|_| panic!("no {what} within {at_most:?}"));
}

/// What finds the records of writes, as an operator would ask for them.
const QUERY: &str = "SELECT request_id, path FROM audit_logs WHERE status = 'success'
    AND path LIKE 'secret/data/crash/%' AND operation IN ('create', 'update')";

/// The paths of recorded writes by request, from SQLite.
pub(crate) fn read_sqlite(file: &Path) -> HashMap<String, String> {
    let database = rusqlite::Connection::open(file).expect("the store opens");
    let mut query = database.prepare(QUERY).expect("the documented columns are there");
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("the table can be read");
    rows.collect::<Result<_, _>>().expect("rows can be read")
}

/// The same from PostgreSQL, through its own shell.
pub(crate) fn read_postgres(url: &str) -> HashMap<String, String> {
    let mut psql = Command::new("psql");
    let asked = psql.args(["-X", "-A", "-t", "-d", url, "-c", QUERY]).output().expect("psql runs");
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let text = String::from_utf8(asked.stdout).expect("psql answers in UTF-8");
    let rows = text.lines().map(|line| line.split_once('|').expect("two columns"));
    rows.map(|(id, path)| (id.to_owned(), path.to_owned())).collect()
}

/// Each acknowledged write has its record; and no version stands, acknowledged or not, without one.
pub(crate) fn check_records(
    records: &HashMap<String, String>,
    writes: &[Write],
    versions: &BTreeMap<String, u64>,
) {
    let unrecorded = writes
        .iter()
        .filter(|write| records.get(&write.request_id) != Some(&format!("secret/data/{}", write.path)));
    assert_eq!(
        unrecorded.map(|write| &write.path).collect::<HashSet<_>>(),
        HashSet::new(),
        "writes without a record"
    );
    for (path, version) in versions {
        let count =
            records.values().filter(|recorded| **recorded == format!("secret/data/{path}")).count() as u64;
        assert_eq!(count, *version, "records of {path} against its versions");
    }
}
