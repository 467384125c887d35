//! [`Cidr`]: a block of addresses, as policies, tokens and proxies are bound to (RFC 4632, RFC 4291 §2.3). Parsed once
//! where it is written down; then the type is the proof.

use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr, str::FromStr};

/// A block of addresses: `10.0.0.0/8`, `2001:db8::/32`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr {
    network: IpAddr,
    bits: u8,
}

impl Cidr {
    /// Is the address in the block. An IPv4 address that is spelled as IPv6 is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                same_start(u128::from(network.to_bits()), u128::from(address.to_bits()), 32, self.bits)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                same_start(network.to_bits(), address.to_bits(), 128, self.bits)
            }
            _ => false,
        }
    }

    /// As text with its length, also where it is one address.
    pub fn to_block(&self) -> String {
        format!("{}/{}", self.network, self.bits)
    }

    /// Is every address of `other` in this block.
    pub fn covers(&self, other: &Self) -> bool {
        self.bits <= other.bits && self.contains(other.network)
    }
}

fn same_start(a: u128, b: u128, width: u8, bits: u8) -> bool {
    let rest = u32::from(width.saturating_sub(bits));
    a.checked_shr(rest).unwrap_or(0) == b.checked_shr(rest).unwrap_or(0)
}

/// Is an address in one of the blocks. An address that is not known is in none; with no blocks every one will do.
pub fn admits(blocks: &[Cidr], address: Option<IpAddr>) -> bool {
    blocks.is_empty() || address.is_some_and(|address| blocks.iter().any(|block| block.contains(address)))
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is no block of addresses such as \"10.0.0.0/8\" or \"2001:db8::/32\"");
        let (address, bits) = match text.trim().split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text.trim(), None),
        };
        let network: IpAddr = address.parse().map_err(|_| wrong())?;
        let width = if network.is_ipv4() { 32 } else { 128 };
        let digits = |bits: &str| bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits = match bits {
            None => width,
            Some(bits) if digits(bits) => bits.parse().map_err(|_| wrong())?,
            Some(_) => return Err(wrong()),
        };
        if bits > width {
            return Err(wrong());
        }
        Ok(Self { network, bits })
    }
}

impl TryFrom<String> for Cidr {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> Self {
        cidr.to_string()
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.network, self.bits) {
            (IpAddr::V4(network), 32) => write!(f, "{network}"),
            (IpAddr::V6(network), 128) => write!(f, "{network}"),
            (network, bits) => write!(f, "{network}/{bits}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_hold_addresses() {
        let check = |block: &str, address: &str, expect: bool| {
            let block: Cidr = block.parse().unwrap();
            assert_eq!(block.contains(address.parse().unwrap()), expect, "{block} {address}");
        };
        check("10.0.0.0/8", "10.255.0.1", true);
        check("10.0.0.0/8", "11.0.0.0", false);
        check("10.1.2.3", "10.1.2.3", true);
        check("10.1.2.3", "10.1.2.4", false);
        check("10.1.2.3/24", "10.1.2.99", true);
        check("0.0.0.0/0", "203.0.113.9", true);
        check("0.0.0.0/0", "2001:db8::1", false);
        check("10.0.0.0/8", "::ffff:10.1.1.1", true);
        check("2001:db8::/32", "2001:db8:1::1", true);
        check("2001:db8::/32", "2001:db9::1", false);
        check("::/0", "2001:db8::1", true);
        check("::1", "::1", true);
        check("fe80::/10", "febf::1", true);
        check("fe80::/10", "fec0::1", false);
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/", "x"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn blocks_cover_blocks() {
        let check = |a: &str, b: &str, expect: bool| {
            assert_eq!(a.parse::<Cidr>().unwrap().covers(&b.parse().unwrap()), expect, "{a} {b}");
        };
        check("10.0.0.0/8", "10.1.0.0/16", true);
        check("10.1.0.0/16", "10.0.0.0/8", false);
        check("10.0.0.0/8", "10.0.0.0/8", true);
        check("::/0", "10.0.0.0/8", false);
    }

    #[test]
    fn blocks_are_shown() {
        let check = |text: &str, short: &str, long: &str| {
            let block: Cidr = text.parse().unwrap();
            assert_eq!((block.to_string().as_str(), block.to_block().as_str()), (short, long));
        };
        check("127.0.0.1/32", "127.0.0.1", "127.0.0.1/32");
        check("10.1.2.3/8", "10.1.2.3/8", "10.1.2.3/8");
        check("::1", "::1", "::1/128");
    }

    #[test]
    fn an_unknown_address_is_in_no_block() {
        let blocks = ["10.0.0.0/8".parse().unwrap()];
        assert!(admits(&[], None));
        assert!(!admits(&blocks, None));
        assert!(admits(&blocks, Some("10.0.0.1".parse().unwrap())));
    }
}
