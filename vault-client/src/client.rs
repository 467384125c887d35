//! [`Client`]: sends one request, sorts its answer, and sends again only what cannot have happened.

use crate::{Builder, Error, Reply, builder::header};
use reqwest::{
    StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
};
use secrecy::SecretString;
use serde_json::Value;
use std::{fmt, time::Duration};
use url::Url;

/// Wait before the second attempt where the server names none; it grows with every attempt.
const BACKOFF: Duration = Duration::from_millis(100);
/// Longest `Retry-After` that is obeyed; beyond it the caller is told at once.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(5);

/// What to do to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// List the names below.
    List,
    /// Create or update.
    Put,
    /// The same as `Put`, for the routes of the first seed that know only POST.
    Post,
    /// Merge (RFC 7396).
    Patch,
    /// Remove.
    Delete,
}

impl Method {
    /// Is sending it twice the same as sending it once. A delete is not: another may have written in between.
    fn is_idempotent(self) -> bool {
        matches!(self, Self::Get | Self::List)
    }
}

/// A client of one server, cheap to clone; connections are kept and shared.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<HeaderValue>,
    namespace: Option<String>,
    wrap_ttl: Option<HeaderValue>,
    request_id: Option<String>,
    timeout: Duration,
    attempts: u32,
}

impl Client {
    /// A client without a token.
    ///
    /// # Errors
    /// When the address is not an `http` or `https` URL.
    pub fn new(address: &str) -> Result<Self, Error> {
        Self::builder(address).build()
    }

    /// A client to be set up.
    pub fn builder(address: &str) -> Builder {
        Builder::new(address)
    }

    pub(crate) fn from_parts(
        http: reqwest::Client,
        base: Url,
        token: Option<HeaderValue>,
        namespace: Option<String>,
        (timeout, attempts): (Duration, u32),
    ) -> Self {
        Self { http, base, token, namespace, wrap_ttl: None, request_id: None, timeout, attempts }
    }

    /// The same client with another token, or with none; connections stay shared.
    ///
    /// # Errors
    /// [`Error::Setup`] when the token is not header text.
    pub fn with_token(&self, token: Option<&SecretString>) -> Result<Self, Error> {
        let token = token.map(header).transpose()?;
        Ok(Self { token, ..self.clone() })
    }

    /// The same client, whose answers the server shall wrap, or not.
    pub(crate) fn wrapping(mut self, ttl: Option<HeaderValue>) -> Self {
        self.wrap_ttl = ttl;
        self
    }

    /// The same client, whose answers come bare: for what a command must know before it asks for what is wrapped.
    #[must_use]
    pub fn bare(&self) -> Self {
        self.clone().wrapping(None)
    }

    /// The same client, whose requests carry this id (a UUID) into the server's audit log.
    #[must_use]
    pub fn with_request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }

    /// Scheme, host and port of the server.
    pub fn address(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    /// Reads `v1/<path>`.
    ///
    /// # Errors
    /// Of the transport, or the server's refusal; so for all of the following.
    pub async fn read(&self, path: &str, query: &[(&str, String)]) -> Result<Reply, Error> {
        self.call(Method::Get, path, query, None).await
    }

    /// Lists the names below `v1/<path>`.
    pub async fn list(&self, path: &str) -> Result<Reply, Error> {
        self.call(Method::List, path, &[], None).await
    }

    /// Lists everything below `v1/<path>`, however deep.
    pub async fn scan(&self, path: &str) -> Result<Reply, Error> {
        self.call(Method::Get, path, &[("scan", "true".to_owned())], None).await
    }

    /// Writes to `v1/<path>`.
    pub async fn write(&self, path: &str, body: &Value) -> Result<Reply, Error> {
        self.call(Method::Put, path, &[], Some(body)).await
    }

    /// Merges into `v1/<path>` (RFC 7396).
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Reply, Error> {
        self.call(Method::Patch, path, &[], Some(body)).await
    }

    /// Removes `v1/<path>`.
    pub async fn delete(&self, path: &str) -> Result<Reply, Error> {
        self.call(Method::Delete, path, &[], None).await
    }

    /// Any request to `v1/<path>`.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<Reply, Error> {
        self.send(method, &self.url(&format!("v1/{path}"))?, query, body).await
    }

    /// Sends until an answer stands, and refuses what is not a success.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &Url,
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<Reply, Error> {
        let response = self.open(method, url, query, body).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.map_err(|error| self.transport(error))?;
        let value = parse(&bytes);
        match value {
            _ if !status.is_success() => {
                Err(Error::refused(status, request_id(&headers), value.unwrap_or_default()))
            }
            Some(value) => Ok(Reply::new(value)),
            None => Err(Error::Foreign { address: self.address() }),
        }
    }

    /// Sends until an answer's head stands, whatever it says.
    async fn open(
        &self,
        method: Method,
        url: &Url,
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<reqwest::Response, Error> {
        let mut attempt = 1;
        loop {
            let request = self.request(method, url.clone(), query, body);
            let sent = request.send().await.map_err(|error| self.transport(error));
            match again_after(&sent, method.is_idempotent(), attempt).filter(|_| attempt < self.attempts) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return sent,
            }
            attempt += 1;
        }
    }

    fn request(
        &self,
        method: Method,
        mut url: Url,
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> reqwest::RequestBuilder {
        let (verb, media) = match method {
            Method::Get | Method::List => (reqwest::Method::GET, ""),
            Method::Put => (reqwest::Method::PUT, "application/json"),
            Method::Post => (reqwest::Method::POST, "application/json"),
            Method::Patch => (reqwest::Method::PATCH, "application/merge-patch+json"),
            Method::Delete => (reqwest::Method::DELETE, "application/json"),
        };
        if method == Method::List {
            url.query_pairs_mut().append_pair("list", "true");
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.request(verb, url).headers(self.headers()).timeout(self.timeout);
        match body {
            Some(body) => request.header(CONTENT_TYPE, media).body(body.to_string()),
            None => request,
        }
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-vault-request", HeaderValue::from_static("true"));
        if let Some(token) = &self.token {
            headers.insert("x-vault-token", token.clone());
        }
        if let Some(ttl) = &self.wrap_ttl {
            headers.insert("x-vault-wrap-ttl", ttl.clone());
        }
        let texts = [("x-vault-namespace", &self.namespace), ("x-request-id", &self.request_id)];
        for (name, text) in texts {
            if let Some(value) = text.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
                headers.insert(name, value);
            }
        }
        headers
    }

    /// The URL of a path; segments are percent-encoded, `/` separates them.
    pub(crate) fn url(&self, path: &str) -> Result<Url, Error> {
        let mut url = self.base.clone();
        let dots = |part: &str| part == "." || part == "..";
        if path.split('/').any(dots) {
            return Err(Error::Setup(format!("{path:?} may not contain '.' or '..' as a segment")));
        }
        url.path_segments_mut()
            .map_err(|()| Error::Setup("the address cannot have a path".into()))?
            .pop_if_empty()
            .extend(path.split('/'));
        Ok(url)
    }

    /// A request whose body or answer may take as long as it likes.
    pub(crate) fn long(&self, method: reqwest::Method, path: &str) -> Result<reqwest::RequestBuilder, Error> {
        Ok(self.http.request(method, self.url(path)?).headers(self.headers()))
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn transport(&self, error: reqwest::Error) -> Error {
        Error::transport(&self.address(), error)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("address", &self.address()).finish_non_exhaustive()
    }
}

/// How long to wait before sending again; `None` = this is the answer. What may have happened is asked for again only
/// where twice is the same as once.
fn again_after(sent: &Result<reqwest::Response, Error>, idempotent: bool, attempt: u32) -> Option<Duration> {
    let backoff = BACKOFF * attempt;
    match sent {
        Err(Error::Connect { .. }) => Some(backoff),
        Err(Error::Broken { .. }) if idempotent => Some(backoff),
        Ok(response) => match response.status() {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
                Some(Duration::from_secs(seconds)).filter(|wait| *wait <= RETRY_AFTER_MAX)
            }
            // Something between us and the server answers for it.
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT if idempotent => Some(backoff),
            _ => None,
        },
        Err(_) => None,
    }
}

/// An empty body is `null`: Vault's 204.
pub(crate) fn parse(bytes: &[u8]) -> Option<Value> {
    if bytes.is_empty() { Some(Value::Null) } else { serde_json::from_slice(bytes).ok() }
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    headers.get("x-request-id").and_then(|value| value.to_str().ok()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_encoded_by_segment() {
        let check = |base: &str, path: &str, expect: &str| {
            let client = Client::new(base).unwrap();
            assert_eq!(client.url(path).unwrap().as_str(), expect);
        };
        check("http://h:1", "v1/secret/data/app", "http://h:1/v1/secret/data/app");
        check("http://h:1/", "v1/a b/c?d#e%", "http://h:1/v1/a%20b/c%3Fd%23e%25");
        check("http://h:1/prefix/", "v1/ü/", "http://h:1/prefix/v1/%C3%BC/");
        assert!(Client::new("http://h").unwrap().url("v1/a/../b").is_err());
    }

    #[tokio::test]
    async fn a_refused_connection_is_told_after_three_attempts() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error =
            Client::new(&format!("http://{free}")).unwrap().read("sys/health", &[]).await.unwrap_err();
        assert!(matches!(error, Error::Connect { .. }), "{error:?}");
    }

    /// Answers one connection after the other with these texts, and says how many came.
    async fn fake(answers: &'static [&'static str]) -> (String, tokio::task::JoinHandle<usize>) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            for (count, answer) in answers.iter().enumerate() {
                let Ok((mut stream, _)) = listener.accept().await else { return count };
                let mut head = vec![0; 4_096];
                let read = stream.read(&mut head).await.unwrap();
                assert!(String::from_utf8_lossy(&head[..read]).contains("x-vault-request: true"));
                let length = answer.rsplit("\r\n").next().unwrap_or_default().len();
                let whole = answer.replacen(
                    "\r\n",
                    &format!("\r\ncontent-length: {length}\r\nconnection: close\r\n"),
                    1,
                );
                stream.write_all(whole.as_bytes()).await.unwrap();
            }
            answers.len()
        });
        (address, serving)
    }

    #[tokio::test]
    async fn a_503_is_sent_again_only_when_the_server_says_when() {
        const SOON: &str = "HTTP/1.1 503 x\r\nretry-after: 0\r\n\r\n{\"errors\":[\"busy\"]}";
        const SEALED: &str = "HTTP/1.1 503 x\r\n\r\n{\"errors\":[\"Vault is sealed\"]}";
        const GOOD: &str = "HTTP/1.1 200 x\r\n\r\n{\"data\":{\"a\":1}}";
        let (address, serving) = fake(&[SOON, SOON, GOOD]).await;
        let reply = Client::new(&address).unwrap().read("x", &[]).await.unwrap();
        assert_eq!((reply.data()["a"].as_u64(), serving.await.unwrap()), (Some(1), 3));
        let (address, _) = fake(&[SOON, SOON, SOON, GOOD]).await;
        let error = Client::new(&address).unwrap().read("x", &[]).await.unwrap_err();
        assert_eq!(error.kind(), Some(crate::Kind::Unavailable), "three attempts, no more");
        let (address, _) = fake(&[SEALED, GOOD]).await;
        let error = Client::new(&address).unwrap().read("x", &[]).await.unwrap_err();
        assert_eq!(error.kind(), Some(crate::Kind::Sealed), "sealed is an answer");
    }

    #[tokio::test]
    async fn what_may_have_happened_is_read_again_and_not_written_again() {
        const CUT: &str = "HTTP/1.1 200 x";
        const GATEWAY: &str = "HTTP/1.1 502 x\r\n\r\n";
        const BUSY: &str = "HTTP/1.1 429 x\r\nretry-after: 0\r\n\r\n{\"errors\":[]}";
        const LATER: &str = "HTTP/1.1 429 x\r\nretry-after: 60\r\n\r\n{\"errors\":[]}";
        const GOOD: &str = "HTTP/1.1 200 x\r\n\r\n{\"data\":{\"a\":1}}";
        // Whoever asks once more than there are answers finds nobody: that is another error.
        let check = async |method: Method, answers: &'static [&'static str], expect: &str| {
            let (address, serving) = fake(answers).await;
            let client = Client::builder(&address).attempts(4).build().unwrap();
            let answer = format!("{:?}", client.call(method, "x", &[], None).await);
            assert!(answer.starts_with(expect), "{method:?} {answers:?}: {answer:?}");
            assert_eq!(serving.await.unwrap(), answers.len());
        };
        check(Method::Get, &[CUT, GATEWAY, BUSY, GOOD], "Ok").await;
        check(Method::List, &[CUT, CUT, GOOD], "Ok").await;
        check(Method::Put, &[BUSY, GOOD], "Ok").await;
        check(Method::Put, &[CUT], "Err(Broken").await;
        check(Method::Put, &[GATEWAY], "Err(Refused").await;
        check(Method::Delete, &[CUT], "Err(Broken").await;
        check(Method::Get, &[LATER], "Err(Refused").await;
        check(Method::Get, &[CUT, CUT, CUT, CUT], "Err(Broken").await;
    }

    #[tokio::test]
    async fn redirects_are_not_followed_and_strangers_are_told_apart() {
        let (address, _) = fake(&["HTTP/1.1 307 x\r\nlocation: http://127.0.0.1:1/\r\n\r\n"]).await;
        let error = Client::builder(&address).token("t").build().unwrap().read("x", &[]).await.unwrap_err();
        assert_eq!(error.kind(), Some(crate::Kind::Unexpected));
        let (address, _) = fake(&["HTTP/1.1 200 x\r\n\r\n<html>"]).await;
        let error = Client::new(&address).unwrap().read("x", &[]).await.unwrap_err();
        assert!(matches!(error, Error::Foreign { .. }), "{error:?}");
    }
}
