//! [`Fleet`]: several real servers over one database, each unsealing itself, and a root token for them.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use reqwest::{Client, Method, StatusCode};
use secrethub_testkit::{Server, Settings};
use serde_json::{Value, json};
use std::{fs, path::Path, time::Duration};
use tempfile::TempDir;

/// The key of every fleet: what a test's vault holds is no secret.
const MASTER_KEY: &str = "a key of thirty-two bytes, fixed";

/// Servers over one database.
#[derive(Debug)]
pub struct Fleet {
    /// Each in a folder of its own.
    pub servers: Vec<Server>,
    _folder: TempDir,
    store: String,
}

impl Fleet {
    /// Starts so many servers on a database that is empty; the first of them makes the vault.
    ///
    /// # Panics
    /// When one does not start.
    #[must_use]
    pub fn start(store: &str, count: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let servers = (0..count).map(|at| start(&folder.path().join(at.to_string()), store));
        Self { servers: servers.collect(), store: store.to_owned(), _folder: folder }
    }

    /// Where they answer. It stays the same over a restart.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.servers.iter().map(|server| server.url("")).collect()
    }

    /// The database, as `--store` takes it.
    #[must_use]
    pub fn store(&self) -> &str {
        &self.store
    }

    /// A caller with a root token, which is made on the way.
    ///
    /// # Panics
    /// When none is made.
    pub async fn root(&self) -> Caller {
        let nobody = Caller::new("");
        let url = self.servers[0].url("");
        let put = async |path: &str, body: Value| {
            let answer = nobody.ask(&url, Method::PUT, path, Some(&body)).await.expect("an answer");
            assert_eq!(answer.0, StatusCode::OK, "{path}: {}", answer.1);
            answer.1
        };
        let begun = put("sys/generate-root/attempt", json!({})).await;
        let share = json!({"key": base64::engine::general_purpose::STANDARD.encode(MASTER_KEY), "nonce": begun["nonce"]});
        let done = put("sys/generate-root/update", share).await;
        let encoded =
            STANDARD_NO_PAD.decode(text(&done, "/encoded_token").trim_end_matches('=')).expect("base64");
        let pairs = encoded.iter().zip(text(&begun, "/otp").bytes().collect::<Vec<u8>>());
        let token = String::from_utf8(pairs.map(|(a, b)| a ^ b).collect()).expect("a token");
        nobody.with_token(&token)
    }
}

fn start(folder: &Path, store: &str) -> Server {
    fs::create_dir(folder).expect("a folder of its own");
    let key = folder.join("master.key");
    fs::write(&key, MASTER_KEY).expect("a file in it");
    let env = [
        ("MASTER_KEY_FILE", key.to_str().expect("a path in UTF-8")),
        // Who has no token yet makes one.
        ("SECRETHUB_UNAUTHENTICATED_CEREMONIES", "true"),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Server::start(folder, Settings { store: Some(store.to_owned()), env, ..Settings::default() })
}

/// Who asks servers with a token.
#[derive(Clone, Debug)]
pub struct Caller {
    client: Client,
    token: String,
}

impl Caller {
    /// A caller that waits half a minute for an answer.
    ///
    /// # Panics
    /// Without what a client needs of its system.
    #[must_use]
    pub fn new(token: &str) -> Self {
        let client = Client::builder().timeout(Duration::from_secs(30)).no_proxy().build();
        Self { client: client.expect("a client"), token: token.to_owned() }
    }

    /// The same with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { client: self.client.clone(), token: token.to_owned() }
    }

    /// The token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Asks a server, and answers what it said.
    ///
    /// # Errors
    /// When there was no answer.
    pub async fn ask(
        &self,
        server: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> reqwest::Result<(StatusCode, Value)> {
        let mut request = self.client.request(method, format!("{server}/v1/{path}"));
        if !self.token.is_empty() {
            request = request.header("X-Vault-Token", &self.token);
        }
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let answer = request.send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    /// The same of a server that must do it.
    ///
    /// # Panics
    /// When it does not.
    pub async fn done(&self, server: &str, method: Method, path: &str, body: Value) -> Value {
        let body = Some(body).filter(|body| !body.is_null());
        let answer = self.ask(server, method, path, body.as_ref()).await;
        let (status, answer) = answer.unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }
}

/// A text in an answer.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn text(value: &Value, pointer: &str) -> String {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no {pointer} in {value}")).to_owned()
}
