//! Segments of a connection whose ends have found each other: acknowledgments, data, FIN.
//!
//! For a segment of one end (S), with R the other:
//!
//! 1. it begins no further than R has room: not behind the highest acknowledgment and window of R;
//! 2. it ends no earlier than a reach before what S has sent: older data was acknowledged;
//! 3. it acknowledges nothing that R has not sent;
//! 4. it acknowledges no less than a reach before what R has sent: older acknowledgments were overtaken.
//!
//! The reach is twice the largest window of the end concerned, and 64 KiB. One window is what can be on its way at
//! once; the second is for copies that are overtaken for a round trip. All of them are long acknowledged.
//!
//! What this lets through, on purpose: keepalives (one number before what was sent, with or without a byte), probes of
//! a window of zero (at the limit), windows that shrink (the highest limit counts), repeated and reordered segments,
//! and acknowledgments that stand still while selective ones go on.

use super::{Connection, Marks, Sequence};
use crate::{Direction, Segment, TcpPhase, Verdict};

impl Connection {
    #[inline]
    pub(super) fn data(
        &mut self,
        phase: TcpPhase,
        from: Direction,
        segment: &Segment,
    ) -> (Verdict, TcpPhase) {
        match phase {
            TcpPhase::SynSent => (before_the_answer(from, segment), phase),
            TcpPhase::SynReceived
            | TcpPhase::Established
            | TcpPhase::HalfClosed
            | TcpPhase::LastAck
            | TcpPhase::TimeWait => match self.refusal(from, segment) {
                Some(refusal) => (refusal, phase),
                None => {
                    self.learn(from, segment);
                    (Verdict::InState, self.phase())
                }
            },
            TcpPhase::Reset if !self.is_answered() => (before_the_answer(from, segment), phase),
            TcpPhase::Reset => (self.refusal(from, segment).unwrap_or(Verdict::Tolerated), phase),
        }
    }

    /// Why the segment is none of this connection, if so.
    #[inline]
    pub(super) fn refusal(&self, from: Direction, segment: &Segment) -> Option<Verdict> {
        let (sender, receiver) = self.pair(from);
        let start = Sequence(segment.sequence);
        let end = start.plus(segment.sequence_len());
        let oldest = sender.sent.minus(self.reach(from.opposite()));
        if start.after(sender.limit) || end.before(oldest) {
            return Some(Verdict::OutOfWindow);
        }
        if self.marks[from.index()].has(Marks::FIN) && end.after(sender.sent) {
            return Some(Verdict::AfterFin);
        }
        let acknowledgment = Sequence(segment.acknowledgment);
        let too_old = if self.marks[from.opposite().index()].has(Marks::SYN_CONFIRMED) {
            acknowledgment.before(receiver.sent.minus(self.reach(from)))
        } else {
            // Only who has seen the other end's SYN knows its number: this is what opens the connection.
            !acknowledgment.after(sender.confirmed)
        };
        (too_old || acknowledgment.after(receiver.sent)).then_some(Verdict::BadAcknowledgment)
    }

    /// Moves the bounds by a segment that is within them.
    #[inline]
    pub(super) fn learn(&mut self, from: Direction, segment: &Segment) {
        let (this, other) = (from.index(), from.opposite().index());
        let window = self.window(from, segment);
        let acknowledgment = Sequence(segment.acknowledgment);
        let sender = &mut self.ends[this];
        sender.sent = sender.sent.or_later(last_possible(segment, sender.limit));
        if acknowledgment.after(sender.confirmed) {
            sender.confirmed = acknowledgment;
            self.marks[other].set(Marks::SYN_CONFIRMED);
        }
        let receiver = &mut self.ends[other];
        receiver.limit = receiver.limit.or_later(acknowledgment.plus(window));
        self.widen(from, window);
        let end = Sequence(segment.sequence).plus(segment.sequence_len());
        if segment.is_fin() && end == self.ends[this].sent {
            // Nothing was sent behind it, so it can be one.
            self.marks[this].set(Marks::FIN);
        }
        if from == Direction::Answers {
            // The answerer is at home in this connection after all.
            self.marks[other].clear(Marks::ASKED | Marks::REFUTED);
        }
    }

    /// Takes a connection as it is found, without having seen its SYNs. The scales are unknown, so the widest are
    /// assumed, and of what the answerer has sent it is only known what the opener confirms and how much more it may be.
    pub(super) fn join(&mut self, segment: &Segment) -> TcpPhase {
        let start = Sequence(segment.sequence);
        let acknowledgment = Sequence(segment.acknowledgment);
        let window = u32::from(segment.window) << SCALE_UNKNOWN;
        self.marks = [Marks(Marks::SYN | Marks::SYN_CONFIRMED | Marks::SCALED); 2];
        self.scales = [SCALE_UNKNOWN; 2];
        let [opener, answerer] = &mut self.ends;
        opener.limit = start.plus(segment.sequence_len()).plus(WINDOW_UNKNOWN);
        opener.sent = last_possible(segment, opener.limit);
        opener.confirmed = acknowledgment;
        answerer.limit = acknowledgment.plus(window);
        answerer.sent = acknowledgment.plus(window.min(WINDOW_UNKNOWN));
        answerer.confirmed = start;
        self.widen(Direction::Opening, window);
        self.widen(Direction::Answers, WINDOW_UNKNOWN);
        if segment.is_fin() {
            self.marks[Direction::Opening.index()].set(Marks::FIN);
        }
        self.phase()
    }

    /// The sender's numbers and the receiver's.
    #[inline]
    pub(super) const fn pair(&self, from: Direction) -> (&super::End, &super::End) {
        (&self.ends[from.index()], &self.ends[from.opposite().index()])
    }

    /// The window that a segment offers, in bytes.
    const fn window(&self, from: Direction, segment: &Segment) -> u32 {
        let [opener, answerer] = self.marks;
        let scaled = opener.has(Marks::SCALED) && answerer.has(Marks::SCALED);
        let is_syn = segment.flags.contains(wire::tcp::Flags::SYN);
        let scale = if scaled && !is_syn { self.scales[from.index()] } else { 0 };
        (segment.window as u32) << scale
    }
}

/// A segment without SYN while the opener's SYN is all there is. The answerer may still be in an earlier connection, of
/// which it says so with an acknowledgment; the opener then resets that (RFC 9293, section 3.5.1).
fn before_the_answer(from: Direction, segment: &Segment) -> Verdict {
    match from {
        Direction::Answers if segment.sequence_len() == 0 => Verdict::Tolerated,
        Direction::Opening | Direction::Answers => Verdict::TooEarly,
    }
}

/// Behind the last number that a segment can take. Of a fragmented one only the beginning shows, so it is as much as IP
/// carries, as far as there is room.
fn last_possible(segment: &Segment, limit: Sequence) -> Sequence {
    let start = Sequence(segment.sequence);
    let end = start.plus(segment.sequence_len());
    if !segment.fragmented {
        return end;
    }
    let most = start.plus(LENGTH_MAX);
    end.or_later(if most.after(limit) { limit } else { most })
}

/// More data does not fit into an IP packet.
const LENGTH_MAX: u32 = u16::MAX as u32;
/// The window scale of who was not seen to say any.
const SCALE_UNKNOWN: u8 = 14;
/// The window of who was not seen to offer any: more than is in use, and less than would fill the circle.
const WINDOW_UNKNOWN: u32 = 1 << 28;
