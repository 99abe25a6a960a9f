//! The one validated parse.
//!
//! The pipeline's first stage calls [`parse`] for each frame of a burst and [`parse_ip`] for each
//! packet that left a tunnel. What it accepts is exactly what the layers' `View`s accept; what it
//! refuses has one [`Malformed`] reason. It must never panic, read beyond [`Parsed::end`] to decide
//! anything, or take a fragment's data for ports.

use crate::parsed::Notes;
use crate::{
    Addresses, Family, Fragment, Link, Malformed, Parsed, Transport, ethernet, extension, icmpv4,
    icmpv6, ipip, ipv4, ipv6, protocol, tcp, udp,
};

/// Parses an Ethernet frame with up to two VLAN tags.
#[inline]
pub fn parse(frame: &[u8]) -> Result<Parsed, Malformed> {
    let (link, l3, ethertype) = ethernet::walk(frame)?;
    let packet = frame.get(l3..).unwrap_or(&[]);
    match ethertype {
        ethernet::IPV4 => parse_ipv4(packet, l3, link),
        ethernet::IPV6 => parse_ipv6(packet, l3, link),
        _ => Err(Malformed::NotIp),
    }
}

/// Parses an IP packet that begins at `start` of `buffer`; offsets are from the buffer's start.
#[inline]
pub fn parse_ip(buffer: &[u8], start: usize) -> Result<Parsed, Malformed> {
    let packet = buffer.get(start..).unwrap_or(&[]);
    match packet.first().map(|first| first >> 4) {
        Some(4) => parse_ipv4(packet, start, Link::NONE),
        Some(6) => parse_ipv6(packet, start, Link::NONE),
        _ => Err(Malformed::IpVersion),
    }
}

#[inline(always)]
fn parse_ipv4(packet: &[u8], l3: usize, link: Link) -> Result<Parsed, Malformed> {
    let view = ipv4::View::new(packet)?;
    let fragment = view.fragment()?;
    let number = view.protocol();
    let upper = Upper::parse(Family::V4, number, view.payload(), fragment)?;
    let l4 = l3 + view.header_len();
    let offsets = Offsets::new(l3, l4, &upper, view.payload().len())?;
    let options = if view.options().is_empty() { 0 } else { Notes::IPV4_OPTIONS };
    let whole = if view.dont_fragment() { Notes::DONT_FRAGMENT } else { 0 };
    let addresses = Addresses::V4 { source: view.source(), destination: view.destination() };
    Ok(Parsed {
        addresses,
        transport: upper.transport,
        fragment,
        link,
        protocol: number,
        hop_limit: view.ttl(),
        traffic_class: view.traffic_class(),
        notes: Notes(options | whole),
        l3: offsets.l3,
        l4: offsets.l4,
        payload: offsets.payload,
        payload_end: offsets.payload_end,
        end: offsets.end,
    })
}

#[inline(always)]
fn parse_ipv6(packet: &[u8], l3: usize, link: Link) -> Result<Parsed, Malformed> {
    let view = ipv6::View::new(packet)?;
    let chain = extension::walk(view.next_header(), view.payload())?;
    let segment = view.payload().get(chain.len..).unwrap_or(&[]);
    let upper = Upper::parse(Family::V6, chain.protocol, segment, chain.fragment)?;
    let l4 = l3 + ipv6::HEADER_LEN + chain.len;
    let offsets = Offsets::new(l3, l4, &upper, segment.len())?;
    let addresses = Addresses::V6 { source: view.source(), destination: view.destination() };
    Ok(Parsed {
        addresses,
        transport: upper.transport,
        fragment: chain.fragment,
        link,
        protocol: chain.protocol,
        hop_limit: view.hop_limit(),
        traffic_class: view.traffic_class(),
        notes: Notes(Notes::DONT_FRAGMENT | chain.notes()),
        l3: offsets.l3,
        l4: offsets.l4,
        payload: offsets.payload,
        payload_end: offsets.payload_end,
        end: offsets.end,
    })
}

/// The upper layer's header, and where its payload lies within the segment.
struct Upper {
    transport: Transport,
    header_len: usize,
    payload_end: usize,
}

impl Upper {
    #[inline(always)]
    fn parse(
        family: Family,
        number: u8,
        segment: &[u8],
        fragment: Fragment,
    ) -> Result<Self, Malformed> {
        let first = match fragment {
            Fragment::None => false,
            Fragment::First { .. } => true,
            Fragment::Later { .. } => {
                return Ok(Self::opaque(Transport::Absent, segment));
            }
        };
        match (number, family) {
            (protocol::UDP, _) => Self::udp(segment, first),
            (protocol::TCP, _) => Self::tcp(segment),
            (protocol::ICMP, Family::V4) => {
                let view = icmpv4::View::new(segment)?;
                let (kind, code, identifier) = (view.kind(), view.code(), view.identifier());
                Ok(Self::behind(
                    icmpv4::HEADER_LEN,
                    Transport::Icmp { kind, code, identifier },
                    segment,
                ))
            }
            (protocol::ICMPV6, Family::V6) => {
                let view = icmpv6::View::new(segment)?;
                let (kind, code, identifier) = (view.kind(), view.code(), view.identifier());
                Ok(Self::behind(
                    icmpv6::HEADER_LEN,
                    Transport::Icmpv6 { kind, code, identifier },
                    segment,
                ))
            }
            (number, _) => Ok(Self::opaque(
                match ipip::family_of(number) {
                    Some(inner) => Transport::Ipip { inner },
                    None => Transport::Other(number),
                },
                segment,
            )),
        }
    }

    #[inline(always)]
    fn udp(segment: &[u8], first_fragment: bool) -> Result<Self, Malformed> {
        let view = if first_fragment {
            udp::View::new_first_fragment(segment)?
        } else {
            udp::View::new(segment)?
        };
        let transport = Transport::Udp {
            source_port: view.source_port(),
            destination_port: view.destination_port(),
        };
        let payload_end = udp::HEADER_LEN + view.payload().len();
        Ok(Self { transport, header_len: udp::HEADER_LEN, payload_end })
    }

    #[inline(always)]
    fn tcp(segment: &[u8]) -> Result<Self, Malformed> {
        let view = tcp::View::new(segment)?;
        let transport = Transport::Tcp {
            source_port: view.source_port(),
            destination_port: view.destination_port(),
            flags: view.flags(),
        };
        Ok(Self::behind(view.header_len(), transport, segment))
    }

    #[inline(always)]
    const fn behind(header_len: usize, transport: Transport, segment: &[u8]) -> Self {
        Self { transport, header_len, payload_end: segment.len() }
    }

    #[inline(always)]
    const fn opaque(transport: Transport, segment: &[u8]) -> Self {
        Self::behind(0, transport, segment)
    }
}

/// Offsets from the buffer's start.
struct Offsets {
    l3: u16,
    l4: u16,
    payload: u16,
    payload_end: u16,
    end: u16,
}

impl Offsets {
    /// Fails if the packet ends where no offset reaches; each other offset is below its end.
    #[inline(always)]
    fn new(l3: usize, l4: usize, upper: &Upper, segment_len: usize) -> Result<Self, Malformed> {
        let end = u16::try_from(l4 + segment_len).map_err(|_| Malformed::Oversize)?;
        Ok(Self {
            l3: l3 as u16,
            l4: l4 as u16,
            payload: (l4 + upper.header_len) as u16,
            payload_end: (l4 + upper.payload_end) as u16,
            end,
        })
    }
}

#[cfg(test)]
mod tests;
