//! Packets for tests, benches and tools: whole, with right lengths and checksums, in one expression.
//!
//! ```
//! use wire::build::Packet;
//! use wire::tcp::Flags;
//!
//! let frame = Packet::udp("10.0.0.1:4000", "10.0.0.2:53").payload(b"query").vlan(7).frame();
//! let syn = Packet::tcp("[fd00::1]:4000", "[fd00::2]:443", Flags::SYN).mss(1460).ip();
//! assert!(wire::parse(&frame).is_ok());
//! assert!(wire::parse_ip(&syn, 0).is_ok());
//! ```
//!
//! Never on the packet path: it allocates, and it panics on nonsense (addresses of two families, text
//! that is no address, more than 65,535 bytes), which in a test is the shortest way to say so.

use core::net::{IpAddr, SocketAddr};

use crate::{
    Addresses, Family, Mac, checksum, ethernet, icmpv4, icmpv6, ipip, ipv4, tcp, udp, vlan,
};

/// The link address that packets come from unless told otherwise.
pub const SOURCE_MAC: Mac = Mac([0x02, 0, 0, 0, 0, 0x01]);
/// The link address that packets go to unless told otherwise.
pub const DESTINATION_MAC: Mac = Mac([0x02, 0, 0, 0, 0, 0x02]);

/// Anything that names an address and, for TCP and UDP, a port: `"10.0.0.1:80"`, `"10.0.0.1"`,
/// `"[fd00::1]:80"`, a [`SocketAddr`], an [`IpAddr`].
pub trait Endpoint {
    /// The address, with port zero where there is none.
    fn socket(self) -> SocketAddr;
}

impl Endpoint for SocketAddr {
    fn socket(self) -> SocketAddr {
        self
    }
}

impl Endpoint for IpAddr {
    fn socket(self) -> SocketAddr {
        SocketAddr::new(self, 0)
    }
}

impl Endpoint for (IpAddr, u16) {
    fn socket(self) -> SocketAddr {
        SocketAddr::new(self.0, self.1)
    }
}

impl Endpoint for &str {
    fn socket(self) -> SocketAddr {
        let with_port = self.parse();
        let bare = || self.parse::<IpAddr>().map(|address| SocketAddr::new(address, 0));
        with_port.or_else(|_| bare()).unwrap_or_else(|_| panic!("{self:?} is no address"))
    }
}

/// A packet under construction.
#[derive(Clone, Debug)]
pub struct Packet {
    addresses: Addresses,
    upper: Upper,
    payload: Vec<u8>,
    hop_limit: u8,
    traffic_class: u8,
    identification: u32,
    flow_label: u32,
    dont_fragment: bool,
    fragment: Option<(u16, bool)>,
    ipv4_options: Vec<u8>,
    extensions: Vec<(u8, Vec<u8>)>,
    partial_checksum: bool,
    link: ethernet::Repr,
    padding: usize,
}

#[derive(Clone, Debug)]
enum Upper {
    Udp(udp::Repr, UdpChecksum),
    Tcp(tcp::Repr),
    Icmpv4(icmpv4::Repr),
    Icmpv6(icmpv6::Repr),
    Raw(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UdpChecksum {
    Computed,
    None,
}

/// What a packet is about.
impl Packet {
    /// A UDP datagram.
    pub fn udp(source: impl Endpoint, destination: impl Endpoint) -> Self {
        let (source, destination) = (source.socket(), destination.socket());
        let repr = udp::Repr { source_port: source.port(), destination_port: destination.port() };
        Self::new(source, destination, Upper::Udp(repr, UdpChecksum::Computed))
    }

    /// A TCP segment with sequence number 1, acknowledgment 0 and window 65,535.
    pub fn tcp(source: impl Endpoint, destination: impl Endpoint, flags: tcp::Flags) -> Self {
        let (source, destination) = (source.socket(), destination.socket());
        let repr = tcp::Repr {
            source_port: source.port(),
            destination_port: destination.port(),
            sequence: 1,
            acknowledgment: 0,
            flags,
            window: u16::MAX,
            mss: None,
            window_scale: None,
            sack_permitted: false,
            timestamps: None,
        };
        Self::new(source, destination, Upper::Tcp(repr))
    }

    /// An ICMP message over IPv4.
    pub fn icmpv4(
        source: impl Endpoint,
        destination: impl Endpoint,
        message: icmpv4::Repr,
    ) -> Self {
        Self::new(source.socket(), destination.socket(), Upper::Icmpv4(message))
    }

    /// An ICMPv6 message over IPv6.
    pub fn icmpv6(
        source: impl Endpoint,
        destination: impl Endpoint,
        message: icmpv6::Repr,
    ) -> Self {
        Self::new(source.socket(), destination.socket(), Upper::Icmpv6(message))
    }

    /// An echo request of the addresses' family.
    pub fn ping(
        source: impl Endpoint,
        destination: impl Endpoint,
        identifier: u16,
        sequence: u16,
    ) -> Self {
        let (source, destination) = (source.socket(), destination.socket());
        match source {
            SocketAddr::V4(_) => Self::icmpv4(
                source,
                destination,
                icmpv4::Repr::EchoRequest { identifier, sequence },
            ),
            SocketAddr::V6(_) => Self::icmpv6(
                source,
                destination,
                icmpv6::Repr::EchoRequest { identifier, sequence },
            ),
        }
    }

    /// An IP packet within an IP packet; `inner` is what [`Packet::ip`] made.
    pub fn ipip(source: impl Endpoint, destination: impl Endpoint, inner: &[u8]) -> Self {
        let family = if inner.first().is_some_and(|first| first >> 4 == 6) {
            Family::V6
        } else {
            Family::V4
        };
        Self::raw(source, destination, ipip::protocol_of(family)).payload(inner)
    }

    /// A packet of another protocol: the payload is all there is above IP.
    pub fn raw(source: impl Endpoint, destination: impl Endpoint, number: u8) -> Self {
        Self::new(source.socket(), destination.socket(), Upper::Raw(number))
    }

    fn new(source: SocketAddr, destination: SocketAddr, upper: Upper) -> Self {
        let addresses = Addresses::new(source.ip(), destination.ip())
            .unwrap_or_else(|| panic!("{source} and {destination} are of two families"));
        let ethertype = match addresses.family() {
            Family::V4 => ethernet::IPV4,
            Family::V6 => ethernet::IPV6,
        };
        Self {
            addresses,
            upper,
            payload: Vec::new(),
            hop_limit: 64,
            traffic_class: 0,
            identification: 0,
            flow_label: 0,
            dont_fragment: false,
            fragment: None,
            ipv4_options: Vec::new(),
            extensions: Vec::new(),
            partial_checksum: false,
            link: ethernet::Repr {
                destination: DESTINATION_MAC,
                source: SOURCE_MAC,
                tags: vlan::Tags::NONE,
                ethertype,
            },
            padding: 0,
        }
    }
}

/// Its details.
impl Packet {
    /// The payload of the upper layer.
    #[must_use]
    pub fn payload(mut self, bytes: &[u8]) -> Self {
        self.payload = bytes.to_vec();
        self
    }

    /// A payload of `len` bytes that count up.
    #[must_use]
    pub fn payload_len(mut self, len: usize) -> Self {
        self.payload = (0..len).map(|index| index as u8).collect();
        self
    }

    /// TTL or hop limit; 64 unless told.
    #[must_use]
    pub fn hop_limit(mut self, hop_limit: u8) -> Self {
        self.hop_limit = hop_limit;
        self
    }

    /// DSCP and ECN; zero unless told.
    #[must_use]
    pub fn traffic_class(mut self, traffic_class: u8) -> Self {
        self.traffic_class = traffic_class;
        self
    }

    /// IPv6 flow label; zero unless told.
    #[must_use]
    pub fn flow_label(mut self, flow_label: u32) -> Self {
        self.flow_label = flow_label;
        self
    }

    /// Identification of the datagram; zero unless told.
    #[must_use]
    pub fn identification(mut self, identification: u32) -> Self {
        self.identification = identification;
        self
    }

    /// Sets DF (IPv4).
    #[must_use]
    pub fn dont_fragment(mut self) -> Self {
        self.dont_fragment = true;
        self
    }

    /// Makes this a piece of a datagram: in IPv6 with a fragment header behind the other extension
    /// headers. A piece at an offset above zero carries the payload only, without an upper header.
    #[must_use]
    pub fn fragment(mut self, offset: u16, more: bool) -> Self {
        self.fragment = Some((offset, more));
        self
    }

    /// IPv4 options, padded to four bytes with end markers.
    #[must_use]
    pub fn ipv4_options(mut self, options: &[u8]) -> Self {
        self.ipv4_options = options.to_vec();
        self.ipv4_options.resize(options.len().next_multiple_of(4), 0);
        self
    }

    /// One more IPv6 extension header of this number; `body` is everything behind its next-header and
    /// length bytes, and with them a multiple of eight.
    #[must_use]
    pub fn extension(mut self, number: u8, body: &[u8]) -> Self {
        self.extensions.push((number, body.to_vec()));
        self
    }

    /// Sequence and acknowledgment number (TCP).
    #[must_use]
    pub fn sequence(mut self, sequence: u32, acknowledgment: u32) -> Self {
        if let Upper::Tcp(repr) = &mut self.upper {
            repr.sequence = sequence;
            repr.acknowledgment = acknowledgment;
        }
        self
    }

    /// The MSS option (TCP).
    #[must_use]
    pub fn mss(mut self, mss: u16) -> Self {
        if let Upper::Tcp(repr) = &mut self.upper {
            repr.mss = Some(mss);
        }
        self
    }

    /// Any change to the TCP header.
    #[must_use]
    pub fn with_tcp(mut self, change: impl FnOnce(&mut tcp::Repr)) -> Self {
        if let Upper::Tcp(repr) = &mut self.upper {
            change(repr);
        }
        self
    }

    /// Leaves UDP's checksum at "none".
    #[must_use]
    pub fn without_checksum(mut self) -> Self {
        if let Upper::Udp(_, checksum) = &mut self.upper {
            *checksum = UdpChecksum::None;
        }
        self
    }

    /// Leaves only the pseudo header's sum in the TCP, UDP or ICMPv6 checksum, as a local stack does
    /// that counts on hardware.
    #[must_use]
    pub fn partial_checksum(mut self) -> Self {
        self.partial_checksum = true;
        self
    }

    /// One more VLAN tag, inside those there are.
    #[must_use]
    pub fn vlan(mut self, id: u16) -> Self {
        self.link.tags = self.link.tags.with(vlan::Tag(id)).expect("at most two tags");
        self
    }

    /// The link addresses.
    #[must_use]
    pub fn macs(mut self, source: Mac, destination: Mac) -> Self {
        self.link.source = source;
        self.link.destination = destination;
        self
    }

    /// Bytes of link padding behind the packet.
    #[must_use]
    pub fn padding(mut self, len: usize) -> Self {
        self.padding = len;
        self
    }
}

/// Makes the IPv4 header checksum right again after a test changed the header at the front of
/// `packet`. Leaves bytes that are no IPv4 header alone.
pub fn restore_ipv4_checksum(packet: &mut [u8]) {
    let header_len = packet.first().map_or(0, |first| usize::from(first & 0x0f) * 4);
    let Some(header) = packet.get_mut(..header_len.max(ipv4::HEADER_LEN)) else { return };
    header[ipv4::field::CHECKSUM].copy_from_slice(&[0, 0]);
    let sum = checksum::Sum::of(header).checksum();
    header[ipv4::field::CHECKSUM].copy_from_slice(&sum.to_be_bytes());
}

mod bytes;
#[cfg(test)]
mod tests;
