//! A TCP connection as seen from between its ends (RFC 9293): which segments belong to it.
//!
//! The four bounds on sequence and acknowledgment numbers are those of Guido van Rooij ("Real Stateful TCP Packet
//! Filtering in IP Filter", 2000), which stateful filters have used since: see [`window`](self::window). A segment that
//! passes them moves them. What they rest on:
//!
//! * The gateway sees a segment before its receiver does, so what it knows of a sender is never behind what the
//!   receiver knows, and an honest sender never leaves the bounds.
//! * Segments that are lost behind the gateway, repeated, reordered or selectively acknowledged stay within them:
//!   nobody may send more than a window beyond what was acknowledged, and nothing that is still needed is older than a
//!   window.
//!
//! Resets and SYNs that an established connection receives have rules of their own: see [`reset`](self::reset) and
//! [`handshake`](self::handshake).
//!
//! Checksums are not verified: whoever can make a segment with the right numbers can also make its checksum.

mod handshake;
mod reset;
mod sequence;
mod window;

#[cfg(test)]
mod tests;

pub(crate) use sequence::Sequence;

use crate::content::Kind;
use crate::{Direction, Segment, TcpPhase, Verdict};

/// What is known about both ends, in 36 bytes. Indexed by the direction in which an end sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connection {
    ends: [End; 2],
    /// The largest window that an end has offered, in units of [`WINDOW_UNIT`].
    windows: [u16; 2],
    /// The sequence number of a SYN that the opener sent over the connection; with [`Marks::ASKED`].
    asked: Sequence,
    marks: [Marks; 2],
    /// What the window scale option of an end's SYN said; counts if both have [`Marks::SCALED`].
    scales: [u8; 2],
}

/// Sequence numbers of what one end sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct End {
    /// Behind the last that it has sent.
    sent: Sequence,
    /// Behind the last that the other end has room for.
    limit: Sequence,
    /// The highest acknowledgment that it has sent. Until it has acknowledged the other end's SYN: that SYN's number.
    confirmed: Sequence,
}

/// Yes-or-no findings about one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Marks(u8);

impl Marks {
    /// It has sent a SYN.
    const SYN: u8 = 1;
    /// The other end has acknowledged that.
    const SYN_CONFIRMED: u8 = 2;
    /// It has sent FIN; `sent` is behind it and stays.
    const FIN: u8 = 4;
    /// Its SYN had a window scale option.
    const SCALED: u8 = 8;
    /// The opener has repeated its SYN after it was answered.
    const ASKED_AGAIN: u8 = 16;
    /// The opener has sent a SYN over the established connection.
    const ASKED: u8 = 32;
    /// The answerer has answered that SYN like one that knows of no connection.
    const REFUTED: u8 = 64;

    const fn has(self, marks: u8) -> bool {
        self.0 & marks == marks
    }

    const fn set(&mut self, marks: u8) {
        self.0 |= marks;
    }

    const fn clear(&mut self, marks: u8) {
        self.0 &= !marks;
    }
}

impl Connection {
    /// Nothing known.
    pub(crate) const NONE: Self = Self {
        ends: [End { sent: Sequence(0), limit: Sequence(0), confirmed: Sequence(0) }; 2],
        windows: [0; 2],
        asked: Sequence(0),
        marks: [Marks(0); 2],
        scales: [0; 2],
    };

    /// A connection that begins with this segment of its opener: a SYN, or else one out of the middle.
    pub(crate) fn opened_by(segment: &Segment) -> (Self, TcpPhase) {
        let mut connection = Self::NONE;
        let phase = match segment.kind() {
            Some(Kind::Data) => connection.join(segment),
            Some(Kind::Syn | Kind::SynAck | Kind::Reset) | None => connection.begin(segment),
        };
        (connection, phase)
    }

    /// Judges a segment that travels in direction `from`. What it does not accept changes nothing of what later
    /// segments are held against.
    #[inline]
    pub(crate) fn judge(
        &mut self,
        phase: TcpPhase,
        from: Direction,
        segment: &Segment,
    ) -> (Verdict, TcpPhase) {
        match segment.kind() {
            Some(Kind::Data) => self.data(phase, from, segment),
            Some(Kind::Syn) => self.syn(phase, from, segment),
            Some(Kind::SynAck) => self.syn_ack(phase, from, segment),
            Some(Kind::Reset) => self.reset(phase, from, segment),
            None => (Verdict::BadFlags, phase),
        }
    }

    /// Where the marks say that the connection is, once both ends have sent a SYN.
    fn phase(&self) -> TcpPhase {
        let [opener, answerer] = self.marks;
        if !opener.has(Marks::SYN_CONFIRMED) || !answerer.has(Marks::SYN_CONFIRMED) {
            return TcpPhase::SynReceived;
        }
        match (opener.has(Marks::FIN), answerer.has(Marks::FIN)) {
            (false, false) => TcpPhase::Established,
            (true, false) | (false, true) => TcpPhase::HalfClosed,
            (true, true) => {
                let [opener, answerer] = self.ends;
                let heard = answerer.confirmed == opener.sent && opener.confirmed == answerer.sent;
                if heard { TcpPhase::TimeWait } else { TcpPhase::LastAck }
            }
        }
    }

    /// True if the answerer has sent a SYN: before that nothing is known of its numbers.
    const fn is_answered(&self) -> bool {
        self.marks[Direction::Answers.index()].has(Marks::SYN)
    }

    /// How far the other end's numbers may reach back, given the largest window that `direction` has offered.
    const fn reach(&self, direction: Direction) -> u32 {
        let window = self.windows[direction.index()] as u32 * WINDOW_UNIT;
        let reach = window.saturating_mul(2).saturating_add(REACH_MIN);
        if reach > REACH_MAX { REACH_MAX } else { reach }
    }

    fn widen(&mut self, direction: Direction, window: u32) {
        let units = window.div_ceil(WINDOW_UNIT).min(u32::from(u16::MAX)) as u16;
        let kept = &mut self.windows[direction.index()];
        *kept = units.max(*kept);
    }
}

/// The largest window, 65,535 << 14, is 65,535 of these.
const WINDOW_UNIT: u32 = 1 << 14;
/// How far back numbers may always reach: what is on its way of a small window, or of one that nobody saw.
const REACH_MIN: u32 = 1 << 16;
/// How far back numbers may reach at most: with the largest window ahead, half of the circle stays free.
const REACH_MAX: u32 = 1 << 30;
