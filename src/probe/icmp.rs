//! Looks whether a host answers an echo request.
//!
//! That needs no privileges if the system allows it (`net.ipv4.ping_group_range` on Linux); otherwise the look says so.

use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::Fault;
use super::dial::{Connector, Phase};
use super::spec::IcmpAsk;

/// The type numbers of an echo request and its reply, for ICMP and ICMPv6.
const ECHO_V4: (u8, u8) = (8, 0);
const ECHO_V6: (u8, u8) = (128, 129);

pub(super) async fn look(ask: &IcmpAsk, dialler: &Connector<'_>) -> Result<(), Fault> {
    let address = dialler.find(&ask.host, 0).await?;
    let socket = open(address.ip()).map_err(|error| Fault::unasked(closed(&error)))?;
    dialler.trace.enter(Phase::Waiting);
    let mark = fastrand::u64(..);
    let lost = |error: std::io::Error| Fault::down(format!("the ping failed: {error}"));
    socket.send_to(&request(address.ip(), mark), SocketAddr::new(address.ip(), 0)).await.map_err(lost)?;
    loop {
        let mut reply = [0; 128];
        let (count, from) = socket.recv_from(&mut reply).await.map_err(lost)?;
        if from.ip() == address.ip() && is_reply(address.ip(), &reply[..count], mark) {
            return Ok(());
        }
    }
}

/// Whether this machine lets us send echo requests.
pub fn is_allowed() -> bool {
    open(IpAddr::from([127, 0, 0, 1])).is_ok()
}

fn open(address: IpAddr) -> std::io::Result<UdpSocket> {
    let (domain, protocol) = match address {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    // This needs hardly any privileges; where it does, a daemon may have been given them.
    let socket = Socket::new(domain, Type::DGRAM, Some(protocol))?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(StdSocket::from(socket))
}

fn closed(error: &std::io::Error) -> String {
    format!("this machine does not allow echo requests: {error}; see `net.ipv4.ping_group_range`")
}

/// Builds the packet; the kernel fills in the identifier, and for IPv6 the checksum.
fn request(address: IpAddr, mark: u64) -> Vec<u8> {
    let (kind, _) = numbers(address);
    let mut packet = vec![kind, 0, 0, 0, 0, 0, 0, 1];
    packet.extend_from_slice(&mark.to_be_bytes());
    if address.is_ipv4() {
        let sum = checksum(&packet).to_be_bytes();
        packet[2..4].copy_from_slice(&sum);
    }
    packet
}

fn is_reply(address: IpAddr, packet: &[u8], mark: u64) -> bool {
    // Some systems put the IP header in front.
    let body = match packet.first() {
        Some(first) if address.is_ipv4() && first >> 4 == 4 => packet.get(usize::from(first & 0xf) * 4..),
        _ => Some(packet),
    };
    body.is_some_and(|body| {
        body.first() == Some(&numbers(address).1) && body.get(8..16) == Some(&mark.to_be_bytes()[..])
    })
}

fn numbers(address: IpAddr) -> (u8, u8) {
    if address.is_ipv4() { ECHO_V4 } else { ECHO_V6 }
}

/// Computes the checksum of RFC 1071.
fn checksum(packet: &[u8]) -> u16 {
    let words = packet.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)));
    let sum = words.sum::<u32>();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_adds_up_and_only_its_own_reply_is_one() {
        let address = IpAddr::from([192, 0, 2, 1]);
        let packet = request(address, 0x0102_0304_0506_0708);
        assert_eq!(checksum(&packet), 0, "with its own checksum in it");
        let mut reply = packet.clone();
        reply[0] = 0;
        assert!(is_reply(address, &reply, 0x0102_0304_0506_0708));
        assert!(!is_reply(address, &reply, 9) && !is_reply(address, &packet, 0x0102_0304_0506_0708));
        assert!(!is_reply(address, &[], 9) && !is_reply(address, &[0x4f; 3], 9));
        let framed = [vec![0x45; 20], reply].concat();
        assert!(is_reply(address, &framed, 0x0102_0304_0506_0708));
    }
}
