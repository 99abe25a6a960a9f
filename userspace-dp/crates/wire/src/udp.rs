//! UDP (RFC 768; over IPv6, RFC 8200 section 8.1). The UDP length may end before the IP packet does
//! (RFC 9868 puts options there); the surplus is not payload. Checksums are not verified on the way
//! through: that is the receiver's business, and rewrites keep them as right or wrong as they were.
//! Whoever is the receiver asks [`is_intact`].

use core::fmt;

use crate::checksum::{self, Sum};
use crate::{Addresses, Family, Malformed, NoRoom, protocol};

pub(crate) mod field {
    use core::ops::Range;
    pub const SOURCE_PORT: Range<usize> = 0..2;
    pub const DESTINATION_PORT: Range<usize> = 2..4;
    pub const LENGTH: Range<usize> = 4..6;
    pub const CHECKSUM: Range<usize> = 6..8;
}

/// Bytes of the header.
pub const HEADER_LEN: usize = 8;

/// A verified UDP datagram in a buffer.
#[derive(Clone, Copy)]
pub struct View<'a> {
    header: &'a [u8; HEADER_LEN],
    payload: &'a [u8],
}

impl<'a> View<'a> {
    /// The datagram at the front of `segment`, all that follows the IP headers.
    #[inline(always)]
    pub fn new(segment: &'a [u8]) -> Result<Self, Malformed> {
        let (header, rest) =
            segment.split_first_chunk::<HEADER_LEN>().ok_or(Malformed::UdpTruncated)?;
        let len = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let payload = len.checked_sub(HEADER_LEN).and_then(|len| rest.get(..len));
        Ok(Self { header, payload: payload.ok_or(Malformed::UdpLength)? })
    }

    /// The header at the front of a first fragment, whose length field counts the pieces to come.
    #[inline]
    pub fn new_first_fragment(segment: &'a [u8]) -> Result<Self, Malformed> {
        let (header, payload) =
            segment.split_first_chunk::<HEADER_LEN>().ok_or(Malformed::UdpTruncated)?;
        if usize::from(u16::from_be_bytes([header[4], header[5]])) <= segment.len() {
            return Err(Malformed::UdpLength);
        }
        Ok(Self { header, payload })
    }

    /// Source port.
    pub const fn source_port(&self) -> u16 {
        u16::from_be_bytes([self.header[0], self.header[1]])
    }

    /// Destination port.
    pub const fn destination_port(&self) -> u16 {
        u16::from_be_bytes([self.header[2], self.header[3]])
    }

    /// The checksum field; zero means none.
    pub const fn checksum(&self) -> u16 {
        u16::from_be_bytes([self.header[6], self.header[7]])
    }

    /// The payload, as far as it is here.
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// A UDP header to emit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
}

impl Repr {
    /// Writes the header to the front of `segment`, which is the whole datagram, payload in place,
    /// with its checksum, and returns the header's length.
    pub fn emit(&self, segment: &mut [u8], addresses: &Addresses) -> Result<usize, NoRoom> {
        let len = self.emit_without_checksum(segment)?;
        let sum = checksum::of_segment(addresses, protocol::UDP, segment);
        segment[field::CHECKSUM].copy_from_slice(&sum.to_be_bytes());
        Ok(len)
    }

    /// As [`Repr::emit`], but with checksum zero ("none"). For IPv4, and for IPv6 tunnels whose other
    /// end agreed (RFC 6935).
    pub fn emit_without_checksum(&self, segment: &mut [u8]) -> Result<usize, NoRoom> {
        let len = u16::try_from(segment.len()).map_err(|_| NoRoom)?;
        let header = segment.first_chunk_mut::<HEADER_LEN>().ok_or(NoRoom)?;
        header[field::SOURCE_PORT].copy_from_slice(&self.source_port.to_be_bytes());
        header[field::DESTINATION_PORT].copy_from_slice(&self.destination_port.to_be_bytes());
        header[field::LENGTH].copy_from_slice(&len.to_be_bytes());
        header[field::CHECKSUM].copy_from_slice(&[0, 0]);
        Ok(HEADER_LEN)
    }
}

/// Whether the checksum of a received datagram, `header` before `payload`, vouches for its addresses and ports.
///
/// One that holds does, and so does its absence over IPv4, where a sender may leave it out (RFC 768). Over IPv6 it
/// is not optional (RFC 8200, section 8.1). A sender on this machine may leave only the pseudo header's sum in the
/// field, for hardware that a virtual device does not have: that shows the addresses, and what never was on a wire
/// has had no occasion to change.
pub fn is_intact(header: &[u8; HEADER_LEN], payload: &[u8], addresses: &Addresses) -> bool {
    let found = u16::from_be_bytes([header[6], header[7]]);
    if found == 0 {
        return addresses.family() == Family::V4;
    }
    let len = u32::try_from(HEADER_LEN + payload.len()).unwrap_or(u32::MAX);
    let pseudo_header = Sum::of_pseudo_header(addresses, protocol::UDP, len);
    let all = pseudo_header.and(Sum::of(header)).and(Sum::of(payload));
    all.checksum() == 0 || found == pseudo_header.folded()
}

impl fmt::Display for Repr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "udp {} > {}", self.source_port, self.destination_port)
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;

    const REPR: Repr = Repr { source_port: 4660, destination_port: 51820 };
    const ADDRESSES: Addresses = Addresses::V4 {
        source: Ipv4Addr::new(10, 0, 0, 1),
        destination: Ipv4Addr::new(10, 0, 0, 2),
    };

    fn datagram() -> [u8; 12] {
        let mut segment = *b"........data";
        assert_eq!(REPR.emit(&mut segment, &ADDRESSES), Ok(8));
        segment
    }

    #[test]
    fn what_is_emitted_reads_back_with_a_checksum_that_holds() {
        let segment = datagram();
        let view = View::new(&segment).unwrap();
        assert_eq!((view.source_port(), view.destination_port()), (4660, 51820));
        assert_eq!(view.payload(), b"data");
        assert_eq!(checksum::of_segment(&ADDRESSES, protocol::UDP, &segment), u16::MAX);
        assert_eq!(REPR.to_string(), "udp 4660 > 51820");
    }

    #[test]
    fn a_sum_of_zero_is_sent_as_the_other_zero() {
        let mut segment = [0; 10];
        REPR.emit_without_checksum(&mut segment).unwrap();
        let missing = checksum::of_segment(&ADDRESSES, protocol::UDP, &segment);
        segment[8..].copy_from_slice(&missing.to_be_bytes());
        REPR.emit(&mut segment, &ADDRESSES).unwrap();
        assert_eq!(View::new(&segment).unwrap().checksum(), u16::MAX);
    }

    #[test]
    fn a_checksum_that_holds_shows_every_address_and_port() {
        let v6 = Addresses::V6 {
            source: "2001:db8::1".parse().unwrap(),
            destination: "2001:db8::2".parse().unwrap(),
        };
        let v4 = |source: [u8; 4]| Addresses::V4 {
            source: source.into(),
            destination: Ipv4Addr::new(10, 0, 0, 2),
        };
        for addresses in [v6, v4([10, 0, 0, 1])] {
            for text in [&b"........data"[..], b"........odd", b"........"] {
                let mut segment = text.to_vec();
                REPR.emit(&mut segment, &addresses).unwrap();
                let intact = |segment: &[u8], addresses: &Addresses| {
                    let (header, payload) = segment.split_first_chunk().unwrap();
                    is_intact(header, payload, addresses)
                };
                assert!(intact(&segment, &addresses));
                assert!(!intact(&segment, &v4([10, 0, 0, 3])), "{addresses}");
                for byte in (0..4).chain(8..segment.len()) {
                    let mut damaged = segment.clone();
                    damaged[byte] ^= 0x10;
                    assert!(!intact(&damaged, &addresses), "{addresses}, byte {byte}");
                }
            }
        }
    }

    #[test]
    fn a_checksum_may_be_absent_over_ipv4_and_half_done_where_no_wire_was() {
        let mut header = [0; HEADER_LEN];
        let v6 = Addresses::V6 {
            source: "2001:db8::1".parse().unwrap(),
            destination: "2001:db8::2".parse().unwrap(),
        };
        let other = Addresses::V6 {
            source: "2001:db8::3".parse().unwrap(),
            destination: "2001:db8::2".parse().unwrap(),
        };
        assert!(is_intact(&header, b"data", &ADDRESSES));
        assert!(!is_intact(&header, b"data", &v6));
        let half = Sum::of_pseudo_header(&v6, protocol::UDP, 12).folded();
        header[field::CHECKSUM].copy_from_slice(&half.to_be_bytes());
        assert!(is_intact(&header, b"data", &v6));
        assert!(!is_intact(&header, b"data", &other));
        assert!(!is_intact(&header, b"datas", &v6));
    }

    #[test]
    fn lengths_are_strict_and_the_surplus_is_not_payload() {
        let mut segment = datagram();
        assert_eq!(View::new(&segment[..7]).err(), Some(Malformed::UdpTruncated));
        assert_eq!(View::new(&segment[..11]).err(), Some(Malformed::UdpLength));
        for (len, expected) in [(0, None), (7, None), (8, Some(0)), (11, Some(3)), (13, None)] {
            segment[field::LENGTH].copy_from_slice(&u16::to_be_bytes(len));
            assert_eq!(View::new(&segment).ok().map(|view| view.payload().len()), expected);
        }
    }

    #[test]
    fn a_first_fragment_promises_more_than_it_carries() {
        let mut segment = datagram();
        assert_eq!(View::new_first_fragment(&segment).err(), Some(Malformed::UdpLength));
        segment[field::LENGTH].copy_from_slice(&[0, 13]);
        assert_eq!(View::new_first_fragment(&segment).unwrap().payload(), b"data");
    }
}
