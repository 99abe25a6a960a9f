//! WireGuard's framing (the WireGuard paper, section 5.4): which of the four messages a UDP payload
//! is, and where its fields lie. Nothing here is authenticated; the `wireguard` crate does that.
//!
//! The type is a little-endian 32-bit word, so reserved bytes that are not zero make another type.
//! Lengths are exact for all but data, which is at least a header and a tag.

use core::fmt;

use crate::{Malformed, NoRoom};

/// Bytes of a handshake initiation.
pub const INITIATION_LEN: usize = 148;
/// Bytes of a handshake response.
pub const RESPONSE_LEN: usize = 92;
/// Bytes of a cookie reply.
pub const COOKIE_REPLY_LEN: usize = 64;
/// Bytes in front of the sealed packet in a data message.
pub const DATA_HEADER_LEN: usize = 16;
/// Bytes of the authentication tag that ends a sealed packet.
pub const TAG_LEN: usize = 16;
/// Bytes of the shortest data message: a keepalive.
pub const DATA_LEN_MIN: usize = DATA_HEADER_LEN + TAG_LEN;

/// The four message types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Kind {
    /// First handshake message.
    Initiation = 1,
    /// Second handshake message.
    Response = 2,
    /// Answer of a responder under load.
    CookieReply = 3,
    /// A sealed packet.
    Data = 4,
}

impl Kind {
    /// The type of the message that fills `message`, its length checked.
    #[inline(always)]
    pub fn of(message: &[u8]) -> Result<Self, Malformed> {
        let word = message.first_chunk::<4>().ok_or(Malformed::WireguardType)?;
        let (kind, fits) = match u32::from_le_bytes(*word) {
            1 => (Self::Initiation, message.len() == INITIATION_LEN),
            2 => (Self::Response, message.len() == RESPONSE_LEN),
            3 => (Self::CookieReply, message.len() == COOKIE_REPLY_LEN),
            4 => (Self::Data, message.len() >= DATA_LEN_MIN),
            _ => return Err(Malformed::WireguardType),
        };
        if fits { Ok(kind) } else { Err(Malformed::WireguardLength) }
    }

    /// The word that begins a message of this type.
    pub const fn word(self) -> [u8; 4] {
        (self as u32).to_le_bytes()
    }
}

/// A message whose type and length are right, fields in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// First handshake message.
    Initiation(Initiation<'a>),
    /// Second handshake message.
    Response(Response<'a>),
    /// Answer of a responder under load.
    CookieReply(CookieReply<'a>),
    /// A sealed packet.
    Data(Data<'a>),
}

/// First handshake message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Initiation<'a> {
    /// The initiator's index for the session.
    pub sender: u32,
    /// The initiator's ephemeral public key.
    pub ephemeral: &'a [u8; 32],
    /// The initiator's static public key, sealed.
    pub sealed_static: &'a [u8; 48],
    /// The TAI64N timestamp, sealed.
    pub sealed_timestamp: &'a [u8; 28],
    /// MAC over all before it, under the responder's public key.
    pub mac1: &'a [u8; 16],
    /// MAC over all before it, under a cookie; zero without one.
    pub mac2: &'a [u8; 16],
}

/// Second handshake message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// The responder's index for the session.
    pub sender: u32,
    /// The initiator's index.
    pub receiver: u32,
    /// The responder's ephemeral public key.
    pub ephemeral: &'a [u8; 32],
    /// Nothing, sealed.
    pub sealed_nothing: &'a [u8; 16],
    /// MAC over all before it, under the initiator's public key.
    pub mac1: &'a [u8; 16],
    /// MAC over all before it, under a cookie; zero without one.
    pub mac2: &'a [u8; 16],
}

/// Answer of a responder under load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CookieReply<'a> {
    /// The index of whoever sent the handshake message.
    pub receiver: u32,
    /// Nonce of the sealed cookie.
    pub nonce: &'a [u8; 24],
    /// The cookie, sealed.
    pub sealed_cookie: &'a [u8; 32],
}

/// A sealed packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data<'a> {
    /// The receiver's index for the session.
    pub receiver: u32,
    /// The nonce counter.
    pub counter: u64,
    /// Ciphertext and tag: at least [`TAG_LEN`] bytes.
    pub sealed: &'a [u8],
}

impl<'a> Message<'a> {
    /// The message that fills `message`, a whole UDP payload.
    #[inline]
    pub fn parse(message: &'a [u8]) -> Result<Self, Malformed> {
        let kind = Kind::of(message)?;
        let mut fields = Fields(message);
        fields.take::<4>()?;
        Ok(match kind {
            Kind::Initiation => Self::Initiation(Initiation {
                sender: fields.index()?,
                ephemeral: fields.take()?,
                sealed_static: fields.take()?,
                sealed_timestamp: fields.take()?,
                mac1: fields.take()?,
                mac2: fields.take()?,
            }),
            Kind::Response => Self::Response(Response {
                sender: fields.index()?,
                receiver: fields.index()?,
                ephemeral: fields.take()?,
                sealed_nothing: fields.take()?,
                mac1: fields.take()?,
                mac2: fields.take()?,
            }),
            Kind::CookieReply => Self::CookieReply(CookieReply {
                receiver: fields.index()?,
                nonce: fields.take()?,
                sealed_cookie: fields.take()?,
            }),
            Kind::Data => Self::Data(Data::parse(message)?),
        })
    }
}

impl<'a> Data<'a> {
    /// The data message that fills `message`; anything else is refused. For the packet path, which
    /// sees little else.
    #[inline(always)]
    pub fn parse(message: &'a [u8]) -> Result<Self, Malformed> {
        let (header, sealed) = message
            .split_first_chunk::<DATA_HEADER_LEN>()
            .filter(|(_, sealed)| sealed.len() >= TAG_LEN)
            .ok_or(Malformed::WireguardLength)?;
        let [a, b, c, d, e, f, g, h, counter @ ..] = *header;
        if [a, b, c, d] != Kind::Data.word() {
            return Err(Malformed::WireguardType);
        }
        let receiver = u32::from_le_bytes([e, f, g, h]);
        Ok(Self { receiver, counter: u64::from_le_bytes(counter), sealed })
    }
}

/// What is left of a message.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    #[inline(always)]
    fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], Malformed> {
        let (field, rest) = self.0.split_first_chunk().ok_or(Malformed::WireguardLength)?;
        self.0 = rest;
        Ok(field)
    }

    #[inline(always)]
    fn index(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(*self.take()?))
    }
}

/// A data message's header to emit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataRepr {
    /// The receiver's index for the session.
    pub receiver: u32,
    /// The nonce counter.
    pub counter: u64,
}

impl DataRepr {
    /// Writes the header to the front of `message` and returns its length.
    #[inline]
    pub fn emit(&self, message: &mut [u8]) -> Result<usize, NoRoom> {
        let header = message.first_chunk_mut::<DATA_HEADER_LEN>().ok_or(NoRoom)?;
        header[..4].copy_from_slice(&Kind::Data.word());
        header[4..8].copy_from_slice(&self.receiver.to_le_bytes());
        header[8..].copy_from_slice(&self.counter.to_le_bytes());
        Ok(DATA_HEADER_LEN)
    }
}

impl fmt::Display for DataRepr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "wg data to {:#010x} counter {}", self.receiver, self.counter)
    }
}

#[cfg(test)]
mod tests;
