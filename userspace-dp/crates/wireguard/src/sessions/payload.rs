//! What an opened packet holds, and how long a sealed one is.
//!
//! A payload is an IP packet, nothing (a keepalive), or a framed application message: two zero bytes, the length as
//! a 16-bit little-endian number, the message. The first nibble tells an IP packet; a framed message has zero there.

use crate::Rejected;
use crate::protocol::DATA_OVERHEAD;

/// Bytes before a framed application message.
pub const FRAMED_HEADER_LENGTH: usize = 4;
/// The longest framed application message.
pub const FRAMED_MESSAGE_LIMIT: usize = 1396;

/// The kind of an authenticated payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Nothing: the peer only shows that it is there.
    Keepalive,
    /// An IPv4 or IPv6 packet by its version nibble, to be parsed, checked against the peer's allowed sources and
    /// cut to its own length.
    Ip,
    /// An application message of `length` bytes behind [`FRAMED_HEADER_LENGTH`]. It never enters the IP path.
    Framed {
        /// Bytes of the message.
        length: u16,
    },
}

impl Payload {
    /// What `plaintext` is, padding included.
    ///
    /// # Errors
    /// [`Rejected::PayloadUnknown`] for any other first byte, [`Rejected::FramedLength`] for a framed message whose
    /// length is over the limit or beyond the payload.
    #[inline]
    pub fn classify(plaintext: &[u8]) -> Result<Self, Rejected> {
        match plaintext {
            [] => Ok(Self::Keepalive),
            [first, ..] if matches!(first >> 4, 4 | 6) => Ok(Self::Ip),
            [0, 0, low, high, message @ ..] => {
                let length = u16::from_le_bytes([*low, *high]);
                let fits = usize::from(length) <= FRAMED_MESSAGE_LIMIT.min(message.len());
                if fits { Ok(Self::Framed { length }) } else { Err(Rejected::FramedLength) }
            }
            [0, 0, ..] => Err(Rejected::FramedLength),
            [_, ..] => Err(Rejected::PayloadUnknown),
        }
    }
}

/// The header of a framed application message of `length` bytes, or `None` when it is over the limit.
pub fn framed_header(length: usize) -> Option<[u8; FRAMED_HEADER_LENGTH]> {
    let length = u16::try_from(length).ok().filter(|l| usize::from(*l) <= FRAMED_MESSAGE_LIMIT)?;
    let [low, high] = length.to_le_bytes();
    Some([0, 0, low, high])
}

/// `inner` bytes rounded up to 16, but never beyond `mtu`, the largest inner packet of the tunnel.
#[inline]
pub const fn padded_length(inner: usize, mtu: usize) -> usize {
    let padded = inner.next_multiple_of(16);
    if padded <= mtu {
        padded
    } else if inner <= mtu {
        mtu
    } else {
        inner
    }
}

/// Bytes of the data message (the UDP payload) around an inner packet.
#[inline]
pub const fn message_length(inner: usize, mtu: usize) -> usize {
    padded_length(inner, mtu) + DATA_OVERHEAD
}

/// The largest inner packet that fits an egress of `mtu` bytes: less IP header, UDP header, data header and tag.
pub const fn inner_mtu(mtu: usize, outer_is_ipv6: bool) -> usize {
    mtu.saturating_sub(if outer_is_ipv6 { 80 } else { 60 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_payload_is_told() {
        assert_eq!(Payload::classify(&[]), Ok(Payload::Keepalive));
        assert_eq!(Payload::classify(&[0x45, 0]), Ok(Payload::Ip));
        assert_eq!(Payload::classify(&[0x60; 40]), Ok(Payload::Ip));
        assert_eq!(Payload::classify(&[0, 0, 2, 0, 1, 2]), Ok(Payload::Framed { length: 2 }));
        let padded = [&[0, 0, 2, 0, 1, 2][..], &[0; 10]].concat();
        assert_eq!(Payload::classify(&padded), Ok(Payload::Framed { length: 2 }));
        assert_eq!(Payload::classify(&[0, 0, 0, 0]), Ok(Payload::Framed { length: 0 }));
    }

    #[test]
    fn a_first_byte_of_no_kind_is_refused() {
        for first in 1..=255u8 {
            let told = Payload::classify(&[first, 0, 0, 0, 0]);
            let ip = matches!(first >> 4, 4 | 6);
            assert_eq!(told, if ip { Ok(Payload::Ip) } else { Err(Rejected::PayloadUnknown) });
        }
        assert_eq!(Payload::classify(&[0, 1, 0, 0]), Err(Rejected::PayloadUnknown));
    }

    #[test]
    fn a_framed_length_that_does_not_fit_is_refused() {
        let framed = |length: u16, held: usize| {
            Payload::classify(&[&[0, 0][..], &length.to_le_bytes(), &vec![7; held]].concat())
        };
        assert_eq!(framed(3, 2), Err(Rejected::FramedLength));
        assert_eq!(framed(1396, 1396), Ok(Payload::Framed { length: 1396 }));
        assert_eq!(framed(1397, 2000), Err(Rejected::FramedLength));
        assert_eq!(Payload::classify(&[0, 0]), Err(Rejected::FramedLength));
        assert_eq!(Payload::classify(&[0, 0, 0]), Err(Rejected::FramedLength));
        assert_eq!(framed_header(1397), None);
        assert_eq!(framed_header(258), Some([0, 0, 2, 1]));
    }

    #[test]
    fn padding_rounds_to_sixteen_but_not_beyond_the_mtu() {
        assert_eq!(padded_length(0, 1420), 0);
        assert_eq!(padded_length(1, 1420), 16);
        assert_eq!(padded_length(64, 1420), 64);
        assert_eq!(padded_length(1409, 1420), 1420);
        assert_eq!(padded_length(1420, 1420), 1420);
        assert_eq!(padded_length(1500, 1420), 1500);
        assert_eq!(message_length(1420, 1420), 1452);
        assert_eq!((inner_mtu(1500, false), inner_mtu(1500, true)), (1440, 1420));
    }
}
