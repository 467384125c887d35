//! The server as its users see it: a vault behind HTTP.

use super::ledger::Write;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::{collections::BTreeMap, process::Command, sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// Readers at a time.
const READERS: usize = 64;

/// A vault with one share, and its root token.
pub(crate) struct Vault {
    client: Client,
    url: String,
    share: String,
    token: String,
}

/// How a write ended.
pub(crate) enum Answer {
    /// It was acknowledged, as this version, in the reply to this request.
    Written { version: u64, request_id: String },
    /// There was no server, or a sealed one: nothing was sent, or it was refused.
    Refused,
    /// It was sent and never answered.
    Unanswered,
}

impl Vault {
    /// Initialises and unseals the server at `url`.
    pub(crate) async fn init(url: &str) -> Self {
        let client = Client::builder().timeout(Duration::from_secs(30)).build().expect("a client");
        let mut vault = Self { client, url: url.to_owned(), share: String::new(), token: String::new() };
        let body = json!({"secret_shares": 1, "secret_threshold": 1});
        let (status, born) = vault.ask(Method::PUT, "sys/init", Some(&body)).await.expect("init is answered");
        assert_eq!(status, StatusCode::OK, "{born}");
        vault.share = text(&born, "/keys_base64/0");
        vault.token = text(&born, "/root_token");
        vault.unseal().await;
        vault
    }

    pub(crate) async fn unseal(&self) {
        let body = json!({"key": self.share});
        let (status, state) =
            self.ask(Method::PUT, "sys/unseal", Some(&body)).await.expect("unseal is answered");
        assert_eq!((status, &state["sealed"]), (StatusCode::OK, &json!(false)), "{state}");
    }

    /// Writes a version.
    pub(crate) async fn write(&self, path: &str, value: &str) -> Answer {
        let body = json!({"data": {"value": value}});
        let (status, answer) = match self.ask(Method::POST, &format!("secret/data/{path}"), Some(&body)).await
        {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => return Answer::Refused,
            Err(_) => return Answer::Unanswered,
        };
        if status == StatusCode::SERVICE_UNAVAILABLE {
            return Answer::Refused;
        }
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        let version = answer["data"]["version"].as_u64().expect("a version");
        Answer::Written { version, request_id: text(&answer, "/request_id") }
    }

    /// Every acknowledged version is there, with its value. Many ask at once, because every read waits for its record.
    pub(crate) async fn check_all_values(self: &Arc<Self>, writes: &[Write]) {
        let mut readers = JoinSet::new();
        for part in writes.chunks(writes.len().div_ceil(READERS)) {
            let (vault, part) = (self.clone(), part.to_owned());
            readers.spawn(async move { vault.check_values(&part).await });
        }
        readers.join_all().await;
    }

    async fn check_values(&self, writes: &[Write]) {
        for write in writes {
            let path = format!("secret/data/{}?version={}", write.path, write.version);
            let (status, answer) = self.ask(Method::GET, &path, None).await.expect("a read is answered");
            assert_eq!(status, StatusCode::OK, "{path} was acknowledged and is gone: {answer}");
            assert_eq!(text(&answer, "/data/data/value"), write.value, "{path}");
        }
    }

    /// The current version of every secret: never below what was acknowledged.
    pub(crate) async fn check_heads(&self, secrets: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
        let mut heads = BTreeMap::new();
        for (path, acknowledged) in secrets {
            let asked = self.ask(Method::GET, &format!("secret/metadata/{path}"), None).await;
            let (_, answer) = asked.expect("a read is answered");
            let head = answer["data"]["current_version"].as_u64().unwrap_or(0);
            assert!(head >= *acknowledged, "{path} is at {head}, {acknowledged} was acknowledged");
            heads.insert(path.clone(), head);
        }
        heads
    }

    /// `secrethub audit verify`.
    pub(crate) fn check_chain(&self) {
        let mut verify = Command::new(secrethub_testkit::server::binary());
        verify.args(["audit", "verify"]).env("SECRETHUB_ADDR", &self.url).env("SECRETHUB_TOKEN", &self.token);
        let verify = verify.output().expect("the binary runs");
        let said =
            format!("{}{}", String::from_utf8_lossy(&verify.stdout), String::from_utf8_lossy(&verify.stderr));
        assert!(verify.status.success(), "audit verify: {said}");
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> reqwest::Result<(StatusCode, Value)> {
        let mut request = self.client.request(method, format!("{}/v1/{path}", self.url));
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
}

fn text(value: &Value, pointer: &str) -> String {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no {pointer} in the answer")).to_owned()
}
