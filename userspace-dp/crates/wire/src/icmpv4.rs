//! ICMP for IPv4 (RFC 792, RFC 1191 for the MTU of "fragmentation needed", RFC 1812 for codes).
//!
//! Every message is taken to have eight bytes of header: type, code, checksum, and four bytes that
//! mean something else in each type. When an error may be sent at all is not decided here.

use core::fmt;

use crate::{Malformed, NoRoom, checksum};

mod field {
    use core::ops::Range;
    pub const CHECKSUM: Range<usize> = 2..4;
}

/// Bytes of the header.
pub const HEADER_LEN: usize = 8;

/// Message types.
pub mod kind {
    /// Echo reply.
    pub const ECHO_REPLY: u8 = 0;
    /// Destination unreachable.
    pub const UNREACHABLE: u8 = 3;
    /// Source quench (deprecated, RFC 6633), still an error.
    pub const SOURCE_QUENCH: u8 = 4;
    /// Redirect.
    pub const REDIRECT: u8 = 5;
    /// Echo request.
    pub const ECHO_REQUEST: u8 = 8;
    /// Time exceeded.
    pub const TIME_EXCEEDED: u8 = 11;
    /// Parameter problem.
    pub const PARAMETER_PROBLEM: u8 = 12;
}

/// Codes of [`kind::UNREACHABLE`].
pub mod unreachable {
    /// No route to the network.
    pub const NETWORK: u8 = 0;
    /// The host does not answer.
    pub const HOST: u8 = 1;
    /// Nobody listens on the port.
    pub const PORT: u8 = 3;
    /// Fragmentation needed and DF set.
    pub const FRAGMENTATION_NEEDED: u8 = 4;
    /// Communication administratively prohibited.
    pub const PROHIBITED: u8 = 13;
}

/// True for messages that quote a packet, and that must never be answered with an error.
pub const fn is_error(message_kind: u8) -> bool {
    matches!(
        message_kind,
        kind::UNREACHABLE
            | kind::SOURCE_QUENCH
            | kind::REDIRECT
            | kind::TIME_EXCEEDED
            | kind::PARAMETER_PROBLEM
    )
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
            None => Err(Malformed::IcmpTruncated),
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

    /// Bytes 6 and 7: an echo's sequence number, or the next hop's MTU of "fragmentation needed".
    pub const fn sequence(&self) -> u16 {
        u16::from_be_bytes([self.header[6], self.header[7]])
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
        /// With [`unreachable::FRAGMENTATION_NEEDED`] the MTU, else zero.
        next_hop_mtu: u16,
    },
    /// TTL reached zero (code 0) or reassembly took too long (code 1).
    TimeExceeded {
        /// Which of both.
        code: u8,
    },
    /// A header field makes no sense.
    ParameterProblem {
        /// Code 0: the pointer tells where.
        code: u8,
        /// Offset of the byte that is wrong.
        pointer: u8,
    },
}

impl Repr {
    const fn header(&self) -> (u8, u8, [u8; 4]) {
        match *self {
            Self::EchoRequest { identifier, sequence } => {
                (kind::ECHO_REQUEST, 0, echo(identifier, sequence))
            }
            Self::EchoReply { identifier, sequence } => {
                (kind::ECHO_REPLY, 0, echo(identifier, sequence))
            }
            Self::Unreachable { code, next_hop_mtu } => {
                (kind::UNREACHABLE, code, echo(0, next_hop_mtu))
            }
            Self::TimeExceeded { code } => (kind::TIME_EXCEEDED, code, [0; 4]),
            Self::ParameterProblem { code, pointer } => {
                (kind::PARAMETER_PROBLEM, code, [pointer, 0, 0, 0])
            }
        }
    }

    /// Writes the header to the front of `message`, which is the whole message, body in place, with
    /// its checksum, and returns the header's length.
    pub fn emit(&self, message: &mut [u8]) -> Result<usize, NoRoom> {
        let header = message.first_chunk_mut::<HEADER_LEN>().ok_or(NoRoom)?;
        let (message_kind, code, [a, b, c, d]) = self.header();
        *header = [message_kind, code, 0, 0, a, b, c, d];
        let sum = checksum::Sum::of(message).checksum();
        message[field::CHECKSUM].copy_from_slice(&sum.to_be_bytes());
        Ok(HEADER_LEN)
    }
}

const fn echo(identifier: u16, sequence: u16) -> [u8; 4] {
    ((identifier as u32) << 16 | sequence as u32).to_be_bytes()
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
            Self::Unreachable { code, next_hop_mtu } => {
                write!(formatter, "unreachable code {code} mtu {next_hop_mtu}")
            }
            Self::TimeExceeded { code } => write!(formatter, "time exceeded code {code}"),
            Self::ParameterProblem { code, pointer } => {
                write!(formatter, "parameter problem code {code} at {pointer}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_emitted_reads_back_and_sums_to_zero() {
        let messages = [
            (Repr::EchoRequest { identifier: 7, sequence: 9 }, (8, 0, 7, 9)),
            (Repr::EchoReply { identifier: 7, sequence: 9 }, (0, 0, 7, 9)),
            (Repr::Unreachable { code: 4, next_hop_mtu: 1420 }, (3, 4, 0, 1420)),
            (Repr::TimeExceeded { code: 0 }, (11, 0, 0, 0)),
            (Repr::ParameterProblem { code: 0, pointer: 20 }, (12, 0, 0x1400, 0)),
        ];
        for (repr, expected) in messages {
            let mut message = *b"........body!";
            assert_eq!(repr.emit(&mut message), Ok(8));
            assert!(checksum::is_valid(&message), "{repr}");
            let view = View::new(&message).unwrap();
            let read = (view.kind(), view.code(), view.identifier(), view.sequence());
            assert_eq!(read, expected, "{repr}");
            assert_eq!(view.body(), b"body!");
        }
    }

    #[test]
    fn seven_bytes_are_no_message() {
        assert_eq!(View::new(&[8; 7]).err(), Some(Malformed::IcmpTruncated));
        assert_eq!(Repr::TimeExceeded { code: 0 }.emit(&mut [0; 7]), Err(NoRoom));
    }

    #[test]
    fn errors_are_told_from_queries() {
        let errors = (0..=u8::MAX).filter(|number| is_error(*number));
        assert_eq!(errors.collect::<Vec<_>>(), [3, 4, 5, 11, 12]);
    }
}
