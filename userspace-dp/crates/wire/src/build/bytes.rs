//! From the description of a packet to its bytes, from the inside out.

use super::{Packet, UdpChecksum, Upper, restore_ipv4_checksum};
use crate::{Addresses, checksum, extension, icmpv4, icmpv6, ipv4, ipv6, protocol, tcp, udp};

impl Packet {
    /// The Ethernet frame.
    pub fn frame(&self) -> Vec<u8> {
        let mut frame = vec![0; self.link.header_len()];
        self.link.emit(&mut frame).expect("room for the link header");
        frame.extend_from_slice(&self.ip());
        frame.resize(frame.len() + self.padding, 0xee);
        frame
    }

    /// The IP packet, without link header and padding.
    pub fn ip(&self) -> Vec<u8> {
        let (number, segment) = self.segment();
        match self.addresses {
            Addresses::V4 { source, destination } => {
                let repr = ipv4::Repr {
                    source,
                    destination,
                    protocol: number,
                    ttl: self.hop_limit,
                    traffic_class: self.traffic_class,
                    identification: self.identification as u16,
                    dont_fragment: self.dont_fragment,
                };
                self.ipv4(&repr, &segment)
            }
            Addresses::V6 { source, destination } => {
                let (first, chain) = self.chain(number);
                let mut packet = vec![0; ipv6::HEADER_LEN];
                packet.extend_from_slice(&chain);
                packet.extend_from_slice(&segment);
                let repr = ipv6::Repr {
                    source,
                    destination,
                    next_header: first,
                    hop_limit: self.hop_limit,
                    traffic_class: self.traffic_class,
                    flow_label: self.flow_label,
                };
                repr.emit(&mut packet).expect("at most 65,535 bytes");
                packet
            }
        }
    }

    fn ipv4(&self, repr: &ipv4::Repr, segment: &[u8]) -> Vec<u8> {
        let header_len = ipv4::HEADER_LEN + self.ipv4_options.len();
        let mut packet = vec![0; ipv4::HEADER_LEN];
        packet.extend_from_slice(&self.ipv4_options);
        packet.extend_from_slice(segment);
        repr.emit(&mut packet).expect("at most 65,535 bytes");
        packet[0] = 0x40 | (header_len / 4) as u8;
        if let Some((offset, more)) = self.fragment {
            let word = (offset / 8) | u16::from(more) << 13 | u16::from(self.dont_fragment) << 14;
            packet[ipv4::field::FRAGMENT].copy_from_slice(&word.to_be_bytes());
        }
        restore_ipv4_checksum(&mut packet);
        packet
    }

    /// The extension headers, and the number of the first.
    fn chain(&self, number: u8) -> (u8, Vec<u8>) {
        let mut headers: Vec<(u8, Vec<u8>)> = Vec::new();
        for (number, body) in &self.extensions {
            let units = match *number {
                protocol::AUTHENTICATION => ((body.len() + 2) / 4).saturating_sub(2),
                _ => (body.len() + 2) / 8 - 1,
            };
            headers.push((*number, [&[0, units as u8], body.as_slice()].concat()));
        }
        if let Some((offset, more)) = self.fragment {
            let identification = self.identification;
            let repr = extension::FragmentRepr { next_header: 0, offset, more, identification };
            let mut header = vec![0; extension::FRAGMENT_LEN];
            repr.emit(&mut header).expect("room for the fragment header");
            headers.push((protocol::FRAGMENT, header));
        }
        let mut next = number;
        for (number, header) in headers.iter_mut().rev() {
            header[0] = next;
            next = *number;
        }
        (next, headers.into_iter().flat_map(|(_, header)| header).collect())
    }

    /// The upper layer: its number and its bytes.
    fn segment(&self) -> (u8, Vec<u8>) {
        let (number, header_len) = match &self.upper {
            Upper::Udp(..) => (protocol::UDP, udp::HEADER_LEN),
            Upper::Tcp(repr) => (protocol::TCP, repr.header_len()),
            Upper::Icmpv4(_) => (protocol::ICMP, icmpv4::HEADER_LEN),
            Upper::Icmpv6(_) => (protocol::ICMPV6, icmpv6::HEADER_LEN),
            Upper::Raw(number) => (*number, 0),
        };
        if self.fragment.is_some_and(|(offset, _)| offset > 0) {
            return (number, self.payload.clone());
        }
        let mut segment = vec![0; header_len];
        segment.extend_from_slice(&self.payload);
        let emitted = match &self.upper {
            Upper::Udp(repr, UdpChecksum::Computed) => repr.emit(&mut segment, &self.addresses),
            Upper::Udp(repr, UdpChecksum::None) => repr.emit_without_checksum(&mut segment),
            Upper::Tcp(repr) => repr.emit(&mut segment, &self.addresses),
            Upper::Icmpv4(repr) => repr.emit(&mut segment),
            Upper::Icmpv6(repr) => repr.emit(&mut segment, &self.addresses),
            Upper::Raw(_) => Ok(0),
        };
        emitted.expect("at most 65,535 bytes");
        if let (Upper::Udp(..), Some((_, true))) = (&self.upper, self.fragment) {
            let promised = (segment.len() as u16).saturating_add(8);
            segment[udp::field::LENGTH].copy_from_slice(&promised.to_be_bytes());
        }
        if self.partial_checksum {
            self.leave_partial(number, &mut segment);
        }
        (number, segment)
    }

    fn leave_partial(&self, number: u8, segment: &mut [u8]) {
        let field = match self.upper {
            Upper::Udp(..) => udp::field::CHECKSUM,
            Upper::Tcp(_) => tcp::field::CHECKSUM,
            Upper::Icmpv6(_) => icmpv6::field::CHECKSUM,
            Upper::Icmpv4(_) | Upper::Raw(_) => return,
        };
        let len = segment.len() as u32;
        let pseudo = checksum::Sum::of_pseudo_header(&self.addresses, number, len).folded();
        segment[field].copy_from_slice(&pseudo.to_be_bytes());
    }
}
