//! IP protocol numbers that this crate tells apart (IANA "Assigned Internet Protocol Numbers").

/// IPv6 hop-by-hop options (RFC 8200, section 4.3); only directly behind the IPv6 header.
pub const HOP_BY_HOP: u8 = 0;
/// ICMP for IPv4 (RFC 792).
pub const ICMP: u8 = 1;
/// IPv4 in IP (RFC 2003).
pub const IPV4: u8 = 4;
/// TCP (RFC 9293).
pub const TCP: u8 = 6;
/// UDP (RFC 768).
pub const UDP: u8 = 17;
/// IPv6 in IP (RFC 4213).
pub const IPV6: u8 = 41;
/// IPv6 routing header (RFC 8200, section 4.4).
pub const ROUTING: u8 = 43;
/// IPv6 fragment header (RFC 8200, section 4.5).
pub const FRAGMENT: u8 = 44;
/// Encapsulating security payload (RFC 4303): opaque from here on.
pub const ESP: u8 = 50;
/// Authentication header (RFC 4302).
pub const AUTHENTICATION: u8 = 51;
/// ICMP for IPv6 (RFC 4443).
pub const ICMPV6: u8 = 58;
/// Nothing follows (RFC 8200, section 4.7).
pub const NO_NEXT_HEADER: u8 = 59;
/// IPv6 destination options (RFC 8200, section 4.6).
pub const DESTINATION_OPTIONS: u8 = 60;
/// IPv6 mobility header (RFC 6275).
pub const MOBILITY: u8 = 135;
/// Host identity protocol (RFC 7401), an IPv6 extension header.
pub const HOST_IDENTITY: u8 = 139;
/// Shim6 (RFC 5533), an IPv6 extension header.
pub const SHIM6: u8 = 140;
/// Experimentation (RFC 3692), an IPv6 extension header by RFC 7045.
pub const EXPERIMENT_1: u8 = 253;
/// Experimentation (RFC 3692), an IPv6 extension header by RFC 7045.
pub const EXPERIMENT_2: u8 = 254;
