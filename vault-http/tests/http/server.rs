//! Real sockets: protocols, TLS and its reload, slow and huge clients, too many of them, and the drain.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use crate::fake_door::Fake;
use secrethub_http::{Limits, Listening, Pem, Server, Settings, Tls, bind, router};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Far longer than anything here takes: what does not end by then hangs.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Running {
    server: Server,
    pub(crate) door: Arc<Fake>,
    pub(crate) address: SocketAddr,
}

async fn start(limits: Limits, tls: Option<Arc<Tls>>) -> Running {
    let settings = Settings { limits, ..Settings::default() };
    start_with(settings, Listening { tls, ..Listening::default() }).await
}

pub(crate) async fn start_with(settings: Settings, listening: Listening) -> Running {
    let door = Arc::new(Fake::default());
    let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::new(settings.limits.clone());
    server.serve(listener, listening, router(Arc::clone(&door) as Arc<_>, settings));
    Running { server, door, address }
}

/// Sends bytes as they are and reads until the server ends the connection.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is an end, too.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the server ends the connection");
    String::from_utf8_lossy(&answer).into_owned()
}

fn short() -> Limits {
    // Short for a test, and long enough for a busy machine to bring a whole request through.
    let quick = Duration::from_secs(1);
    Limits { head_timeout: quick, body_timeout: quick, idle_timeout: quick * 2, ..Limits::default() }
}

#[tokio::test]
async fn slow_clients_are_ended() {
    let running = start(short(), None).await;
    let check = async |bytes: &str, answer: &str| {
        let have = exchange(running.address, bytes.as_bytes()).await;
        assert!(have.starts_with(answer), "{bytes:?}: {have:?}");
    };
    check("", "").await;
    check("P", "").await;
    check("PRI * HTTP/2.0\r\n", "").await;
    check("GET /v1/a HTTP/1.1\r\nHost: a\r\n", "").await;
    check("GET /v1/a HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200").await;
    let slow_body = "POST /v1/a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{";
    check(slow_body, "HTTP/1.1 400").await;
    let paths: Vec<String> = running.door.seen.lock().unwrap().iter().map(|seen| seen.path.clone()).collect();
    assert_eq!(paths, ["a"], "only the whole request reached the door");
}

#[tokio::test]
async fn huge_heads_are_refused() {
    let running = start(Limits { head_bytes: 8_192, headers: 10, ..short() }, None).await;
    let check = async |headers: &str, code: &str| {
        let have = exchange(running.address, format!("GET /v1/a HTTP/1.1\r\n{headers}\r\n").as_bytes()).await;
        assert!(have.starts_with(&format!("HTTP/1.1 {code}")), "{have:?}");
    };
    check("Host: a\r\nConnection: close\r\n", "200").await;
    check(&format!("Host: a\r\nX: {}\r\n", "x".repeat(10_000)), "431").await;
    check(&"X: y\r\n".repeat(11), "431").await;
}

#[tokio::test]
async fn a_stated_length_beyond_the_limit_is_refused_at_once() {
    let running = start(short(), None).await;
    let head = "POST /v1/a HTTP/1.1\r\nHost: a\r\nContent-Length: 33554433\r\n\r\n";
    let have = exchange(running.address, head.as_bytes()).await;
    assert!(have.starts_with("HTTP/1.1 413") && have.contains("http: request body too large"), "{have:?}");
}

#[tokio::test]
async fn who_finds_no_place_waits_for_one() {
    let running = start(Limits { connections: 1, ..Limits::default() }, None).await;
    let request = b"GET /v1/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let first = TcpStream::connect(running.address).await.unwrap();
    let waiting = tokio::spawn(exchange(running.address, request));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waiting.is_finished());
    drop(first);
    assert!(waiting.await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn head_has_no_body() {
    let running = start(short(), None).await;
    let have =
        exchange(running.address, b"HEAD /v1/sys/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .await;
    assert!(have.starts_with("HTTP/1.1 503") && have.ends_with("\r\n\r\n"), "{have:?}");
}

#[tokio::test]
async fn a_client_that_leaves_does_not_cancel_its_request() {
    let running = start(Limits::default(), None).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"GET /v1/slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    while running.door.seen.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(stream);
    timeout(PATIENCE, async {
        while Arc::strong_count(&running.door) > 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the request's task ends by itself");
}

#[tokio::test]
async fn a_drain_lets_requests_end_and_takes_no_more() {
    let running = start(Limits::default(), None).await;
    let _idle = TcpStream::connect(running.address).await.unwrap();
    let request = b"GET /v1/slow HTTP/1.1\r\nHost: a\r\n\r\n";
    let inside = tokio::spawn(exchange(running.address, request));
    while running.door.seen.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(timeout(PATIENCE, running.server.drain(PATIENCE)).await.unwrap(), "all end by themselves");
    assert!(inside.await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(TcpStream::connect(running.address).await.is_err(), "nobody listens");
}

#[tokio::test]
async fn a_drain_cuts_what_does_not_end() {
    let running = start(Limits::default(), None).await;
    let mut stuck = TcpStream::connect(running.address).await.unwrap();
    stuck.write_all(b"GET /v1/stuck HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    while running.door.seen.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!timeout(PATIENCE, running.server.drain(Duration::from_millis(50))).await.unwrap());
}

fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn pem<'p>(chain: &'p str, key: &'p str) -> Pem<'p> {
    Pem { chain: chain.as_bytes(), key: key.as_bytes(), client_ca: None }
}

/// A client that trusts one certificate and opens a fresh connection.
async fn over_tls(
    address: SocketAddr,
    trusted: &str,
    http1: bool,
) -> Result<(u16, http::Version), reqwest::Error> {
    let certificate = reqwest::Certificate::from_pem(trusted.as_bytes())?;
    let client =
        reqwest::Client::builder().tls_certs_only([certificate]).resolve("localhost", address).no_proxy();
    let client = if http1 { client.http1_only() } else { client }.build()?;
    let response = client.get(format!("https://localhost:{}/v1/a", address.port())).send().await?;
    Ok((response.status().as_u16(), response.version()))
}

#[tokio::test]
async fn tls_speaks_both_protocols_and_reloads_its_certificate() {
    let ((old, old_key), (new, new_key)) = (certificate(), certificate());
    let tls = Arc::new(Tls::from_pem(pem(&old, &old_key)).unwrap());
    let running = start(Limits::default(), Some(Arc::clone(&tls))).await;
    assert_eq!(over_tls(running.address, &old, false).await.unwrap(), (200, http::Version::HTTP_2));
    assert_eq!(over_tls(running.address, &old, true).await.unwrap(), (200, http::Version::HTTP_11));
    assert!(over_tls(running.address, &new, true).await.is_err());
    tls.replace(pem(&new, &new_key)).unwrap();
    assert_eq!(over_tls(running.address, &new, true).await.unwrap().0, 200);
    assert!(over_tls(running.address, &old, true).await.is_err());
}

#[tokio::test]
async fn plain_bytes_at_a_tls_port_are_no_request() {
    let (chain, key) = certificate();
    let tls = Arc::new(Tls::from_pem(pem(&chain, &key)).unwrap());
    let running =
        start(Limits { handshake_timeout: Duration::from_millis(100), ..Limits::default() }, Some(tls)).await;
    for bytes in ["", "GET /v1/a HTTP/1.1\r\nHost: a\r\n\r\n"] {
        assert!(!exchange(running.address, bytes.as_bytes()).await.contains("HTTP"));
    }
    assert!(running.door.seen.lock().unwrap().is_empty());
}
