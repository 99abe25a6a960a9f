//! SYN and SYN-ACK: how a connection begins, and what they mean to one that exists.
//!
//! The ends are not trusted to have found each other until each has acknowledged the other's number, so who forges a
//! sender's address and never sees the answers gets no further than half open. Both may begin at once.
//!
//! A SYN over an existing connection is no reason to give that up: anybody can send one. It is passed on, and its
//! receiver, if it is still in the connection, answers with an acknowledgment that makes an honest sender reset it
//! (RFC 5961, section 4). If the receiver has forgotten the connection, it answers as to a new SYN, with SYN-ACK or
//! reset, and exactly that number: then the next SYN begins anew. Only the end that is asked can give this evidence, so
//! a forged SYN alone does nothing.

use super::{Connection, Marks, Sequence};
use crate::{Direction, Segment, TcpPhase, Verdict};

impl Connection {
    pub(super) fn syn(
        &mut self,
        phase: TcpPhase,
        from: Direction,
        segment: &Segment,
    ) -> (Verdict, TcpPhase) {
        match (phase, from) {
            // Nobody has answered, so nothing is lost by believing the latest.
            (TcpPhase::SynSent, Direction::Opening) => (Verdict::InState, self.begin(segment)),
            // Both ends begin at once (RFC 9293, section 3.5, figure 7).
            (TcpPhase::SynSent, Direction::Answers) => (Verdict::InState, self.meet(segment, None)),
            (TcpPhase::SynReceived, Direction::Opening) if self.repeats_syn(from, segment) => {
                self.marks[from.index()].set(Marks::ASKED_AGAIN);
                (Verdict::InState, phase)
            }
            (
                TcpPhase::SynReceived
                | TcpPhase::Established
                | TcpPhase::HalfClosed
                | TcpPhase::LastAck,
                Direction::Opening | Direction::Answers,
            ) => (self.stray_syn(from, segment), phase),
            (TcpPhase::TimeWait, Direction::Opening | Direction::Answers) => {
                let begins = !self.repeats_syn(from, segment) && self.is_newer(from, segment);
                let verdict = if begins { Verdict::Reopens } else { self.stray_syn(from, segment) };
                (verdict, phase)
            }
            (TcpPhase::Reset, Direction::Opening | Direction::Answers) => (Verdict::Reopens, phase),
        }
    }

    pub(super) fn syn_ack(
        &mut self,
        phase: TcpPhase,
        from: Direction,
        segment: &Segment,
    ) -> (Verdict, TcpPhase) {
        match (phase, from) {
            (TcpPhase::SynSent, Direction::Answers) => {
                let acknowledgment = Sequence(segment.acknowledgment);
                if self.acknowledges_syn(acknowledgment) {
                    return (Verdict::InState, self.meet(segment, Some(acknowledgment)));
                }
                // The answer to an earlier SYN: the opener resets it.
                (Verdict::Tolerated, phase)
            }
            (TcpPhase::SynSent, Direction::Opening) => (Verdict::UnexpectedSyn, phase),
            (
                TcpPhase::SynReceived
                | TcpPhase::Established
                | TcpPhase::HalfClosed
                | TcpPhase::LastAck
                | TcpPhase::TimeWait,
                Direction::Opening | Direction::Answers,
            ) if self.repeats_syn(from, segment) => self.repeated_syn_ack(phase, from, segment),
            (TcpPhase::SynReceived, Direction::Answers) => self.another_answer(phase, segment),
            (
                TcpPhase::Established
                | TcpPhase::HalfClosed
                | TcpPhase::LastAck
                | TcpPhase::TimeWait,
                Direction::Answers,
            ) => {
                self.refute(Sequence(segment.acknowledgment));
                (Verdict::UnexpectedSyn, phase)
            }
            (
                TcpPhase::SynReceived
                | TcpPhase::Established
                | TcpPhase::HalfClosed
                | TcpPhase::LastAck
                | TcpPhase::TimeWait
                | TcpPhase::Reset,
                Direction::Opening,
            )
            | (TcpPhase::Reset, Direction::Answers) => (Verdict::UnexpectedSyn, phase),
        }
    }

    /// Takes the opener's SYN, possibly with data (RFC 7413). A repetition may have lost options that the first had.
    pub(super) fn begin(&mut self, segment: &Segment) -> TcpPhase {
        let start = Sequence(segment.sequence);
        let end = start.plus(segment.sequence_len());
        let [opener, answerer] = &mut self.ends;
        let marks = &mut self.marks[Direction::Opening.index()];
        let again = marks.has(Marks::SYN) && answerer.confirmed == start;
        if !again {
            *marks = Marks(Marks::SYN);
            opener.sent = end;
            answerer.confirmed = start;
        }
        opener.sent = opener.sent.or_later(end);
        opener.limit = opener.sent;
        // How far behind the number that it will choose; made absolute by `meet`.
        answerer.limit = Sequence(u32::from(segment.window));
        self.note_scale(Direction::Opening, segment);
        self.widen(Direction::Opening, u32::from(segment.window));
        TcpPhase::SynSent
    }

    /// Takes the answerer's SYN, with the acknowledgment of the opener's if it carries one. Windows of SYNs are not
    /// scaled (RFC 7323, section 2.2).
    fn meet(&mut self, segment: &Segment, acknowledgment: Option<Sequence>) -> TcpPhase {
        let start = Sequence(segment.sequence);
        self.marks[Direction::Answers.index()] = Marks(Marks::SYN);
        self.note_scale(Direction::Answers, segment);
        self.widen(Direction::Answers, u32::from(segment.window));
        let [opener, answerer] = &mut self.ends;
        answerer.sent = start.plus(segment.sequence_len());
        answerer.limit = answerer.sent.or_later(start.plus(1).plus(answerer.limit.0));
        opener.confirmed = start;
        if let Some(acknowledgment) = acknowledgment {
            answerer.confirmed = acknowledgment;
            self.marks[Direction::Opening.index()].set(Marks::SYN_CONFIRMED);
        }
        let heard = acknowledgment.unwrap_or(opener.sent);
        opener.limit = opener.sent.or_later(heard.plus(u32::from(segment.window)));
        TcpPhase::SynReceived
    }

    /// A SYN-ACK of an end whose SYN was seen before: repeated, or, if both began at once, the acknowledgment that is
    /// due. Repetitions do not keep a connection half open.
    fn repeated_syn_ack(
        &mut self,
        phase: TcpPhase,
        from: Direction,
        segment: &Segment,
    ) -> (Verdict, TcpPhase) {
        if let Some(refusal) = self.refusal(from, segment) {
            return (refusal, phase);
        }
        if self.marks[from.opposite().index()].has(Marks::SYN_CONFIRMED) {
            return (Verdict::Tolerated, phase);
        }
        self.learn(from, segment);
        (Verdict::InState, self.phase())
    }

    /// A SYN-ACK with another number than the first. If the opener has asked again after the first, that was lost, and
    /// the answerer keeps no state of its own (SYN cookies); else the first counts, and is what the opener has.
    fn another_answer(&mut self, phase: TcpPhase, segment: &Segment) -> (Verdict, TcpPhase) {
        let [opener, answerer] = &mut self.ends;
        let acknowledgment = Sequence(segment.acknowledgment);
        let was_heard = self.marks[Direction::Opening.index()].has(Marks::SYN_CONFIRMED);
        let fits =
            acknowledgment == opener.sent || was_heard && acknowledgment == answerer.confirmed;
        // Who has said more than SYN, or was heard, keeps state and has another number for nobody.
        let only_syn = self.marks[Direction::Answers.index()].0 & !Marks::SCALED == Marks::SYN
            && answerer.sent == opener.confirmed.plus(1);
        let marks = &mut self.marks[Direction::Opening.index()];
        if fits && only_syn && marks.has(Marks::ASKED_AGAIN) {
            marks.clear(Marks::ASKED_AGAIN);
            let first = opener.confirmed.plus(1);
            answerer.limit = answerer.limit.minus(first.0);
            return (Verdict::InState, self.meet(segment, Some(acknowledgment)));
        }
        let refutes = self.refute(acknowledgment);
        (if refutes { Verdict::UnexpectedSyn } else { Verdict::Tolerated }, phase)
    }

    /// A SYN over an existing connection.
    fn stray_syn(&mut self, from: Direction, segment: &Segment) -> Verdict {
        if self.repeats_syn(from, segment) {
            return Verdict::Tolerated;
        }
        match from {
            // It would carry the answerer past the policy that opened the flow the other way.
            Direction::Answers => Verdict::UnexpectedSyn,
            Direction::Opening => {
                let marks = &mut self.marks[from.index()];
                if marks.has(Marks::ASKED | Marks::REFUTED) {
                    return Verdict::Reopens;
                }
                marks.set(Marks::ASKED);
                self.asked = Sequence(segment.sequence);
                Verdict::Tolerated
            }
        }
    }

    /// Notes that the answerer acknowledges the stray SYN instead of the connection.
    pub(super) fn refute(&mut self, acknowledgment: Sequence) -> bool {
        let marks = &mut self.marks[Direction::Opening.index()];
        let refutes = marks.has(Marks::ASKED) && acknowledgment == self.asked.plus(1);
        if refutes {
            marks.set(Marks::REFUTED);
        }
        refutes
    }

    /// True if the acknowledgment covers the opener's SYN, which nobody has acknowledged so far, and nothing beyond
    /// what it has sent.
    pub(super) const fn acknowledges_syn(&self, acknowledgment: Sequence) -> bool {
        let [opener, answerer] = &self.ends;
        acknowledgment.after(answerer.confirmed) && !acknowledgment.after(opener.sent)
    }

    /// True if the SYN is one that its sender has sent before: the one that waits for its acknowledgment, or one that
    /// lies behind what was acknowledged, and not long ago.
    fn repeats_syn(&self, from: Direction, segment: &Segment) -> bool {
        let (sender, receiver) = self.pair(from);
        let start = Sequence(segment.sequence);
        let marks = self.marks[from.index()];
        let oldest = sender.sent.minus(self.reach(from.opposite()));
        if marks.has(Marks::SYN | Marks::SYN_CONFIRMED) {
            !start.before(oldest) && start.before(receiver.confirmed)
        } else {
            marks.has(Marks::SYN) && start == receiver.confirmed
        }
    }

    /// True if a SYN cannot be one of the connection that has ended: its number lies behind all of that (RFC 9293,
    /// section 3.6.1), or it has timestamps, by which its receiver can tell (RFC 6191).
    const fn is_newer(&self, from: Direction, segment: &Segment) -> bool {
        let (sender, _) = self.pair(from);
        segment.timestamps || !Sequence(segment.sequence).before(sender.sent)
    }

    fn note_scale(&mut self, from: Direction, segment: &Segment) {
        if let Some(scale) = segment.scale {
            self.marks[from.index()].set(Marks::SCALED);
            self.scales[from.index()] = scale;
        }
    }
}
