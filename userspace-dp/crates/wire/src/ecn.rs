//! Explicit congestion notification across a tunnel (RFC 6040): pure tables.
//!
//! Whoever encapsulates asks [`encapsulate`] for the outer field; whoever decapsulates asks
//! [`decapsulate`] what to write into the inner header. Never drops congestion marks, and never turns
//! a packet whose sender cannot react into one that says it can.

use core::fmt;

/// The two ECN bits (RFC 3168, section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Ecn {
    /// The sender does not react to marks.
    NotCapable = 0b00,
    /// ECN-capable transport, codepoint 1.
    Capable1 = 0b01,
    /// ECN-capable transport, codepoint 0.
    Capable0 = 0b10,
    /// Congestion experienced.
    Congestion = 0b11,
}

impl Ecn {
    /// The codepoint in the lower two bits of a TOS byte or traffic class.
    pub const fn from_bits(traffic_class: u8) -> Self {
        match traffic_class & 0b11 {
            0b00 => Self::NotCapable,
            0b01 => Self::Capable1,
            0b10 => Self::Capable0,
            _ => Self::Congestion,
        }
    }

    /// The two bits.
    pub const fn bits(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Ecn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotCapable => "Not-ECT",
            Self::Capable1 => "ECT(1)",
            Self::Capable0 => "ECT(0)",
            Self::Congestion => "CE",
        })
    }
}

/// The outer header's field for a packet about to enter a tunnel (RFC 6040, section 4.1, normal mode).
pub const fn encapsulate(inner: Ecn) -> Ecn {
    inner
}

/// The inner header's field for a packet that left a tunnel (RFC 6040, section 4.2, figure 4), or
/// `None` if the packet must be dropped: congestion was marked on a packet that cannot carry the mark.
pub const fn decapsulate(inner: Ecn, outer: Ecn) -> Option<Ecn> {
    match (inner, outer) {
        (Ecn::NotCapable, Ecn::Congestion) => None,
        (Ecn::NotCapable, Ecn::NotCapable | Ecn::Capable0 | Ecn::Capable1) => Some(Ecn::NotCapable),
        (Ecn::Capable0, Ecn::NotCapable | Ecn::Capable0) => Some(Ecn::Capable0),
        (Ecn::Capable0, Ecn::Capable1) => Some(Ecn::Capable1),
        (Ecn::Capable1, Ecn::NotCapable | Ecn::Capable0 | Ecn::Capable1) => Some(Ecn::Capable1),
        (Ecn::Capable0 | Ecn::Capable1, Ecn::Congestion) => Some(Ecn::Congestion),
        (Ecn::Congestion, Ecn::NotCapable | Ecn::Capable0 | Ecn::Capable1 | Ecn::Congestion) => {
            Some(Ecn::Congestion)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Ecn; 4] = [Ecn::NotCapable, Ecn::Capable0, Ecn::Capable1, Ecn::Congestion];

    #[test]
    fn decapsulation_follows_figure_4_of_rfc_6040() {
        use Ecn::{Capable0, Capable1, Congestion, NotCapable};
        let rows = [
            (NotCapable, [Some(NotCapable), Some(NotCapable), Some(NotCapable), None]),
            (Capable0, [Some(Capable0), Some(Capable0), Some(Capable1), Some(Congestion)]),
            (Capable1, [Some(Capable1), Some(Capable1), Some(Capable1), Some(Congestion)]),
            (Congestion, [Some(Congestion); 4]),
        ];
        for (inner, expected) in rows {
            for (outer, expected) in ALL.into_iter().zip(expected) {
                assert_eq!(decapsulate(inner, outer), expected, "inner {inner}, outer {outer}");
            }
        }
    }

    #[test]
    fn an_untouched_tunnel_gives_back_what_went_in() {
        for inner in ALL {
            assert_eq!(decapsulate(inner, encapsulate(inner)), Some(inner));
        }
    }

    #[test]
    fn codepoints_survive_their_bits_whatever_the_dscp() {
        for code in ALL {
            assert_eq!(Ecn::from_bits(0b1011_1000 | code.bits()), code);
        }
    }
}
