//! The handshake messages as bytes: which fields lie where.
//!
//! ```text
//! initiation   type 4 | sender 4 | ephemeral 32 | static 32+16 | timestamp 12+16 | mac1 16 | mac2 16   = 148
//! response     type 4 | sender 4 | receiver 4 | ephemeral 32 | empty 0+16 | mac1 16 | mac2 16          =  92
//! cookie reply type 4 | receiver 4 | nonce 24 | cookie 16+16                                           =  64
//! ```
//!
//! The type is a little-endian word, so its three reserved bytes are zero. A view over an array of the right length
//! cannot be out of bounds.

use core::ops::Range;

use crate::protocol::{COOKIE_REPLY_LENGTH, INITIATION_LENGTH, RESPONSE_LENGTH};
use crate::{Rejected, Tai64N};

/// Bytes of each of the two MACs at the end of a message.
pub(crate) const MAC_LENGTH: usize = 16;

pub(crate) const SENDER: Range<usize> = 4..8;
pub(crate) const INITIATION_EPHEMERAL: Range<usize> = 8..40;
pub(crate) const INITIATION_STATIC: Range<usize> = 40..88;
pub(crate) const INITIATION_TIMESTAMP: Range<usize> = 88..88 + Tai64N::LENGTH + 16;
pub(crate) const RESPONSE_RECEIVER: Range<usize> = 8..12;
pub(crate) const RESPONSE_EPHEMERAL: Range<usize> = 12..44;
pub(crate) const RESPONSE_EMPTY: Range<usize> = 44..60;
pub(crate) const COOKIE_RECEIVER: Range<usize> = 4..8;
pub(crate) const COOKIE_NONCE: Range<usize> = 8..32;
pub(crate) const COOKIE_SEALED: Range<usize> = 32..64;

pub(crate) const TYPE_INITIATION: u32 = 1;
pub(crate) const TYPE_RESPONSE: u32 = 2;
pub(crate) const TYPE_COOKIE_REPLY: u32 = 3;

/// A message of the handshake, of the length its type demands. Nothing else is known of it.
#[derive(Clone, Copy, Debug)]
pub enum Parsed<'a> {
    /// Type 1.
    Initiation(&'a [u8; INITIATION_LENGTH]),
    /// Type 2.
    Response(&'a [u8; RESPONSE_LENGTH]),
    /// Type 3.
    CookieReply(&'a [u8; COOKIE_REPLY_LENGTH]),
}

impl<'a> Parsed<'a> {
    /// Reads a UDP payload.
    ///
    /// # Errors
    /// [`Rejected::Malformed`] for another type or another length.
    pub fn read(message: &'a [u8]) -> Result<Self, Rejected> {
        let kind = message.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
        let parsed = match kind {
            Some(TYPE_INITIATION) => message.try_into().map(Self::Initiation),
            Some(TYPE_RESPONSE) => message.try_into().map(Self::Response),
            Some(TYPE_COOKIE_REPLY) => message.try_into().map(Self::CookieReply),
            Some(_) | None => return Err(Rejected::Malformed),
        };
        parsed.map_err(|_| Rejected::Malformed)
    }
}

/// The word at `range`, which is four bytes inside the message.
pub(crate) fn word<const N: usize>(message: &[u8; N], range: Range<usize>) -> u32 {
    u32::from_le_bytes(field(message, range))
}

/// The bytes at `range`, which is `M` long and inside the message.
pub(crate) fn field<const N: usize, const M: usize>(
    message: &[u8; N],
    range: Range<usize>,
) -> [u8; M] {
    let mut bytes = [0; M];
    bytes.copy_from_slice(&message[range]);
    bytes
}

/// The part that the first MAC covers, the first MAC, and the second. The second covers all before it.
pub(crate) fn macs<const N: usize>(
    message: &[u8; N],
) -> (&[u8], &[u8; MAC_LENGTH], &[u8; MAC_LENGTH]) {
    const { assert!(N >= 2 * MAC_LENGTH) };
    let (covered, macs) = message.split_at(N - 2 * MAC_LENGTH);
    let (chunks, _) = macs.as_chunks::<MAC_LENGTH>();
    (covered, &chunks[0], &chunks[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_length_of_a_type_is_read() {
        for (kind, length) in [(1u8, 148), (2, 92), (3, 64)] {
            for actual in 0..200 {
                let mut message = vec![0; actual];
                message[..actual.min(4)].copy_from_slice(&[kind, 0, 0, 0][..actual.min(4)]);
                assert_eq!(Parsed::read(&message).is_ok(), actual == length, "type {kind}");
            }
        }
    }

    #[test]
    fn a_reserved_byte_or_another_type_is_malformed() {
        for reserved in 1..4 {
            let mut message = [0; 148];
            message[0] = 1;
            message[reserved] = 1;
            assert_eq!(Parsed::read(&message).err(), Some(Rejected::Malformed));
        }
        for kind in (0..=255u8).filter(|kind| !(1..=3).contains(kind)) {
            let mut message = [0; 148];
            message[0] = kind;
            assert_eq!(Parsed::read(&message).err(), Some(Rejected::Malformed));
        }
    }
}
