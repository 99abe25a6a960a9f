//! Answers that the gateway builds: ICMP errors and TCP resets, in the frame of the packet that they answer.
//!
//! One builder with one check of who may be answered (RFC 1122, section 3.2.2; RFC 4443, section 2.4e; RFC 9293,
//! section 3.5.2) and one budget, so that no answer is ever larger than allowed, answers another error, or goes
//! to a group. The frame begins at the IP header. An answer leaves through routing like any packet.

use core::net::IpAddr;

use wire::{Addresses, Fragment, Transport, icmpv4, icmpv6, ipv4, ipv6, protocol, tcp};

use crate::packet::{Packet, Verdict};
use crate::process::Context;

/// What to tell the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The hop limit ran out.
    TimeExceeded,
    /// It does not fit; this would.
    TooBig(u16),
    /// There is no way to the host, or it does not answer on its link.
    Unreachable,
    /// There is no route at all.
    NoRoute,
    /// Policy forbids it: a reset for TCP, "administratively prohibited" for the rest.
    Prohibited,
}

/// Replaces `packet` by the answer to it and lets it continue as such. When none may be sent, the packet stays as
/// it is. Says whether an answer was due but the budget was spent.
pub(crate) fn answer(packet: &mut Packet<'_>, answer: Answer, context: &Context<'_>) -> Outcome {
    if !may_be_answered(packet) {
        return Outcome::NotDue;
    }
    let to = packet.parsed.addresses.source();
    let Some(from) = own_address(packet, context) else { return Outcome::NotDue };
    if !context.reply_budget.take(packet.origin.zone, to, context.now) {
        return Outcome::Limited;
    }
    let reset =
        answer == Answer::Prohibited && matches!(packet.parsed.transport, Transport::Tcp { .. });
    let built = if reset { build_reset(packet) } else { build_error(packet, answer, from) };
    let parsed = built.and_then(|()| wire::parse_ip(packet.frame.data(), 0).ok());
    let Some(parsed) = parsed else { return Outcome::NotDue };
    packet.parsed = parsed;
    packet.reply = true;
    packet.hop = None;
    packet.seal_for = None;
    packet.verdict = Verdict::Pending;
    Outcome::Built
}

/// What [`answer`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The packet is the answer now.
    Built,
    /// Nobody is to be told.
    NotDue,
    /// Somebody should be told, but not now.
    Limited,
}

fn may_be_answered(packet: &Packet<'_>) -> bool {
    let parsed = &packet.parsed;
    let group = match parsed.addresses {
        Addresses::V4 { source, destination } => {
            source.is_multicast()
                || source.is_broadcast()
                || source.is_unspecified()
                || source.is_loopback()
                || destination.is_multicast()
                || destination.is_broadcast()
        }
        Addresses::V6 { source, destination } => {
            source.is_multicast()
                || source.is_unspecified()
                || source.is_loopback()
                || destination.is_multicast()
        }
    };
    let error = match parsed.transport {
        Transport::Icmp { kind, .. } => icmpv4::is_error(kind),
        Transport::Icmpv6 { kind, .. } => {
            icmpv6::is_error(kind) || icmpv6::is_neighbour_discovery(kind)
        }
        Transport::Tcp { flags, .. } => flags.contains(tcp::Flags::RST),
        Transport::Udp { .. } | Transport::Ipip { .. } | Transport::Other(_) => false,
        Transport::Absent => true,
    };
    let later = matches!(parsed.fragment, Fragment::Later { .. });
    !(packet.reply || group || error || later || parsed.link.multicast)
}

/// The address of ours that speaks to where `packet` came from.
fn own_address(packet: &Packet<'_>, context: &Context<'_>) -> Option<IpAddr> {
    let arrived_on = context.snapshot.interface(packet.origin.interface)?;
    let others = context.snapshot.interfaces.iter();
    match packet.parsed.addresses {
        Addresses::V4 { .. } => {
            let address =
                arrived_on.address4.or_else(|| others.filter_map(|i| i.address4).next())?;
            Some(IpAddr::V4(address))
        }
        Addresses::V6 { .. } => {
            let address =
                arrived_on.address6.or_else(|| others.filter_map(|i| i.address6).next())?;
            Some(IpAddr::V6(address))
        }
    }
}

/// The most bytes of an IPv4 answer (RFC 1812, section 4.3.2.3).
const ANSWER4_MAX: usize = 576;
/// The most bytes of an IPv6 answer: the least MTU (RFC 4443, section 2.4c).
const ANSWER6_MAX: usize = 1280;

fn build_error(packet: &mut Packet<'_>, answer: Answer, from: IpAddr) -> Option<()> {
    let addresses = Addresses::new(from, packet.parsed.addresses.source())?;
    packet.frame.truncate(packet.parsed.end());
    match addresses {
        Addresses::V4 { source, destination } => {
            packet.frame.truncate(ANSWER4_MAX - ipv4::HEADER_LEN - icmpv4::HEADER_LEN);
            packet.frame.push_front(ipv4::HEADER_LEN + icmpv4::HEADER_LEN).ok()?;
            let data = packet.frame.data_mut();
            message4(answer).emit(data.get_mut(ipv4::HEADER_LEN..)?).ok()?;
            let header = ipv4::Repr {
                source,
                destination,
                protocol: protocol::ICMP,
                ttl: 64,
                traffic_class: ANSWER_CLASS,
                identification: 0,
                dont_fragment: false,
            };
            header.emit(data).ok()?;
        }
        Addresses::V6 { source, destination } => {
            packet.frame.truncate(ANSWER6_MAX - ipv6::HEADER_LEN - icmpv6::HEADER_LEN);
            packet.frame.push_front(ipv6::HEADER_LEN + icmpv6::HEADER_LEN).ok()?;
            let data = packet.frame.data_mut();
            message6(answer).emit(data.get_mut(ipv6::HEADER_LEN..)?, &addresses).ok()?;
            let header = ipv6::Repr {
                source,
                destination,
                next_header: protocol::ICMPV6,
                hop_limit: 64,
                traffic_class: ANSWER_CLASS,
                flow_label: 0,
            };
            header.emit(data).ok()?;
        }
    }
    Some(())
}

/// Internetwork control (CS6), as routers mark their own messages.
const ANSWER_CLASS: u8 = 48 << 2;

fn message4(answer: Answer) -> icmpv4::Repr {
    use icmpv4::unreachable::{FRAGMENTATION_NEEDED, HOST, NETWORK, PROHIBITED};
    let unreachable = |code| icmpv4::Repr::Unreachable { code, next_hop_mtu: 0 };
    match answer {
        Answer::TimeExceeded => icmpv4::Repr::TimeExceeded { code: 0 },
        Answer::TooBig(next_hop_mtu) => {
            icmpv4::Repr::Unreachable { code: FRAGMENTATION_NEEDED, next_hop_mtu }
        }
        Answer::Unreachable => unreachable(HOST),
        Answer::NoRoute => unreachable(NETWORK),
        Answer::Prohibited => unreachable(PROHIBITED),
    }
}

fn message6(answer: Answer) -> icmpv6::Repr {
    use icmpv6::unreachable::{ADDRESS, NO_ROUTE, PROHIBITED};
    match answer {
        Answer::TimeExceeded => icmpv6::Repr::TimeExceeded { code: 0 },
        Answer::TooBig(mtu) => icmpv6::Repr::PacketTooBig { mtu: u32::from(mtu) },
        Answer::Unreachable => icmpv6::Repr::Unreachable { code: ADDRESS },
        Answer::NoRoute => icmpv6::Repr::Unreachable { code: NO_ROUTE },
        Answer::Prohibited => icmpv6::Repr::Unreachable { code: PROHIBITED },
    }
}

/// Turns a TCP segment into the reset that refuses it (RFC 9293, section 3.5.2).
fn build_reset(packet: &mut Packet<'_>) -> Option<()> {
    let parsed = packet.parsed;
    let segment = tcp::View::new(packet.frame.data().get(parsed.l4()..parsed.end())?).ok()?;
    let acknowledges = segment.flags().contains(tcp::Flags::ACK);
    let repr = tcp::Repr {
        source_port: segment.destination_port(),
        destination_port: segment.source_port(),
        sequence: if acknowledges { segment.acknowledgment() } else { 0 },
        acknowledgment: if acknowledges {
            0
        } else {
            segment.sequence().wrapping_add(segment.sequence_len())
        },
        flags: if acknowledges { tcp::Flags::RST } else { tcp::Flags::RST.with(tcp::Flags::ACK) },
        window: 0,
        mss: None,
        window_scale: None,
        sack_permitted: false,
        timestamps: None,
    };
    let addresses = parsed.addresses.reversed();
    match addresses {
        Addresses::V4 { source, destination } => {
            packet.frame.truncate(ipv4::HEADER_LEN + tcp::HEADER_LEN);
            let data = packet.frame.data_mut();
            repr.emit(data.get_mut(ipv4::HEADER_LEN..)?, &addresses).ok()?;
            let header = ipv4::Repr {
                source,
                destination,
                protocol: protocol::TCP,
                ttl: 64,
                traffic_class: 0,
                identification: 0,
                dont_fragment: true,
            };
            header.emit(data).ok()?;
        }
        Addresses::V6 { source, destination } => {
            packet.frame.truncate(ipv6::HEADER_LEN + tcp::HEADER_LEN);
            let data = packet.frame.data_mut();
            repr.emit(data.get_mut(ipv6::HEADER_LEN..)?, &addresses).ok()?;
            let header = ipv6::Repr {
                source,
                destination,
                next_header: protocol::TCP,
                hop_limit: 64,
                traffic_class: 0,
                flow_label: 0,
            };
            header.emit(data).ok()?;
        }
    }
    Some(())
}
