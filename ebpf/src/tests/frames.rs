//! Builds the frames of the tests, byte by byte: no code shared with any parser.
use std::net::{Ipv4Addr, Ipv6Addr};

use super::rig::{FAR4, FAR6, LOCAL4, LOCAL6, PEER4, PEER6};

pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ICMP: u8 = 1;
pub(super) const ICMPV6: u8 = 58;

pub(super) const UNICAST: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub(super) const GROUP: [u8; 6] = [1, 0, 0x5e, 0, 0, 1];

/// An Ethernet frame; `tags` are (TPID, control) in order.
pub(super) fn ethernet(tags: &[(u16, u16)], ether_type: u16, payload: &[u8]) -> Vec<u8> {
    ethernet_to(UNICAST, tags, ether_type, payload)
}

pub(super) fn ethernet_to(
    destination: [u8; 6],
    tags: &[(u16, u16)],
    ether_type: u16,
    payload: &[u8],
) -> Vec<u8> {
    let mut frame = destination.to_vec();
    frame.extend([2, 0, 0, 0, 0, 2]);
    for (protocol, control) in tags {
        frame.extend(protocol.to_be_bytes());
        frame.extend(control.to_be_bytes());
    }
    frame.extend(ether_type.to_be_bytes());
    frame.extend(payload);
    frame
}

/// What an IPv4 header is made of.
#[derive(Clone)]
pub(super) struct Ipv4 {
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub protocol: u8,
    pub options: Vec<u8>,
    /// Flags and offset as on the wire.
    pub fragment: u16,
    pub payload: Vec<u8>,
}

impl Ipv4 {
    pub(super) fn packet(&self) -> Vec<u8> {
        let words = 5 + self.options.len().div_ceil(4);
        let total = words * 4 + self.payload.len();
        let mut packet = vec![0x40 | u8::try_from(words).expect("options"), 0];
        packet.extend(u16::try_from(total).expect("length").to_be_bytes());
        packet.extend([0, 7]);
        packet.extend(self.fragment.to_be_bytes());
        packet.extend([64, self.protocol, 0, 0]);
        packet.extend(self.source.octets());
        packet.extend(self.destination.octets());
        packet.extend(&self.options);
        packet.resize(words * 4, 0);
        let sum: u32 = packet
            .chunks(2)
            .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
            .fold(0, |sum, word| (sum + word) % 0xffff);
        packet[10..12].copy_from_slice(&u16::to_be_bytes(0xffff - sum as u16));
        packet.extend(&self.payload);
        packet
    }

    pub(super) fn frame(&self) -> Vec<u8> {
        ethernet(&[], 0x0800, &self.packet())
    }
}

/// What an IPv6 packet is made of; extension headers are (type, bytes after the next-header byte).
#[derive(Clone)]
pub(super) struct Ipv6 {
    pub source: Ipv6Addr,
    pub destination: Ipv6Addr,
    pub hop_limit: u8,
    pub extensions: Vec<(u8, Vec<u8>)>,
    pub protocol: u8,
    pub payload: Vec<u8>,
}

impl Ipv6 {
    pub(super) fn packet(&self) -> Vec<u8> {
        let kinds: Vec<u8> =
            self.extensions.iter().map(|(kind, _)| *kind).chain([self.protocol]).collect();
        let mut body = Vec::new();
        for ((_, bytes), next) in self.extensions.iter().zip(&kinds[1..]) {
            body.push(*next);
            body.extend(bytes);
        }
        body.extend(&self.payload);
        let mut packet = vec![0x60, 0, 0, 0];
        packet.extend(u16::try_from(body.len()).expect("length").to_be_bytes());
        packet.extend([kinds[0], self.hop_limit]);
        packet.extend(self.source.octets());
        packet.extend(self.destination.octets());
        packet.extend(body);
        packet
    }

    pub(super) fn frame(&self) -> Vec<u8> {
        ethernet(&[], 0x86dd, &self.packet())
    }
}

/// A UDP or TCP header (the first bytes are the same) with some payload.
pub(super) fn transport(source_port: u16, destination_port: u16) -> Vec<u8> {
    let mut bytes = source_port.to_be_bytes().to_vec();
    bytes.extend(destination_port.to_be_bytes());
    bytes.extend([0, 24, 0, 0]);
    bytes.extend([0x51; 16]);
    bytes
}

/// UDP from the peer to an address.
pub(super) fn udp4(destination: Ipv4Addr, port: u16) -> Ipv4 {
    Ipv4 {
        source: PEER4,
        destination,
        protocol: UDP,
        options: Vec::new(),
        fragment: 0,
        payload: transport(4000, port),
    }
}

/// UDP from the peer to an address.
pub(super) fn udp6(destination: Ipv6Addr, port: u16) -> Ipv6 {
    Ipv6 {
        source: PEER6,
        destination,
        hop_limit: 64,
        extensions: Vec::new(),
        protocol: UDP,
        payload: transport(4000, port),
    }
}

/// A neighbour solicitation, as the type says, to an address.
pub(super) fn discovery(kind: u8, destination: Ipv6Addr) -> Ipv6 {
    let mut payload = vec![kind, 0, 0, 0, 0, 0, 0, 0];
    payload.extend(LOCAL6.octets());
    Ipv6 { hop_limit: 255, protocol: ICMPV6, payload, ..udp6(destination, 0) }
}

/// An extension header of `length` bytes, a multiple of eight, without its next-header byte.
pub(super) fn extension(kind: u8, length: usize) -> (u8, Vec<u8>) {
    let mut bytes = vec![0; length - 1];
    bytes[0] = u8::try_from(length / 8 - 1).expect("length");
    (kind, bytes)
}

/// A fragment header; offset in eighths.
pub(super) fn fragment6(offset: u16, more: bool) -> (u8, Vec<u8>) {
    let mut bytes = vec![0];
    bytes.extend((offset << 3 | u16::from(more)).to_be_bytes());
    bytes.extend([0, 0, 0, 9]);
    (44, bytes)
}

/// Transit frames of both families.
pub(super) fn transit() -> [Vec<u8>; 2] {
    [udp4(FAR4, 53).frame(), udp6(FAR6, 53).frame()]
}

/// Frames of both families to a port of this host.
pub(super) fn local(port: u16) -> [Vec<u8>; 2] {
    [udp4(LOCAL4, port).frame(), udp6(LOCAL6, port).frame()]
}
