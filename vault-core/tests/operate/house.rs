//! Some unsealed nodes over one store on a deterministic host, and how to ask them.

use futures::{FutureExt, future::join};
use secrethub_core::{
    Error, ErrorKind, Operation, Parts, Reply, Request, Vault,
    crypto::rustcrypto,
    host::Host,
    store::{AuditLog, Limit, Range, Store, memory::Memory},
    system::{Figures, Settings},
    testing::{Rates, SimHost, Unreliable, World},
};
use serde_json::{Value, json};
use std::{future::Future, sync::Arc, time::Duration};

#[derive(Clone)]
struct Node {
    vault: Arc<Vault>,
    host: Arc<SimHost>,
    link: Arc<Unreliable<Memory>>,
}

/// The nodes, their store, and a token to ask with.
#[derive(Clone)]
pub(crate) struct House {
    nodes: Vec<Node>,
    /// Which node is asked.
    at: usize,
    memory: Arc<Memory>,
    token: String,
    share: Value,
}

impl House {
    /// Runs a test in a house of two nodes; the clock moves only where the test sleeps.
    pub(crate) fn run<F: Future<Output = ()> + Send + 'static>(
        test: impl FnOnce(Self) -> F + Send + 'static,
    ) {
        Self::run_seeded(1, Settings::default, test);
    }

    /// The same under another schedule and with other settings.
    pub(crate) fn run_seeded<F: Future<Output = ()> + Send + 'static>(
        seed: u64,
        settings: impl Fn() -> Settings + Send + 'static,
        test: impl FnOnce(Self) -> F + Send + 'static,
    ) {
        let world = World::new(seed);
        let hosts = [world.node(), world.node()];
        let done = world.run(async move { test(Self::open(hosts, seed, settings).await).await });
        assert!(done.is_some(), "everything stands still (seed {seed})");
    }

    async fn open(hosts: [Arc<SimHost>; 2], seed: u64, settings: impl Fn() -> Settings) -> Self {
        let memory = Arc::new(Memory::default());
        let mut house = Self { nodes: Vec::new(), at: 0, memory, token: String::new(), share: Value::Null };
        for host in hosts {
            let link = Arc::new(Unreliable::new(Arc::clone(&house.memory), seed + house.nodes.len() as u64));
            link.rates(Rates { pauses: 300, ..Rates::default() });
            let (crypto, its_host) = (rustcrypto::provider(), Arc::clone(&host));
            let parts =
                Parts { backend: Arc::clone(&link) as _, host: its_host, crypto, settings: settings() };
            let vault = Vault::open(parts).await.unwrap();
            house.nodes.push(Node { vault, host, link });
            let node = house.node(house.nodes.len() - 1);
            if house.share.is_null() {
                let born = node.write("sys/init", json!({ "secret_shares": 1, "secret_threshold": 1 })).await;
                house.share = born["keys"][0].clone();
                house.token = born["root_token"].as_str().unwrap().to_owned();
            }
            house.node(house.nodes.len() - 1).unseal().await;
        }
        house
    }

    /// Unseals the node that is asked.
    pub(crate) async fn unseal(&self) {
        self.write("sys/unseal", json!({ "key": self.share })).await;
    }

    /// The same house, asked at another node.
    pub(crate) fn node(&self, at: usize) -> Self {
        Self { at, ..self.clone() }
    }

    /// The same house, asked with another token; an empty one is none.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    pub(crate) fn request(&self, operation: Operation, path: &str, fields: Value) -> Request {
        let request = Request::new("id", operation, path).with_fields(fields);
        if self.token.is_empty() { request } else { request.with_token(&self.token) }
    }

    pub(crate) async fn handle(&self, request: Request) -> Result<Reply, Error> {
        self.nodes[self.at].vault.handle(request).await
    }

    pub(crate) async fn ask(&self, operation: Operation, path: &str, fields: Value) -> Result<Reply, Error> {
        self.handle(self.request(operation, path, fields)).await
    }

    /// The same from an address.
    pub(crate) async fn ask_from(
        &self,
        address: &str,
        operation: Operation,
        path: &str,
        fields: Value,
    ) -> Result<Reply, Error> {
        let mut request = self.request(operation, path, fields);
        request.remote.address = Some(address.parse().unwrap());
        self.handle(request).await
    }

    /// A front-end turns somebody away.
    pub(crate) fn turn_away(&self, address: &str) {
        self.nodes[self.at].vault.count_turned_away(Some(address.parse().unwrap()));
    }

    /// A write that must succeed.
    pub(crate) async fn write(&self, path: &str, fields: Value) -> Value {
        let answer = self.ask(Operation::Write, path, fields).await;
        answer.unwrap_or_else(|error| panic!("{path}: {error}")).to_value()
    }

    /// A read that must succeed.
    pub(crate) async fn read(&self, path: &str) -> Value {
        let answer = self.ask(Operation::Read, path, Value::Null).await;
        answer.unwrap_or_else(|error| panic!("{path}: {error}")).to_value()
    }

    /// How a request fails; `None` if it does not.
    pub(crate) async fn kind(&self, operation: Operation, path: &str, fields: Value) -> Option<ErrorKind> {
        self.ask(operation, path, fields).await.err().map(|error| error.kind())
    }

    /// A new child of the asking token.
    pub(crate) async fn make_token(&self, fields: Value) -> String {
        let made = self.ask(Operation::Write, "auth/token/create", fields).await.unwrap();
        made.auth.unwrap().client_token.expose().clone()
    }

    /// What the node that is asked can be counted by.
    pub(crate) fn figures(&self) -> Figures {
        self.nodes[self.at].vault.figures()
    }

    /// Lets time pass with the background work of this node going on.
    pub(crate) async fn work(&self, duration: Duration) {
        let node = &self.nodes[self.at];
        node.vault.run_jobs(node.host.sleep(duration)).await;
    }

    /// Lets time pass with the background work of both nodes going on.
    pub(crate) async fn work_all(&self, duration: Duration) {
        join(self.node(0).work(duration), self.node(1).work(duration)).await;
    }

    /// Sets the clock of the node that is asked so many seconds ahead.
    pub(crate) fn set_ahead(&self, seconds: i64) {
        self.nodes[self.at].host.set_skew(seconds * 1_000_000);
    }

    /// How often the node that is asked has called its store.
    pub(crate) fn calls(&self) -> u64 {
        self.nodes[self.at].link.calls()
    }

    /// How many audit records there are.
    pub(crate) async fn records(&self) -> u64 {
        self.memory.heads().await.unwrap().iter().map(|head| head.last).sum()
    }

    /// The keys in the store that start so.
    pub(crate) fn keys(&self, prefix: &str) -> Vec<String> {
        let page = self.memory.scan(Range::prefix(prefix), Limit::entries(1_000));
        let entries = page.now_or_never().unwrap().unwrap();
        entries.into_iter().map(|entry| entry.key.as_str().to_owned()).collect()
    }
}
