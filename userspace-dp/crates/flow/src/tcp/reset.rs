//! Resets: which end a connection, which are passed on, which are refused.
//!
//! A receiver by RFC 5961 (section 3.2) obeys a reset only if its number is exactly the next that it expects. The
//! gateway does not see that number, only that it lies between what the receiver has acknowledged and what the sender
//! has sent; both ends of this range are numbers that an honest reset carries: behind all that was sent, when a
//! connection is aborted, and what the other end last acknowledged, when a segment arrives for a connection that is no
//! more. So exactly these two end the flow, and nobody finds one of them blindly: two in 2^32.
//!
//! Taking any number within the window instead, as filters do, would let a flood of a few thousand forged resets end a
//! flow with a window of a megabyte, while its ends live on. Refusing all others would strand honest ends whose last data
//! was lost on the way to the gateway. So a reset elsewhere in the window is passed on without consequence: a receiver
//! answers it with an acknowledgment, to which an honest sender replies with the exact number.
//!
//! Before the answerer has said anything it can only refuse the opener's SYN, and must acknowledge it for that (RFC
//! 9293, section 3.10.7.3).

use wire::tcp::Flags;

use super::{Connection, Sequence};
use crate::{Direction, Segment, TcpPhase, Verdict};

impl Connection {
    pub(super) fn reset(
        &mut self,
        phase: TcpPhase,
        from: Direction,
        segment: &Segment,
    ) -> (Verdict, TcpPhase) {
        let verdict = match phase {
            TcpPhase::SynSent => self.judge_early_reset(from, segment),
            TcpPhase::Reset if !self.is_answered() => self.judge_early_reset(from, segment),
            TcpPhase::SynReceived
            | TcpPhase::Established
            | TcpPhase::HalfClosed
            | TcpPhase::LastAck
            | TcpPhase::TimeWait
            | TcpPhase::Reset => self.judge_reset(from, segment),
        };
        match (verdict == Verdict::Closes, phase == TcpPhase::Reset) {
            (true, false) => (Verdict::Closes, TcpPhase::Reset),
            (true, true) => (Verdict::Tolerated, phase),
            (false, _) => (verdict, phase),
        }
    }

    /// While the opener's SYN is all there is.
    fn judge_early_reset(&self, from: Direction, segment: &Segment) -> Verdict {
        let acknowledgment = Sequence(segment.acknowledgment);
        let acknowledges =
            segment.flags.contains(Flags::ACK) && self.acknowledges_syn(acknowledgment);
        match from {
            Direction::Answers if acknowledges => Verdict::Closes,
            Direction::Answers => Verdict::BadReset,
            Direction::Opening => {
                let (sender, _) = self.pair(from);
                // Elsewhere it is for an earlier connection that the answerer still has.
                let exact = Sequence(segment.sequence) == sender.sent;
                if exact { Verdict::Closes } else { Verdict::Tolerated }
            }
        }
    }

    fn judge_reset(&mut self, from: Direction, segment: &Segment) -> Verdict {
        let (sender, receiver) = self.pair(from);
        let start = Sequence(segment.sequence);
        if start == sender.sent || start == receiver.confirmed {
            return Verdict::Closes;
        }
        if start.after(receiver.confirmed) && !start.after(sender.limit) {
            return Verdict::Tolerated;
        }
        // The answerer knows of no connection, and refuses the SYN that was sent over it.
        let refuses = from == Direction::Answers && segment.flags.contains(Flags::ACK);
        if refuses && self.refute(Sequence(segment.acknowledgment)) {
            return Verdict::Tolerated;
        }
        Verdict::BadReset
    }
}
