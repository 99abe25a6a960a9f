//! What a fragment says of itself: whose it is, and which part.

use wire::{Addresses, Family, Fragment, Parsed, ipv6, protocol};

use crate::key::Words;

/// What all fragments of a datagram have in common, in the zone they come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FragmentKey {
    /// The number of the zone.
    pub zone: u16,
    /// Source and destination.
    pub addresses: Addresses,
    /// 16 bits in IPv4, 32 in IPv6.
    pub identification: u32,
    /// The upper-layer protocol in IPv4 (RFC 791). Zero in IPv6, where it is no part of what names a datagram (RFC 8200,
    /// section 4.5), and later fragments need not show it.
    pub protocol: u8,
}

/// Which part of a datagram a fragment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Piece {
    /// Where it begins, in bytes: a multiple of eight, zero for the first.
    pub offset: u16,
    /// How many bytes it has.
    pub length: u16,
    /// False in the last.
    pub more: bool,
    /// True if what is fragmented begins with a TCP header, as far as the fragment shows.
    pub is_tcp: bool,
}

impl FragmentKey {
    pub(crate) fn words(&self) -> Words {
        let zone = u64::from(self.zone) << 16;
        let rest = u64::from(self.identification) << 32 | zone | u64::from(self.protocol) << 8;
        Words::new(&self.addresses, rest)
    }
}

impl Piece {
    /// The piece that `packet`, which was parsed from `buffer` and came from `zone`, is. `None` for a whole datagram.
    pub fn of(packet: &Parsed, buffer: &[u8], zone: u16) -> Option<(FragmentKey, Self)> {
        let (identification, offset, more) = match packet.fragment {
            Fragment::None => return None,
            Fragment::First { identification } => (identification, 0, true),
            Fragment::Later { identification, offset, more } => (identification, offset, more),
        };
        let (number, start) = match (packet.family(), offset) {
            (Family::V4, _) => (packet.protocol, packet.l4()),
            (Family::V6, 0) => (0, fragmentable_part(packet, buffer)?),
            // The parser has not walked on behind the fragment header.
            (Family::V6, _) => (0, packet.l4()),
        };
        let length = u16::try_from(packet.end().checked_sub(start)?).ok()?;
        let key =
            FragmentKey { zone, addresses: packet.addresses, identification, protocol: number };
        let is_tcp = packet.protocol == protocol::TCP;
        Some((key, Self { offset, length, more, is_tcp }))
    }

    /// Behind its last byte.
    pub(super) const fn end(&self) -> u32 {
        self.offset as u32 + self.length as u32
    }
}

/// Where the fragmentable part of an IPv6 packet with a fragment header begins: behind that. In a first fragment other
/// extension headers may follow it, which belong to what is fragmented.
fn fragmentable_part(packet: &Parsed, buffer: &[u8]) -> Option<usize> {
    let mut next = *buffer.get(packet.l3() + NEXT_HEADER)?;
    let mut at = packet.l3() + ipv6::HEADER_LEN;
    for _ in 0..wire::extension::CHAIN_LIMIT {
        let header = buffer.get(at..)?.first_chunk::<2>()?;
        let units = usize::from(header[1]);
        at += match next {
            protocol::FRAGMENT => return Some(at + wire::extension::FRAGMENT_LEN),
            protocol::AUTHENTICATION => (units + 2) * 4,
            _ => (units + 1) * 8,
        };
        next = header[0];
    }
    None
}

/// Where an IPv6 header says what follows it.
const NEXT_HEADER: usize = 6;
