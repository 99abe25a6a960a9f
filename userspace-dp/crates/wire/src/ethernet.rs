//! Ethernet II (IEEE 802.3, clause 3), with up to two VLAN tags before the EtherType.

use core::fmt;
use core::str::FromStr;

use crate::{Link, Malformed, NoRoom, vlan};

mod field {
    use core::ops::Range;
    pub const DESTINATION: Range<usize> = 0..6;
    pub const SOURCE: Range<usize> = 6..12;
}

/// Bytes of an untagged Ethernet header.
pub const HEADER_LEN: usize = 14;
/// Bytes of the two addresses, which tags follow.
const ADDRESSES_LEN: usize = 12;

/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// EtherType of ARP.
pub const ARP: u16 = 0x0806;
/// EtherType of IPv6.
pub const IPV6: u16 = 0x86dd;

/// A 48-bit Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Everyone on the link.
    pub const BROADCAST: Self = Self([0xff; 6]);
    /// The unset address.
    pub const ZERO: Self = Self([0; 6]);

    /// True for group addresses, broadcast included.
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f] = self.0;
        write!(formatter, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

/// Not six two-digit hexadecimal bytes with colons between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidMac;

impl fmt::Display for InvalidMac {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("expected six hexadecimal bytes, as in 02:00:00:00:00:01")
    }
}

impl core::error::Error for InvalidMac {}

impl FromStr for Mac {
    type Err = InvalidMac;

    fn from_str(text: &str) -> Result<Self, InvalidMac> {
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2).ok_or(InvalidMac)?;
            let digits = part.bytes().all(|digit| digit.is_ascii_hexdigit());
            *byte = u8::from_str_radix(part, 16).ok().filter(|_| digits).ok_or(InvalidMac)?;
        }
        if parts.next().is_some() { Err(InvalidMac) } else { Ok(Self(bytes)) }
    }
}

/// An Ethernet header in a buffer, tags unread.
#[derive(Clone, Copy)]
pub struct View<'a>(&'a [u8; HEADER_LEN]);

impl<'a> View<'a> {
    /// The header at the front of `frame`.
    pub const fn new(frame: &'a [u8]) -> Result<Self, Malformed> {
        match frame.first_chunk() {
            Some(header) => Ok(Self(header)),
            None => Err(Malformed::EthernetTruncated),
        }
    }

    /// The header at the front of `frame`, and all that follows it.
    #[inline(always)]
    pub const fn split(frame: &'a [u8]) -> Result<(Self, &'a [u8]), Malformed> {
        match frame.split_first_chunk() {
            Some((header, rest)) => Ok((Self(header), rest)),
            None => Err(Malformed::EthernetTruncated),
        }
    }

    /// True if the destination is a group address.
    pub const fn is_multicast(&self) -> bool {
        self.destination().is_multicast()
    }

    /// Destination address.
    pub const fn destination(&self) -> Mac {
        let [a, b, c, d, e, f, ..] = *self.0;
        Mac([a, b, c, d, e, f])
    }

    /// Source address.
    pub const fn source(&self) -> Mac {
        let [_, _, _, _, _, _, a, b, c, d, e, f, ..] = *self.0;
        Mac([a, b, c, d, e, f])
    }

    /// The field behind the addresses: an EtherType, a VLAN TPID, or an 802.3 length.
    pub const fn ethertype(&self) -> u16 {
        u16::from_be_bytes([self.0[12], self.0[13]])
    }
}

/// A link header to emit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr {
    /// Destination address.
    pub destination: Mac,
    /// Source address.
    pub source: Mac,
    /// Tags, outermost first. Two tags are emitted as 802.1ad outside and 802.1Q inside.
    pub tags: vlan::Tags,
    /// What follows.
    pub ethertype: u16,
}

impl Repr {
    /// Bytes this header takes.
    pub const fn header_len(&self) -> usize {
        HEADER_LEN + vlan::TAG_LEN * self.tags.count()
    }

    /// Writes the header to the front of `frame` and returns its length.
    pub fn emit(&self, frame: &mut [u8]) -> Result<usize, NoRoom> {
        let len = self.header_len();
        let header = frame.get_mut(..len).ok_or(NoRoom)?;
        header[field::DESTINATION].copy_from_slice(&self.destination.0);
        header[field::SOURCE].copy_from_slice(&self.source.0);
        let mut at = ADDRESSES_LEN;
        for (tpid, tag) in self.tags.to_emit() {
            header[at..at + 2].copy_from_slice(&tpid.to_be_bytes());
            header[at + 2..at + 4].copy_from_slice(&tag.0.to_be_bytes());
            at += vlan::TAG_LEN;
        }
        header[at..at + 2].copy_from_slice(&self.ethertype.to_be_bytes());
        Ok(len)
    }
}

impl fmt::Display for Repr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} > {}", self.source, self.destination)?;
        write!(formatter, "{} type {:#06x}", self.tags, self.ethertype)
    }
}

/// Reads the whole link header: what it says, where the next layer begins, and which it is.
#[inline(always)]
pub(crate) fn walk(frame: &[u8]) -> Result<(Link, usize, u16), Malformed> {
    let header = View::new(frame)?;
    let mut link = Link { tags: vlan::Tags::NONE, multicast: header.is_multicast() };
    let mut ethertype = header.ethertype();
    let mut at = HEADER_LEN;
    while vlan::is_tpid(ethertype) {
        let tag = vlan::View::new(frame.get(at..).unwrap_or(&[]))?;
        if !link.tags.push(tag.tag()) {
            return Err(Malformed::NotIp);
        }
        ethertype = tag.ethertype();
        at += vlan::TAG_LEN;
    }
    Ok((link, at, ethertype))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vlan::{Tag, Tags};

    const REPR: Repr = Repr {
        destination: Mac([2, 0, 0, 0, 0, 1]),
        source: Mac([2, 0, 0, 0, 0, 2]),
        tags: Tags::NONE,
        ethertype: IPV4,
    };

    #[test]
    fn what_is_emitted_reads_back() {
        let mut frame = [0; 14];
        assert_eq!(REPR.emit(&mut frame), Ok(14));
        let view = View::new(&frame).unwrap();
        assert_eq!(view.destination(), REPR.destination);
        assert_eq!(view.source(), REPR.source);
        assert_eq!(view.ethertype(), IPV4);
        assert_eq!(REPR.to_string(), "02:00:00:00:00:02 > 02:00:00:00:00:01 type 0x0800");
    }

    #[test]
    fn tags_are_walked_to_two_and_a_third_is_not_ip() {
        for count in 0..=2 {
            let mut repr = REPR;
            for id in 0..count {
                assert!(repr.tags.push(Tag(100 + id)));
            }
            let mut frame = [0; 22];
            let len = repr.emit(&mut frame).unwrap();
            let (link, at, ethertype) = walk(&frame).unwrap();
            assert_eq!((link.tags, at, ethertype), (repr.tags, len, IPV4));
            assert_eq!(link.tags.count(), usize::from(count));
        }
        let mut three = [0; 26];
        for at in [12, 16, 20] {
            three[at..at + 2].copy_from_slice(&vlan::CUSTOMER.to_be_bytes());
        }
        three[24..].copy_from_slice(&IPV4.to_be_bytes());
        assert_eq!(walk(&three), Err(Malformed::NotIp));
    }

    #[test]
    fn a_frame_that_ends_early_is_refused_by_the_layer_it_ends_in() {
        let mut frame = [0; 22];
        let tags = Tags::one(Tag(1)).with(Tag(2)).unwrap();
        Repr { tags, ..REPR }.emit(&mut frame).unwrap();
        for len in 0..frame.len() {
            let expected =
                if len < 14 { Malformed::EthernetTruncated } else { Malformed::VlanTruncated };
            assert_eq!(walk(&frame[..len]), Err(expected), "{len} bytes");
        }
        assert_eq!(Repr { tags, ..REPR }.emit(&mut frame[..21]), Err(NoRoom));
    }

    #[test]
    fn group_addresses_are_told_apart() {
        assert!(Mac::BROADCAST.is_multicast());
        assert!(Mac([1, 0, 0x5e, 0, 0, 1]).is_multicast());
        assert!(!REPR.source.is_multicast());
    }

    #[test]
    fn addresses_read_back_from_text_and_nothing_else_does() {
        assert_eq!("02:00:00:00:00:02".parse(), Ok(REPR.source));
        for wrong in
            ["", "02:00:00:00:00", "02:00:00:00:00:02:03", "2:0:0:0:0:2", "+2:00:00:00:00:02"]
        {
            assert_eq!(wrong.parse::<Mac>(), Err(InvalidMac), "{wrong}");
        }
    }
}
