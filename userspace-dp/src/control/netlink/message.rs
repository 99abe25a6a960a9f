//! Building and reading netlink messages: header, fixed part, attributes (RFC 3549, section 2).
//!
//! Reading takes what it needs and ignores the rest, so an attribute that a newer kernel adds, or a strange one
//! on somebody else's device, never hides a link or a route.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::NlasIterator;

use super::uapi::{AF_INET, AF_INET6, NLA_F_NESTED};

/// Bytes of `struct nlmsghdr`.
pub(super) const HEADER: usize = 16;
const ALIGNMENT: usize = 4;

/// The bytes do not hold what their type promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// A message on its way to the kernel. Every part is padded to four bytes.
#[derive(Debug)]
pub(super) struct Request {
    bytes: Vec<u8>,
}

impl Request {
    /// Type and flags of the header; length and sequence number are filled in when it is sent.
    pub(super) fn new(kind: u16, flags: u16) -> Self {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(&0u32.to_ne_bytes());
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(&[0; 8]);
        Self { bytes }
    }

    /// The same message with more flags in its header.
    pub(super) fn with_flags(mut self, flags: u16) -> Self {
        if let Some([low, high]) = self.bytes.get_mut(6..8) {
            let all = u16::from_ne_bytes([*low, *high]) | flags;
            [*low, *high] = all.to_ne_bytes();
        }
        self
    }

    /// Appends the fixed part of the message's family.
    pub(super) fn fixed(mut self, part: &[u8]) -> Self {
        self.bytes.extend_from_slice(part);
        self.pad()
    }

    /// Appends one attribute; values are a few dozen bytes at most.
    pub(super) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        debug_assert!(value.len() < usize::from(u16::MAX) - ALIGNMENT);
        self.bytes.extend_from_slice(&((value.len() + ALIGNMENT) as u16).to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.pad()
    }

    /// Appends a number in the machine's byte order.
    pub(super) fn number(self, kind: u16, value: u32) -> Self {
        self.attribute(kind, &value.to_ne_bytes())
    }

    /// Appends an IP address.
    pub(super) fn address(self, kind: u16, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => self.attribute(kind, &v4.octets()),
            IpAddr::V6(v6) => self.attribute(kind, &v6.octets()),
        }
    }

    /// Appends an attribute that holds attributes.
    pub(super) fn nested(mut self, kind: u16, fill: impl FnOnce(Self) -> Self) -> Self {
        let start = self.bytes.len();
        self = fill(self.attribute(kind | NLA_F_NESTED, &[]));
        let length = (self.bytes.len() - start) as u16;
        if let Some(field) = self.bytes.get_mut(start..start + 2) {
            field.copy_from_slice(&length.to_ne_bytes());
        }
        self
    }

    /// The finished message under this sequence number.
    pub(super) fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = self.bytes.len() as u32;
        for (at, value) in [(0, length), (8, sequence)] {
            if let Some(field) = self.bytes.get_mut(at..at + 4) {
                field.copy_from_slice(&value.to_ne_bytes());
            }
        }
        self.bytes
    }

    fn pad(mut self) -> Self {
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGNMENT), 0);
        self
    }
}

/// The fixed part and the attributes behind it.
pub(super) fn split<const FIXED: usize>(
    payload: &[u8],
) -> Result<(&[u8; FIXED], &[u8]), Malformed> {
    payload.split_first_chunk::<FIXED>().ok_or(Malformed)
}

/// Calls `each` with type and value of every attribute.
pub(super) fn attributes<'bytes>(
    bytes: &'bytes [u8],
    mut each: impl FnMut(u16, &'bytes [u8]) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    for attribute in NlasIterator::new(bytes) {
        let attribute = attribute.map_err(|_| Malformed)?;
        let (kind, length) = (attribute.kind(), usize::from(attribute.length()));
        each(kind, attribute.into_inner().get(ALIGNMENT..length).ok_or(Malformed)?)?;
    }
    Ok(())
}

/// A 32-bit number in the machine's byte order.
pub(super) fn number(value: &[u8]) -> Result<u32, Malformed> {
    value.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes)).ok_or(Malformed)
}

/// A 16-bit number in the machine's byte order.
pub(super) fn short(value: &[u8]) -> Result<u16, Malformed> {
    value.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes)).ok_or(Malformed)
}

/// Text up to the terminating zero.
pub(super) fn text(value: &[u8]) -> String {
    let end = value.iter().position(|&byte| byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(value.get(..end).unwrap_or(value)).into_owned()
}

/// An address of exactly this family's length.
pub(super) fn address(family: u8, value: &[u8]) -> Result<IpAddr, Malformed> {
    match family {
        AF_INET => <[u8; 4]>::try_from(value).map(|bytes| Ipv4Addr::from(bytes).into()),
        AF_INET6 => <[u8; 16]>::try_from(value).map(|bytes| Ipv6Addr::from(bytes).into()),
        _ => return Err(Malformed),
    }
    .map_err(|_| Malformed)
}

/// The address family of `address`, as the kernel numbers it.
pub(super) const fn family(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => AF_INET,
        IpAddr::V6(_) => AF_INET6,
    }
}
