//! Which addresses may be asked.
//!
//! Whoever configures a target could make us ask what only this machine or this network may see. So addresses of this
//! machine, of the link, of cloud metadata services and of no single host are refused, and so are private networks
//! unless they are explicitly allowed. An IPv4 address embedded in an IPv6 address is judged as the IPv4 address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A network, such as `10.20.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Parses `10.20.0.0/16`, `fd00::/8` or a single address, or says what is wrong with `text`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let form = || "must be an address or a network, such as \"127.0.0.1\" or \"10.0.0.0/8\"".to_owned();
        let (address, bits) = text.trim().split_once('/').unwrap_or((text.trim(), ""));
        let address: IpAddr = address.parse().map_err(|_| form())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = if !text.contains('/') { most } else { bits.parse().map_err(|_| form())? };
        if bits > most {
            return Err(form());
        }
        Ok(Self { address, bits })
    }

    /// Whether `address` is in the network; an IPv4 address mapped into IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.holds(address) || self.holds(address.to_canonical())
    }

    fn holds(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                same_start(own.to_bits().into(), other.to_bits().into(), self.bits, 32)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => same_start(own.to_bits(), other.to_bits(), self.bits, 128),
            _ => false,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

fn same_start(a: u128, b: u128, bits: u8, width: u8) -> bool {
    bits == 0 || (a ^ b) >> (width - bits) == 0
}

/// Which addresses may be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressRules {
    /// Private networks, or this machine's own addresses, that may be asked nevertheless.
    pub allowed: Vec<Network>,
    /// The port we listen on: asking ourselves would prove nothing, and could loop for ever.
    pub own_port: Option<u16>,
}

/// Why an address is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// We listen there ourselves.
    Ourselves,
    /// Refused always, whatever is allowed.
    Never(&'static str),
    /// Refused unless its network is allowed.
    NotAllowed(&'static str),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ourselves => f.write_str("the address of this service itself, which is never asked"),
            Self::Never(what) => write!(f, "{what}, which is never asked"),
            Self::NotAllowed(what) => write!(f, "{what}, which `allow_networks` does not allow"),
        }
    }
}

impl AddressRules {
    /// Whether `address` may be asked at `port`.
    pub fn judge(&self, address: IpAddr, port: u16) -> Result<(), Refusal> {
        let plain = undressed(address);
        let allowed = self.allowed.iter().any(|network| network.holds(address) || network.holds(plain));
        let ours = plain.is_loopback() && Some(port) == self.own_port;
        match class(plain) {
            _ if ours => Err(Refusal::Ourselves),
            Some(Refusal::NotAllowed(_)) if allowed => Ok(()),
            Some(refusal) => Err(refusal),
            None => Ok(()),
        }
    }

    /// Whether a connection from the address `own` to `peer` has reached this service itself. A connection to an
    /// address of this machine comes from that very address.
    pub fn is_ourselves(&self, own: SocketAddr, peer: SocketAddr) -> bool {
        own.ip() == peer.ip() && Some(peer.port()) == self.own_port
    }
}

/// Whether `address` is on the public internet, where anybody can ask it.
pub fn is_public(address: IpAddr) -> bool {
    class(undressed(address)).is_none()
}

/// Returns the IPv4 address that an IPv6 address stands for, or else `address` itself.
fn undressed(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let low = |v6: Ipv6Addr| Ipv4Addr::from_bits(v6.to_bits() as u32);
    let segments = v6.segments();
    match segments {
        // Mapped addresses, and the compatible form that nobody uses any more.
        [0, 0, 0, 0, 0, 0xffff, ..] => low(v6).into(),
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => low(v6).into(),
        // NAT64: its well-known prefix and the one for local use (RFC 6052, 8215).
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => low(v6).into(),
        // 6to4 has it after the prefix; Teredo has it at the end, inverted.
        [0x2002, high, lower, ..] => Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(lower)).into(),
        [0x2001, 0, ..] => Ipv4Addr::from_bits(!(v6.to_bits() as u32)).into(),
        _ => address,
    }
}

/// Returns why an address is special. `None` if it is an ordinary host.
fn class(address: IpAddr) -> Option<Refusal> {
    match address {
        IpAddr::V4(v4) => class_v4(v4),
        IpAddr::V6(v6) => class_v6(v6),
    }
}

fn class_v4(address: Ipv4Addr) -> Option<Refusal> {
    use Refusal::{Never, NotAllowed};
    Some(match address.octets() {
        [0, ..] => Never("an unusable address"),
        [127, ..] => NotAllowed("an address of this machine"),
        [169, 254, ..] => Never("a link-local address, as metadata services have"),
        [100, 100, 100, 200] | [168, 63, 129, 16] | [192, 0, 0, 192] => Never("a metadata service"),
        [224..=239, ..] => Never("a multicast address"),
        [240..=255, ..] => Never("a reserved address"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => NotAllowed("an address of a private network"),
        [100, 64..=127, ..] => NotAllowed("an address behind a carrier's NAT"),
        [192, 0, 0, _] | [198, 18 | 19, ..] => NotAllowed("an address that is not on the internet"),
        _ => return None,
    })
}

fn class_v6(address: Ipv6Addr) -> Option<Refusal> {
    use Refusal::{Never, NotAllowed};
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Never("an unusable address"),
        [0, 0, 0, 0, 0, 0, 0, 1] => NotAllowed("an address of this machine"),
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] => Never("a metadata service"),
        [first, ..] if first & 0xff00 == 0xff00 => Never("a multicast address"),
        [first, ..] if first & 0xffc0 == 0xfe80 => Never("a link-local address, as metadata services have"),
        [first, ..] if first & 0xffc0 == 0xfec0 => NotAllowed("a site-local address"),
        [first, ..] if first & 0xfe00 == 0xfc00 => NotAllowed("an address of a private network"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn judged(rules: &AddressRules, address: &str, port: u16) -> &'static str {
        match rules.judge(address.parse().unwrap(), port) {
            Ok(()) => "ok",
            Err(Refusal::Never(_) | Refusal::Ourselves) => "never",
            Err(Refusal::NotAllowed(_)) => "not allowed",
        }
    }

    #[test]
    fn tricks_are_seen_through() {
        let cases = [
            ("93.184.216.34", "ok"),
            ("2606:2800:220:1::1", "ok"),
            ("127.0.0.1", "not allowed"),
            ("127.255.255.254", "not allowed"),
            ("::1", "not allowed"),
            ("0.0.0.0", "never"),
            ("::", "never"),
            ("10.1.2.3", "not allowed"),
            ("172.31.255.255", "not allowed"),
            ("172.32.0.0", "ok"),
            ("192.168.0.1", "not allowed"),
            ("100.64.0.1", "not allowed"),
            ("100.128.0.1", "ok"),
            ("169.254.169.254", "never"),
            ("100.100.100.200", "never"),
            ("fd00:ec2::254", "never"),
            ("fe80::1", "never"),
            ("fd12::1", "not allowed"),
            ("224.0.0.1", "never"),
            ("ff02::1", "never"),
            ("255.255.255.255", "never"),
            ("::ffff:127.0.0.1", "not allowed"),
            ("::ffff:169.254.169.254", "never"),
            ("::127.0.0.1", "not allowed"),
            ("64:ff9b::a9fe:a9fe", "never"),
            ("64:ff9b::7f00:1", "not allowed"),
            ("64:ff9b:1::7f00:1", "not allowed"),
            ("64:ff9b::5db8:d822", "ok"),
            ("2002:7f00:1::", "not allowed"),
            ("2002:a9fe:a9fe::1", "never"),
            ("2001:0:4136:e378:8000:63bf:80ff:fffe", "not allowed"),
            ("2001:0:4136:e378:8000:63bf:5601:5601", "never"),
        ];
        for (address, expected) in cases {
            assert_eq!(judged(&AddressRules::default(), address, 443), expected, "{address}");
        }
    }

    #[test]
    fn what_is_allowed_by_name_is_asked_but_not_what_never_is_and_not_ourselves() {
        let allowed = ["10.20.0.0/16", "127.0.0.1", "fd12::/16", "169.254.0.0/16", "0.0.0.0/0"];
        let rules = |allowed: &[&str]| AddressRules {
            allowed: allowed.iter().map(|text| Network::parse(text).unwrap()).collect(),
            own_port: Some(8080),
        };
        let rules_all = rules(&allowed);
        for (address, port, expected) in [
            ("10.20.255.1", 443, "ok"),
            ("127.0.0.1", 443, "ok"),
            ("::ffff:10.20.0.1", 443, "ok"),
            ("fd12::9", 443, "ok"),
            ("fd13::9", 443, "not allowed"),
            ("169.254.169.254", 80, "never"),
            ("127.0.0.1", 8080, "never"),
            ("::ffff:127.0.0.1", 8080, "never"),
        ] {
            assert_eq!(judged(&rules_all, address, port), expected, "{address}");
        }
        assert_eq!(judged(&rules(&["10.20.0.0/16"]), "10.21.0.1", 443), "not allowed");
    }

    #[test]
    fn a_network_is_written_as_people_write_it() {
        for text in ["10.0.0.0/33", "ten", "10.0.0.0/x", "::/129", ""] {
            assert!(Network::parse(text).is_err(), "{text}");
        }
        assert_eq!(Network::parse(" 10.0.0.0/8 ").unwrap().to_string(), "10.0.0.0/8");
    }
}
