//! What becomes of a packet that has a flow.

use crate::Departure;

/// The answer to one packet: three kinds of it let the packet through, three say that there is no flow for it, the rest
/// refuse it. One byte; matched without a wildcard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Verdict {
    /// It belongs to the conversation; the flow lives on by it.
    InState,
    /// It may be of the conversation and does no harm that its receiver would not see through, but it proves nothing:
    /// it passes, and changes and refreshes nothing. Examples: a repeated SYN, a reset that is in the window and not
    /// exact, which its receiver challenges (RFC 5961).
    Tolerated,
    /// It passes and ends the flow: an exact reset.
    Closes,

    /// The flow has been silent for too long and only waits to be taken out.
    Expired,
    /// The flow is over and the packet is the beginning of another under the same tuple.
    Reopens,
    /// No flow has this id any more.
    Gone,

    /// Sequence numbers outside of what the sender may send or repeat.
    OutOfWindow,
    /// It acknowledges what was never sent, or what was acknowledged long ago.
    BadAcknowledgment,
    /// A reset that its receiver would not obey.
    BadReset,
    /// TCP flags that nobody sends together.
    BadFlags,
    /// A SYN, or its answer, from the side that has no business to send one.
    UnexpectedSyn,
    /// A segment that presumes an answer which has not been seen.
    TooEarly,
    /// Data behind the end that its sender has announced.
    AfterFin,
    /// A packet of another protocol than the flow's.
    Mismatch,
}

impl Verdict {
    /// Every verdict, by number.
    pub const ALL: [Self; 14] = [
        Self::InState,
        Self::Tolerated,
        Self::Closes,
        Self::Expired,
        Self::Reopens,
        Self::Gone,
        Self::OutOfWindow,
        Self::BadAcknowledgment,
        Self::BadReset,
        Self::BadFlags,
        Self::UnexpectedSyn,
        Self::TooEarly,
        Self::AfterFin,
        Self::Mismatch,
    ];

    /// What to do with the packet.
    pub const fn consequence(self) -> Consequence {
        match self {
            Self::InState | Self::Tolerated | Self::Closes => Consequence::Pass,
            Self::Expired | Self::Reopens | Self::Gone => Consequence::Miss,
            Self::OutOfWindow
            | Self::BadAcknowledgment
            | Self::BadReset
            | Self::BadFlags
            | Self::UnexpectedSyn
            | Self::TooEarly
            | Self::AfterFin
            | Self::Mismatch => Consequence::Refuse,
        }
    }

    /// Why the flow goes, if it has to: what [`FlowTable::remove`](crate::FlowTable::remove) is told.
    pub const fn departure(self) -> Option<Departure> {
        match self {
            Self::Expired => Some(Departure::Expired),
            Self::Reopens => Some(Departure::Closed),
            Self::InState
            | Self::Tolerated
            | Self::Closes
            | Self::Gone
            | Self::OutOfWindow
            | Self::BadAcknowledgment
            | Self::BadReset
            | Self::BadFlags
            | Self::UnexpectedSyn
            | Self::TooEarly
            | Self::AfterFin
            | Self::Mismatch => None,
        }
    }

    /// The name for counters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InState => "in_state",
            Self::Tolerated => "tolerated",
            Self::Closes => "closes",
            Self::Expired => "expired",
            Self::Reopens => "reopens",
            Self::Gone => "gone",
            Self::OutOfWindow => "out_of_window",
            Self::BadAcknowledgment => "bad_acknowledgment",
            Self::BadReset => "bad_reset",
            Self::BadFlags => "bad_flags",
            Self::UnexpectedSyn => "unexpected_syn",
            Self::TooEarly => "too_early",
            Self::AfterFin => "after_fin",
            Self::Mismatch => "mismatch",
        }
    }
}

/// What follows from a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Consequence {
    /// Forward the packet along its flow.
    Pass,
    /// Remove the flow if it is still there, and judge the packet as one that has none.
    Miss,
    /// Drop the packet under the verdict's name.
    Refuse,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_verdict_has_its_number_its_name_and_one_byte() {
        let names: BTreeSet<&str> = Verdict::ALL.iter().map(|verdict| verdict.name()).collect();
        assert_eq!(names.len(), Verdict::ALL.len());
        for (number, verdict) in Verdict::ALL.into_iter().enumerate() {
            assert_eq!(verdict as usize, number);
            let misses = verdict.consequence() == Consequence::Miss;
            assert_eq!(verdict.departure().is_some(), misses && verdict != Verdict::Gone);
        }
        assert_eq!(size_of::<Verdict>(), 1);
    }
}
