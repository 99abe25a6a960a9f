//! What [`parse`](crate::parse) found: offsets into the buffer and small values.
//!
//! `Copy` and about a cache line, so that a burst keeps one per packet while the frames move through
//! the stages. Offsets are private and come only from a parse: whoever holds a [`Parsed`] knows that
//! the headers were whole in the buffer it was made from. Rewrites still check their slices, so a
//! `Parsed` used on another buffer changes nothing rather than panics.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::ops::Range;

use crate::{Ecn, tcp, vlan};

/// A packet that passed every check, as offsets from the start of its buffer and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Source and destination address.
    pub addresses: Addresses,
    /// The upper-layer header.
    pub transport: Transport,
    /// Whether this is a piece of a larger datagram.
    pub fragment: Fragment,
    /// What the link header said; [`Link::NONE`] for a packet out of a tunnel.
    pub link: Link,
    /// The upper-layer protocol number: IPv4's protocol, or what ends the IPv6 header chain. In a
    /// later IPv6 fragment this is what its fragment header names, which may be an extension header
    /// that only the first fragment carries.
    pub protocol: u8,
    /// TTL or hop limit as received.
    pub hop_limit: u8,
    /// DSCP (upper six bits) and ECN (lower two): the IPv4 TOS byte or the IPv6 traffic class.
    pub traffic_class: u8,
    pub(crate) notes: Notes,
    pub(crate) l3: u16,
    pub(crate) l4: u16,
    pub(crate) payload: u16,
    pub(crate) payload_end: u16,
    pub(crate) end: u16,
}

impl Parsed {
    /// Where the IP header begins.
    pub const fn l3(&self) -> usize {
        self.l3 as usize
    }

    /// Where the upper-layer header begins (behind IPv4 options or IPv6 extension headers). For a
    /// later fragment: where its data begins.
    pub const fn l4(&self) -> usize {
        self.l4 as usize
    }

    /// Where the upper layer's payload begins: behind TCP options, behind 8 bytes of UDP or ICMP; the
    /// same as [`Parsed::l4`] for IPIP, other protocols and later fragments.
    pub const fn payload(&self) -> usize {
        self.payload as usize
    }

    /// Where the packet ends by its IP header. Bytes beyond are link padding.
    pub const fn end(&self) -> usize {
        self.end as usize
    }

    /// The payload's bytes. For UDP the UDP length ends it, which may be before [`Parsed::end`].
    pub const fn payload_range(&self) -> Range<usize> {
        self.payload as usize..self.payload_end as usize
    }

    /// The length of the IP packet, headers included.
    pub const fn ip_len(&self) -> usize {
        (self.end - self.l3) as usize
    }

    /// The address family.
    pub const fn family(&self) -> Family {
        self.addresses.family()
    }

    /// The ECN field of [`Parsed::traffic_class`].
    pub const fn ecn(&self) -> Ecn {
        Ecn::from_bits(self.traffic_class)
    }

    /// The six DSCP bits, as a number below 64.
    pub const fn dscp(&self) -> u8 {
        self.traffic_class >> 2
    }

    /// True if routers must not fragment: IPv4 with DF set, and every IPv6 packet.
    pub const fn dont_fragment(&self) -> bool {
        self.notes.has(Notes::DONT_FRAGMENT)
    }

    /// True if the IPv4 header carries options.
    pub const fn has_ipv4_options(&self) -> bool {
        self.notes.has(Notes::IPV4_OPTIONS)
    }

    /// True if any IPv6 extension header was walked.
    pub const fn has_extension_headers(&self) -> bool {
        self.notes.has(Notes::EXTENSIONS)
    }

    /// True if an IPv6 routing header with segments left is present: the destination address is only
    /// the next stop, and the upper-layer checksum covers another one.
    pub const fn is_source_routed(&self) -> bool {
        self.notes.has(Notes::SOURCE_ROUTED)
    }

    /// True if the TCP header carries options.
    pub const fn has_tcp_options(&self) -> bool {
        matches!(self.transport, Transport::Tcp { .. })
            && self.payload - self.l4 > tcp::HEADER_LEN as u16
    }

    /// The same packet after `count` bytes were removed from the front of its buffer; `None` if that
    /// cuts into the IP header.
    pub const fn after_pull_front(mut self, count: usize) -> Option<Self> {
        if count > self.l3 as usize {
            return None;
        }
        let count = count as u16;
        self.l3 -= count;
        self.l4 -= count;
        self.payload -= count;
        self.payload_end -= count;
        self.end -= count;
        Some(self)
    }

    /// The same packet after `count` bytes were put in front of its buffer; `None` if an offset would
    /// pass 65,535.
    pub const fn after_push_front(mut self, count: usize) -> Option<Self> {
        if count > (u16::MAX - self.end) as usize {
            return None;
        }
        let count = count as u16;
        self.l3 += count;
        self.l4 += count;
        self.payload += count;
        self.payload_end += count;
        self.end += count;
        Some(self)
    }
}

/// What the link header said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The VLAN tags, outermost first.
    pub tags: vlan::Tags,
    /// True if the destination MAC is a group address (multicast or broadcast): never forwarded,
    /// never answered with an error.
    pub multicast: bool,
}

impl Link {
    /// No link header: the packet came out of a tunnel.
    pub const NONE: Self = Self { tags: vlan::Tags::NONE, multicast: false };
}

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Source and destination of a packet, always of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Addresses {
    /// IPv4.
    V4 {
        /// Where the packet says it comes from.
        source: Ipv4Addr,
        /// Where it goes.
        destination: Ipv4Addr,
    },
    /// IPv6.
    V6 {
        /// Where the packet says it comes from.
        source: Ipv6Addr,
        /// Where it goes.
        destination: Ipv6Addr,
    },
}

impl Addresses {
    /// Both addresses if they are of one family.
    pub const fn new(source: IpAddr, destination: IpAddr) -> Option<Self> {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Some(Self::V4 { source, destination }),
            (IpAddr::V6(source), IpAddr::V6(destination)) => Some(Self::V6 { source, destination }),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
        }
    }

    /// The source address.
    pub const fn source(&self) -> IpAddr {
        match *self {
            Self::V4 { source, .. } => IpAddr::V4(source),
            Self::V6 { source, .. } => IpAddr::V6(source),
        }
    }

    /// The destination address.
    pub const fn destination(&self) -> IpAddr {
        match *self {
            Self::V4 { destination, .. } => IpAddr::V4(destination),
            Self::V6 { destination, .. } => IpAddr::V6(destination),
        }
    }

    /// The family of both.
    pub const fn family(&self) -> Family {
        match self {
            Self::V4 { .. } => Family::V4,
            Self::V6 { .. } => Family::V6,
        }
    }

    /// Source and destination exchanged, as in an answer.
    pub const fn reversed(&self) -> Self {
        match *self {
            Self::V4 { source, destination } => {
                Self::V4 { source: destination, destination: source }
            }
            Self::V6 { source, destination } => {
                Self::V6 { source: destination, destination: source }
            }
        }
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} > {}", self.source(), self.destination())
    }
}

/// Whether a packet is a piece of a larger datagram. An IPv6 packet with a fragment header that says
/// "offset 0, no more" (an atomic fragment, RFC 6946) is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment {
    /// A whole datagram.
    None,
    /// The first piece; it carries the upper-layer header.
    First {
        /// The datagram's identification: 16 bits in IPv4, 32 in IPv6.
        identification: u32,
    },
    /// Any other piece; ports are unknown ([`Transport::Absent`]).
    Later {
        /// The datagram's identification: 16 bits in IPv4, 32 in IPv6.
        identification: u32,
        /// Where this piece belongs, in bytes.
        offset: u16,
        /// False in the last piece.
        more: bool,
    },
}

/// The upper-layer header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp {
        /// Source port.
        source_port: u16,
        /// Destination port.
        destination_port: u16,
        /// The eight flag bits.
        flags: tcp::Flags,
    },
    /// UDP.
    Udp {
        /// Source port.
        source_port: u16,
        /// Destination port.
        destination_port: u16,
    },
    /// ICMP over IPv4.
    Icmp {
        /// Message type.
        kind: u8,
        /// Code within the type.
        code: u8,
        /// Bytes 4 and 5: the identifier of an echo.
        identifier: u16,
    },
    /// ICMPv6 over IPv6.
    Icmpv6 {
        /// Message type.
        kind: u8,
        /// Code within the type.
        code: u8,
        /// Bytes 4 and 5: the identifier of an echo.
        identifier: u16,
    },
    /// An IP packet within: protocol 4 or 41. Unchecked until [`parse_ip`](crate::parse_ip) at [`Parsed::l4`].
    Ipip {
        /// What the protocol number promises.
        inner: Family,
    },
    /// Another protocol, by number; no-next-header (59) is one of them.
    Other(u8),
    /// Not in this packet: a later fragment.
    Absent,
}

impl Transport {
    /// Source and destination port of TCP and UDP.
    pub const fn ports(&self) -> Option<(u16, u16)> {
        match *self {
            Self::Tcp { source_port, destination_port, .. }
            | Self::Udp { source_port, destination_port } => Some((source_port, destination_port)),
            Self::Icmp { .. }
            | Self::Icmpv6 { .. }
            | Self::Ipip { .. }
            | Self::Other(_)
            | Self::Absent => None,
        }
    }
}

/// Yes-or-no findings, packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Notes(pub(crate) u8);

impl Notes {
    pub(crate) const DONT_FRAGMENT: u8 = 1;
    pub(crate) const IPV4_OPTIONS: u8 = 2;
    pub(crate) const EXTENSIONS: u8 = 4;
    pub(crate) const SOURCE_ROUTED: u8 = 8;

    const fn has(self, note: u8) -> bool {
        self.0 & note != 0
    }
}
