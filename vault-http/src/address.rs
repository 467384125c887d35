//! The client's address. It is the socket's and nothing else: a header such as `X-Forwarded-For` is a claim that
//! anybody can make. When proxies can be configured, this is the one place that will believe theirs.

use http::{HeaderMap, header::USER_AGENT, request::Parts};
use secrethub_core::{limits::AUDIT_TEXT_BYTES_MAX, request::Remote};
use std::net::{IpAddr, SocketAddr};

/// The other end of the connection; the server attaches it to each request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Where a request came from, as far as we can vouch for it.
pub(crate) fn remote(parts: &Parts) -> Remote {
    Remote { address: client_address(parts), user_agent: user_agent(&parts.headers) }
}

fn client_address(parts: &Parts) -> Option<IpAddr> {
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

    fn parts(peer: Option<&str>, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        if let Some(peer) = peer {
            parts.extensions.insert(Peer(peer.parse().unwrap()));
        }
        parts
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
