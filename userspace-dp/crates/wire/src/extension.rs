//! The IPv6 extension header chain (RFC 8200, section 4; RFC 4302 for the authentication header).
//!
//! [`walk`] finds the upper layer. It is bounded, and it is strict, because a policy that reads the
//! wrong bytes as ports is a hole: hop-by-hop options stand first or nowhere, there is at most one
//! fragment header, and a header that RFC 7045 registers but that is not walked (mobility, HIP, Shim6,
//! experiments) makes the packet unclassifiable. Option contents are not judged.

use core::fmt;

use crate::{Fragment, Malformed, NoRoom, ipv4, parsed::Notes, protocol};

/// The most extension headers walked. Real packets carry one or two; each more is work an attacker
/// gets for free. RFC 8504, section 5.3, allows such a limit.
pub const CHAIN_LIMIT: usize = 8;

/// Bytes of a fragment header.
pub const FRAGMENT_LEN: usize = 8;

/// Where a chain led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The upper-layer protocol, or in a later fragment what its fragment header names.
    pub protocol: u8,
    /// Bytes of all extension headers.
    pub len: usize,
    /// Which piece of a datagram this is.
    pub fragment: Fragment,
    /// True if a routing header has segments left.
    pub source_routed: bool,
}

impl Chain {
    /// No extension header: the upper layer follows at once.
    const fn none(protocol: u8) -> Self {
        Self { protocol, len: 0, fragment: Fragment::None, source_routed: false }
    }

    pub(crate) const fn notes(&self) -> u8 {
        let routed = if self.source_routed { Notes::SOURCE_ROUTED } else { 0 };
        let walked = if self.len > 0 { Notes::EXTENSIONS } else { 0 };
        routed | walked
    }
}

/// An extension header that is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extension {
    HopByHop,
    Destination,
    Routing,
    Fragment,
    Authentication,
}

impl Extension {
    /// What a number stands for: a header to walk, an upper layer (`None`; ESP, which hides what
    /// follows, counts as one), or an extension header that RFC 7045 registers and nobody can skip.
    #[inline(always)]
    const fn of(number: u8) -> Result<Option<Self>, Malformed> {
        match number {
            protocol::HOP_BY_HOP => Ok(Some(Self::HopByHop)),
            protocol::DESTINATION_OPTIONS => Ok(Some(Self::Destination)),
            protocol::ROUTING => Ok(Some(Self::Routing)),
            protocol::FRAGMENT => Ok(Some(Self::Fragment)),
            protocol::AUTHENTICATION => Ok(Some(Self::Authentication)),
            protocol::MOBILITY
            | protocol::HOST_IDENTITY
            | protocol::SHIM6
            | protocol::EXPERIMENT_1
            | protocol::EXPERIMENT_2 => Err(Malformed::Ipv6ExtensionUnknown),
            _ => Ok(None),
        }
    }
}

/// Walks the chain in `payload`, all that follows the IPv6 header; `first` is that header's next
/// header. Ends at the upper layer, or behind the fragment header of a later fragment.
#[inline(always)]
pub fn walk(first: u8, payload: &[u8]) -> Result<Chain, Malformed> {
    match first {
        protocol::TCP | protocol::UDP | protocol::ICMPV6 => Ok(Chain::none(first)),
        _ => walk_headers(first, payload),
    }
}

#[inline(never)]
fn walk_headers(first: u8, payload: &[u8]) -> Result<Chain, Malformed> {
    let mut chain = Chain::none(first);
    let mut fragment_header = false;
    let mut count = 0;
    while let Some(extension) = Extension::of(chain.protocol)? {
        if count == CHAIN_LIMIT {
            return Err(Malformed::Ipv6ExtensionChain);
        }
        let rest = payload.get(chain.len..).unwrap_or(&[]);
        let header = rest.first_chunk::<8>().ok_or(Malformed::Ipv6ExtensionTruncated)?;
        let [next, units, kind, segments_left, ..] = *header;
        let len = match extension {
            Extension::HopByHop if count > 0 => return Err(Malformed::Ipv6ExtensionOrder),
            Extension::HopByHop | Extension::Destination => (usize::from(units) + 1) * 8,
            Extension::Routing => {
                if kind == 0 && segments_left > 0 {
                    return Err(Malformed::Ipv6SourceRoute);
                }
                chain.source_routed |= segments_left > 0;
                (usize::from(units) + 1) * 8
            }
            Extension::Fragment if fragment_header => return Err(Malformed::Ipv6ExtensionOrder),
            Extension::Fragment => {
                fragment_header = true;
                chain.fragment = fragment(header, rest.len(), payload.len())?;
                FRAGMENT_LEN
            }
            Extension::Authentication if units == 0 => return Err(Malformed::Ipv6ExtensionLength),
            Extension::Authentication => (usize::from(units) + 2) * 4,
        };
        if len > rest.len() {
            return Err(Malformed::Ipv6ExtensionTruncated);
        }
        chain.protocol = next;
        chain.len += len;
        count += 1;
        if matches!(chain.fragment, Fragment::Later { .. }) {
            break;
        }
    }
    Ok(chain)
}

/// Judges a fragment header with `rest_len` bytes from it to the end of a payload of `payload_len`.
fn fragment(header: &[u8; 8], rest_len: usize, payload_len: usize) -> Result<Fragment, Malformed> {
    let word = u16::from_be_bytes([header[2], header[3]]);
    let (offset, more) = (word & 0xfff8, word & 1 != 0);
    if offset == 0 && !more {
        return Ok(Fragment::None);
    }
    let identification = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    let len = rest_len - FRAGMENT_LEN;
    let unfragmentable = payload_len - rest_len;
    ipv4::fragment(identification, offset, more, len, usize::from(u16::MAX) - unfragmentable)
}

/// A fragment header to emit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentRepr {
    /// What follows.
    pub next_header: u8,
    /// Where this piece belongs, in bytes; a multiple of eight.
    pub offset: u16,
    /// False in the last piece.
    pub more: bool,
    /// The datagram's identification.
    pub identification: u32,
}

impl FragmentRepr {
    /// Writes the header to the front of `bytes` and returns its length.
    pub fn emit(&self, bytes: &mut [u8]) -> Result<usize, NoRoom> {
        let header = bytes.first_chunk_mut::<FRAGMENT_LEN>().ok_or(NoRoom)?;
        let word = (self.offset & 0xfff8) | u16::from(self.more);
        header[..2].copy_from_slice(&[self.next_header, 0]);
        header[2..4].copy_from_slice(&word.to_be_bytes());
        header[4..].copy_from_slice(&self.identification.to_be_bytes());
        Ok(FRAGMENT_LEN)
    }
}

impl fmt::Display for FragmentRepr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.more { "more" } else { "last" };
        write!(formatter, "fragment {:#010x} at {} {more}", self.identification, self.offset)
    }
}

#[cfg(test)]
mod tests;
