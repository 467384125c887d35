//! A vault with several nodes, its shares, and how to ask them.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use futures::FutureExt as _;
use secrethub_core::{
    Error, ErrorKind, Operation, Parts, Request, Vault,
    barrier::SEAL_KEY,
    crypto::rustcrypto,
    host::Host as _,
    store::{Backend, Key, Store as _, memory::Memory},
    system::Settings,
    testing::{World, pause},
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

pub(crate) use Operation::{Delete, Read, Write};

/// An answer's data, or what kind of refusal and its words.
pub(crate) type Answer = Result<Value, (ErrorKind, String)>;

pub(crate) struct House {
    pub(crate) world: World,
    memory: Arc<Memory>,
    nodes: Vec<Arc<Vault>>,
    pub(crate) shares: Vec<String>,
    pub(crate) root: String,
    /// Settings of every node.
    settings: fn() -> Settings,
}

async fn open(backend: Arc<dyn Backend>, world: World, settings: Settings) -> Arc<Vault> {
    let (host, crypto) = (world.node(), rustcrypto::provider());
    Vault::open(Parts { backend, host, crypto, settings }).await.unwrap()
}

impl House {
    /// Three nodes, unsealed by two of three shares.
    pub(crate) fn new() -> Self {
        Self::with(Settings::default)
    }

    pub(crate) fn with(settings: fn() -> Settings) -> Self {
        let mut house = Self::empty(settings);
        house.join();
        let init = house
            .ask(0, Write, "sys/init", json!({ "secret_shares": 3, "secret_threshold": 2 }), "")
            .unwrap();
        house.shares = serde_json::from_value(init["keys"].clone()).unwrap();
        house.root = init["root_token"].as_str().unwrap().to_owned();
        house.unseal(0);
        for at in 1..3 {
            house.join();
            house.unseal(at);
        }
        house
    }

    /// A store, and no node yet.
    pub(crate) fn empty(settings: fn() -> Settings) -> Self {
        let (world, memory) = (World::new(7), Arc::new(Memory::default()));
        let (nodes, shares, root) = (Vec::new(), Vec::new(), String::new());
        Self { world, memory, nodes, shares, root, settings }
    }

    /// A new node on the same store, sealed unless it unseals itself.
    pub(crate) fn join(&mut self) {
        let (memory, world, settings) = (Arc::clone(&self.memory), self.world.clone(), (self.settings)());
        let vault = self.world.run(async move { open(memory, world, settings).await });
        self.nodes.push(vault.unwrap());
    }

    /// A node dies, and another takes its place.
    pub(crate) fn replace(&mut self, at: usize) {
        self.join();
        self.nodes.swap_remove(at);
        self.unseal(at);
    }

    /// The newest node.
    pub(crate) fn newest(&self) -> usize {
        self.nodes.len() - 1
    }

    /// The newest node goes.
    pub(crate) fn leave(&mut self) {
        self.nodes.pop();
    }

    /// From now on nodes start with other settings.
    pub(crate) fn configure(&mut self, settings: fn() -> Settings) {
        self.settings = settings;
    }

    pub(crate) fn unseal(&self, at: usize) {
        for share in &self.shares[..2] {
            self.ask(at, Write, "sys/unseal", json!({ "key": share }), "").unwrap();
        }
    }

    /// Asks a node with a token, or without one.
    pub(crate) fn ask(
        &self,
        at: usize,
        operation: Operation,
        path: &str,
        fields: Value,
        token: &str,
    ) -> Answer {
        let request = Request::new("id", operation, path).with_fields(fields);
        let request = if token.is_empty() { request } else { request.with_token(token) };
        let vault = Arc::clone(&self.nodes[at]);
        let answer = self.world.run(async move { vault.handle(request).await }).unwrap();
        match answer {
            Ok(reply) => Ok(reply
                .auth
                .as_ref()
                .map_or_else(|| reply.to_value(), |auth| json!(auth.client_token.expose()))),
            Err(error) => Err((error.kind(), error.to_string())),
        }
    }

    /// Writes the same path as root on several nodes at the same moment.
    pub(crate) fn at_once(&self, path: &str, fields: Vec<Value>) -> Vec<Answer> {
        self.at_once_from(0, path, fields)
    }

    /// The same, from this node on.
    pub(crate) fn at_once_from(&self, first: usize, path: &str, fields: Vec<Value>) -> Vec<Answer> {
        let ask = |(at, fields): (usize, Value)| {
            let request = Request::new("id", Write, path).with_fields(fields).with_token(&self.root);
            let vault = Arc::clone(&self.nodes[first + at]);
            async move { vault.handle(request).await }
        };
        let asked: Vec<_> = fields.into_iter().enumerate().map(ask).collect();
        let answers = self.world.run(futures::future::join_all(asked)).unwrap();
        let told = |error: Error| (error.kind(), error.to_string());
        answers.into_iter().map(|answer| answer.map(|reply| reply.to_value()).map_err(told)).collect()
    }

    /// The same as root.
    pub(crate) fn root(&self, at: usize, operation: Operation, path: &str, fields: Value) -> Answer {
        self.ask(at, operation, path, fields, &self.root)
    }

    /// Writes as root, and is gone the moment the store has another seal: the answer is lost.
    pub(crate) fn lose(&self, at: usize, path: &str, fields: Value) {
        let request = Request::new("id", Write, path).with_fields(fields).with_token(&self.root);
        let (vault, memory) = (Arc::clone(&self.nodes[at]), Arc::clone(&self.memory));
        let lost = async move {
            let seal = Key::new(SEAL_KEY).unwrap();
            let guards = async || {
                memory.get(std::slice::from_ref(&seal)).await.unwrap().pop().flatten().map(|found| found.rev)
            };
            let before = guards().await;
            let mut asked = Box::pin(vault.handle(request));
            while guards().await == before {
                assert!((&mut asked).now_or_never().is_none(), "it was answered before the store had it");
                pause().await;
            }
        };
        self.world.run(lost).unwrap();
    }

    /// Begins a request, and is gone before anything came of it.
    pub(crate) fn leave_early(&self, at: usize, path: &str, fields: Value) {
        let request = Request::new("id", Write, path).with_fields(fields);
        let vault = Arc::clone(&self.nodes[at]);
        let left = async move {
            let mut asked = Box::pin(vault.handle(request));
            assert!((&mut asked).now_or_never().is_none());
        };
        self.world.run(left).unwrap();
        self.world.settle(1_000);
    }

    /// A token that no policy lets do anything here.
    pub(crate) fn powerless(&self) -> String {
        let made = self.root(0, Write, "auth/token/create", json!({ "policies": ["default"] }));
        made.unwrap().as_str().unwrap().to_owned()
    }

    /// Lets time pass, and no job runs.
    pub(crate) fn sleep(&self, time: Duration) {
        let host = self.world.node();
        self.world.run(async move { host.sleep(time).await }).unwrap();
    }

    /// Lets time pass, and the jobs of a node do their work meanwhile.
    pub(crate) fn pass(&self, at: usize, time: Duration) {
        let (vault, host) = (Arc::clone(&self.nodes[at]), self.world.node());
        let passed = self.world.run(async move { vault.run_jobs(host.sleep(time)).await });
        passed.unwrap();
    }

    /// The last record of an operation: its status.
    pub(crate) fn recorded(&self, operation: &str) -> Vec<String> {
        let found = self.root(0, Read, "audit/records", json!({ "operation": operation })).unwrap();
        let records = found["records"].as_array().unwrap();
        records.iter().map(|record| record["status"].as_str().unwrap().to_owned()).collect()
    }
}

/// The shares in a reply, in hex.
pub(crate) fn keys(reply: &Value) -> Vec<String> {
    serde_json::from_value(reply["keys"].clone()).unwrap()
}

/// A refusal of this kind whose words contain this.
pub(crate) fn refused(answer: Answer, kind: ErrorKind, words: &str) {
    let (is, said) = answer.unwrap_err();
    assert!(is == kind && said.contains(words), "{is:?}: {said}, expected {kind:?}: {words}");
}

/// A root token out of what it was combined into.
pub(crate) fn decode(encoded: &Value, otp: &str) -> String {
    let bytes = STANDARD_NO_PAD.decode(encoded.as_str().unwrap()).unwrap();
    String::from_utf8(bytes.iter().zip(otp.bytes()).map(|(a, b)| a ^ b).collect()).unwrap()
}
