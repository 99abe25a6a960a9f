//! Who talks to whom: what all packets of one direction of a flow have in common.

use core::fmt;

use wire::{Addresses, Family, Parsed, Transport, icmpv4, icmpv6, protocol};

/// Addresses, protocol and ports of one direction.
///
/// * TCP and UDP: source and destination port.
/// * ICMP echo: the identifier, and [`ECHO_REQUEST`] or [`ECHO_REPLY`]. The kind is part of it because both ends may
///   ping each other under one identifier (some systems use the same one always): each of the two is a flow that
///   policy was asked about, and neither is the other's answer.
/// * Everything else: no ports, zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// Source and destination.
    pub addresses: Addresses,
    /// Upper-layer protocol number.
    pub protocol: u8,
    /// Source and destination port, or what stands for them.
    pub ports: (u16, u16),
}

/// The second of an echo request's "ports".
pub const ECHO_REQUEST: u16 = 0;
/// The second of an echo reply's "ports".
pub const ECHO_REPLY: u16 = 1;

impl Tuple {
    /// The tuple of a packet. `None` where it has none or does not show it: a later fragment, an ICMP message that is
    /// no echo (an error belongs to the flow that it quotes), and an IPv6 packet whose routing header has segments
    /// left, as its destination address is not where it goes.
    pub const fn of(packet: &Parsed) -> Option<Self> {
        if packet.is_source_routed() {
            return None;
        }
        let ports = match packet.transport {
            Transport::Tcp { source_port, destination_port, .. }
            | Transport::Udp { source_port, destination_port } => (source_port, destination_port),
            Transport::Icmp { kind: icmpv4::kind::ECHO_REQUEST, identifier, .. }
            | Transport::Icmpv6 { kind: icmpv6::kind::ECHO_REQUEST, identifier, .. } => {
                (identifier, ECHO_REQUEST)
            }
            Transport::Icmp { kind: icmpv4::kind::ECHO_REPLY, identifier, .. }
            | Transport::Icmpv6 { kind: icmpv6::kind::ECHO_REPLY, identifier, .. } => {
                (identifier, ECHO_REPLY)
            }
            Transport::Icmp { .. } | Transport::Icmpv6 { .. } | Transport::Absent => return None,
            Transport::Ipip { .. } | Transport::Other(_) => (0, 0),
        };
        Some(Self { addresses: packet.addresses, protocol: packet.protocol, ports })
    }

    /// The tuple of the answers, as long as nothing is translated.
    #[must_use]
    pub const fn reversed(&self) -> Self {
        let (first, second) = self.ports;
        let ports = match (self.is_echo(), second) {
            (true, ECHO_REQUEST) => (first, ECHO_REPLY),
            (true, _) => (first, ECHO_REQUEST),
            (false, _) => (second, first),
        };
        Self { addresses: self.addresses.reversed(), protocol: self.protocol, ports }
    }

    /// True if this is an ICMP echo: "ports" are an identifier and a kind.
    pub const fn is_echo(&self) -> bool {
        match self.addresses.family() {
            Family::V4 => self.protocol == protocol::ICMP,
            Family::V6 => self.protocol == protocol::ICMPV6,
        }
    }
}

impl fmt::Display for Tuple {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} protocol {}", self.addresses, self.protocol)?;
        match (self.is_echo(), self.ports) {
            (true, (identifier, ECHO_REQUEST)) => write!(formatter, " echo request {identifier}"),
            (true, (identifier, _)) => write!(formatter, " echo reply {identifier}"),
            (false, (0, 0)) => Ok(()),
            (false, (source, destination)) => {
                write!(formatter, " ports {source} > {destination}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use wire::build::Packet;
    use wire::tcp::Flags;

    use super::*;

    fn tuple(packet: &[u8]) -> Option<Tuple> {
        Tuple::of(&wire::parse_ip(packet, 0).unwrap())
    }

    fn ports(packet: &[u8]) -> Option<(u16, u16)> {
        tuple(packet).map(|tuple| tuple.ports)
    }

    #[test]
    fn ports_come_from_tcp_and_udp_and_are_zero_elsewhere() {
        assert_eq!(ports(&Packet::udp("10.0.0.1:1", "10.0.0.2:2").ip()), Some((1, 2)));
        assert_eq!(ports(&Packet::tcp("[fd::1]:3", "[fd::2]:4", Flags::SYN).ip()), Some((3, 4)));
        assert_eq!(ports(&Packet::raw("10.0.0.1", "10.0.0.2", 50).ip()), Some((0, 0)));
        let inner = Packet::udp("10.1.0.1:1", "10.1.0.2:2").ip();
        assert_eq!(ports(&Packet::ipip("10.0.0.1", "10.0.0.2", &inner).ip()), Some((0, 0)));
    }

    #[test]
    fn the_answer_of_a_tuple_is_the_tuple_of_the_answer() {
        let pairs = [
            (
                Packet::udp("10.0.0.1:1", "10.0.0.2:2").ip(),
                Packet::udp("10.0.0.2:2", "10.0.0.1:1").ip(),
            ),
            (
                Packet::ping("10.0.0.1", "10.0.0.2", 7, 1).ip(),
                Packet::icmpv4(
                    "10.0.0.2",
                    "10.0.0.1",
                    icmpv4::Repr::EchoReply { identifier: 7, sequence: 1 },
                )
                .ip(),
            ),
            (
                Packet::ping("fd::1", "fd::2", 7, 1).ip(),
                Packet::icmpv6(
                    "fd::2",
                    "fd::1",
                    icmpv6::Repr::EchoReply { identifier: 7, sequence: 1 },
                )
                .ip(),
            ),
            (
                Packet::raw("10.0.0.1", "10.0.0.2", 47).ip(),
                Packet::raw("10.0.0.2", "10.0.0.1", 47).ip(),
            ),
        ];
        for (there, back) in pairs {
            let (there, back) = (tuple(&there).unwrap(), tuple(&back).unwrap());
            assert_eq!(there.reversed(), back);
            assert_eq!(back.reversed(), there);
        }
    }

    #[test]
    fn two_ends_that_ping_each_other_under_one_identifier_are_two_flows() {
        let one = tuple(&Packet::ping("10.0.0.1", "10.0.0.2", 1, 1).ip()).unwrap();
        let other = tuple(&Packet::ping("10.0.0.2", "10.0.0.1", 1, 1).ip()).unwrap();
        assert_ne!(one.reversed(), other);
    }

    #[test]
    fn what_does_not_show_its_flow_has_no_tuple() {
        let error = icmpv4::Repr::TimeExceeded { code: 0 };
        assert_eq!(
            tuple(&Packet::icmpv4("10.0.0.1", "10.0.0.2", error).payload_len(28).ip()),
            None
        );
        let later = Packet::udp("10.0.0.1:1", "10.0.0.2:2").payload_len(64).fragment(64, false);
        assert_eq!(tuple(&later.ip()), None);
        let routed = Packet::udp("[fd::1]:1", "[fd::2]:2").extension(43, &[2, 1, 0, 0, 0, 0]);
        assert_eq!(tuple(&routed.ip()), None);
    }

    #[test]
    fn a_first_fragment_shows_its_ports() {
        let first = Packet::udp("10.0.0.1:1", "10.0.0.2:2").payload_len(64).fragment(0, true);
        assert_eq!(ports(&first.ip()), Some((1, 2)));
    }
}
