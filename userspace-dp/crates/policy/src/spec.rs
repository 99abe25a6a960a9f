//! A policy as configured: names, prefixes, ranges. Plain data, checked by
//! [`Policy::compile`](crate::Policy::compile).

use core::ops::RangeInclusive;

use ipnet::IpNet;

use crate::{Action, ZoneId};

/// Everything a policy is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySpec {
    /// The zones. `local` need not be listed.
    pub zones: Vec<ZoneSpec>,
    /// Named sets of prefixes.
    pub sets: Vec<SetSpec>,
    /// Tunnel peers that rules may name.
    pub peers: Vec<PeerSpec>,
    /// The rules, in order.
    pub rules: Vec<RuleSpec>,
}

/// A zone and its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneSpec {
    /// As rules call it.
    pub name: String,
    /// As packets carry it.
    pub id: ZoneId,
}

/// A named set of prefixes of either family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetSpec {
    /// As rules call it, without the `@`.
    pub name: String,
    /// May be empty: such a set matches nothing.
    pub prefixes: Vec<IpNet>,
}

/// A tunnel peer and its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerSpec {
    /// As rules call it.
    pub name: String,
    /// As [`Query::who`](crate::Query::who) gives it.
    pub id: u32,
}

/// One rule: all of its conditions must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSpec {
    /// Unique; in logs, metrics and errors.
    pub name: String,
    /// Where the packet came from.
    pub from: ZoneMatch,
    /// Where it is on its way to.
    pub to: ZoneMatch,
    /// Its source address.
    pub source: AddressMatch,
    /// Its destination address.
    pub destination: AddressMatch,
    /// Its upper-layer protocol.
    pub protocol: ProtocolMatch,
    /// Its source port; only with TCP, UDP or any protocol, and then only those two match.
    pub source_ports: PortMatch,
    /// Its destination port; likewise.
    pub destination_ports: PortMatch,
    /// Its ICMP type; only with ICMP or ICMPv6.
    pub icmp_types: IcmpTypeMatch,
    /// Who sent it.
    pub peers: PeerMatch,
    /// What to do with it.
    pub action: Action,
    /// Whether to report it in the event stream.
    pub log: bool,
}

impl RuleSpec {
    /// A rule about every packet; narrow it down by its fields.
    pub fn new(name: impl Into<String>, action: Action) -> Self {
        Self {
            name: name.into(),
            from: ZoneMatch::Any,
            to: ZoneMatch::Any,
            source: AddressMatch::Any,
            destination: AddressMatch::Any,
            protocol: ProtocolMatch::Any,
            source_ports: PortMatch::Any,
            destination_ports: PortMatch::Any,
            icmp_types: IcmpTypeMatch::Any,
            peers: PeerMatch::Any,
            action,
            log: false,
        }
    }
}

/// Which zones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZoneMatch {
    /// All, `local` included.
    Any,
    /// The one with this name.
    Zone(String),
}

/// Which addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressMatch {
    /// All of both families.
    Any,
    /// Those in at least one of these; not empty. Other addresses, and all addresses of a family
    /// that does not appear, do not match.
    In(Vec<AddressItem>),
}

/// Some addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressItem {
    /// Those in a prefix. Host bits are ignored.
    Prefix(IpNet),
    /// Those in the set with this name.
    Set(String),
}

/// Which upper-layer protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolMatch {
    /// All, unknown ones included.
    Any,
    /// The one with this IANA number.
    Number(u8),
}

impl ProtocolMatch {
    /// TCP.
    pub const TCP: Self = Self::Number(wire::protocol::TCP);
    /// UDP.
    pub const UDP: Self = Self::Number(wire::protocol::UDP);
    /// ICMP (for IPv4).
    pub const ICMP: Self = Self::Number(wire::protocol::ICMP);
    /// ICMPv6.
    pub const ICMPV6: Self = Self::Number(wire::protocol::ICMPV6);
}

/// Which ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortMatch {
    /// All, and packets without ports.
    Any,
    /// Those in at least one of these ranges; not empty.
    In(Vec<RangeInclusive<u16>>),
}

/// Which ICMP types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IcmpTypeMatch {
    /// All, and packets without a type.
    Any,
    /// These; not empty.
    In(Vec<u8>),
}

/// Whose packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerMatch {
    /// Everybody's, also those that came through no tunnel.
    Any,
    /// Those of the tunnel peers with these names; not empty.
    In(Vec<String>),
}
