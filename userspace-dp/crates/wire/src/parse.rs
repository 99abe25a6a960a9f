//! The one validated parse.
//!
//! The pipeline's first stage calls [`parse`] for each frame of a burst and [`parse_ip`] for each
//! packet that left a tunnel. What it accepts is exactly what the layers' `View`s accept; what it
//! refuses has one [`Malformed`] reason. It must never panic, read beyond [`Parsed::end`] to decide
//! anything, or take a fragment's data for ports.

use crate::parsed::Notes;
use crate::{
    Addresses, Family, Fragment, Link, Malformed, Parsed, Transport, ethernet, extension, icmpv4,
    icmpv6, ipip, ipv4, ipv6, protocol, tcp, udp, vlan,
};

/// Parses an Ethernet frame with up to two VLAN tags.
///
/// Whole TCP and UDP packets in untagged frames go through code that is inlined into the caller and
/// stores each field of the answer once, where the caller wants it; everything else is a call away.
#[inline(always)]
pub fn parse(frame: &[u8]) -> Result<Parsed, Malformed> {
    let (header, packet) = ethernet::View::split(frame)?;
    let link = Link { tags: vlan::Tags::NONE, multicast: header.is_multicast() };
    match header.ethertype() {
        ethernet::IPV4 => parse_ipv4(packet, ethernet::HEADER_LEN, link),
        ethernet::IPV6 => parse_ipv6(packet, ethernet::HEADER_LEN, link),
        vlan::CUSTOMER | vlan::SERVICE => from_afar(parse_tagged(frame)),
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

#[inline(never)]
fn parse_tagged(frame: &[u8]) -> Result<Parsed, Malformed> {
    let (link, l3, ethertype) = ethernet::walk(frame)?;
    let packet = frame.get(l3..).unwrap_or(&[]);
    match ethertype {
        ethernet::IPV4 => parse_ipv4(packet, l3, link),
        ethernet::IPV6 => parse_ipv6(packet, l3, link),
        _ => Err(Malformed::NotIp),
    }
}

#[inline(always)]
fn parse_ipv4(packet: &[u8], l3: usize, link: Link) -> Result<Parsed, Malformed> {
    let view = ipv4::View::new(packet)?;
    match (view.protocol(), view.is_fragment()) {
        (protocol::UDP, false) => Network::of_ipv4(&view, l3, link).udp(),
        (protocol::TCP, false) => Network::of_ipv4(&view, l3, link).tcp(Fragment::None),
        _ => from_afar(parse_other_ipv4(packet, l3, link)),
    }
}

/// A fragment, or neither TCP nor UDP.
#[inline(never)]
fn parse_other_ipv4(packet: &[u8], l3: usize, link: Link) -> Result<Parsed, Malformed> {
    let view = ipv4::View::new(packet)?;
    Network::of_ipv4(&view, l3, link).other(Family::V4, view.fragment()?)
}

#[inline(always)]
fn parse_ipv6(packet: &[u8], l3: usize, link: Link) -> Result<Parsed, Malformed> {
    let view = ipv6::View::new(packet)?;
    match view.next_header() {
        protocol::UDP => Network::of_ipv6(&view, l3, link).udp(),
        protocol::TCP => Network::of_ipv6(&view, l3, link).tcp(Fragment::None),
        _ => from_afar(parse_other_ipv6(packet, l3, link)),
    }
}

/// Extension headers, or neither TCP nor UDP.
#[inline(never)]
fn parse_other_ipv6(packet: &[u8], l3: usize, link: Link) -> Result<Parsed, Malformed> {
    let view = ipv6::View::new(packet)?;
    let chain = extension::walk(view.next_header(), view.payload())?;
    let mut network = Network::of_ipv6(&view, l3, link);
    network.protocol = chain.protocol;
    network.notes.0 |= chain.notes();
    network.l4 += chain.len;
    network.segment = network.segment.get(chain.len..).unwrap_or(&[]);
    network.other(Family::V6, chain.fragment)
}

/// A packet whose network layer is read.
struct Network<'a> {
    addresses: Addresses,
    link: Link,
    protocol: u8,
    hop_limit: u8,
    traffic_class: u8,
    notes: Notes,
    l3: usize,
    l4: usize,
    segment: &'a [u8],
}

impl<'a> Network<'a> {
    #[inline(always)]
    fn of_ipv4(view: &ipv4::View<'a>, l3: usize, link: Link) -> Self {
        let options = if view.options().is_empty() { 0 } else { Notes::IPV4_OPTIONS };
        let whole = if view.dont_fragment() { Notes::DONT_FRAGMENT } else { 0 };
        Self {
            addresses: Addresses::V4 { source: view.source(), destination: view.destination() },
            link,
            protocol: view.protocol(),
            hop_limit: view.ttl(),
            traffic_class: view.traffic_class(),
            notes: Notes(options | whole),
            l3,
            l4: l3 + view.header_len(),
            segment: view.payload(),
        }
    }

    #[inline(always)]
    fn of_ipv6(view: &ipv6::View<'a>, l3: usize, link: Link) -> Self {
        Self {
            addresses: Addresses::V6 { source: view.source(), destination: view.destination() },
            link,
            protocol: view.next_header(),
            hop_limit: view.hop_limit(),
            traffic_class: view.traffic_class(),
            notes: Notes(Notes::DONT_FRAGMENT),
            l3,
            l4: l3 + ipv6::HEADER_LEN,
            segment: view.payload(),
        }
    }

    #[inline(always)]
    fn udp(self) -> Result<Parsed, Malformed> {
        let view = udp::View::new(self.segment)?;
        let payload_end = udp::HEADER_LEN + view.payload().len();
        self.parsed(Fragment::None, of_udp(&view), udp::HEADER_LEN, payload_end)
    }

    #[inline(always)]
    fn tcp(self, fragment: Fragment) -> Result<Parsed, Malformed> {
        let view = tcp::View::new(self.segment)?;
        let end = self.segment.len();
        self.parsed(fragment, of_tcp(&view), view.header_len(), end)
    }

    /// Anything. A first fragment must hold its whole upper header (RFC 1858, RFC 7112).
    fn other(self, family: Family, fragment: Fragment) -> Result<Parsed, Malformed> {
        let end = self.segment.len();
        let whole = match fragment {
            Fragment::None => true,
            Fragment::First { .. } => false,
            Fragment::Later { .. } => return self.parsed(fragment, Transport::Absent, 0, end),
        };
        match (self.protocol, family) {
            (protocol::UDP, _) if whole => self.udp(),
            (protocol::UDP, _) => {
                let view = udp::View::new_first_fragment(self.segment)?;
                self.parsed(fragment, of_udp(&view), udp::HEADER_LEN, end)
            }
            (protocol::TCP, _) => self.tcp(fragment),
            (protocol::ICMP, Family::V4) => {
                let view = icmpv4::View::new(self.segment)?;
                let (kind, code, identifier) = (view.kind(), view.code(), view.identifier());
                let transport = Transport::Icmp { kind, code, identifier };
                self.parsed(fragment, transport, icmpv4::HEADER_LEN, end)
            }
            (protocol::ICMPV6, Family::V6) => {
                let view = icmpv6::View::new(self.segment)?;
                let (kind, code, identifier) = (view.kind(), view.code(), view.identifier());
                let transport = Transport::Icmpv6 { kind, code, identifier };
                self.parsed(fragment, transport, icmpv6::HEADER_LEN, end)
            }
            (number, Family::V4 | Family::V6) => match ipip::family_of(number) {
                Some(inner) => self.parsed(fragment, Transport::Ipip { inner }, 0, end),
                None => self.parsed(fragment, Transport::Other(number), 0, end),
            },
        }
    }

    /// Puts it all together; `header_len` and `payload_end` are within the segment. Fails if the
    /// packet ends where no offset reaches; every other offset lies before its end.
    #[inline(always)]
    fn parsed(
        self,
        fragment: Fragment,
        transport: Transport,
        header_len: usize,
        payload_end: usize,
    ) -> Result<Parsed, Malformed> {
        let end = self.l4 + self.segment.len();
        if end > usize::from(u16::MAX) {
            return Err(Malformed::Oversize);
        }
        Ok(Parsed {
            addresses: self.addresses,
            transport,
            fragment,
            link: self.link,
            protocol: self.protocol,
            hop_limit: self.hop_limit,
            traffic_class: self.traffic_class,
            notes: self.notes,
            l3: self.l3 as u16,
            l4: self.l4 as u16,
            payload: (self.l4 + header_len) as u16,
            payload_end: (self.l4 + payload_end) as u16,
            end: end as u16,
        })
    }
}

/// Passes on an answer from out of line, taken apart and put together again. Returned as it came, it
/// would make the compiler keep the inlined path's answer in memory as well, stored in narrow pieces
/// and loaded in wide ones right after, which takes longer than the parse.
#[inline(always)]
fn from_afar(answer: Result<Parsed, Malformed>) -> Result<Parsed, Malformed> {
    let parsed = answer?;
    let addresses = match parsed.addresses {
        Addresses::V4 { source, destination } => Addresses::V4 { source, destination },
        Addresses::V6 { source, destination } => Addresses::V6 { source, destination },
    };
    Ok(Parsed { addresses, ..parsed })
}

#[inline(always)]
const fn of_udp(view: &udp::View) -> Transport {
    Transport::Udp { source_port: view.source_port(), destination_port: view.destination_port() }
}

#[inline(always)]
const fn of_tcp(view: &tcp::View) -> Transport {
    Transport::Tcp {
        source_port: view.source_port(),
        destination_port: view.destination_port(),
        flags: view.flags(),
    }
}

#[cfg(test)]
mod tests;
