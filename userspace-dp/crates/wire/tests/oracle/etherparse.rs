//! The question of `wire::parse`, answered with strict `etherparse`: one call slices the whole packet;
//! the header checksum, offsets and the fragment header's fields are read out of its slices.

use etherparse::{
    Icmpv4Slice, Icmpv6Slice, IpNumber, Ipv6FragmentHeaderSlice, LinkExtSlice, NetSlice,
    SlicedPacket, TransportSlice, VlanSlice, checksum::Sum16BitWords,
};
use wire::{Addresses, Family, Fragment, Transport, tcp::Flags, vlan};

use super::{Summary, Upper};

/// What etherparse makes of a frame; `None` if it refuses, or if there is no IP in it.
#[inline]
pub fn parse(frame: &[u8]) -> Option<Summary> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let tags = tags(&packet)?;
    let l3 = 14 + 4 * packet.link_exts.len();
    match packet.net.as_ref()? {
        NetSlice::Ipv4(ip) => {
            let header = ip.header();
            if Sum16BitWords::new().add_slice(header.slice()).ones_complement() != 0 {
                return None;
            }
            let identification = u32::from(header.identification());
            let offset = header.fragments_offset().byte_offset();
            let fragment = fragment(identification, offset, header.more_fragments());
            let payload = ip.payload();
            let upper = upper(&packet, payload.ip_number, payload.payload, fragment);
            let l4 = l3
                + header.slice().len()
                + ip.extensions().auth.map_or(0, |auth| auth.slice().len());
            Some(Summary {
                addresses: Addresses::V4 {
                    source: header.source_addr(),
                    destination: header.destination_addr(),
                },
                transport: upper.transport,
                fragment,
                tags,
                protocol: payload.ip_number.0,
                hop_limit: header.ttl(),
                traffic_class: header.dcp().value() << 2 | header.ecn().value(),
                l3: l3 as u16,
                l4: l4 as u16,
                payload: (l4 + upper.header_len) as u16,
                payload_end: (l4 + upper.payload_end) as u16,
                end: (l4 + payload.payload.len()) as u16,
            })
        }
        NetSlice::Ipv6(ip) => {
            let header = ip.header();
            let payload = ip.payload();
            let chain = ip.extensions().slice();
            let fragment = ipv6_fragment(header.next_header(), chain);
            let upper = upper(&packet, payload.ip_number, payload.payload, fragment);
            let l4 = l3 + 40 + chain.len();
            Some(Summary {
                addresses: Addresses::V6 {
                    source: header.source_addr(),
                    destination: header.destination_addr(),
                },
                transport: upper.transport,
                fragment,
                tags,
                protocol: payload.ip_number.0,
                hop_limit: header.hop_limit(),
                traffic_class: header.traffic_class(),
                l3: l3 as u16,
                l4: l4 as u16,
                payload: (l4 + upper.header_len) as u16,
                payload_end: (l4 + upper.payload_end) as u16,
                end: (l4 + payload.payload.len()) as u16,
            })
        }
        NetSlice::Arp(_) => None,
    }
}

/// Tags in the form of ours; `None` for more than two, or for MACsec.
fn tags(packet: &SlicedPacket) -> Option<vlan::Tags> {
    let mut tags = vlan::Tags::NONE;
    for extension in &packet.link_exts {
        let LinkExtSlice::Vlan(tag) = extension else { return None };
        let [high, low, ..] = *tag.slice().first_chunk::<4>()?;
        if !tags.push(vlan::Tag(u16::from_be_bytes([high, low]))) {
            return None;
        }
    }
    debug_assert!(packet.vlan().is_none_or(|vlan| match vlan {
        VlanSlice::SingleVlan(_) => tags.count() == 1,
        VlanSlice::DoubleVlan(_) => tags.count() == 2,
    }));
    Some(tags)
}

fn fragment(identification: u32, offset: u16, more: bool) -> Fragment {
    match (offset, more) {
        (0, false) => Fragment::None,
        (0, true) => Fragment::First { identification },
        (offset, more) => Fragment::Later { identification, offset, more },
    }
}

/// Finds the first fragment header that fragments in a chain that etherparse has sliced.
fn ipv6_fragment(first: IpNumber, mut chain: &[u8]) -> Fragment {
    let mut number = first;
    while let [next, units, ..] = *chain {
        let len = match number {
            IpNumber::IPV6_FRAGMENTATION_HEADER => 8,
            IpNumber::AUTHENTICATION_HEADER => 8 + 4 * usize::from(units),
            _ => 8 + 8 * usize::from(units),
        };
        if number == IpNumber::IPV6_FRAGMENTATION_HEADER
            && let Ok(header) = Ipv6FragmentHeaderSlice::from_slice(chain)
            && header.is_fragmenting_payload()
        {
            let offset = header.fragment_offset().byte_offset();
            return fragment(header.identification(), offset, header.more_fragments());
        }
        number = IpNumber(next);
        chain = chain.get(len..).unwrap_or(&[]);
    }
    Fragment::None
}

fn upper(packet: &SlicedPacket, number: IpNumber, segment: &[u8], found: Fragment) -> Upper {
    if found != Fragment::None {
        return Upper::opaque(Transport::Absent, segment);
    }
    match &packet.transport {
        Some(TransportSlice::Udp(udp)) => Upper {
            transport: Transport::Udp {
                source_port: udp.source_port(),
                destination_port: udp.destination_port(),
            },
            header_len: 8,
            payload_end: udp.slice().len(),
        },
        Some(TransportSlice::Tcp(tcp)) => Upper {
            transport: Transport::Tcp {
                source_port: tcp.source_port(),
                destination_port: tcp.destination_port(),
                flags: Flags(tcp.slice()[13]),
            },
            header_len: tcp.header_slice().len(),
            payload_end: segment.len(),
        },
        Some(TransportSlice::Icmpv4(icmp)) => icmpv4(icmp, segment),
        Some(TransportSlice::Icmpv6(icmp)) => icmpv6(icmp, segment),
        Some(TransportSlice::Igmp(_)) | None => Upper::opaque(
            match number {
                IpNumber::IPV4 => Transport::Ipip { inner: Family::V4 },
                IpNumber::IPV6 => Transport::Ipip { inner: Family::V6 },
                other => Transport::Other(other.0),
            },
            segment,
        ),
    }
}

fn icmpv4(icmp: &Icmpv4Slice, segment: &[u8]) -> Upper {
    let [high, low, ..] = icmp.bytes5to8();
    let (kind, code) = (icmp.type_u8(), icmp.code_u8());
    let identifier = u16::from_be_bytes([high, low]);
    let transport = Transport::Icmp { kind, code, identifier };
    Upper { transport, header_len: 8, payload_end: segment.len() }
}

fn icmpv6(icmp: &Icmpv6Slice, segment: &[u8]) -> Upper {
    let [high, low, ..] = icmp.bytes5to8();
    let (kind, code) = (icmp.type_u8(), icmp.code_u8());
    let identifier = u16::from_be_bytes([high, low]);
    let transport = Transport::Icmpv6 { kind, code, identifier };
    Upper { transport, header_len: 8, payload_end: segment.len() }
}
