//! From what the protocol crates refuse to what the gateway counts.
//!
//! Both matches are exhaustive without a wildcard, so a new cause cannot go uncounted.

use telemetry::Reason;
use wire::Malformed;
use wireguard::Rejected;

/// The reason that a malformed packet is dropped for.
pub fn of_malformed(malformed: Malformed) -> Reason {
    match malformed {
        Malformed::EthernetTruncated => Reason::EthernetTruncated,
        Malformed::VlanTruncated => Reason::VlanTruncated,
        Malformed::NotIp => Reason::NotIp,
        Malformed::Oversize => Reason::Oversize,
        Malformed::IpVersion => Reason::IpVersion,
        Malformed::Ipv4Truncated => Reason::Ipv4Truncated,
        Malformed::Ipv4Version => Reason::Ipv4Version,
        Malformed::Ipv4HeaderLength => Reason::Ipv4HeaderLength,
        Malformed::Ipv4TotalLength => Reason::Ipv4TotalLength,
        Malformed::Ipv4HeaderChecksum => Reason::Ipv4HeaderChecksum,
        Malformed::Ipv6Truncated => Reason::Ipv6Truncated,
        Malformed::Ipv6Version => Reason::Ipv6Version,
        Malformed::Ipv6PayloadLength => Reason::Ipv6PayloadLength,
        Malformed::Ipv6ExtensionTruncated => Reason::Ipv6ExtensionTruncated,
        Malformed::Ipv6ExtensionLength => Reason::Ipv6ExtensionLength,
        Malformed::Ipv6ExtensionChain => Reason::Ipv6ExtensionChain,
        Malformed::Ipv6ExtensionOrder => Reason::Ipv6ExtensionOrder,
        Malformed::Ipv6ExtensionUnknown => Reason::Ipv6ExtensionUnknown,
        Malformed::Ipv6SourceRoute => Reason::Ipv6SourceRoute,
        Malformed::FragmentLength => Reason::FragmentLength,
        Malformed::FragmentOverflow => Reason::FragmentOverflow,
        Malformed::UdpTruncated => Reason::UdpTruncated,
        Malformed::UdpLength => Reason::UdpLength,
        Malformed::TcpTruncated => Reason::TcpTruncated,
        Malformed::TcpDataOffset => Reason::TcpDataOffset,
        Malformed::IcmpTruncated => Reason::IcmpTruncated,
        Malformed::Icmpv6Truncated => Reason::Icmpv6Truncated,
        Malformed::ArpTruncated => Reason::ArpTruncated,
        Malformed::ArpKind => Reason::ArpKind,
        Malformed::WireguardType => Reason::WgType,
        Malformed::WireguardLength => Reason::WgLength,
    }
}

/// The reason that a refused WireGuard message or packet is dropped for.
pub fn of_rejected(rejected: Rejected) -> Reason {
    match rejected {
        Rejected::Malformed => Reason::WgMalformed,
        Rejected::UnusableSource => Reason::WgUnusableSource,
        Rejected::Mac1Invalid => Reason::WgMac1Invalid,
        Rejected::SourceRateLimited => Reason::WgSourceRateLimited,
        Rejected::GatewayRateLimited => Reason::WgGatewayRateLimited,
        Rejected::StaticKeyUndecryptable => Reason::WgStaticKeyUndecryptable,
        Rejected::UnknownPeer => Reason::WgUnknownPeer,
        Rejected::TimestampUndecryptable => Reason::WgTimestampUndecryptable,
        Rejected::TimestampNotLater => Reason::WgTimestampNotLater,
        Rejected::PeerRateLimited => Reason::WgPeerRateLimited,
        Rejected::ZeroSharedSecret => Reason::WgZeroSharedSecret,
        Rejected::UnknownHandshake => Reason::WgUnknownHandshake,
        Rejected::ResponseUndecryptable => Reason::WgResponseUndecryptable,
        Rejected::CookieUnsolicited => Reason::WgCookieUnsolicited,
        Rejected::CookieUndecryptable => Reason::WgCookieUndecryptable,
        Rejected::IndicesExhausted => Reason::WgIndicesExhausted,
        Rejected::HandshakeUnderWay => Reason::WgHandshakeUnderWay,
        Rejected::CounterBeyondLimit => Reason::WgCounterBeyondLimit,
        Rejected::UnknownSession => Reason::WgUnknownSession,
        Rejected::SessionExpired => Reason::WgSessionExpired,
        Rejected::TooShort => Reason::WgTooShort,
        Rejected::Replayed => Reason::WgReplayed,
        Rejected::ChecksumWrong => Reason::WgOuterChecksum,
        Rejected::TagMismatch => Reason::WgTagMismatch,
        Rejected::SessionGone => Reason::WgSessionGone,
        Rejected::PayloadUnknown => Reason::WgPayloadUnknown,
        Rejected::FramedLength => Reason::WgFramedLength,
        Rejected::StalePeer => Reason::WgStalePeer,
        Rejected::NoSession => Reason::WgNoSession,
        Rejected::BufferLength => Reason::WgBufferLength,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_cause_has_a_reason_of_its_own() {
        let malformed = Malformed::ALL.map(of_malformed);
        let rejected = Rejected::ALL.map(of_rejected);
        let distinct: BTreeSet<_> = malformed.iter().chain(&rejected).collect();
        assert_eq!(distinct.len(), malformed.len() + rejected.len());
    }
}
