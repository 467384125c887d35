//! What a trusted proxy says of its clients: `X-Forwarded-For`, or `Forwarded` (RFC 7239). Read from the right, since
//! each proxy adds its own word at the end, and no further than to the first address that is no trusted proxy.

use super::ForwardedHeader;
use crate::limits::FORWARDED_HOPS_MAX;
use http::{HeaderMap, HeaderValue};
use std::net::{IpAddr, Ipv6Addr};

/// Why nobody knows whose request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    /// The header is not there, or tells of nobody.
    Missing,
    /// A hop that had to be read is no address.
    Malformed,
    /// More proxies than anybody has.
    Long,
}

impl Mistake {
    /// For who administers the proxy.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Missing => {
                "the proxy that sent this is trusted and does not say for whom it asks: have it set the header that \
                 `forwarded_header` names; who asks directly must not come from an address in `trusted_proxies`"
            }
            Self::Malformed => {
                "the proxy that sent this says for whom it asks in a form that is no address: look at what it writes \
                 into the header that `forwarded_header` names"
            }
            Self::Long => {
                "the request came through more proxies than can be told apart; trust fewer addresses"
            }
        }
    }
}

/// The client that the header tells of.
pub(super) fn client(
    headers: &HeaderMap,
    header: ForwardedHeader,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Result<IpAddr, Mistake> {
    // Several lines are one list (RFC 9110 §5.3); the last is the nearest.
    let lines = headers.get_all(header.name()).iter().rev();
    match header {
        ForwardedHeader::XForwardedFor => farthest(lines.flat_map(plain_hops), is_trusted),
        ForwardedHeader::Forwarded => farthest(lines.flat_map(described_hops), is_trusted),
    }
}

/// The first hop that is no trusted proxy; if all are, the last, who asks for itself.
fn farthest(
    hops: impl Iterator<Item = Result<IpAddr, Mistake>>,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Result<IpAddr, Mistake> {
    let mut farthest = Err(Mistake::Missing);
    for (count, hop) in hops.enumerate() {
        if count == FORWARDED_HOPS_MAX {
            return Err(Mistake::Long);
        }
        let hop = hop?;
        if !is_trusted(hop) {
            return Ok(hop);
        }
        farthest = Ok(hop);
    }
    farthest
}

/// The hops of one line of `X-Forwarded-For`, the nearest first.
fn plain_hops(line: &HeaderValue) -> impl Iterator<Item = Result<IpAddr, Mistake>> {
    line.as_bytes().rsplit(|byte| *byte == b',').map(|hop| {
        let text = std::str::from_utf8(hop).map_err(|_| Mistake::Malformed)?.trim_matches([' ', '\t']);
        // Nearly all write an IPv6 address bare here.
        let bare = text.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
        bare.or_else(|| node(text)).map(|address| address.to_canonical()).ok_or(Mistake::Malformed)
    })
}

/// The hops of one line of `Forwarded`, the nearest first. A line that is not by the RFC as a whole tells nothing: where
/// its parts begin is then a guess, and a client may have sent the beginning.
fn described_hops(line: &HeaderValue) -> impl Iterator<Item = Result<IpAddr, Mistake>> {
    let hops = match elements(line.as_bytes()) {
        None => vec![Err(Mistake::Malformed)],
        Some(elements) => elements.into_iter().rev().map(described).collect(),
    };
    hops.into_iter()
}

fn described(element: Option<String>) -> Result<IpAddr, Mistake> {
    let address = node(&element.ok_or(Mistake::Malformed)?);
    address.map(|address| address.to_canonical()).ok_or(Mistake::Malformed)
}

/// An address as RFC 7239 §6 has it: `192.0.2.1`, `[2001:db8::1]`, each with or without a port. `unknown` and made-up
/// names are none.
fn node(text: &str) -> Option<IpAddr> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        if !port.is_empty() {
            check_port(port.strip_prefix(':')?)?;
        }
        return address.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    let address = match text.split_once(':') {
        Some((address, port)) => check_port(port).map(|()| address)?,
        None => text,
    };
    address.parse().ok().map(IpAddr::V4)
}

/// A number, or a made-up name.
fn check_port(port: &str) -> Option<()> {
    let name = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let fits = match port.strip_prefix('_') {
        Some(made_up) => !made_up.is_empty() && name(made_up),
        None => port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok(),
    };
    fits.then_some(())
}

/// The `for` of each element of a line, in order; nothing if the line is not by RFC 7239 §4.
fn elements(line: &[u8]) -> Option<Vec<Option<String>>> {
    let mut scanner = Scanner { rest: line };
    let mut elements = Vec::new();
    loop {
        elements.push(scanner.element()?);
        if scanner.rest.is_empty() {
            return Some(elements);
        }
        scanner.take(b',')?;
    }
}

/// Reads a line from its beginning.
struct Scanner<'l> {
    rest: &'l [u8],
}

impl Scanner<'_> {
    /// `for=192.0.2.1;proto=https;by=…`: pairs, each name at most once.
    fn element(&mut self) -> Option<Option<String>> {
        let mut node = None;
        loop {
            self.skip_space();
            let name = self.token()?;
            self.take(b'=')?;
            let value = if self.rest.first() == Some(&b'"') { self.quoted()? } else { self.token()? };
            if name.eq_ignore_ascii_case("for") && node.replace(value).is_some() {
                return None;
            }
            self.skip_space();
            if self.rest.first() != Some(&b';') {
                return Some(node);
            }
            self.take(b';')?;
        }
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        self.rest = self.rest.strip_prefix(&[byte])?;
        Some(())
    }

    /// RFC 9110 §5.6.2.
    fn token(&mut self) -> Option<String> {
        let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        let end = self.rest.iter().position(|byte| !token(byte)).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        if text.is_empty() { None } else { String::from_utf8(text.to_vec()).ok() }
    }

    /// RFC 9110 §5.6.4.
    fn quoted(&mut self) -> Option<String> {
        self.take(b'"')?;
        let mut text = Vec::new();
        loop {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            match byte {
                b'"' => return String::from_utf8(text).ok(),
                b'\\' => {
                    let (escaped, rest) = rest.split_first()?;
                    self.rest = rest;
                    text.push(*escaped);
                }
                byte => text.push(*byte),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(header: ForwardedHeader, lines: &[&str]) -> Result<String, Mistake> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header.name(), HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        let is_trusted = |address: IpAddr| address.to_string().starts_with("10.");
        client(&headers, header, is_trusted).map(|address| address.to_string())
    }

    #[test]
    fn addresses_in_every_spelling() {
        let check = |header: ForwardedHeader, text: &str, expect: Option<&str>| {
            assert_eq!(ask(header, &[text]).ok().as_deref(), expect, "{text}");
        };
        let plain = |text: &str, expect: Option<&str>| check(ForwardedHeader::XForwardedFor, text, expect);
        plain("192.0.2.1", Some("192.0.2.1"));
        plain("\t192.0.2.1:4711 ", Some("192.0.2.1"));
        plain("2001:db8::1", Some("2001:db8::1"));
        plain("[2001:db8::1]", Some("2001:db8::1"));
        plain("[2001:db8::1]:4711", Some("2001:db8::1"));
        plain("::ffff:192.0.2.1", Some("192.0.2.1"));
        for bad in [
            "",
            ",",
            "unknown",
            "_hidden",
            "localhost",
            "192.0.2",
            "192.0.2.1:",
            "192.0.2.1:x",
            "192.0.2.1:65536",
            "192.0.2.1:+1",
            "[2001:db8::1",
            "2001:db8::1]",
            "[2001:db8::1]4711",
            "[192.0.2.1]",
            "fe80::1%eth0",
            "1",
            "0x7f.1",
            "192.0.2.01",
            "\u{661}.1.1.1",
            "192.0.2.1 192.0.2.2",
        ] {
            plain(bad, None);
        }
        let described = |text: &str, expect: Option<&str>| check(ForwardedHeader::Forwarded, text, expect);
        described("for=192.0.2.1", Some("192.0.2.1"));
        described("For=\"192.0.2.1:47\"", Some("192.0.2.1"));
        described("for=\"[2001:db8::1]:_port\"", Some("2001:db8::1"));
        described("proto=https; FOR=192.0.2.1 ;by=203.0.113.4", Some("192.0.2.1"));
        described("for=\"192\\.0.2.1\"", Some("192.0.2.1"));
        for bad in [
            "",
            "for",
            "for=",
            "for=\"",
            "for=\"192.0.2.1",
            "192.0.2.1",
            "for=unknown",
            "for=_x",
            "by=192.0.2.1",
            "for=2001:db8::1",
            "for=\"2001:db8::1\"",
            "for=192.0.2.1;for=192.0.2.2",
            "for =192.0.2.1",
            "for=192.0.2.1,",
            "for=192.0.2.1;",
            "for=\"192.0.2.1\"x",
            "for=192.0.2.1 x",
        ] {
            described(bad, None);
        }
    }

    #[test]
    fn a_quote_that_a_client_leaves_open_swallows_nothing() {
        let check = |line: &str| {
            assert_eq!(ask(ForwardedHeader::Forwarded, &[line]), Err(Mistake::Malformed), "{line}");
        };
        check("for=6.6.6.6;by=\", for=192.0.2.7");
        check("for=6.6.6.6;by=\", for=\"[2001:db8::1]:47\"");
        check("for=6.6.6.6;by=\"\\\", for=192.0.2.7;host=\"h\"");
        // On a line of its own it is not even read.
        let lines = ["for=6.6.6.6;by=\"", "for=192.0.2.7"];
        assert_eq!(ask(ForwardedHeader::Forwarded, &lines).as_deref(), Ok("192.0.2.7"));
        assert_eq!(ask(ForwardedHeader::Forwarded, &["for=\"\", for=192.0.2.7"]).as_deref(), Ok("192.0.2.7"));
    }

    #[test]
    fn hops_are_bounded() {
        let chain = |hops: usize| format!("192.0.2.7{}", ", 10.1.1.1".repeat(hops));
        let ask = |hops: usize| ask(ForwardedHeader::XForwardedFor, &[&chain(hops)]);
        assert_eq!(ask(FORWARDED_HOPS_MAX - 1).as_deref(), Ok("192.0.2.7"));
        assert_eq!(ask(FORWARDED_HOPS_MAX), Err(Mistake::Long));
        let long = format!("{}192.0.2.7", "6.6.6.6, ".repeat(1_000));
        assert_eq!(super::tests::ask(ForwardedHeader::XForwardedFor, &[&long]).as_deref(), Ok("192.0.2.7"));
    }
}
