//! The question of `wire::parse`, answered with `smoltcp::wire`: its checked constructors do all length
//! checks; version, header checksum, VLAN tags and the walk along extension headers are glue, because
//! smoltcp leaves them to its caller.

use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, Icmpv4Packet, Icmpv6Packet, IpProtocol, Ipv4Packet,
    Ipv6ExtHeader, Ipv6FragmentHeader, Ipv6Packet, TcpPacket, UdpPacket, checksum,
};
use wire::{Addresses, Family, Fragment, Transport, tcp::Flags, vlan};

use super::{Summary, Upper};

/// What smoltcp makes of a frame; `None` if it refuses.
#[inline(always)]
pub fn parse(frame: &[u8]) -> Option<Summary> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    let mut tags = vlan::Tags::NONE;
    let mut ethertype = u16::from(ethernet.ethertype());
    let mut rest = ethernet.payload();
    while ethertype == 0x8100 || ethertype == 0x88a8 {
        let ([high, low, next_high, next_low], inner) = rest.split_first_chunk()?;
        if !tags.push(vlan::Tag(u16::from_be_bytes([*high, *low]))) {
            return None;
        }
        ethertype = u16::from_be_bytes([*next_high, *next_low]);
        rest = inner;
    }
    let l3 = frame.len() - rest.len();
    match EthernetProtocol::from(ethertype) {
        EthernetProtocol::Ipv4 => parse_ipv4(rest, l3, tags),
        EthernetProtocol::Ipv6 => parse_ipv6(rest, l3, tags),
        EthernetProtocol::Arp | EthernetProtocol::Unknown(_) => None,
    }
}

#[inline(always)]
fn parse_ipv4(bytes: &[u8], l3: usize, tags: vlan::Tags) -> Option<Summary> {
    let packet = Ipv4Packet::new_checked(bytes).ok()?;
    let header = bytes.get(..usize::from(packet.header_len()))?;
    // Not `verify_checksum`: it says yes to everything in fuzzing builds.
    if packet.version() != 4 || checksum::data(header) != u16::MAX {
        return None;
    }
    let fragment = match (packet.frag_offset(), packet.more_frags()) {
        (0, false) => Fragment::None,
        (0, true) => Fragment::First { identification: u32::from(packet.ident()) },
        (offset, more) => {
            Fragment::Later { identification: u32::from(packet.ident()), offset, more }
        }
    };
    let number = packet.next_header();
    let segment = packet.payload();
    let upper = parse_upper(number, Family::V4, segment, fragment)?;
    let l4 = l3 + header.len();
    Some(Summary {
        addresses: Addresses::V4 { source: packet.src_addr(), destination: packet.dst_addr() },
        transport: upper.transport,
        fragment,
        tags,
        protocol: u8::from(number),
        hop_limit: packet.hop_limit(),
        traffic_class: packet.dscp() << 2 | packet.ecn(),
        l3: l3 as u16,
        l4: l4 as u16,
        payload: (l4 + upper.header_len) as u16,
        payload_end: (l4 + upper.payload_end) as u16,
        end: (l4 + segment.len()) as u16,
    })
}

#[inline(always)]
fn parse_ipv6(bytes: &[u8], l3: usize, tags: vlan::Tags) -> Option<Summary> {
    let packet = Ipv6Packet::new_checked(bytes).ok()?;
    if packet.version() != 6 {
        return None;
    }
    let mut fragment = Fragment::None;
    let mut number = packet.next_header();
    let mut segment = packet.payload();
    loop {
        let len = match number {
            IpProtocol::HopByHop | IpProtocol::Ipv6Route | IpProtocol::Ipv6Opts => {
                let header = Ipv6ExtHeader::new_checked(segment).ok()?;
                number = header.next_header();
                8 + 8 * usize::from(header.header_len())
            }
            IpProtocol::Ipv6Frag => {
                let [next, _, fields @ ..] = segment.first_chunk::<8>()?;
                let header = Ipv6FragmentHeader::new_checked(fields.as_slice()).ok()?;
                number = IpProtocol::from(*next);
                fragment = match (header.frag_offset() * 8, header.more_frags()) {
                    (0, false) => fragment,
                    (0, true) => Fragment::First { identification: header.ident() },
                    (offset, more) => {
                        Fragment::Later { identification: header.ident(), offset, more }
                    }
                };
                8
            }
            IpProtocol::IpSecAh => {
                let [next, units] = *segment.first_chunk()?;
                let len = 8 + 4 * usize::from(units);
                if units == 0 || len > segment.len() {
                    return None;
                }
                number = IpProtocol::from(next);
                len
            }
            IpProtocol::Icmp
            | IpProtocol::Igmp
            | IpProtocol::Tcp
            | IpProtocol::Udp
            | IpProtocol::IpSecEsp
            | IpProtocol::Icmpv6
            | IpProtocol::Ipv6NoNxt
            | IpProtocol::Unknown(_) => break,
        };
        segment = segment.get(len..)?;
        if matches!(fragment, Fragment::Later { .. }) {
            break;
        }
    }
    let upper = parse_upper(number, Family::V6, segment, fragment)?;
    let end = l3 + packet.total_len();
    let l4 = end - segment.len();
    Some(Summary {
        addresses: Addresses::V6 { source: packet.src_addr(), destination: packet.dst_addr() },
        transport: upper.transport,
        fragment,
        tags,
        protocol: u8::from(number),
        hop_limit: packet.hop_limit(),
        traffic_class: packet.traffic_class(),
        l3: l3 as u16,
        l4: l4 as u16,
        payload: (l4 + upper.header_len) as u16,
        payload_end: (l4 + upper.payload_end) as u16,
        end: end as u16,
    })
}

/// Fragments carry ports only where the whole header must be there: see the table.
#[inline(always)]
fn parse_upper(
    number: IpProtocol,
    family: Family,
    segment: &[u8],
    fragment: Fragment,
) -> Option<Upper> {
    if fragment != Fragment::None {
        return Some(Upper::opaque(Transport::Absent, segment));
    }
    Some(match (number, family) {
        (IpProtocol::Udp, _) => {
            let packet = UdpPacket::new_checked(segment).ok()?;
            let (source_port, destination_port) = (packet.src_port(), packet.dst_port());
            Upper {
                transport: Transport::Udp { source_port, destination_port },
                header_len: 8,
                payload_end: 8 + packet.payload().len(),
            }
        }
        (IpProtocol::Tcp, _) => {
            let packet = TcpPacket::new_checked(segment).ok()?;
            Upper {
                transport: Transport::Tcp {
                    source_port: packet.src_port(),
                    destination_port: packet.dst_port(),
                    flags: flags(&packet),
                },
                header_len: usize::from(packet.header_len()),
                payload_end: segment.len(),
            }
        }
        (IpProtocol::Icmp, Family::V4) => {
            let packet = Icmpv4Packet::new_checked(segment).ok()?;
            Upper {
                transport: Transport::Icmp {
                    kind: u8::from(packet.msg_type()),
                    code: packet.msg_code(),
                    identifier: packet.echo_ident(),
                },
                header_len: 8,
                payload_end: segment.len(),
            }
        }
        (IpProtocol::Icmpv6, Family::V6) => {
            let packet = Icmpv6Packet::new_checked(segment).ok()?;
            Upper {
                transport: Transport::Icmpv6 {
                    kind: u8::from(packet.msg_type()),
                    code: packet.msg_code(),
                    identifier: packet.echo_ident(),
                },
                header_len: 8,
                payload_end: segment.len(),
            }
        }
        (number, _) => Upper::opaque(
            match u8::from(number) {
                4 => Transport::Ipip { inner: Family::V4 },
                41 => Transport::Ipip { inner: Family::V6 },
                other => Transport::Other(other),
            },
            segment,
        ),
    })
}

/// smoltcp reads each flag for itself; ask for all eight.
#[inline(always)]
fn flags(packet: &TcpPacket<&[u8]>) -> Flags {
    let bits = [
        packet.fin(),
        packet.syn(),
        packet.rst(),
        packet.psh(),
        packet.ack(),
        packet.urg(),
        packet.ece(),
        packet.cwr(),
    ];
    Flags(bits.iter().enumerate().fold(0, |all, (bit, set)| all | u8::from(*set) << bit))
}
