//! The PROXY protocol, versions 1 and 2: a proxy of connections says, before anything else, whose connection it passes
//! on. Heard only from trusted proxies, and from them it must come; parsed by `ppp`. Not one byte more is read, so that
//! TLS or HTTP begins where it ends.

use crate::limits::PROXY_HEADER_BYTES_MAX;
use ppp::{HeaderResult, v1, v2};
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt};

/// `PROXY UNKNOWN\r\n`: no header of either version is shorter.
const SHORTEST: usize = 15;
/// A line of version 1 has at most so many bytes.
const LINE_BYTES_MAX: usize = 107;

/// What a proxy said of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It is passed on for this client.
    For(SocketAddr),
    /// It is the proxy's own: a probe.
    Own,
}

/// Why a connection is not served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unheard {
    #[error("the connection ended in the PROXY header: {0}")]
    Ended(#[from] std::io::Error),
    #[error("no PROXY header came from a trusted proxy")]
    Absent,
    #[error("the PROXY header names no client by an IP address")]
    Nameless,
}

/// Reads the header that must come first.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Said, Unheard> {
    let mut bytes = vec![0; SHORTEST];
    stream.read_exact(&mut bytes).await?;
    if bytes.starts_with(v2::PROTOCOL_PREFIX) {
        read_rest(stream, &mut bytes).await?;
    } else if bytes.starts_with(b"PROXY ") {
        read_line(stream, &mut bytes).await?;
    } else {
        return Err(Unheard::Absent);
    }
    match HeaderResult::parse(&bytes) {
        HeaderResult::V1(Ok(header)) => line_source(&header.addresses),
        HeaderResult::V2(Ok(header)) => block_source(&header),
        HeaderResult::V1(Err(_)) | HeaderResult::V2(Err(_)) => Err(Unheard::Absent),
    }
}

/// Version 2: the length stands at its place.
async fn read_rest(stream: &mut (impl AsyncRead + Unpin), bytes: &mut Vec<u8>) -> Result<(), Unheard> {
    bytes.push(stream.read_u8().await?);
    let rest = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    if bytes.len() + rest > PROXY_HEADER_BYTES_MAX {
        return Err(Unheard::Absent);
    }
    let head = bytes.len();
    bytes.resize(head + rest, 0);
    stream.read_exact(&mut bytes[head..]).await?;
    Ok(())
}

/// Version 1: up to the end of the line, a byte at a time so that none is taken of what follows.
async fn read_line(stream: &mut (impl AsyncRead + Unpin), bytes: &mut Vec<u8>) -> Result<(), Unheard> {
    while !bytes.ends_with(b"\r\n") {
        if bytes.len() == LINE_BYTES_MAX {
            return Err(Unheard::Absent);
        }
        bytes.push(stream.read_u8().await?);
    }
    Ok(())
}

fn line_source(addresses: &v1::Addresses) -> Result<Said, Unheard> {
    match addresses {
        v1::Addresses::Tcp4(tcp) => Ok(Said::For((tcp.source_address, tcp.source_port).into())),
        v1::Addresses::Tcp6(tcp) => Ok(Said::For((tcp.source_address, tcp.source_port).into())),
        // Somebody's connection, and the proxy does not know whose.
        v1::Addresses::Unknown => Err(Unheard::Nameless),
    }
}

fn block_source(header: &v2::Header<'_>) -> Result<Said, Unheard> {
    match (header.command, header.addresses) {
        (v2::Command::Local, _) => Ok(Said::Own),
        (v2::Command::Proxy, v2::Addresses::IPv4(ip)) => {
            Ok(Said::For((ip.source_address, ip.source_port).into()))
        }
        (v2::Command::Proxy, v2::Addresses::IPv6(ip)) => {
            Ok(Said::For((ip.source_address, ip.source_port).into()))
        }
        (v2::Command::Proxy, v2::Addresses::Unspecified | v2::Addresses::Unix(_)) => Err(Unheard::Nameless),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

    fn block(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [V2, &[0x20 | command, family], &length, payload].concat()
    }

    /// What was said, and what is left to be read by who comes next.
    async fn hear(sent: &[u8]) -> (Option<Said>, Vec<u8>) {
        let mut stream = sent;
        let said = read(&mut stream).await.ok();
        (said, stream.to_vec())
    }

    #[tokio::test]
    async fn both_versions_tell_of_the_client_and_take_no_byte_more() {
        let check = async |header: &[u8], expect: Option<Said>| {
            let (said, left) = hear(&[header, b"GET /"].concat()).await;
            assert_eq!(said, expect, "{header:?}");
            assert!(said.is_none() || left == b"GET /", "{left:?}");
        };
        let of = |text: &str| Some(Said::For(text.parse().unwrap()));
        check(b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 8200\r\n", of("192.0.2.7:4711")).await;
        check(b"PROXY TCP6 2001:db8::7 ::1 4711 8200\r\n", of("[2001:db8::7]:4711")).await;
        let four = [192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x67, 0x20, 0x08];
        check(&block(1, 0x11, &four), of("192.0.2.7:4711")).await;
        check(&block(1, 0x11, &[&four[..], &[4, 0, 1, 42]].concat()), of("192.0.2.7:4711")).await;
        let mut six = [0; 36];
        six[..16].copy_from_slice(&"2001:db8::7".parse::<std::net::Ipv6Addr>().unwrap().octets());
        six[32..34].copy_from_slice(&4711_u16.to_be_bytes());
        check(&block(1, 0x21, &six), of("[2001:db8::7]:4711")).await;
        check(&block(0, 0, &[]), Some(Said::Own)).await;
        check(&block(0, 0x11, &four), Some(Said::Own)).await;
    }

    #[tokio::test]
    async fn what_names_no_client_is_refused() {
        let big = block(1, 0x11, &[0; PROXY_HEADER_BYTES_MAX]);
        for sent in [
            &b""[..],
            b"PROXY",
            b"PROXY UNKNOWN\r\n",
            b"PROXY UNKNOWN 192.0.2.7 10.0.0.1 1 2\r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 4711\r\n",
            b"PROXY TCP4 192.0.2.777 10.0.0.1 4711 8200\r\n",
            b"PROXY TCP4 2001:db8::7 ::1 4711 8200\r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 65536 8200\r\n",
            b"GET /v1/sys/health HTTP/1.1\r\n\r\n",
            &[b"PROXY TCP4 ", &[b'1'; 200][..]].concat(),
            &block(1, 0, &[]),
            &block(1, 0x31, &[0; 216]),
            &block(1, 0x11, &[192, 0, 2]),
            &block(2, 0x11, &[0; 12]),
            &block(1, 0x41, &[0; 12]),
            &big,
            &V2[..10],
        ] {
            assert_eq!(
                hear(sent).await.0,
                None,
                "{:?}",
                String::from_utf8_lossy(&sent[..sent.len().min(80)])
            );
        }
    }
}
