//! IPv6 (RFC 8200): the fixed header. Extension headers are in [`extension`](crate::extension).

use core::fmt;
use core::net::Ipv6Addr;

use crate::{Malformed, NoRoom};

pub(crate) mod field {
    use core::ops::Range;
    pub const PAYLOAD_LENGTH: Range<usize> = 4..6;
    pub const NEXT_HEADER: usize = 6;
    pub const HOP_LIMIT: usize = 7;
    pub const SOURCE: Range<usize> = 8..24;
    pub const DESTINATION: Range<usize> = 24..40;
}

/// Bytes of the fixed header.
pub const HEADER_LEN: usize = 40;

/// A verified IPv6 packet in a buffer, extension headers unread.
#[derive(Clone, Copy)]
pub struct View<'a> {
    header: &'a [u8; HEADER_LEN],
    payload: &'a [u8],
}

impl<'a> View<'a> {
    /// The packet at the front of `bytes`; what lies beyond its payload length is ignored. A payload
    /// length of zero means an empty payload: jumbograms (RFC 2675) do not exist here.
    #[inline(always)]
    pub fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (header, rest) =
            bytes.split_first_chunk::<HEADER_LEN>().ok_or(Malformed::Ipv6Truncated)?;
        if header[0] >> 4 != 6 {
            return Err(Malformed::Ipv6Version);
        }
        let len = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let payload = rest.get(..len).ok_or(Malformed::Ipv6PayloadLength)?;
        Ok(Self { header, payload })
    }

    /// DSCP and ECN.
    pub const fn traffic_class(&self) -> u8 {
        (self.header[0] << 4) | (self.header[1] >> 4)
    }

    /// The flow label, 20 bits.
    pub const fn flow_label(&self) -> u32 {
        u32::from_be_bytes([0, self.header[1] & 0x0f, self.header[2], self.header[3]])
    }

    /// The number of the first header behind this one.
    pub const fn next_header(&self) -> u8 {
        self.header[field::NEXT_HEADER]
    }

    /// Hop limit.
    pub const fn hop_limit(&self) -> u8 {
        self.header[field::HOP_LIMIT]
    }

    /// Source address.
    #[inline(always)]
    pub fn source(&self) -> Ipv6Addr {
        address(self.header[field::SOURCE].first_chunk())
    }

    /// Destination address.
    #[inline(always)]
    pub fn destination(&self) -> Ipv6Addr {
        address(self.header[field::DESTINATION].first_chunk())
    }

    /// What the packet carries, extension headers included.
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

#[inline(always)]
fn address(bytes: Option<&[u8; 16]>) -> Ipv6Addr {
    bytes.map_or(Ipv6Addr::UNSPECIFIED, |bytes| Ipv6Addr::from_octets(*bytes))
}

/// An IPv6 header to emit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr {
    /// Source address.
    pub source: Ipv6Addr,
    /// Destination address.
    pub destination: Ipv6Addr,
    /// The number of what follows.
    pub next_header: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// DSCP and ECN.
    pub traffic_class: u8,
    /// The flow label; its lower 20 bits are used.
    pub flow_label: u32,
}

impl Repr {
    /// Writes the header to the front of `packet`, which is the whole packet, payload included, and
    /// returns the header's length.
    pub fn emit(&self, packet: &mut [u8]) -> Result<usize, NoRoom> {
        let (header, payload) = packet.split_first_chunk_mut::<HEADER_LEN>().ok_or(NoRoom)?;
        let len = u16::try_from(payload.len()).map_err(|_| NoRoom)?;
        let first =
            0x6000_0000 | (u32::from(self.traffic_class) << 20) | (self.flow_label & 0x000f_ffff);
        header[..4].copy_from_slice(&first.to_be_bytes());
        header[field::PAYLOAD_LENGTH].copy_from_slice(&len.to_be_bytes());
        header[field::NEXT_HEADER] = self.next_header;
        header[field::HOP_LIMIT] = self.hop_limit;
        header[field::SOURCE].copy_from_slice(&self.source.octets());
        header[field::DESTINATION].copy_from_slice(&self.destination.octets());
        Ok(HEADER_LEN)
    }
}

impl fmt::Display for Repr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} > {}", self.source, self.destination)?;
        write!(formatter, " next header {} hop limit {}", self.next_header, self.hop_limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPR: Repr = Repr {
        source: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1),
        destination: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2),
        next_header: 59,
        hop_limit: 64,
        traffic_class: 0xb9,
        flow_label: 0xa_bcde,
    };

    #[test]
    fn what_is_emitted_reads_back() {
        let mut packet = [0; 48];
        assert_eq!(REPR.emit(&mut packet), Ok(40));
        let view = View::new(&packet).unwrap();
        assert_eq!((view.source(), view.destination()), (REPR.source, REPR.destination));
        assert_eq!((view.next_header(), view.hop_limit()), (59, 64));
        assert_eq!((view.traffic_class(), view.flow_label()), (0xb9, 0xa_bcde));
        assert_eq!(view.payload().len(), 8);
        assert_eq!(REPR.to_string(), "fd00::1 > fd00::2 next header 59 hop limit 64");
    }

    #[test]
    fn lengths_are_strict_and_padding_is_not_payload() {
        let mut packet = [0; 48];
        REPR.emit(&mut packet).unwrap();
        assert_eq!(View::new(&packet[..39]).err(), Some(Malformed::Ipv6Truncated));
        assert_eq!(View::new(&packet[..47]).err(), Some(Malformed::Ipv6PayloadLength));
        let mut padded = packet.to_vec();
        padded.extend_from_slice(&[0xee; 6]);
        assert_eq!(View::new(&padded).unwrap().payload().len(), 8);
        packet[0] = 0x4b;
        assert_eq!(View::new(&packet).err(), Some(Malformed::Ipv6Version));
        assert_eq!(REPR.emit(&mut packet[..39]), Err(NoRoom));
    }
}
