//! Where a request came from: the client's address, and what its headers say for the audit log. The address is the socket's and nothing else: a header such as `X-Forwarded-For` is a claim that
//! anybody can make. When proxies can be configured, this is the one place that will believe theirs.

use crate::decode::TOKEN;
use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, USER_AGENT},
    request::Parts,
};
use secrethub_core::{
    limits::AUDIT_TEXT_BYTES_MAX,
    request::{Headers, Remote},
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// The other end of the connection; the server attaches it to each request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Where a request came from, as far as we can vouch for it.
pub(crate) fn remote(parts: &Arc<Parts>) -> Remote {
    let (address, user_agent) = (client_address(parts), user_agent(&parts.headers));
    let parts = Arc::clone(parts);
    let headers = Headers::new(move |name| values(&parts.headers, name));
    Remote { address, user_agent, headers, client_certificate: false }
}

/// The values of a header, unless it gives a right: the core does not ask for such a one, and would not get it.
fn values(headers: &HeaderMap, name: &str) -> Vec<String> {
    let secret = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE, TOKEN].iter().any(|secret| secret == name);
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    if secret { Vec::new() } else { headers.get_all(name).iter().map(text).collect() }
}

pub(crate) fn client_address(parts: &Parts) -> Option<IpAddr> {
    // An IPv4 client of a dual-stack socket has one address, however the kernel spells it.
    parts.extensions.get::<Peer>().map(|peer| peer.0.ip().to_canonical())
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = String::from_utf8_lossy(headers.get(USER_AGENT)?.as_bytes());
    Some(text[..text.floor_char_boundary(AUDIT_TEXT_BYTES_MAX)].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(peer: Option<&str>, headers: &[(&str, &str)]) -> Arc<Parts> {
        let mut request = http::Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        if let Some(peer) = peer {
            parts.extensions.insert(Peer(peer.parse().unwrap()));
        }
        Arc::new(parts)
    }

    #[test]
    fn what_gives_a_right_is_not_told() {
        let sent = [
            ("X-Trace", "1"),
            ("x-trace", "2"),
            ("X-Vault-Token", "t"),
            ("Cookie", "c"),
            ("Authorization", "a"),
        ];
        let check = |name: &str, expect: &[&str]| {
            assert_eq!(values(&parts(None, &sent).headers, name), expect, "{name}");
        };
        check("x-trace", &["1", "2"]);
        check("x-other", &[]);
        for secret in ["x-vault-token", "cookie", "authorization"] {
            check(secret, &[]);
        }
    }

    #[test]
    fn only_the_socket_is_believed() {
        let claims = [("x-forwarded-for", "9.9.9.9"), ("forwarded", "for=9.9.9.9"), ("x-real-ip", "9.9.9.9")];
        let check = |peer: Option<&str>, expect: Option<&str>| {
            let address = remote(&parts(peer, &claims)).address.map(|address| address.to_string());
            assert_eq!(address.as_deref(), expect, "{peer:?}");
        };
        check(None, None);
        check(Some("192.0.2.7:80"), Some("192.0.2.7"));
        check(Some("[::ffff:192.0.2.7]:80"), Some("192.0.2.7"));
        check(Some("[2001:db8::1]:80"), Some("2001:db8::1"));
    }

    #[test]
    fn a_user_agent_is_cut() {
        let long = "é".repeat(AUDIT_TEXT_BYTES_MAX);
        let agent = remote(&parts(None, &[("user-agent", &long)])).user_agent.unwrap();
        assert_eq!(agent.len(), AUDIT_TEXT_BYTES_MAX);
        assert_eq!(remote(&parts(None, &[])).user_agent, None);
    }
}
