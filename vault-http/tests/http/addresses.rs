//! Whose address it is: forwarded headers, PROXY headers, clients' certificates; and what a lie about it does not win
//! (both seeds believe `X-Forwarded-For` from anybody).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use crate::{
    fake_door::{call, fake, peer},
    server::{Running, exchange, start_with},
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use secrethub_http::{
    ClientCa, ForwardedHeader, Limits, Listening, Pem, Proxies, Settings, Tls, limits::Rate,
};
use std::{net::SocketAddr, sync::Arc};

fn behind(trusted: &str, header: ForwardedHeader) -> Proxies {
    Proxies { trusted: vec![trusted.parse().unwrap()], header }
}

/// The address under which the core sees a request, and the code of the answer.
async fn seen_as(proxies: Proxies, from: &str, uri: &str, headers: &[(&str, &str)]) -> (u16, Option<String>) {
    let (door, router) = fake(Settings { proxies, secret_manager_api: true, ..Settings::default() });
    let router = router.layer(axum::Extension(peer(from)));
    let method = if uri.starts_with("/vault") { "POST" } else { "GET" };
    let got = call(&router, method, uri, headers, r#"{"secret":"aGk="}"#).await;
    let seen = door.seen.lock().unwrap().pop().map(|seen| seen.address.unwrap().to_string());
    (got.code, seen)
}

#[tokio::test]
async fn every_interface_sees_the_same_client() {
    let proxies = || behind("10.0.0.0/8", ForwardedHeader::XForwardedFor);
    for uri in ["/v1/a", "/metrics", "/vault/secret/create/"] {
        let told = [("x-forwarded-for", "6.6.6.6, 192.0.2.7")];
        let (_, seen) = seen_as(proxies(), "10.0.0.1:80", uri, &told).await;
        assert_eq!(seen.as_deref(), Some("192.0.2.7"), "{uri}");
        let (code, seen) = seen_as(proxies(), "10.0.0.1:80", uri, &[]).await;
        assert_eq!((code, seen), (400, None), "{uri}");
    }
    for probe in ["/v1/sys/health", "/v1/sys/health/ready", "/v1/sys/health/live", "/health"] {
        let (_, seen) = seen_as(proxies(), "10.0.0.1:80", probe, &[]).await;
        assert_eq!(seen.as_deref(), Some("10.0.0.1"), "{probe}");
    }
    // Only what is asked of health as it is written, not what comes to the same after decoding.
    assert_eq!(seen_as(proxies(), "10.0.0.1:80", "/v1/sys/%68ealth", &[]).await, (400, None));
}

#[tokio::test]
async fn a_spoofed_address_wins_no_new_bucket() {
    let check = async |proxies: Proxies, from: &str, forwarded: fn(usize) -> String| {
        let limits = Limits { refusals: Rate { per_second: 1, burst: 2 }, ..Limits::default() };
        let (_, router) = fake(Settings { limits, proxies, ..Settings::default() });
        let router = router.layer(axum::Extension(peer(from)));
        for n in 0..10 {
            let claim = forwarded(n);
            let headers =
                [("x-forwarded-for", &*claim), ("x-real-ip", "6.6.6.6"), ("forwarded", "for=6.6.6.6")];
            let code = call(&router, "GET", "/v1/stranger", &headers, "").await.code;
            assert_eq!(code, if n < 2 { 403 } else { 429 }, "{from} {n}");
        }
    };
    let trusting = || behind("10.0.0.0/8", ForwardedHeader::XForwardedFor);
    check(Proxies::default(), "192.0.2.1:5", |n| format!("6.6.6.{n}")).await;
    check(trusting(), "192.0.2.1:5", |n| format!("6.6.6.{n}")).await;
    // What a client sends through a trusted proxy stands left of what the proxy adds.
    check(trusting(), "10.0.0.1:5", |n| format!("6.6.6.{n}, 192.0.2.1")).await;
}

#[tokio::test]
async fn a_spoofed_address_reaches_no_decision() {
    // What a token or a policy is bound to is compared with this address and no other.
    let claims = [("x-forwarded-for", "10.0.0.1"), ("x-real-ip", "10.0.0.1"), ("forwarded", "for=10.0.0.1")];
    for proxies in [Proxies::default(), behind("10.0.0.0/8", ForwardedHeader::Forwarded)] {
        let (_, seen) = seen_as(proxies, "192.0.2.1:5", "/v1/a", &claims).await;
        assert_eq!(seen.as_deref(), Some("192.0.2.1"));
    }
}

async fn proxied(trusted: &str, header_trust: &str) -> Running {
    let proxies = behind(header_trust, ForwardedHeader::XForwardedFor);
    let listening = Listening { proxies: [trusted.parse().unwrap()].into(), ..Listening::default() };
    start_with(Settings { proxies, ..Settings::default() }, listening).await
}

#[tokio::test]
async fn a_proxy_header_tells_of_the_client() {
    let local = [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[0x20, 0, 0, 0]].concat();
    let check = async |trusted: &str, opening: &[u8], headers: &str, expect: Option<&str>| {
        let running = proxied(trusted, "127.0.0.0/8").await;
        let request = format!("GET /v1/a HTTP/1.1\r\nHost: a\r\n{headers}Connection: close\r\n\r\n");
        let answer = exchange(running.address, &[opening, request.as_bytes()].concat()).await;
        let seen = running.door.seen.lock().unwrap().pop().map(|seen| seen.address.unwrap().to_string());
        assert_eq!(seen.as_deref(), expect, "{answer}");
        assert_eq!(answer.starts_with("HTTP/1.1 200"), expect.is_some(), "{answer}");
    };
    let line = b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 8200\r\n";
    check("127.0.0.0/8", line, "", Some("192.0.2.7")).await;
    // A client that a proxy tells of is no proxy: its headers are claims.
    check("127.0.0.0/8", line, "X-Forwarded-For: 6.6.6.6\r\n", Some("192.0.2.7")).await;
    // One that is a proxy itself is believed.
    check(
        "127.0.0.0/8",
        b"PROXY TCP4 127.0.0.9 127.0.0.1 1 2\r\n",
        "X-Forwarded-For: 6.6.6.6\r\n",
        Some("6.6.6.6"),
    )
    .await;
    check("127.0.0.0/8", &local, "X-Forwarded-For: 6.6.6.6\r\n", Some("127.0.0.1")).await;
    check("127.0.0.0/8", b"", "", None).await;
    check("127.0.0.0/8", b"PROXY UNKNOWN\r\n", "", None).await;
    // Who is no proxy is not heard.
    check("192.0.2.0/24", line, "", None).await;
    check("192.0.2.0/24", b"", "X-Forwarded-For: 6.6.6.6\r\n", Some("6.6.6.6")).await;
}

/// An authority, and what it issues.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn make() -> Self {
        let (mut params, key) = (CertificateParams::new(Vec::new()).unwrap(), KeyPair::generate().unwrap());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate and its key, as PEM.
    fn issue(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// Was the client served, and did the core hear of a certificate.
async fn served(
    running: &Running,
    ca: &str,
    shown: Option<&(String, String)>,
    headers: &[(&str, &str)],
) -> Option<bool> {
    let address: SocketAddr = running.address;
    let trusted = reqwest::Certificate::from_pem(ca.as_bytes()).unwrap();
    let mut client =
        reqwest::Client::builder().tls_certs_only([trusted]).resolve("localhost", address).no_proxy();
    if let Some((chain, key)) = shown {
        client = client.identity(reqwest::Identity::from_pem(format!("{chain}{key}").as_bytes()).unwrap());
    }
    let mut request = client.build().unwrap().get(format!("https://localhost:{}/v1/a", address.port()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let code = request.send().await.ok()?.status().as_u16();
    let seen = running.door.seen.lock().unwrap().pop()?;
    assert_eq!(code, 200);
    Some(seen.certificate)
}

#[tokio::test]
async fn a_certificate_counts_once_it_was_verified() {
    let (house, clients, strangers) = (Authority::make(), Authority::make(), Authority::make());
    let ((chain, key), good, foreign) = (house.issue(), clients.issue(), strangers.issue());
    let start = async |client_ca: Option<ClientCa<'_>>, proxies: Proxies| {
        let pem = Pem { chain: chain.as_bytes(), key: key.as_bytes(), client_ca };
        let tls = Some(Arc::new(Tls::from_pem(pem).unwrap()));
        start_with(Settings { proxies, ..Settings::default() }, Listening { tls, ..Listening::default() })
            .await
    };
    let ca = |required| Some(ClientCa { pem: clients.pem.as_bytes(), required });
    let check = async |running: &Running, expect: [Option<bool>; 3]| {
        for (shown, expect) in [None, Some(&good), Some(&foreign)].into_iter().zip(expect) {
            assert_eq!(served(running, &house.pem, shown, &[]).await, expect);
        }
    };
    // Nobody is asked for one; nobody who shows one anyway is heard.
    check(&start(None, Proxies::default()).await, [Some(false); 3]).await;
    check(&start(ca(false), Proxies::default()).await, [Some(false), Some(true), None]).await;
    check(&start(ca(true), Proxies::default()).await, [None, Some(true), None]).await;
    // A proxy's certificate is not that of its clients.
    let proxied = start(ca(true), behind("127.0.0.0/8", ForwardedHeader::XForwardedFor)).await;
    let told = [("x-forwarded-for", "192.0.2.7")];
    assert_eq!(served(&proxied, &house.pem, Some(&good), &told).await, Some(false));
}
