//! What forwarding changes in place: hop limit, traffic class, MSS, link header, and the checksum a
//! local stack left half done.
//!
//! Checksums follow incrementally (RFC 1624), so a packet that was damaged before it came here stays
//! recognisably damaged. Each function takes the [`Parsed`] of the same buffer, and keeps the values in
//! it true; handed another buffer it changes nothing.

use crate::checksum::{Delta, Sum};
use crate::{
    Ecn, Family, Fragment, Mac, NoRoom, Parsed, Transport, ethernet, ipv4, ipv6, tcp, udp,
};
use crate::{icmpv6, protocol};

/// The packet may not travel further: its TTL or hop limit is used up (RFC 1812, section 5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HopLimitExceeded;

/// Takes one off TTL or hop limit and returns what is left. Refuses, changing nothing, where none
/// would be left.
#[inline]
pub fn decrement_hop_limit(buffer: &mut [u8], parsed: &mut Parsed) -> Result<u8, HopLimitExceeded> {
    let left = match parsed.hop_limit {
        0 | 1 => return Err(HopLimitExceeded),
        more => more - 1,
    };
    let header = buffer.get_mut(parsed.l3()..).unwrap_or(&mut []);
    match parsed.family() {
        Family::V4 => {
            let header =
                header.first_chunk_mut::<{ ipv4::HEADER_LEN }>().ok_or(HopLimitExceeded)?;
            let old = u16::from_be_bytes([parsed.hop_limit, header[ipv4::field::PROTOCOL]]);
            header[ipv4::field::TTL] = left;
            update_ipv4(header, Delta::of_u16(old, old - 0x100));
        }
        Family::V6 => {
            let field = header.get_mut(ipv6::field::HOP_LIMIT).ok_or(HopLimitExceeded)?;
            *field = left;
        }
    }
    parsed.hop_limit = left;
    Ok(left)
}

/// Sets DSCP and ECN together.
#[inline]
pub fn set_traffic_class(buffer: &mut [u8], parsed: &mut Parsed, traffic_class: u8) {
    let header = buffer.get_mut(parsed.l3()..).unwrap_or(&mut []);
    match parsed.family() {
        Family::V4 => {
            let Some(header) = header.first_chunk_mut::<{ ipv4::HEADER_LEN }>() else { return };
            let old = u16::from(header[ipv4::field::TRAFFIC_CLASS]);
            header[ipv4::field::TRAFFIC_CLASS] = traffic_class;
            update_ipv4(header, Delta::of_u16(old, u16::from(traffic_class)));
        }
        Family::V6 => {
            let Some([first, second, ..]) = header.first_chunk_mut::<2>() else { return };
            *first = (*first & 0xf0) | (traffic_class >> 4);
            *second = (*second & 0x0f) | (traffic_class << 4);
        }
    }
    parsed.traffic_class = traffic_class;
}

/// Sets the ECN field and leaves DSCP alone.
#[inline]
pub fn set_ecn(buffer: &mut [u8], parsed: &mut Parsed, ecn: Ecn) {
    if parsed.ecn() != ecn {
        set_traffic_class(buffer, parsed, (parsed.traffic_class & !0b11) | ecn.bits());
    }
}

/// What became of a maximum segment size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mss {
    /// The packet is no SYN, or has no such option.
    Absent,
    /// The option's value was within the limit.
    Kept(u16),
    /// The option had this value and now has the limit.
    Clamped(u16),
}

/// Lowers the MSS option of a SYN or SYN-ACK to `limit`; never raises it.
pub fn clamp_mss(buffer: &mut [u8], parsed: &Parsed, limit: u16) -> Mss {
    let Transport::Tcp { flags, .. } = parsed.transport else { return Mss::Absent };
    if !flags.contains(tcp::Flags::SYN) {
        return Mss::Absent;
    }
    let Some(header) = buffer.get_mut(parsed.l4()..parsed.payload()) else { return Mss::Absent };
    let options = tcp::Options::new(header.get(tcp::HEADER_LEN..).unwrap_or(&[]));
    let mut found = None;
    for (at, kind, data) in options {
        if let (tcp::option::MSS, [high, low]) = (kind, data) {
            found = Some((tcp::HEADER_LEN + at, u16::from_be_bytes([*high, *low])));
            break;
        }
    }
    let Some((at, mss)) = found else { return Mss::Absent };
    if mss <= limit {
        return Mss::Kept(mss);
    }
    header[at..at + 2].copy_from_slice(&limit.to_be_bytes());
    // At an odd offset the option's bytes sit in two words of the sum, the other way round.
    let delta = if at % 2 == 0 {
        Delta::of_u16(mss, limit)
    } else {
        Delta::of_u16(mss.swap_bytes(), limit.swap_bytes())
    };
    update_field(header, tcp::field::CHECKSUM, |sum| delta.apply(sum));
    Mss::Clamped(mss)
}

/// Exchanges both MAC addresses of a frame whose link header keeps its shape.
#[inline]
pub fn set_macs(frame: &mut [u8], destination: Mac, source: Mac) -> Result<(), NoRoom> {
    let addresses = frame.first_chunk_mut::<12>().ok_or(NoRoom)?;
    addresses[..6].copy_from_slice(&destination.0);
    addresses[6..].copy_from_slice(&source.0);
    Ok(())
}

/// Writes a link header directly in front of the IP header and returns where the frame begins: pull
/// what is before it. Fails where the buffer has less room in front; push some first and use
/// [`Parsed::after_push_front`].
#[inline]
pub fn set_link(
    buffer: &mut [u8],
    parsed: &Parsed,
    link: &ethernet::Repr,
) -> Result<usize, NoRoom> {
    let start = parsed.l3().checked_sub(link.header_len()).ok_or(NoRoom)?;
    link.emit(buffer.get_mut(start..).ok_or(NoRoom)?)?;
    Ok(start)
}

/// What [`complete_checksum`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// The field held only the pseudo header's sum and holds the checksum now.
    Completed,
    /// The field held something else, or UDP's "none"; it was left alone.
    Whole,
    /// A fragment, a source-routed packet, or a protocol without a pseudo header.
    NotApplicable,
}

/// Finishes the checksum of a packet from a local stack, which leaves the pseudo header's sum in the
/// field for hardware that veth does not have. A complete checksum that happens to equal that sum is
/// written back unchanged, so asking twice, or asking about a foreign packet, does no harm.
pub fn complete_checksum(buffer: &mut [u8], parsed: &Parsed) -> Completion {
    let Some((number, field, end)) = checksum_field(parsed) else {
        return Completion::NotApplicable;
    };
    let Some(segment) = buffer.get_mut(parsed.l4()..end) else { return Completion::NotApplicable };
    let len = u32::try_from(segment.len()).unwrap_or(u32::MAX);
    let pseudo = Sum::of_pseudo_header(&parsed.addresses, number, len).folded();
    let found = segment.get(field.clone()).and_then(|bytes| bytes.first_chunk::<2>());
    if found != Some(&pseudo.to_be_bytes()) {
        return Completion::Whole;
    }
    let sum = match Sum::of(segment).checksum() {
        0 if number == protocol::UDP => u16::MAX,
        sum => sum,
    };
    segment[field].copy_from_slice(&sum.to_be_bytes());
    Completion::Completed
}

/// Where the upper layer keeps a checksum over the pseudo header: protocol, field, end of what it covers.
fn checksum_field(parsed: &Parsed) -> Option<(u8, core::ops::Range<usize>, usize)> {
    if parsed.fragment != Fragment::None || parsed.is_source_routed() {
        return None;
    }
    match parsed.transport {
        Transport::Tcp { .. } => Some((protocol::TCP, tcp::field::CHECKSUM, parsed.end())),
        Transport::Udp { .. } => {
            Some((protocol::UDP, udp::field::CHECKSUM, parsed.payload_range().end))
        }
        Transport::Icmpv6 { .. } => Some((protocol::ICMPV6, icmpv6::field::CHECKSUM, parsed.end())),
        Transport::Icmp { .. }
        | Transport::Ipip { .. }
        | Transport::Other(_)
        | Transport::Absent => None,
    }
}

#[inline(always)]
fn update_ipv4(header: &mut [u8; ipv4::HEADER_LEN], delta: Delta) {
    update_field(header, ipv4::field::CHECKSUM, |sum| delta.apply(sum));
}

#[inline(always)]
fn update_field(bytes: &mut [u8], field: core::ops::Range<usize>, change: impl Fn(u16) -> u16) {
    if let Some(bytes) = bytes.get_mut(field).and_then(|bytes| bytes.first_chunk_mut::<2>()) {
        *bytes = change(u16::from_be_bytes(*bytes)).to_be_bytes();
    }
}

#[cfg(test)]
mod tests;
