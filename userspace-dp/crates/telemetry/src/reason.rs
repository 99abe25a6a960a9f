//! Why a packet was dropped: the one table that enum, documentation and metrics come from.

use crate::Stage;

/// How much a drop should worry an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Expected in ordinary operation: policy did its work, a hop limit ran out.
    Normal,
    /// Somebody sends what they should not: malformed, forged or replayed packets.
    Hostile,
    /// The gateway is short of something: ring space, table space, a neighbour, a session.
    Shortage,
    /// Should never happen; worth a report.
    Fault,
}

impl Severity {
    /// The name in tables and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Hostile => "hostile",
            Self::Shortage => "shortage",
            Self::Fault => "fault",
        }
    }
}

macro_rules! reasons {
    ($($variant:ident $name:literal $stage:ident $severity:ident $help:literal;)*) => {
        /// Why a packet was dropped. Every dropped packet has exactly one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Reason {
            $(#[doc = $help] $variant,)*
        }

        impl Reason {
            const TABLE: &'static [(Self, &'static str, Stage, Severity, &'static str)] = &[
                $((Self::$variant, $name, Stage::$stage, Severity::$severity, $help),)*
            ];
        }
    };
}

impl Reason {
    /// Every reason, in path order.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        Self::TABLE.iter().map(|row| row.0)
    }

    /// The name in tables and metrics.
    pub const fn name(self) -> &'static str {
        Self::TABLE[self as usize].1
    }

    /// The stage that drops for this reason.
    pub const fn stage(self) -> Stage {
        Self::TABLE[self as usize].2
    }

    /// How much it should worry an operator.
    pub const fn severity(self) -> Severity {
        Self::TABLE[self as usize].3
    }

    /// One sentence for operators.
    pub const fn help(self) -> &'static str {
        Self::TABLE[self as usize].4
    }
}

//  variant                 name                      stage     severity  help
reasons! {
    EthernetTruncated       "ethernet_truncated"            Parse     Hostile   "Fewer than 14 bytes of Ethernet.";
    VlanTruncated           "vlan_truncated"                Parse     Hostile   "The frame ends within a VLAN tag.";
    NotIp                   "not_ip"                        Parse     Normal    "Neither IPv4 nor IPv6 behind at most two VLAN tags.";
    Oversize                "oversize"                      Parse     Hostile   "The packet ends beyond byte 65,535 of its frame.";
    IpVersion               "ip_version"                    Parse     Hostile   "A packet out of a tunnel whose IP version is neither 4 nor 6.";
    Ipv4Truncated           "ipv4_truncated"                Parse     Hostile   "Fewer than 20 bytes of IPv4.";
    Ipv4Version             "ipv4_version"                  Parse     Hostile   "Ethernet says IPv4, the header another version.";
    Ipv4HeaderLength        "ipv4_header_length"            Parse     Hostile   "IPv4 header length below 20 bytes.";
    Ipv4TotalLength         "ipv4_total_length"             Parse     Hostile   "IPv4 total length below the header length or beyond the frame.";
    Ipv4HeaderChecksum      "ipv4_header_checksum"          Parse     Hostile   "The IPv4 header checksum is wrong.";
    Ipv6Truncated           "ipv6_truncated"                Parse     Hostile   "Fewer than 40 bytes of IPv6.";
    Ipv6Version             "ipv6_version"                  Parse     Hostile   "Ethernet says IPv6, the header another version.";
    Ipv6PayloadLength       "ipv6_payload_length"           Parse     Hostile   "IPv6 payload length beyond the frame.";
    Ipv6ExtensionTruncated  "ipv6_extension_truncated"      Parse     Hostile   "An IPv6 extension header runs beyond the packet.";
    Ipv6ExtensionLength     "ipv6_extension_length"         Parse     Hostile   "An IPv6 authentication header shorter than its fixed part.";
    Ipv6ExtensionChain      "ipv6_extension_chain"          Parse     Hostile   "More than eight IPv6 extension headers: unclassifiable.";
    Ipv6ExtensionOrder      "ipv6_extension_order"          Parse     Hostile   "IPv6 hop-by-hop options not in front, or a second fragment header.";
    Ipv6ExtensionUnknown    "ipv6_extension_unknown"        Parse     Hostile   "An IPv6 extension header that cannot be walked: unclassifiable.";
    Ipv6SourceRoute         "ipv6_source_route"             Parse     Hostile   "A type 0 routing header with segments left.";
    FragmentLength          "fragment_length"               Parse     Hostile   "An empty fragment, or one that is not last and no multiple of eight long.";
    FragmentOverflow        "fragment_overflow"             Parse     Hostile   "A fragment beyond the largest possible datagram.";
    UdpTruncated            "udp_truncated"                 Parse     Hostile   "Fewer than 8 bytes of UDP.";
    UdpLength               "udp_length"                    Parse     Hostile   "UDP length that contradicts the packet.";
    TcpTruncated            "tcp_truncated"                 Parse     Hostile   "Fewer than 20 bytes of TCP.";
    TcpDataOffset           "tcp_data_offset"               Parse     Hostile   "TCP data offset that contradicts the packet.";
    IcmpTruncated           "icmp_truncated"                Parse     Hostile   "Fewer than 8 bytes of ICMP.";
    Icmpv6Truncated         "icmpv6_truncated"              Parse     Hostile   "Fewer than 8 bytes of ICMPv6.";
    ArpTruncated            "arp_truncated"                 Parse     Hostile   "Fewer than 28 bytes of ARP.";
    ArpKind                 "arp_kind"                      Parse     Hostile   "ARP for anything else than Ethernet and IPv4.";
    IngressUnknown          "ingress_unknown"         Parse     Fault     "The frame came by an interface or VLAN that is in no zone.";
    OtherHost               "other_host"              Parse     Normal    "The link header names another station: a device in promiscuous mode, or a switch that floods.";

    OuterFragment           "wg_outer_fragment"       Classify  Normal    "A fragment of a tunnel packet; lower the tunnel MTU of the sender.";
    LocalNotTunnel          "local_not_tunnel"        Classify  Normal    "Addressed to the gateway outside any tunnel, but not to a tunnel service; steering should have left it to the kernel.";

    WgType                  "wg_type"                       Detunnel  Hostile   "Not a WireGuard message type, or a reserved byte is set.";
    WgLength                "wg_length"                     Detunnel  Hostile   "A WireGuard message of another length than its type demands.";
    WgMalformed             "wg_malformed"                  Detunnel  Hostile   "Not a WireGuard message.";
    WgUnusableSource        "wg_unusable_source"            Detunnel  Hostile   "The sender's address cannot be answered.";
    WgMac1Invalid           "wg_mac1_invalid"               Detunnel  Hostile   "The first MAC is wrong: the sender does not know the gateway's public key.";
    WgSourceRateLimited     "wg_source_rate_limited"        Detunnel  Hostile   "This source sends more handshake messages than its rate allows.";
    WgGatewayRateLimited    "wg_gateway_rate_limited"       Detunnel  Hostile   "All sources together send more handshake messages than the gateway's rate allows.";
    WgStaticKeyUndecryptable "wg_static_key_undecryptable"   Detunnel  Hostile   "The initiation was made for another gateway, or altered.";
    WgUnknownPeer           "wg_unknown_peer"               Detunnel  Normal    "The initiator's key belongs to no peer.";
    WgTimestampUndecryptable "wg_timestamp_undecryptable"    Detunnel  Hostile   "The initiator does not hold the static key that it shows.";
    WgTimestampNotLater     "wg_timestamp_not_later"        Detunnel  Hostile   "A replayed initiation.";
    WgPeerRateLimited       "wg_peer_rate_limited"          Detunnel  Hostile   "The peer starts more than 50 handshakes a second.";
    WgZeroSharedSecret      "wg_zero_shared_secret"         Detunnel  Hostile   "The other side sent a point of small order.";
    WgUnknownHandshake      "wg_unknown_handshake"          Detunnel  Normal    "A response to no handshake under way.";
    WgResponseUndecryptable "wg_response_undecryptable"     Detunnel  Hostile   "A response that was altered, or made with another preshared key.";
    WgCookieUnsolicited     "wg_cookie_unsolicited"         Detunnel  Hostile   "A cookie reply to nothing that was sent.";
    WgCookieUndecryptable   "wg_cookie_undecryptable"       Detunnel  Hostile   "A cookie reply from somebody who does not know the message it answers.";
    WgIndicesExhausted      "wg_indices_exhausted"          Detunnel  Shortage  "No unused receiver index was found.";
    WgHandshakeUnderWay     "wg_handshake_under_way"        Detunnel  Normal    "A handshake with this peer started less than five seconds ago.";
    WgHandshakeQueueFull    "wg_handshake_queue_full"       Detunnel  Shortage  "The queue to the handshake thread had no room.";
    WgCookieDemanded        "wg_cookie_demanded"            Detunnel  Normal    "A handshake message without a valid cookie, under load or when the rate of such messages is spent, is answered with a cookie reply and goes no further.";
    WgCounterBeyondLimit    "wg_counter_beyond_limit"       Detunnel  Hostile   "A counter beyond what a session may use.";
    WgUnknownSession        "wg_unknown_session"            Detunnel  Normal    "No session has this receiver index.";
    WgSessionExpired        "wg_session_expired"            Detunnel  Normal    "The session is older than 180 seconds.";
    WgTooShort              "wg_too_short"                  Detunnel  Hostile   "Shorter than its authentication tag.";
    WgReplayed              "wg_replayed"                   Detunnel  Hostile   "This counter was seen before, or lies before the window.";
    WgOuterChecksum         "wg_outer_checksum"             Detunnel  Hostile   "The outer UDP checksum is wrong, or absent over IPv6, in a packet that would move its peer to another address, or in a handshake message.";
    WgTagMismatch           "wg_tag_mismatch"               Detunnel  Hostile   "The authentication tag does not match.";
    WgSessionGone           "wg_session_gone"               Detunnel  Normal    "The session ended while the packet was on its way.";
    WgPayloadUnknown        "wg_payload_unknown"            Detunnel  Hostile   "Authenticated, but neither an IP packet nor an application message.";
    WgFramedLength          "wg_framed_length"              Detunnel  Hostile   "An application message whose length field does not fit.";
    WgFramedUnwanted        "wg_framed_unwanted"            Detunnel  Normal    "An application message of a peer that is not configured for them.";
    WgSourceNotAllowed      "wg_source_not_allowed"         Detunnel  Hostile   "The inner source is not among the sending peer's allowed IPs.";
    WgInnerEcn              "wg_inner_ecn"                  Detunnel  Hostile   "Congestion was marked outside of a packet whose inside does not take part (RFC 6040).";
    WgStalePeer             "wg_stale_peer"                 Detunnel  Normal    "The peer was removed or is not known here.";
    WgNoSession             "wg_no_session"                 Detunnel  Normal    "There is no session to send under.";
    WgBufferLength          "wg_buffer_length"              Detunnel  Fault     "The frame does not hold header, payload and tag.";

    LinkScope               "link_scope"              Policy    Normal    "From the gateway's own kernel into the tunnel, but for a link only (a router solicitation, a multicast report): a tunnel is none.";
    LocalSource             "local_source"            Policy    Hostile   "The source is an address of the gateway itself.";
    MartianSource           "martian_source"          Policy    Hostile   "The source can never be forwarded: unspecified, loopback, multicast or broadcast.";
    MartianDestination      "martian_destination"     Policy    Normal    "The destination can never be forwarded: unspecified, loopback, link-local, multicast or broadcast.";
    NoRoute                 "no_route"                Policy    Normal    "No route leads to the destination.";
    RouteBlackhole          "route_blackhole"         Policy    Normal    "The route to the destination is a blackhole.";
    RouteUnreachable        "route_unreachable"       Policy    Normal    "The route to the destination is of type unreachable; the sender is told.";
    RouteProhibit           "route_prohibit"          Policy    Normal    "The route to the destination is of type prohibit; the sender is told.";
    EgressUnattached        "egress_unattached"       Policy    Normal    "The route leads to an interface that the gateway does not serve.";
    PolicyDeny              "policy_deny"             Policy    Normal    "A rule, or the default, denies the packet.";
    PolicyReject            "policy_reject"           Policy    Normal    "A rule rejects the packet; the sender is told, within the reply rate.";

    HopLimit                "hop_limit"               Forward   Normal    "The hop limit ran out; the sender is told, within the reply rate.";
    PacketTooBig            "packet_too_big"          Forward   Normal    "Larger than the way out carries and not to be fragmented; the sender is told, within the reply rate.";
    NeedsFragmentation      "needs_fragmentation"     Forward   Normal    "Larger than the way out carries; the gateway does not fragment, and the sender is told, within the reply rate.";
    NeighbourTimeout        "neighbour_timeout"       Forward   Shortage  "The next hop did not answer in time; the sender is told, within the reply rate.";
    NeighbourQueueFull      "neighbour_queue_full"    Forward   Shortage  "Too many packets wait for next hops to answer.";

    PeerUnknown             "wg_no_peer"              Egress    Normal    "No peer's allowed IPs cover the destination.";
    PeerHasNoEndpoint       "wg_no_endpoint"          Egress    Normal    "The peer's address is not known: none is configured and it has not connected.";
    StagedQueueFull         "wg_staged_queue_full"    Egress    Shortage  "More packets than the queue holds wait for a session; the oldest goes.";
    StagedAbandoned         "wg_staged_abandoned"     Egress    Normal    "No session came in time for a packet that waited: the handshake was given up, or 90 seconds passed.";
    TunnelLoop              "wg_tunnel_loop"          Egress    Fault     "The route to the peer's endpoint leads into the tunnel itself.";
    NoFrame                 "no_frame"                Egress    Shortage  "No free frame for a packet that the gateway itself sends.";
    NoHeadroom              "no_headroom"             Egress    Fault     "No room in the frame for the outer headers.";

    TransmitRingFull        "transmit_ring_full"      Transmit  Shortage  "The transmit ring had no room: the link is slower than its traffic, or takes nothing.";
    LinkDown                "link_down"               Transmit  Shortage  "The device that the packet waited for is down or gone.";
    HandOffRingFull         "hand_off_ring_full"      Transmit  Shortage  "The ring to the owning worker had no room.";
    HandOffLoop             "hand_off_loop"           Transmit  Fault     "The packet was handed over more often than any path needs.";
    SlowPathFull            "slow_path_full"          Transmit  Shortage  "The ring to the kernel's slow path had no room.";
    SlowPathError           "slow_path_error"         Transmit  Fault     "The kernel refused the packet on the slow path.";
    PeerRemoved             "wg_peer_removed"         Egress    Normal    "The peer was removed while the packet was on its way.";
    Undecided               "undecided"               Transmit  Fault     "No stage decided about the packet; it does not pass.";
    Shutdown                "shutdown"                Transmit  Normal    "The packet was on its way when the gateway stopped.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stands_in_the_order_of_the_enum() {
        for (index, reason) in Reason::all().enumerate() {
            assert_eq!(reason as usize, index, "{}", reason.name());
        }
    }

    #[test]
    fn names_are_unique_and_in_the_metric_alphabet() {
        let mut names: Vec<_> = Reason::all().map(Reason::name).collect();
        assert!(
            names.iter().all(|n| n
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit()))
        );
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Reason::all().len());
    }
}
