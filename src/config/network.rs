//! A network of addresses, as `10.0.0.0/8`, or one address.

use std::fmt;
use std::net::IpAddr;

/// Addresses that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    prefix: u32,
}

impl Network {
    /// `10.0.0.0/8`, or `127.0.0.1`; else what is wrong with `text`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "must be an address or a network, such as \"127.0.0.1\" or \"10.0.0.0/8\"".to_owned();
        let (base, prefix) =
            text.trim().split_once('/').map_or((text.trim(), None), |(base, prefix)| (base, Some(prefix)));
        let base: IpAddr = base.parse().map_err(|_| wrong())?;
        let whole = if base.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(whole), |prefix| prefix.parse().map_err(|_| wrong()))?;
        if prefix > whole { Err(wrong()) } else { Ok(Self { base, prefix }) }
    }

    /// Whether `address` is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let kept = u32::MAX.checked_shl(32 - self.prefix).unwrap_or(0);
                base.to_bits() & kept == address.to_bits() & kept
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let kept = u128::MAX.checked_shl(128 - self.prefix).unwrap_or(0);
                base.to_bits() & kept == address.to_bits() & kept
            }
            _ => false,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::Network;

    #[test]
    fn a_network_holds_what_begins_alike() {
        let holds = |network: &str, address: &str| Network::parse(network).unwrap().contains(address.parse().unwrap());
        assert!(holds("10.0.0.0/8", "10.255.0.1") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("127.0.0.1", "127.0.0.1") && !holds("127.0.0.1", "127.0.0.2"));
        assert!(holds("127.0.0.1", "::ffff:127.0.0.1"), "an IPv4 address that came over IPv6");
        assert!(holds("fd00::/8", "fd12::1") && !holds("fd00::/8", "fe80::1"));
        assert!(holds("0.0.0.0/0", "192.0.2.1") && !holds("0.0.0.0/0", "::1"));
        for wrong in ["", "10.0.0.0/33", "proxy", "10.0.0/8", "::/129", "10.0.0.0/"] {
            assert!(Network::parse(wrong).is_err(), "{wrong}");
        }
    }
}
