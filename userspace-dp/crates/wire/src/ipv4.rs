//! IPv4 (RFC 791), as a router must read it (RFC 1812, section 5.2.2): version, both lengths and the
//! header checksum are verified; options are carried along unread.

use core::fmt;
use core::net::Ipv4Addr;

use crate::{Fragment, Malformed, NoRoom, checksum};

pub(crate) mod field {
    use core::ops::Range;
    pub const TRAFFIC_CLASS: usize = 1;
    pub const TOTAL_LENGTH: Range<usize> = 2..4;
    pub const IDENTIFICATION: Range<usize> = 4..6;
    pub const FRAGMENT: Range<usize> = 6..8;
    pub const TTL: usize = 8;
    pub const PROTOCOL: usize = 9;
    pub const CHECKSUM: Range<usize> = 10..12;
    pub const SOURCE: Range<usize> = 12..16;
    pub const DESTINATION: Range<usize> = 16..20;
}

/// Bytes of a header without options.
pub const HEADER_LEN: usize = 20;
/// The longest header: 40 bytes of options.
pub const HEADER_LEN_MAX: usize = 60;

const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET_MASK: u16 = 0x1fff;

/// A verified IPv4 packet in a buffer.
#[derive(Clone, Copy)]
pub struct View<'a> {
    header: &'a [u8; HEADER_LEN],
    options: &'a [u8],
    payload: &'a [u8],
}

impl<'a> View<'a> {
    /// The packet at the front of `bytes`; what lies beyond its total length is ignored.
    #[inline(always)]
    pub fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let header = bytes.first_chunk::<HEADER_LEN>().ok_or(Malformed::Ipv4Truncated)?;
        if header[0] >> 4 != 4 {
            return Err(Malformed::Ipv4Version);
        }
        let header_len = usize::from(header[0] & 0x0f) * 4;
        if header_len < HEADER_LEN {
            return Err(Malformed::Ipv4HeaderLength);
        }
        let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let packet = bytes.get(..total).ok_or(Malformed::Ipv4TotalLength)?;
        let (whole, payload) =
            packet.split_at_checked(header_len).ok_or(Malformed::Ipv4TotalLength)?;
        let options = whole.get(HEADER_LEN..).unwrap_or(&[]);
        let valid =
            if options.is_empty() { checksum::is_valid(header) } else { checksum::is_valid(whole) };
        if !valid {
            return Err(Malformed::Ipv4HeaderChecksum);
        }
        Ok(Self { header, options, payload })
    }

    /// Bytes of the header, options included: 20 to 60.
    pub const fn header_len(&self) -> usize {
        HEADER_LEN + self.options.len()
    }

    /// DSCP and ECN.
    pub const fn traffic_class(&self) -> u8 {
        self.header[field::TRAFFIC_CLASS]
    }

    /// The datagram's identification.
    pub const fn identification(&self) -> u16 {
        u16::from_be_bytes([self.header[4], self.header[5]])
    }

    const fn fragment_word(&self) -> u16 {
        u16::from_be_bytes([self.header[6], self.header[7]])
    }

    /// The DF bit.
    pub const fn dont_fragment(&self) -> bool {
        self.fragment_word() & DONT_FRAGMENT != 0
    }

    /// True for a piece of a datagram.
    #[inline(always)]
    pub const fn is_fragment(&self) -> bool {
        self.fragment_word() & (MORE_FRAGMENTS | OFFSET_MASK) != 0
    }

    /// Which piece of a datagram this is; its size must make sense.
    pub fn fragment(&self) -> Result<Fragment, Malformed> {
        let word = self.fragment_word();
        if !self.is_fragment() {
            return Ok(Fragment::None);
        }
        let room = usize::from(u16::MAX) - self.header_len();
        fragment(
            u32::from(self.identification()),
            (word & OFFSET_MASK) * 8,
            word & MORE_FRAGMENTS != 0,
            self.payload.len(),
            room,
        )
    }

    /// Time to live.
    pub const fn ttl(&self) -> u8 {
        self.header[field::TTL]
    }

    /// The upper-layer protocol number.
    pub const fn protocol(&self) -> u8 {
        self.header[field::PROTOCOL]
    }

    /// Source address.
    pub const fn source(&self) -> Ipv4Addr {
        let [_, _, _, _, _, _, _, _, _, _, _, _, a, b, c, d, ..] = *self.header;
        Ipv4Addr::new(a, b, c, d)
    }

    /// Destination address.
    pub const fn destination(&self) -> Ipv4Addr {
        let [.., a, b, c, d] = *self.header;
        Ipv4Addr::new(a, b, c, d)
    }

    /// The bytes of the options, unchecked; [`Options`] walks them.
    pub const fn options(&self) -> &'a [u8] {
        self.options
    }

    /// What the packet carries.
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// Judges a piece of `len` bytes at `offset` of a datagram that holds at most `room` bytes.
pub(crate) fn fragment(
    identification: u32,
    offset: u16,
    more: bool,
    len: usize,
    room: usize,
) -> Result<Fragment, Malformed> {
    if len == 0 || (more && !len.is_multiple_of(8)) {
        return Err(Malformed::FragmentLength);
    }
    if usize::from(offset) + len > room {
        return Err(Malformed::FragmentOverflow);
    }
    Ok(match offset {
        0 => Fragment::First { identification },
        _ => Fragment::Later { identification, offset, more },
    })
}

/// Option kinds a screen asks for.
pub mod option {
    /// End of options.
    pub const END: u8 = 0;
    /// Padding.
    pub const NOP: u8 = 1;
    /// Record route (RFC 791).
    pub const RECORD_ROUTE: u8 = 7;
    /// Timestamp (RFC 791).
    pub const TIMESTAMP: u8 = 68;
    /// Security (RFC 1108).
    pub const SECURITY: u8 = 130;
    /// Loose source route (RFC 791).
    pub const LOOSE_SOURCE_ROUTE: u8 = 131;
    /// Stream identifier (RFC 791).
    pub const STREAM_ID: u8 = 136;
    /// Strict source route (RFC 791).
    pub const STRICT_SOURCE_ROUTE: u8 = 137;
    /// Router alert (RFC 2113).
    pub const ROUTER_ALERT: u8 = 148;
}

/// Walks options as (kind, data), padding skipped. Ends at an end marker, at the end of the bytes, or
/// with one `Err` at an option whose length is impossible.
#[derive(Clone)]
pub struct Options<'a>(&'a [u8]);

impl<'a> Options<'a> {
    /// The options in `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = Result<(u8, &'a [u8]), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some((&kind, rest)) = self.0.split_first() {
            match kind {
                option::END => break,
                option::NOP => self.0 = rest,
                kind => {
                    let len = usize::from(*rest.first().unwrap_or(&0));
                    let Some((whole, rest)) = self.0.split_at_checked(len) else {
                        return self.fail();
                    };
                    let Some(data) = whole.get(2..) else { return self.fail() };
                    self.0 = rest;
                    return Some(Ok((kind, data)));
                }
            }
        }
        self.0 = &[];
        None
    }
}

impl<'a> Options<'a> {
    fn fail(&mut self) -> Option<Result<(u8, &'a [u8]), Malformed>> {
        self.0 = &[];
        Some(Err(Malformed::Ipv4HeaderLength))
    }
}

/// An IPv4 header without options, to emit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr {
    /// Source address.
    pub source: Ipv4Addr,
    /// Destination address.
    pub destination: Ipv4Addr,
    /// Upper-layer protocol number.
    pub protocol: u8,
    /// Time to live.
    pub ttl: u8,
    /// DSCP and ECN.
    pub traffic_class: u8,
    /// Identification; only a fragmentable datagram needs one (RFC 6864).
    pub identification: u16,
    /// The DF bit.
    pub dont_fragment: bool,
}

impl Repr {
    /// Writes the header to the front of `packet`, which is the whole packet, payload included, and
    /// returns the header's length.
    pub fn emit(&self, packet: &mut [u8]) -> Result<usize, NoRoom> {
        let total = u16::try_from(packet.len()).map_err(|_| NoRoom)?;
        let header = packet.first_chunk_mut::<HEADER_LEN>().ok_or(NoRoom)?;
        let fragment = if self.dont_fragment { DONT_FRAGMENT } else { 0 };
        header[0] = 0x45;
        header[field::TRAFFIC_CLASS] = self.traffic_class;
        header[field::TOTAL_LENGTH].copy_from_slice(&total.to_be_bytes());
        header[field::IDENTIFICATION].copy_from_slice(&self.identification.to_be_bytes());
        header[field::FRAGMENT].copy_from_slice(&fragment.to_be_bytes());
        header[field::TTL] = self.ttl;
        header[field::PROTOCOL] = self.protocol;
        header[field::CHECKSUM].copy_from_slice(&[0, 0]);
        header[field::SOURCE].copy_from_slice(&self.source.octets());
        header[field::DESTINATION].copy_from_slice(&self.destination.octets());
        let sum = checksum::Sum::of(header).checksum();
        header[field::CHECKSUM].copy_from_slice(&sum.to_be_bytes());
        Ok(HEADER_LEN)
    }
}

impl fmt::Display for Repr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} > {}", self.source, self.destination)?;
        write!(formatter, " protocol {} ttl {}", self.protocol, self.ttl)
    }
}

#[cfg(test)]
mod tests;
