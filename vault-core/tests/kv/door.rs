//! An unsealed vault over memory on a deterministic host, and what is expected of its answers.

use secrethub_core::{
    Error, ErrorKind, Operation, Parts, Reply, Request, Vault,
    crypto::rustcrypto,
    host::Host,
    request::Shape,
    store::{Key, Limit, Range, Store, memory::Memory},
    system::{DefaultMount, Settings},
    testing::{SimHost, Unreliable, World},
};
use serde_json::{Value, json};
use std::{future::Future, sync::Arc, time::Duration};

/// A vault with `secret/` (KV version 2) and `kv1/` (version 1), and a token to ask with.
#[derive(Clone)]
pub(crate) struct Door {
    vault: Arc<Vault>,
    host: Arc<SimHost>,
    store: Arc<Unreliable<Memory>>,
    token: String,
}

impl Door {
    /// Runs a test against a fresh vault; the clock moves only where the test sleeps.
    pub(crate) fn run<F: Future<Output = ()> + Send + 'static>(
        test: impl FnOnce(Self) -> F + Send + 'static,
    ) {
        Self::run_seeded(1, test);
    }

    /// The same under another schedule.
    pub(crate) fn run_seeded<F: Future<Output = ()> + Send + 'static>(
        seed: u64,
        test: impl FnOnce(Self) -> F + Send + 'static,
    ) {
        let world = World::new(seed);
        let host = world.node();
        let done = world.run(async move { test(Self::open(host, seed).await).await });
        assert!(done.is_some(), "everything stands still (seed {seed})");
    }

    async fn open(host: Arc<SimHost>, seed: u64) -> Self {
        let store = Arc::new(Unreliable::new(Arc::new(Memory::default()), seed));
        let kv1 = DefaultMount { path: "kv1/".into(), kind: "kv".into(), variant: "1".into() };
        let settings =
            Settings { default_mounts: vec![DefaultMount::kv2("secret"), kv1], ..Settings::default() };
        let parts =
            Parts { backend: store.clone(), host: host.clone(), crypto: rustcrypto::provider(), settings };
        let vault = Vault::open(parts).await.unwrap();
        let mut door = Self { vault, host, store, token: String::new() };
        let shares = json!({ "secret_shares": 1, "secret_threshold": 1 });
        let born = door.ask(Operation::Write, "sys/init", shares).await.data();
        door.ask(Operation::Write, "sys/unseal", json!({ "key": born["keys"][0] })).await.data();
        door.token = born["root_token"].as_str().unwrap().to_owned();
        door
    }

    /// The store below, to make it fail.
    pub(crate) fn store(&self) -> &Unreliable<Memory> {
        &self.store
    }

    /// Lets time pass.
    pub(crate) async fn sleep(&self, duration: Duration) {
        self.host.sleep(duration).await;
    }

    /// Lets time pass with the background work going on.
    pub(crate) async fn work(&self, duration: Duration) {
        self.vault.run_jobs(self.host.sleep(duration)).await;
    }

    /// Asks, with `null` for no fields.
    pub(crate) async fn ask(&self, operation: Operation, path: &str, fields: Value) -> Answer {
        let request = Request::new("id", operation, path).with_token(&self.token).with_fields(fields);
        Answer(self.vault.handle(request).await)
    }

    /// A new token that may do everything.
    pub(crate) async fn token(&self) -> String {
        let reply = self.ask(Operation::Write, "auth/token/create", Value::Null).await.0.unwrap();
        reply.auth.unwrap().client_token.expose().clone()
    }

    /// The same vault, asked with another token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// Compares answers with what is expected.
    pub(crate) fn checker(&self) -> Checker<'_> {
        Checker(self)
    }

    /// How many versions' data the store holds, reachable or not.
    pub(crate) async fn stored_versions(&self) -> usize {
        self.count("/v/").await
    }

    /// How many secrets are removed but not yet swept.
    pub(crate) async fn stored_tombstones(&self) -> usize {
        self.count("/gone/").await
    }

    async fn count(&self, part: &str) -> usize {
        let mounts = Range::prefix("ns/0/m/");
        let entries = self.store.inner().scan(mounts, Limit::entries(1_000)).await.unwrap();
        let keys = entries.iter().map(|entry| &entry.key).map(Key::as_str);
        keys.filter(|key| key.contains(part)).count()
    }
}

/// What came of one request.
#[derive(Debug)]
pub(crate) struct Answer(pub(crate) Result<Reply, Error>);

impl Answer {
    /// The data of an answer that must be a success.
    #[track_caller]
    pub(crate) fn data(self) -> Value {
        let reply = self.0.expect("a success");
        assert_eq!((reply.shape == Shape::Gone, reply.data.is_some()), (false, true), "data");
        reply.to_value()
    }

    /// What an answer about something that is gone still says.
    #[track_caller]
    pub(crate) fn gone(self) -> Value {
        let reply = self.0.expect("an answer");
        assert_eq!(reply.shape, Shape::Gone);
        reply.to_value()
    }

    /// The data, if it is a success.
    pub(crate) fn try_data(self) -> Option<Value> {
        self.0.ok().map(|reply| reply.to_value())
    }

    /// The warnings of an answer that must not be an error.
    pub(crate) fn warnings(self) -> Vec<String> {
        self.0.expect("an answer").warnings
    }

    /// How long a reader may keep it.
    pub(crate) fn lease_seconds(self) -> u64 {
        self.0.expect("an answer").lease.duration.as_secs()
    }
}

/// What an answer must be.
#[derive(Debug)]
pub(crate) enum Expect {
    /// Done, nothing to say.
    Empty,
    /// A success whose data holds at least this.
    Data(Value),
    /// Not there any more, and the answer still says this.
    Gone(Value),
    /// Done, with a warning that holds this text.
    Warned(&'static str),
    /// An error of this kind whose message holds this text; the empty text stands for anything.
    Refused(ErrorKind, &'static str),
}

pub(crate) fn empty() -> Expect {
    Expect::Empty
}

pub(crate) fn data(value: Value) -> Expect {
    Expect::Data(value)
}

pub(crate) fn gone(value: Value) -> Expect {
    Expect::Gone(value)
}

pub(crate) fn warned(text: &'static str) -> Expect {
    Expect::Warned(text)
}

pub(crate) fn refused(kind: ErrorKind, text: &'static str) -> Expect {
    Expect::Refused(kind, text)
}

/// Asks and compares.
pub(crate) struct Checker<'a>(&'a Door);

impl Checker<'_> {
    /// One row: this request must get this answer.
    pub(crate) async fn see(&self, operation: Operation, path: &str, fields: Value, expect: Expect) {
        let shown: String = fields.to_string().chars().take(200).collect();
        let Answer(answer) = self.0.ask(operation, path, fields).await;
        let fits = match (&answer, &expect) {
            (Ok(reply), Expect::Empty) => reply.is_empty(),
            (Ok(reply), Expect::Data(part)) => {
                reply.shape == Shape::Envelope && holds(&reply.to_value(), part)
            }
            (Ok(reply), Expect::Gone(part)) => reply.shape == Shape::Gone && holds(&reply.to_value(), part),
            (Ok(reply), Expect::Warned(text)) => reply.warnings.iter().any(|warning| warning.contains(text)),
            (Err(error), Expect::Refused(kind, text)) => {
                error.kind() == *kind && error.messages().concat().contains(text)
            }
            _ => false,
        };
        let got = answer.as_ref().map(|reply| (reply.to_value(), &reply.warnings));
        assert!(fits, "{operation:?} {path} {shown}\nexpected {expect:?}\ngot      {got:?}");
    }
}

/// Does a value hold all that `part` names; lists are compared whole.
fn holds(value: &Value, part: &Value) -> bool {
    match (value, part) {
        (Value::Object(value), Value::Object(part)) => {
            part.iter().all(|(name, part)| value.get(name).is_some_and(|value| holds(value, part)))
        }
        _ => value == part,
    }
}
