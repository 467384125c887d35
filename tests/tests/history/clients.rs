//! Clients of one history: each asks any of the servers for one thing after the other, and writes down what it was told.

use super::model::{Answer, Call, Operation, Register, Value};
use reqwest::{Method, StatusCode};
use secrethub_core::testing::Seed;
use secrethub_tests::Caller;
use serde_json::json;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

/// Few, so that they meet.
pub(crate) const KEYS: usize = 4;
/// Clients of a history.
const CLIENTS: usize = 6;
/// What a history has at least: operations with an answer, and servers killed meanwhile.
pub(crate) const OPERATIONS: usize = 2_000;
pub(crate) const KILLS: usize = 3;
/// How long a client waits that was turned away.
const PAUSE: Duration = Duration::from_millis(20);

/// A history while it is made.
pub(crate) struct History {
    name: String,
    servers: Vec<String>,
    caller: Caller,
    start: Instant,
    keys: Vec<Mutex<Vec<Operation>>>,
    values: AtomicU64,
    known: AtomicUsize,
    kills: AtomicUsize,
}

impl History {
    pub(crate) fn new(name: String, servers: Vec<String>, caller: Caller) -> Arc<Self> {
        Arc::new(Self {
            name,
            servers,
            caller,
            start: Instant::now(),
            keys: (0..KEYS).map(|_| Mutex::default()).collect(),
            values: AtomicU64::new(0),
            known: AtomicUsize::new(0),
            kills: AtomicUsize::new(0),
        })
    }

    /// Operations with an answer so far.
    pub(crate) fn known(&self) -> usize {
        self.known.load(SeqCst)
    }

    /// A server was killed: that counts for a history under way.
    pub(crate) fn killed(&self) {
        if !self.is_complete() {
            self.kills.fetch_add(1, SeqCst);
        }
    }

    fn is_complete(&self) -> bool {
        self.known() >= OPERATIONS && self.kills.load(SeqCst) >= KILLS
    }

    /// What happened to each key.
    pub(crate) fn keys(&self) -> Vec<Vec<Operation>> {
        self.keys.iter().map(|key| key.lock().unwrap().clone()).collect()
    }

    /// Runs its clients until it is complete.
    pub(crate) async fn run(self: Arc<Self>, seed: u64) {
        let clients = (0..CLIENTS).map(|number| {
            let client = Client {
                history: Arc::clone(&self),
                seed: Seed::new(seed.wrapping_mul(CLIENTS as u64).wrapping_add(number as u64)),
                seen: HashMap::new(),
                careful: false,
            };
            tokio::spawn(client.run())
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.expect("no client panicked");
        }
    }
}

struct Client {
    history: Arc<History>,
    seed: Seed,
    /// The version of a key that it saw last.
    seen: HashMap<usize, u64>,
    /// It was told nothing, and only looks until somebody answers: each change of unknown outcome makes a history harder
    /// to judge.
    careful: bool,
}

impl Client {
    async fn run(mut self) {
        while !self.history.is_complete() {
            let (key, call) = (self.seed.below(KEYS), self.seed.below(10));
            let call = match call {
                _ if self.careful => Call::Read,
                0..5 => Call::Read,
                5..7 => Call::Write { value: self.make_value(), cas: None },
                7..9 => Call::Write { value: self.make_value(), cas: Some(self.seen(key)) },
                _ => Call::Delete,
            };
            self.perform(key, call).await;
        }
    }

    fn make_value(&self) -> Value {
        self.history.values.fetch_add(1, SeqCst)
    }

    fn seen(&self, key: usize) -> u64 {
        self.seen.get(&key).copied().unwrap_or(0)
    }

    async fn perform(&mut self, key: usize, call: Call) {
        let history = Arc::clone(&self.history);
        let server = &history.servers[self.seed.below(history.servers.len())];
        let now = || u64::try_from(history.start.elapsed().as_nanos()).expect("a test ends before that");
        let sent = now();
        let answer = history.ask(server, key, call).await;
        let answered = now();
        self.careful = match answer {
            Some(Answer::Unknown) => true,
            Some(_) => false,
            None => self.careful,
        };
        match answer {
            Some(Answer::Found(Register { version, .. }) | Answer::Wrote(version)) => {
                self.seen.insert(key, version);
            }
            Some(Answer::Unknown) | None => tokio::time::sleep(PAUSE).await,
            Some(_) => {}
        }
        let Some(answer) = answer.filter(|answer| *answer != Answer::Unknown || call != Call::Read) else {
            return; // It was not done, or it was only a look.
        };
        history.known.fetch_add(usize::from(answer != Answer::Unknown), SeqCst);
        history.keys[key].lock().unwrap().push(Operation { call, answer, sent, answered });
    }
}

impl History {
    /// `None`: it was certainly not done.
    async fn ask(&self, server: &str, key: usize, call: Call) -> Option<Answer> {
        let path = format!("secret/data/{}/{key}", self.name);
        let (method, body) = match call {
            Call::Read => (Method::GET, None),
            Call::Delete => (Method::DELETE, None),
            Call::Write { value, cas } => {
                let options = cas.map_or(json!({}), |cas| json!({ "cas": cas }));
                (Method::POST, Some(json!({ "options": options, "data": { "value": value } })))
            }
        };
        let (status, answer) = match self.caller.ask(server, method, &path, body.as_ref()).await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => return None,
            Err(_) => return Some(Answer::Unknown),
        };
        let version = |pointer: &str| answer.pointer(pointer).and_then(serde_json::Value::as_u64);
        Some(match (status, call) {
            (StatusCode::SERVICE_UNAVAILABLE, _) => Answer::Unknown,
            (StatusCode::OK, Call::Read) => Answer::Found(Register {
                version: version("/data/metadata/version").expect("a version"),
                value: Some(version("/data/data/value").expect("a value")),
            }),
            (StatusCode::NOT_FOUND, Call::Read) => Answer::Found(Register {
                version: version("/data/metadata/version").unwrap_or(0),
                value: None,
            }),
            (StatusCode::OK, Call::Write { .. }) => {
                Answer::Wrote(version("/data/version").expect("a version"))
            }
            (StatusCode::BAD_REQUEST, Call::Write { cas: Some(_), .. })
                if answer.to_string().contains("check-and-set") =>
            {
                Answer::Mismatch
            }
            (StatusCode::NO_CONTENT, Call::Delete) => Answer::Deleted,
            _ => panic!("{call:?} of {path}: {status} {answer}"),
        })
    }
}
