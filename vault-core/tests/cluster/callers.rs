//! What callers ask of the door, and what they hold it to.

use secrethub_core::{Error, ErrorKind, Operation, Reply, Request, Vault, host::Host, testing::SimHost};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex},
};

/// A write that was acknowledged: path, version, content.
pub(crate) type Ack = (String, u64, String);

/// What callers were told, and what was wrong with it.
#[derive(Debug, Default)]
pub(crate) struct Log {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// Ids of the requests that were answered by an unsealed vault.
    replies: Vec<String>,
    acks: Vec<Ack>,
    /// Highest acknowledged version of each path.
    newest: BTreeMap<String, u64>,
    /// Tokens that were handed out, and whether their revocation was acknowledged.
    tokens: BTreeMap<String, bool>,
    /// Accessors of the tokens whose revocation was acknowledged.
    dead: HashSet<String>,
    accessors: BTreeMap<String, String>,
    reads: usize,
    uses: usize,
    refused: usize,
    breach: Option<String>,
}

impl Log {
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap())
    }

    pub(crate) fn breach(&self) -> Option<String> {
        self.with(|state| state.breach.clone())
    }

    pub(crate) fn accuse(&self, what: String) {
        self.with(|state| state.breach.get_or_insert(what).len());
    }

    pub(crate) fn make_id(&self) -> String {
        self.with(|state| {
            state.next += 1;
            format!("request-{}", state.next)
        })
    }

    pub(crate) fn acks(&self) -> Vec<Ack> {
        self.with(|state| state.acks.clone())
    }

    pub(crate) fn replies(&self) -> Vec<String> {
        self.with(|state| state.replies.clone())
    }

    /// Some token that was handed out.
    pub(crate) fn token(&self, nth: usize) -> Option<String> {
        self.with(|state| state.tokens.keys().nth(nth.checked_rem(state.tokens.len())?).cloned())
    }

    /// Accessors of tokens that can have no effect any more.
    pub(crate) fn dead(&self) -> HashSet<String> {
        self.with(|state| state.dead.clone())
    }

    pub(crate) fn counts(&self) -> [usize; 5] {
        self.with(|state| [state.replies.len(), state.acks.len(), state.reads, state.uses, state.refused])
    }
}

/// A caller on one node, with the token it uses.
pub(crate) struct Caller {
    pub(crate) vault: Arc<Vault>,
    pub(crate) log: Arc<Log>,
    pub(crate) token: String,
}

impl Caller {
    async fn ask(&self, operation: Operation, path: &str, fields: Value) -> Result<Reply, Error> {
        let id = self.log.make_id();
        let request = Request::new(id.clone(), operation, path).with_token(&self.token).with_fields(fields);
        let answer = self.vault.handle(request).await;
        // What an unsealed vault says with authority is on record; "try again" and "sealed" need not be.
        let kind = answer.as_ref().err().map(Error::kind);
        if !matches!(kind, Some(ErrorKind::Unavailable | ErrorKind::Sealed | ErrorKind::Internal)) {
            self.log.with(|state| state.replies.push(id));
        }
        if let Some(ErrorKind::Internal) = kind {
            self.log.accuse(format!("{path}: {:?}", answer.as_ref().err()));
        }
        answer
    }

    /// Writes a new version.
    pub(crate) async fn write(self, path: String) {
        let content = self.log.make_id();
        let fields = json!({ "data": { "content": content } });
        if let Ok(reply) = self.ask(Operation::Write, &path, fields).await {
            let version = reply.to_value()["version"].as_u64().unwrap();
            self.log.with(|state| {
                state.acks.push((path.clone(), version, content));
                let newest = state.newest.entry(path).or_default();
                *newest = version.max(*newest);
            });
        }
    }

    /// Reads the newest version: never older than what was acknowledged before the read began.
    pub(crate) async fn read(self, path: String) {
        let floor = self.log.with(|state| state.newest.get(&path).copied().unwrap_or(0));
        let found = match self.ask(Operation::Read, &path, json!({})).await {
            Ok(reply) => reply.to_value()["metadata"]["version"].as_u64().unwrap(),
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            Err(_) => return,
        };
        self.log.with(|state| state.reads += 1);
        if found < floor {
            self.log.accuse(format!("{path}: read version {found} after {floor} was acknowledged"));
        }
    }

    /// Hands out a token.
    pub(crate) async fn create_token(self) {
        let fields = json!({ "policies": ["root"], "ttl": "24h" });
        if let Ok(reply) = self.ask(Operation::Write, "auth/token/create", fields).await {
            let auth = reply.auth.unwrap();
            // EXPOSE: the test plays the client.
            let token = auth.client_token.expose().clone();
            self.log.with(|state| {
                state.accessors.insert(token.clone(), auth.accessor);
                state.tokens.insert(token, false);
            });
        }
    }

    /// Revokes a token. From the reply on it is dead.
    pub(crate) async fn revoke(self, token: String) {
        let fields = json!({ "token": token });
        if self.ask(Operation::Write, "auth/token/revoke", fields).await.is_ok() {
            self.log.with(|state| {
                state.dead.extend(state.accessors.get(&token).cloned());
                state.tokens.insert(token, true);
            });
        }
    }

    /// Uses its token for a change.
    pub(crate) async fn use_token(self, path: String) {
        let token = self.token.clone();
        let dead = self.log.with(|state| state.tokens.get(&token).copied().unwrap_or(false));
        let fields = json!({ "data": { "by": "token" } });
        match self.ask(Operation::Write, &path, fields).await {
            Ok(_) if dead => self.log.accuse("a revoked token was used".to_owned()),
            Ok(_) => self.log.with(|state| state.uses += 1),
            Err(error) if dead && error.kind() == ErrorKind::Unauthenticated => {
                self.log.with(|state| state.refused += 1);
            }
            Err(_) => {}
        }
    }
}

/// Runs a caller on a host of its own.
pub(crate) fn spawn(host: &SimHost, work: impl Future<Output = ()> + Send + 'static) {
    host.spawn("caller", Box::pin(work));
}
