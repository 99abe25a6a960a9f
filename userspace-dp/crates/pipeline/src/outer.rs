//! The headers around a tunnel packet, as bytes that are made once per path.
//!
//! Between two packets to the same endpoint only lengths, class and checksum differ, so a packet costs one copy and
//! a few stores. The IPv4 checksum follows from that of the prepared header (RFC 1624); UDP has none over IPv4,
//! where the tag covers the payload (RFC 768), and a whole one over IPv6 (RFC 8200, section 8.1).

use io::Frame;
use wire::{Addresses, Family, checksum, ethernet, ipv4, ipv6, protocol, udp};

/// Link header with two tags, IPv6, UDP.
const LONGEST: usize = 22 + ipv6::HEADER_LEN + udp::HEADER_LEN;
const IPV4_UDP: usize = ipv4::HEADER_LEN + udp::HEADER_LEN;
const IPV6_UDP: usize = ipv6::HEADER_LEN + udp::HEADER_LEN;
/// Untagged Ethernet, IPv4 and UDP: what nearly every tunnel packet has.
const USUAL: usize = 14 + IPV4_UDP;
/// Hop limit of outer headers.
const HOP_LIMIT: u8 = 64;

/// Prepared outer headers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OuterHeaders {
    bytes: [u8; LONGEST],
    length: u8,
    /// Bytes of the link header.
    link: u8,
    addresses: Addresses,
}

impl OuterHeaders {
    /// Headers of datagrams between `addresses` and `ports` (source, destination), behind the link header if that
    /// is known.
    pub(crate) fn new(
        link: Option<&ethernet::Repr>,
        addresses: Addresses,
        ports: (u16, u16),
    ) -> Option<Self> {
        let mut bytes = [0; LONGEST];
        let link = match link {
            Some(header) => header.emit(&mut bytes).ok()?,
            None => 0,
        };
        let datagram = udp::Repr { source_port: ports.0, destination_port: ports.1 };
        let ip = bytes.get_mut(link..)?;
        let length = match addresses {
            Addresses::V4 { source, destination } => {
                let ip = ip.get_mut(..IPV4_UDP)?;
                datagram.emit_without_checksum(ip.get_mut(ipv4::HEADER_LEN..)?).ok()?;
                let header = ipv4::Repr {
                    source,
                    destination,
                    protocol: protocol::UDP,
                    ttl: HOP_LIMIT,
                    traffic_class: 0,
                    identification: 0,
                    dont_fragment: false,
                };
                header.emit(ip).ok()?;
                IPV4_UDP
            }
            Addresses::V6 { source, destination } => {
                let ip = ip.get_mut(..IPV6_UDP)?;
                datagram.emit_without_checksum(ip.get_mut(ipv6::HEADER_LEN..)?).ok()?;
                let header = ipv6::Repr {
                    source,
                    destination,
                    next_header: protocol::UDP,
                    hop_limit: HOP_LIMIT,
                    traffic_class: 0,
                    flow_label: 0,
                };
                header.emit(ip).ok()?;
                IPV6_UDP
            }
        };
        Some(Self { bytes, length: (link + length) as u8, link: link as u8, addresses })
    }

    /// Puts them in front of the datagram in `frame`. `class` is DSCP and ECN. `None` when there is no room.
    #[inline]
    pub(crate) fn put(&self, frame: &mut Frame, class: u8) -> Option<()> {
        let payload = frame.len();
        let room = frame.push_front(usize::from(self.length)).ok()?;
        let prepared = self.bytes.get(..room.len())?;
        // A copy whose length the compiler knows is three moves and no call.
        match (room.as_mut_array::<USUAL>(), prepared.as_array::<USUAL>()) {
            (Some(room), Some(prepared)) => *room = *prepared,
            (_, _) => room.copy_from_slice(prepared),
        }
        let ip = room.get_mut(usize::from(self.link)..)?;
        let datagram = u16::try_from(payload + udp::HEADER_LEN).ok()?;
        match self.addresses.family() {
            Family::V4 => {
                let header = ip.first_chunk_mut::<IPV4_UDP>()?;
                let total = datagram.checked_add(ipv4::HEADER_LEN as u16)?;
                let prepared = u16::from_be_bytes([header[10], header[11]]);
                // The prepared header counts an empty datagram, which the sum already has.
                let sum =
                    u32::from(!prepared) + u32::from(total - IPV4_UDP as u16) + u32::from(class);
                let folded = (sum & 0xffff) + (sum >> 16);
                let folded = (folded & 0xffff) + (folded >> 16);
                header[1] = class;
                header[2..4].copy_from_slice(&total.to_be_bytes());
                header[10..12].copy_from_slice(&(!(folded as u16)).to_be_bytes());
                header[24..26].copy_from_slice(&datagram.to_be_bytes());
            }
            Family::V6 => {
                let header = ip.first_chunk_mut::<IPV6_UDP>()?;
                header[0] = 0x60 | class >> 4;
                header[1] = class << 4;
                header[4..6].copy_from_slice(&datagram.to_be_bytes());
                header[44..46].copy_from_slice(&datagram.to_be_bytes());
                let start = usize::from(self.link) + ipv6::HEADER_LEN;
                let segment = frame.data_mut().get_mut(start..)?;
                let sum = checksum::of_segment(&self.addresses, protocol::UDP, segment);
                segment.get_mut(6..8)?.copy_from_slice(&sum.to_be_bytes());
            }
        }
        Some(())
    }
}
