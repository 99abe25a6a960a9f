//! Why bytes are not the packet they claim to be: one byte, one name per reason.
//!
//! `pipeline` maps each variant to a drop reason with a counter of its own, so a variant says exactly
//! one thing. The set is closed and matched without a wildcard.

use core::fmt;

/// Why [`parse`](crate::parse), a `View` or a framing check refused a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Malformed {
    /// Fewer than 14 bytes.
    EthernetTruncated,
    /// The frame ends within a VLAN tag.
    VlanTruncated,
    /// The EtherType behind at most two tags is neither IPv4 nor IPv6 (ARP, 802.3, a third tag, ...).
    NotIp,
    /// The packet's end lies beyond byte 65,535 of the buffer, where no offset reaches.
    Oversize,
    /// A packet without a link header is empty, or its version is neither 4 nor 6.
    IpVersion,
    /// Fewer than 20 bytes of IPv4.
    Ipv4Truncated,
    /// EtherType IPv4, but another version in the header.
    Ipv4Version,
    /// IPv4 header length below 20 bytes.
    Ipv4HeaderLength,
    /// IPv4 total length below the header length or beyond the buffer.
    Ipv4TotalLength,
    /// The IPv4 header does not sum to zero (RFC 1812, section 5.2.2: a router must verify it).
    Ipv4HeaderChecksum,
    /// Fewer than 40 bytes of IPv6.
    Ipv6Truncated,
    /// EtherType IPv6, but another version in the header.
    Ipv6Version,
    /// IPv6 payload length beyond the buffer.
    Ipv6PayloadLength,
    /// An IPv6 extension header runs beyond the packet.
    Ipv6ExtensionTruncated,
    /// An authentication header shorter than its own fixed part (RFC 4302, section 2.2).
    Ipv6ExtensionLength,
    /// More than [`extension::CHAIN_LIMIT`](crate::extension::CHAIN_LIMIT) extension headers: unclassifiable.
    Ipv6ExtensionChain,
    /// Hop-by-hop options not directly behind the IPv6 header, or a second fragment header.
    Ipv6ExtensionOrder,
    /// A registered extension header (RFC 7045) that is not walked: mobility, HIP, Shim6, experiments: unclassifiable.
    Ipv6ExtensionUnknown,
    /// A type 0 routing header with segments left (RFC 5095).
    Ipv6SourceRoute,
    /// An empty fragment, or a non-last one whose length is no multiple of eight.
    FragmentLength,
    /// A fragment that reaches beyond the largest possible datagram.
    FragmentOverflow,
    /// Fewer than 8 bytes of UDP.
    UdpTruncated,
    /// UDP length below 8, beyond the packet, or shorter than the first fragment that carries it.
    UdpLength,
    /// Fewer than 20 bytes of TCP.
    TcpTruncated,
    /// TCP data offset below 20 bytes or beyond the packet (or beyond the first fragment).
    TcpDataOffset,
    /// Fewer than 8 bytes of ICMP.
    IcmpTruncated,
    /// Fewer than 8 bytes of ICMPv6.
    Icmpv6Truncated,
    /// Fewer than 28 bytes of ARP.
    ArpTruncated,
    /// ARP for anything else than Ethernet and IPv4.
    ArpKind,
    /// WireGuard type unknown, a reserved byte set, or too short to have a type.
    WireguardType,
    /// WireGuard message of another length than its type demands.
    WireguardLength,
}

impl Malformed {
    /// Every reason, in order of its number.
    pub const ALL: [Self; 31] = [
        Self::EthernetTruncated,
        Self::VlanTruncated,
        Self::NotIp,
        Self::Oversize,
        Self::IpVersion,
        Self::Ipv4Truncated,
        Self::Ipv4Version,
        Self::Ipv4HeaderLength,
        Self::Ipv4TotalLength,
        Self::Ipv4HeaderChecksum,
        Self::Ipv6Truncated,
        Self::Ipv6Version,
        Self::Ipv6PayloadLength,
        Self::Ipv6ExtensionTruncated,
        Self::Ipv6ExtensionLength,
        Self::Ipv6ExtensionChain,
        Self::Ipv6ExtensionOrder,
        Self::Ipv6ExtensionUnknown,
        Self::Ipv6SourceRoute,
        Self::FragmentLength,
        Self::FragmentOverflow,
        Self::UdpTruncated,
        Self::UdpLength,
        Self::TcpTruncated,
        Self::TcpDataOffset,
        Self::IcmpTruncated,
        Self::Icmpv6Truncated,
        Self::ArpTruncated,
        Self::ArpKind,
        Self::WireguardType,
        Self::WireguardLength,
    ];

    /// The name of the reason as metrics and logs spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EthernetTruncated => "ethernet_truncated",
            Self::VlanTruncated => "vlan_truncated",
            Self::NotIp => "not_ip",
            Self::Oversize => "oversize",
            Self::IpVersion => "ip_version",
            Self::Ipv4Truncated => "ipv4_truncated",
            Self::Ipv4Version => "ipv4_version",
            Self::Ipv4HeaderLength => "ipv4_header_length",
            Self::Ipv4TotalLength => "ipv4_total_length",
            Self::Ipv4HeaderChecksum => "ipv4_header_checksum",
            Self::Ipv6Truncated => "ipv6_truncated",
            Self::Ipv6Version => "ipv6_version",
            Self::Ipv6PayloadLength => "ipv6_payload_length",
            Self::Ipv6ExtensionTruncated => "ipv6_extension_truncated",
            Self::Ipv6ExtensionLength => "ipv6_extension_length",
            Self::Ipv6ExtensionChain => "ipv6_extension_chain",
            Self::Ipv6ExtensionOrder => "ipv6_extension_order",
            Self::Ipv6ExtensionUnknown => "ipv6_extension_unknown",
            Self::Ipv6SourceRoute => "ipv6_source_route",
            Self::FragmentLength => "fragment_length",
            Self::FragmentOverflow => "fragment_overflow",
            Self::UdpTruncated => "udp_truncated",
            Self::UdpLength => "udp_length",
            Self::TcpTruncated => "tcp_truncated",
            Self::TcpDataOffset => "tcp_data_offset",
            Self::IcmpTruncated => "icmp_truncated",
            Self::Icmpv6Truncated => "icmpv6_truncated",
            Self::ArpTruncated => "arp_truncated",
            Self::ArpKind => "arp_kind",
            Self::WireguardType => "wireguard_type",
            Self::WireguardLength => "wireguard_length",
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl core::error::Error for Malformed {}

/// The slice handed to an emitter does not fit its layer: too short for the header, or too long for
/// the length field. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

impl fmt::Display for NoRoom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the buffer does not fit the layer to emit")
    }
}

impl core::error::Error for NoRoom {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_listed_at_its_number_and_has_a_name_of_its_own() {
        for (number, reason) in Malformed::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, number);
        }
        let names: std::collections::BTreeSet<_> =
            Malformed::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), Malformed::ALL.len());
        assert_eq!(size_of::<Malformed>(), 1);
    }
}
