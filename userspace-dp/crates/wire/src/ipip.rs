//! IP in IP: IPv4 in IPv4 (RFC 2003) and IPv6 in IPv4 (RFC 4213), or either in IPv6 (RFC 2473).
//!
//! There is no header between the two IP headers, so there is nothing to view: the outer packet's
//! [`Parsed::l4`](crate::Parsed::l4) is where [`parse_ip`](crate::parse_ip) reads the inner one. The
//! outer header is an [`ipv4::Repr`](crate::ipv4::Repr) or [`ipv6::Repr`](crate::ipv6::Repr) with the
//! number from here.

use crate::{Family, protocol};

/// The protocol number that announces an inner packet of `family`.
pub const fn protocol_of(family: Family) -> u8 {
    match family {
        Family::V4 => protocol::IPV4,
        Family::V6 => protocol::IPV6,
    }
}

/// The family that a protocol number announces, if it announces one.
pub const fn family_of(number: u8) -> Option<Family> {
    match number {
        protocol::IPV4 => Some(Family::V4),
        protocol::IPV6 => Some(Family::V6),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_families_name_each_other() {
        for family in [Family::V4, Family::V6] {
            assert_eq!(family_of(protocol_of(family)), Some(family));
        }
        let named = (0..=u8::MAX).filter(|number| family_of(*number).is_some());
        assert_eq!(named.collect::<Vec<_>>(), [4, 41]);
    }
}
