//! Which fragments belong together, and what their first one was judged to be.
//!
//! Only the first fragment of a datagram shows its ports. What it was judged to be is remembered here, as a small value of
//! the caller's, and later fragments are judged by that. Nothing is reassembled; but the ranges that have passed are kept,
//! so that no receiver can be made to reassemble something else than what was judged:
//!
//! * A fragment that overlaps another makes the whole datagram suspect: it and all that follow are refused (RFC 5722).
//! * A fragment that lies within what has passed is refused alone: it is a copy, or pretends to be one (RFC 8200, section
//!   4.5).
//! * A fragment of TCP that begins within the header is refused without looking further (RFC 1858, RFC 3128). That the
//!   first fragment holds its whole header is the parser's rule.
//! * A fragment behind the end of its datagram, or a second end, makes the datagram suspect too.
//!
//! Sets of eight associations, chosen by a keyed hash. A full set gives the place of an association that is complete or
//! too old, else of its oldest: a flood of first fragments shortens how long associations live, and lets nothing pass.
//! Later fragments that come before their first one are [`Association::Unknown`]; whether to hold them is the caller's
//! decision, as is what happens to fragments of a datagram that was refused: a value for that is as good as any.

mod piece;
mod ranges;
mod table;

#[cfg(test)]
mod tests;

pub use piece::{FragmentKey, Piece};
pub use table::{Association, FragmentTable};

/// Why a fragment is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FragmentRefusal {
    /// It begins within the header of its datagram's upper layer.
    Tiny,
    /// It covers nothing that has not passed.
    Duplicate,
    /// It overlaps another, or belongs to a datagram in which two did.
    Overlap,
    /// It lies behind the end of its datagram or gives it another end, or belongs to a datagram in which one did.
    Inconsistent,
    /// Its datagram is in more disconnected pieces than are kept apart.
    Scattered,
}

impl FragmentRefusal {
    /// Every refusal, by number.
    pub const ALL: [Self; 5] =
        [Self::Tiny, Self::Duplicate, Self::Overlap, Self::Inconsistent, Self::Scattered];

    /// The name for counters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tiny => "fragment_tiny",
            Self::Duplicate => "fragment_duplicate",
            Self::Overlap => "fragment_overlap",
            Self::Inconsistent => "fragment_inconsistent",
            Self::Scattered => "fragment_scattered",
        }
    }
}
