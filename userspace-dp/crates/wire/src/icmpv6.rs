//! ICMP for IPv6 (RFC 4443).
//!
//! Every message is taken to have eight bytes of header: type, code, checksum, and four bytes that
//! mean something else in each type. The few shorter ones (multicast router discovery, RFC 4286) never
//! leave their link, so a gateway has no use for them. When an error may be sent at all is not decided
//! here.

use core::fmt;

use crate::{Addresses, Malformed, NoRoom, checksum, protocol};

pub(crate) mod field {
    use core::ops::Range;
    pub const CHECKSUM: Range<usize> = 2..4;
}

/// Bytes of the header.
pub const HEADER_LEN: usize = 8;

/// Message types.
pub mod kind {
    /// Destination unreachable.
    pub const UNREACHABLE: u8 = 1;
    /// Packet too big.
    pub const PACKET_TOO_BIG: u8 = 2;
    /// Time exceeded.
    pub const TIME_EXCEEDED: u8 = 3;
    /// Parameter problem.
    pub const PARAMETER_PROBLEM: u8 = 4;
    /// Echo request.
    pub const ECHO_REQUEST: u8 = 128;
    /// Echo reply.
    pub const ECHO_REPLY: u8 = 129;
    /// Router solicitation (RFC 4861).
    pub const ROUTER_SOLICITATION: u8 = 133;
    /// Router advertisement (RFC 4861).
    pub const ROUTER_ADVERTISEMENT: u8 = 134;
    /// Neighbour solicitation (RFC 4861).
    pub const NEIGHBOUR_SOLICITATION: u8 = 135;
    /// Neighbour advertisement (RFC 4861).
    pub const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
    /// Redirect (RFC 4861).
    pub const REDIRECT: u8 = 137;
}

/// Codes of [`kind::UNREACHABLE`].
pub mod unreachable {
    /// No route to the destination.
    pub const NO_ROUTE: u8 = 0;
    /// Communication administratively prohibited.
    pub const PROHIBITED: u8 = 1;
    /// The address does not answer.
    pub const ADDRESS: u8 = 3;
    /// Nobody listens on the port.
    pub const PORT: u8 = 4;
    /// The route rejects the destination.
    pub const REJECT_ROUTE: u8 = 6;
}

/// True for messages that quote a packet, and that must never be answered with an error. A redirect
/// is not an error by number, but must not be answered either (RFC 4443, section 2.4, e).
pub const fn is_error(message_kind: u8) -> bool {
    message_kind < 128 || message_kind == kind::REDIRECT
}

/// True for router and neighbour discovery (RFC 4861), which belongs to the link and the kernel.
pub const fn is_neighbour_discovery(message_kind: u8) -> bool {
    matches!(message_kind, kind::ROUTER_SOLICITATION..=kind::REDIRECT)
}

/// A message in a buffer.
#[derive(Clone, Copy)]
pub struct View<'a> {
    header: &'a [u8; HEADER_LEN],
    body: &'a [u8],
}

impl<'a> View<'a> {
    /// The message that fills `segment`. The checksum is not verified: the receiver does that.
    #[inline(always)]
    pub const fn new(segment: &'a [u8]) -> Result<Self, Malformed> {
        match segment.split_first_chunk() {
            Some((header, body)) => Ok(Self { header, body }),
            None => Err(Malformed::Icmpv6Truncated),
        }
    }

    /// Message type.
    pub const fn kind(&self) -> u8 {
        self.header[0]
    }

    /// Code within the type.
    pub const fn code(&self) -> u8 {
        self.header[1]
    }

    /// Bytes 4 and 5: an echo's identifier.
    pub const fn identifier(&self) -> u16 {
        u16::from_be_bytes([self.header[4], self.header[5]])
    }

    /// Bytes 6 and 7: an echo's sequence number.
    pub const fn sequence(&self) -> u16 {
        u16::from_be_bytes([self.header[6], self.header[7]])
    }

    /// Bytes 4 to 7: the MTU of "packet too big", or the pointer of "parameter problem".
    pub const fn word(&self) -> u32 {
        u32::from_be_bytes([self.header[4], self.header[5], self.header[6], self.header[7]])
    }

    /// Echo data, or the quoted packet of an error.
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }
}

/// A message to emit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repr {
    /// Are you there?
    EchoRequest {
        /// Names the pinging process.
        identifier: u16,
        /// Counts its pings.
        sequence: u16,
    },
    /// The answer.
    EchoReply {
        /// From the request.
        identifier: u16,
        /// From the request.
        sequence: u16,
    },
    /// The packet could not be delivered.
    Unreachable {
        /// Why: one of [`mod@unreachable`].
        code: u8,
    },
    /// The packet does not fit the next link.
    PacketTooBig {
        /// What would fit.
        mtu: u32,
    },
    /// Hop limit reached zero (code 0) or reassembly took too long (code 1).
    TimeExceeded {
        /// Which of both.
        code: u8,
    },
    /// A header makes no sense.
    ParameterProblem {
        /// 0: a field; 1: an unknown next header; 2: an unknown option.
        code: u8,
        /// Offset of the byte that is wrong.
        pointer: u32,
    },
}

impl Repr {
    const fn header(&self) -> (u8, u8, u32) {
        match *self {
            Self::EchoRequest { identifier, sequence } => {
                (kind::ECHO_REQUEST, 0, echo(identifier, sequence))
            }
            Self::EchoReply { identifier, sequence } => {
                (kind::ECHO_REPLY, 0, echo(identifier, sequence))
            }
            Self::Unreachable { code } => (kind::UNREACHABLE, code, 0),
            Self::PacketTooBig { mtu } => (kind::PACKET_TOO_BIG, 0, mtu),
            Self::TimeExceeded { code } => (kind::TIME_EXCEEDED, code, 0),
            Self::ParameterProblem { code, pointer } => (kind::PARAMETER_PROBLEM, code, pointer),
        }
    }

    /// Writes the header to the front of `message`, which is the whole message, body in place, with
    /// its checksum, and returns the header's length.
    pub fn emit(&self, message: &mut [u8], addresses: &Addresses) -> Result<usize, NoRoom> {
        let header = message.first_chunk_mut::<HEADER_LEN>().ok_or(NoRoom)?;
        let (message_kind, code, word) = self.header();
        let [a, b, c, d] = word.to_be_bytes();
        *header = [message_kind, code, 0, 0, a, b, c, d];
        let sum = checksum::of_segment(addresses, protocol::ICMPV6, message);
        message[field::CHECKSUM].copy_from_slice(&sum.to_be_bytes());
        Ok(HEADER_LEN)
    }
}

const fn echo(identifier: u16, sequence: u16) -> u32 {
    (identifier as u32) << 16 | sequence as u32
}

impl fmt::Display for Repr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EchoRequest { identifier, sequence } => {
                write!(formatter, "echo request id {identifier} seq {sequence}")
            }
            Self::EchoReply { identifier, sequence } => {
                write!(formatter, "echo reply id {identifier} seq {sequence}")
            }
            Self::Unreachable { code } => write!(formatter, "unreachable code {code}"),
            Self::PacketTooBig { mtu } => write!(formatter, "packet too big, mtu {mtu}"),
            Self::TimeExceeded { code } => write!(formatter, "time exceeded code {code}"),
            Self::ParameterProblem { code, pointer } => {
                write!(formatter, "parameter problem code {code} at {pointer}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv6Addr;

    use super::*;

    const ADDRESSES: Addresses =
        Addresses::V6 { source: Ipv6Addr::LOCALHOST, destination: Ipv6Addr::LOCALHOST };

    #[test]
    fn what_is_emitted_reads_back_and_sums_to_zero() {
        let messages = [
            (Repr::EchoRequest { identifier: 7, sequence: 9 }, (128, 0, 0x0007_0009)),
            (Repr::EchoReply { identifier: 7, sequence: 9 }, (129, 0, 0x0007_0009)),
            (Repr::Unreachable { code: 1 }, (1, 1, 0)),
            (Repr::PacketTooBig { mtu: 1280 }, (2, 0, 1280)),
            (Repr::TimeExceeded { code: 0 }, (3, 0, 0)),
            (Repr::ParameterProblem { code: 1, pointer: 40 }, (4, 1, 40)),
        ];
        for (repr, expected) in messages {
            let mut message = *b"........body!";
            assert_eq!(repr.emit(&mut message, &ADDRESSES), Ok(8));
            assert_eq!(checksum::of_segment(&ADDRESSES, protocol::ICMPV6, &message), 0, "{repr}");
            let view = View::new(&message).unwrap();
            assert_eq!((view.kind(), view.code(), view.word()), expected, "{repr}");
            assert_eq!(
                u32::from(view.identifier()) << 16 | u32::from(view.sequence()),
                view.word()
            );
            assert_eq!(view.body(), b"body!");
        }
    }

    #[test]
    fn seven_bytes_are_no_message() {
        assert_eq!(View::new(&[128; 7]).err(), Some(Malformed::Icmpv6Truncated));
        assert_eq!(Repr::TimeExceeded { code: 0 }.emit(&mut [0; 7], &ADDRESSES), Err(NoRoom));
    }

    #[test]
    fn errors_and_discovery_are_told_from_queries() {
        for number in 0..=u8::MAX {
            assert_eq!(is_error(number), number < 128 || number == 137, "{number}");
            assert_eq!(is_neighbour_discovery(number), (133..=137).contains(&number), "{number}");
        }
    }
}
