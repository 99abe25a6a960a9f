//! The Internet checksum: whole (RFC 1071), over pseudo headers (RFC 768, RFC 9293, RFC 8200 section
//! 8.1) and incremental (RFC 1624, equation 3).
//!
//! Plain integer code that compilers turn into vector additions. Works on slices of any alignment.

use core::net::{Ipv4Addr, Ipv6Addr};

use crate::{Addresses, protocol};

/// A ones-complement sum of 16-bit big-endian words under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum(u64);

impl Sum {
    /// Nothing added yet.
    pub const ZERO: Self = Self(0);

    /// The sum of `bytes`, as 16-bit words; an odd last byte counts as the upper half of a word.
    #[inline]
    pub fn of(bytes: &[u8]) -> Self {
        Self(u64::from(fold(native_sum(bytes)).to_be()))
    }

    /// The sum over the pseudo header of an upper-layer segment of `len` bytes.
    #[inline]
    pub const fn of_pseudo_header(addresses: &Addresses, protocol: u8, len: u32) -> Self {
        let addresses = match addresses {
            Addresses::V4 { source, destination } => words_of_4(*source) + words_of_4(*destination),
            Addresses::V6 { source, destination } => {
                words_of_16(*source) + words_of_16(*destination)
            }
        };
        Self(addresses + words_of_u32(len) + protocol as u64)
    }

    /// Both sums. The bytes of each must begin at an even offset of what is summed.
    #[inline]
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(fold(self.0) as u64 + fold(other.0) as u64)
    }

    /// The sum folded to 16 bits, not complemented: what a partial checksum field holds.
    #[inline]
    pub const fn folded(self) -> u16 {
        fold(self.0)
    }

    /// The checksum: the complement of the folded sum. Zero when taken over data that includes a
    /// valid checksum.
    #[inline]
    pub const fn checksum(self) -> u16 {
        !fold(self.0)
    }
}

/// True if a header that includes its checksum field is whole.
#[inline]
pub fn is_valid(bytes: &[u8]) -> bool {
    fold(native_sum(bytes)) == u16::MAX
}

/// The checksum of a TCP, UDP or ICMPv6 segment (header and payload, checksum field zero) as it goes
/// into the field. UDP's zero means "none", so UDP sends its other zero, 0xffff.
#[inline]
pub fn of_segment(addresses: &Addresses, number: u8, segment: &[u8]) -> u16 {
    let len = u32::try_from(segment.len()).unwrap_or(u32::MAX);
    let sum = Sum::of_pseudo_header(addresses, number, len).and(Sum::of(segment)).checksum();
    if sum == 0 && number == protocol::UDP { u16::MAX } else { sum }
}

/// How a field's change changes a checksum that covers it. Made once per flow, applied per packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delta(u16);

impl Delta {
    /// Nothing changes.
    pub const NONE: Self = Self(0);

    /// A 16-bit field (a port, an identifier, two adjacent bytes) changes.
    pub const fn of_u16(old: u16, new: u16) -> Self {
        Self(fold(!old as u64 + new as u64))
    }

    /// A 32-bit field at an even offset changes.
    pub const fn of_u32(old: u32, new: u32) -> Self {
        Self(fold(words_of_u32(!old) + words_of_u32(new)))
    }

    /// An IPv4 address changes.
    pub const fn of_ipv4(old: Ipv4Addr, new: Ipv4Addr) -> Self {
        Self::of_u32(old.to_bits(), new.to_bits())
    }

    /// An IPv6 address, or any 16 bytes at an even offset, change.
    pub const fn of_ipv6(old: Ipv6Addr, new: Ipv6Addr) -> Self {
        let inverted = Ipv6Addr::from_bits(!old.to_bits());
        Self(fold(words_of_16(inverted) + words_of_16(new)))
    }

    /// Both changes.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(fold(self.0 as u64 + other.0 as u64))
    }

    /// The checksum after the change.
    #[inline]
    pub const fn apply(self, checksum: u16) -> u16 {
        !fold(!checksum as u64 + self.0 as u64)
    }

    /// The UDP checksum after the change: "none" stays none, and no other value becomes it.
    #[inline]
    pub const fn apply_udp(self, checksum: u16) -> u16 {
        match (checksum, self.apply(checksum)) {
            (0, _) => 0,
            (_, 0) => u16::MAX,
            (_, updated) => updated,
        }
    }
}

/// Adds native-endian 32-bit words, which is the sum of 16-bit words up to the final fold; byte order
/// is put right there, once (RFC 1071, section 2, B).
#[inline]
fn native_sum(bytes: &[u8]) -> u64 {
    let mut lanes = [0u64; 8];
    let (blocks, rest) = bytes.as_chunks::<32>();
    for block in blocks {
        let (words, _) = block.as_chunks::<4>();
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane += u64::from(u32::from_ne_bytes(*word));
        }
    }
    let mut sum: u64 = lanes.iter().sum();
    let (words, rest) = rest.as_chunks::<4>();
    for word in words {
        sum += u64::from(u32::from_ne_bytes(*word));
    }
    let mut last = [0u8; 4];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    sum + u64::from(u32::from_ne_bytes(last))
}

/// Folds carries back in until 16 bits are left. Zero only for zero.
#[inline]
const fn fold(sum: u64) -> u16 {
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    sum as u16
}

const fn words_of_u32(value: u32) -> u64 {
    (value >> 16) as u64 + (value & 0xffff) as u64
}

const fn words_of_4(address: Ipv4Addr) -> u64 {
    words_of_u32(address.to_bits())
}

const fn words_of_16(address: Ipv6Addr) -> u64 {
    let bits = address.to_bits();
    words_of_u32(bits as u32)
        + words_of_u32((bits >> 32) as u32)
        + words_of_u32((bits >> 64) as u32)
        + words_of_u32((bits >> 96) as u32)
}

#[cfg(test)]
mod tests;
