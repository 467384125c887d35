//! Where a request came from: the client's address, and what its headers say for the audit log. This is the one place
//! that believes what somebody says of another's address.
//!
//! The address is the socket's. A header such as `X-Forwarded-For` is a claim that anybody can make, so it is heard only
//! from a proxy that is configured, and only the one header that is configured: a proxy passes on the others as they
//! came. Of the hops in it the right-most that is no trusted proxy is the client; what stands left of it was told by the
//! client itself and is not read. A trusted proxy that tells nothing, or what cannot be read, is refused.

mod forwarded;
pub(crate) mod proxy_protocol;

use crate::decode::TOKEN;
use forwarded::Mistake;
use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, USER_AGENT},
    request::Parts,
};
use secrethub_core::{
    Error,
    cidr::Cidr,
    limits::AUDIT_TEXT_BYTES_MAX,
    request::{Headers, Remote},
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// The other end of the connection; the server attaches it to each request.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Who connected, or who did so to a proxy that speaks the PROXY protocol.
    pub address: SocketAddr,
    /// Has it shown a certificate that the listener verified.
    pub certificate: bool,
    /// Has a proxy said that it asks for itself: then headers tell nothing of anybody else.
    pub own: bool,
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        Self { address, certificate: false, own: false }
    }
}

/// Whose word about addresses is believed, and where it stands.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// The proxies' own addresses; empty: nobody is believed.
    pub trusted: Vec<Cidr>,
    /// The header that they write.
    pub header: ForwardedHeader,
}

/// The one header that is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For: client, proxy, proxy`.
    #[default]
    XForwardedFor,
    /// `Forwarded: for=client, for=proxy` (RFC 7239).
    Forwarded,
}

impl ForwardedHeader {
    /// Its name, as people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "X-Forwarded-For",
            Self::Forwarded => "Forwarded",
        }
    }
}

/// What was found out about a request's client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Client {
    address: Option<IpAddr>,
    certificate: bool,
}

/// Finds out whose request it is, once; [`client_address`] and [`remote`] tell. A probe of health decides nothing by
/// addresses, so a proxy may send one for itself.
pub(crate) fn find_client(parts: &mut Parts, proxies: &Proxies, probe: bool) {
    let found = match parts.extensions.get::<Peer>() {
        None => Ok(Client { address: None, certificate: false }),
        Some(peer) => client(peer, &parts.headers, proxies, probe),
    };
    parts.extensions.insert(found);
}

fn client(peer: &Peer, headers: &HeaderMap, proxies: &Proxies, probe: bool) -> Result<Client, Mistake> {
    // An IPv4 client of a dual-stack socket has one address, however the kernel spells it.
    let socket = peer.address.ip().to_canonical();
    let itself = Client { address: Some(socket), certificate: peer.certificate };
    let is_trusted = |address| proxies.trusted.iter().any(|block| block.contains(address));
    if peer.own || !is_trusted(socket) {
        return Ok(itself);
    }
    match forwarded::client(headers, proxies.header, is_trusted) {
        // The certificate was the proxy's, not the client's.
        Ok(address) => Ok(Client { address: Some(address), certificate: false }),
        Err(Mistake::Missing) if probe => Ok(itself),
        Err(mistake) => {
            tracing::debug!(proxy = %socket, header = proxies.header.name(), ?mistake, "refused");
            Err(mistake)
        }
    }
}

/// The client's address; an error where a trusted proxy did not tell it. `None` in the same process.
pub(crate) fn client_address(parts: &Parts) -> Result<Option<IpAddr>, Error> {
    Ok(found(parts)?.address)
}

/// The same for people.
pub(crate) fn shown(parts: &Parts) -> String {
    let socket = parts.extensions.get::<Peer>().map(|peer| peer.address);
    match (found(parts).ok().and_then(|client| client.address), socket) {
        (Some(address), Some(socket)) if address != socket.ip().to_canonical() => address.to_string(),
        (_, socket) => socket.map(|socket| socket.to_string()).unwrap_or_default(),
    }
}

/// Where a request came from, as far as we can vouch for it.
pub(crate) fn remote(parts: &Arc<Parts>) -> Result<Remote, Error> {
    let Client { address, certificate: client_certificate } = found(parts)?;
    let user_agent = user_agent(&parts.headers);
    let parts = Arc::clone(parts);
    let headers = Headers::new(move |name| values(&parts.headers, name));
    Ok(Remote { address, user_agent, headers, client_certificate })
}

fn found(parts: &Parts) -> Result<Client, Error> {
    match parts.extensions.get::<Result<Client, Mistake>>() {
        Some(Ok(client)) => Ok(*client),
        Some(Err(mistake)) => Err(Error::invalid(mistake.message())),
        None => Err(Error::internal("nobody has found out whose request it is")),
    }
}

/// The values of a header, unless it gives a right: the core does not ask for such a one, and would not get it.
fn values(headers: &HeaderMap, name: &str) -> Vec<String> {
    let secret = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE, TOKEN].iter().any(|secret| secret == name);
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    if secret { Vec::new() } else { headers.get_all(name).iter().map(text).collect() }
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = String::from_utf8_lossy(headers.get(USER_AGENT)?.as_bytes());
    Some(text[..text.floor_char_boundary(AUDIT_TEXT_BYTES_MAX)].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(peer: Option<Peer>, headers: &[(&str, &str)], proxies: &Proxies, probe: bool) -> Arc<Parts> {
        let mut request = http::Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        if let Some(peer) = peer {
            parts.extensions.insert(peer);
        }
        find_client(&mut parts, proxies, probe);
        Arc::new(parts)
    }

    fn proxies(trusted: &[&str], header: ForwardedHeader) -> Proxies {
        Proxies { trusted: trusted.iter().map(|block| block.parse().unwrap()).collect(), header }
    }

    fn peer(address: &str) -> Peer {
        Peer { certificate: true, ..Peer::from(address.parse::<SocketAddr>().unwrap()) }
    }

    /// The address, and is the certificate the client's; or that the request is refused.
    fn told(peer: Peer, headers: &[(&str, &str)], proxies: &Proxies) -> Result<(String, bool), ()> {
        let remote = remote(&parts(Some(peer), headers, proxies, false)).map_err(|_| ())?;
        Ok((remote.address.unwrap().to_string(), remote.client_certificate))
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
        let parts = parts(None, &sent, &Proxies::default(), false);
        let check = |name: &str, expect: &[&str]| {
            assert_eq!(values(&parts.headers, name), expect, "{name}");
        };
        check("x-trace", &["1", "2"]);
        check("x-other", &[]);
        for secret in ["x-vault-token", "cookie", "authorization"] {
            check(secret, &[]);
        }
    }

    #[test]
    fn nobody_is_believed_who_is_not_configured() {
        let claims = [("x-forwarded-for", "9.9.9.9"), ("forwarded", "for=9.9.9.9"), ("x-real-ip", "9.9.9.9")];
        let check = |peer_text: &str, trusted: &[&str], expect: &str| {
            for header in [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
                let have = told(peer(peer_text), &claims, &proxies(trusted, header));
                assert_eq!(have, Ok((expect.to_owned(), true)), "{peer_text} {trusted:?}");
            }
        };
        check("192.0.2.7:80", &[], "192.0.2.7");
        check("192.0.2.7:80", &["10.0.0.0/8", "192.0.2.8", "2001:db8::/32"], "192.0.2.7");
        check("[::ffff:192.0.2.7]:80", &[], "192.0.2.7");
        check("[2001:db8::1]:80", &["10.0.0.0/8", "2001:db9::/32"], "2001:db8::1");
        assert_eq!(remote(&parts(None, &claims, &Proxies::default(), false)).unwrap().address, None);
    }

    #[test]
    fn the_right_most_hop_that_is_no_proxy_is_the_client() {
        let trusted = proxies(&["10.0.0.0/8"], ForwardedHeader::XForwardedFor);
        let check = |lines: &[&str], expect: Option<&str>| {
            let headers: Vec<_> = lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
            for socket in ["10.0.0.1:80", "[::ffff:10.0.0.1]:80"] {
                let have = told(peer(socket), &headers, &trusted);
                // The certificate that came was the proxy's.
                assert_eq!(have.ok(), expect.map(|address| (address.to_owned(), false)), "{lines:?}");
            }
        };
        check(&["192.0.2.7"], Some("192.0.2.7"));
        check(&["6.6.6.6, 192.0.2.7"], Some("192.0.2.7"));
        check(&["6.6.6.6, 192.0.2.7, 10.9.9.9"], Some("192.0.2.7"));
        check(&["6.6.6.6", "192.0.2.7", "10.9.9.9, 10.8.8.8"], Some("192.0.2.7"));
        check(&["10.0.0.9, 6.6.6.6"], Some("6.6.6.6"));
        check(&["::ffff:192.0.2.7"], Some("192.0.2.7"));
        check(&["garbage, 192.0.2.7"], Some("192.0.2.7"));
        check(&["10.1.1.1, 10.2.2.2"], Some("10.1.1.1"));
        for refused in
            [&[][..], &[""], &["192.0.2.7, garbage"], &["192.0.2.7, unknown, 10.1.1.1"], &["1.2.3.4,"]]
        {
            check(refused, None);
        }
    }

    #[test]
    fn only_the_configured_header_is_read() {
        let both = [("x-forwarded-for", "6.6.6.6"), ("forwarded", "for=192.0.2.7")];
        let trusted = ["10.0.0.0/8"];
        let check = |header: ForwardedHeader, sent: &[(&str, &str)], expect: Option<&str>| {
            let have = told(peer("10.0.0.1:80"), sent, &proxies(&trusted, header));
            assert_eq!(have.ok().map(|(address, _)| address).as_deref(), expect, "{header:?} {sent:?}");
        };
        check(ForwardedHeader::XForwardedFor, &both, Some("6.6.6.6"));
        check(ForwardedHeader::Forwarded, &both, Some("192.0.2.7"));
        check(ForwardedHeader::Forwarded, &both[..1], None);
        check(ForwardedHeader::XForwardedFor, &both[1..], None);
    }

    #[test]
    fn a_proxy_that_asks_for_itself_has_its_own_address() {
        let trusted = proxies(&["10.0.0.0/8"], ForwardedHeader::XForwardedFor);
        let own = Peer { own: true, ..peer("10.0.0.1:80") };
        let claims = [("x-forwarded-for", "6.6.6.6")];
        assert_eq!(told(own, &claims, &trusted), Ok(("10.0.0.1".to_owned(), true)));
        let probe = remote(&parts(Some(peer("10.0.0.1:80")), &[], &trusted, true)).unwrap();
        assert_eq!(probe.address, Some("10.0.0.1".parse().unwrap()));
        let bad = [("x-forwarded-for", "garbage")];
        assert!(remote(&parts(Some(peer("10.0.0.1:80")), &bad, &trusted, true)).is_err());
    }

    #[test]
    fn who_was_not_looked_for_is_not_nobody() {
        let (parts, ()) = http::Request::new(()).into_parts();
        assert!(client_address(&parts).is_err());
    }

    #[test]
    fn a_user_agent_is_cut() {
        let long = "é".repeat(AUDIT_TEXT_BYTES_MAX);
        let agent = |headers: &[(&str, &str)]| {
            remote(&parts(None, headers, &Proxies::default(), false)).unwrap().user_agent
        };
        assert_eq!(agent(&[("user-agent", &long)]).unwrap().len(), AUDIT_TEXT_BYTES_MAX);
        assert_eq!(agent(&[]), None);
    }
}
