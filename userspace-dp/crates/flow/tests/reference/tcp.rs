//! TCP in positions: 64-bit numbers that count from an end's SYN, which is at zero.

use flow::{Direction, Segment, TcpPhase, Verdict};
use wire::tcp::Flags;

/// A connection.
#[derive(Clone, Debug)]
pub struct Tcp {
    pub phase: TcpPhase,
    ends: [End; 2],
    /// The number of a SYN over the connection, and whether the answerer took it for a new one.
    asked: Option<(u32, bool)>,
    /// The opener has repeated its SYN behind the answer.
    asked_again: bool,
}

#[derive(Clone, Debug, Default)]
struct End {
    /// The number of its SYN.
    first: Option<u32>,
    /// Behind the last that it has sent.
    sent: i64,
    /// Behind the last that there is room for.
    room: i64,
    /// How much of the other end's it has acknowledged.
    heard: i64,
    fin: bool,
    scale: Option<u8>,
    /// Every window that it has offered.
    windows: Vec<i64>,
}

impl End {
    /// Where a number of this end's is, by what it has sent so far.
    fn position(&self, number: u32) -> i64 {
        let here = self.first.unwrap_or(0).wrapping_add(self.sent as u32);
        self.sent + i64::from(number.wrapping_sub(here) as i32)
    }

    /// How far the other end's positions may lie back.
    fn reach(&self) -> i64 {
        let window = self.windows.iter().copied().max().unwrap_or(0);
        let steps = (window + 16_383) / 16_384;
        (2 * 16_384 * steps + 65_536).min(1 << 30)
    }
}

impl Tcp {
    pub fn opened_by(syn: &Segment) -> Self {
        let ends = [End::default(), End::default()];
        let mut tcp = Self { phase: TcpPhase::SynSent, ends, asked: None, asked_again: false };
        tcp.begin(syn);
        tcp
    }

    /// A number that matters: what an end has sent, what it has confirmed, its SYN; for making packets that are close.
    pub fn number(&self, from: Direction, which: u8) -> u32 {
        let (end, other) = (&self.ends[from.index()], &self.ends[from.opposite().index()]);
        let first = end.first.unwrap_or(0);
        let position = match which % 4 {
            0 => end.sent,
            1 => other.heard,
            2 => 0,
            _ => end.room,
        };
        first.wrapping_add(position as u32)
    }

    pub fn judge(&mut self, from: Direction, segment: &Segment) -> Verdict {
        let has = |flag| segment.flags.contains(flag);
        let (syn, ack, fin, rst) =
            (has(Flags::SYN), has(Flags::ACK), has(Flags::FIN), has(Flags::RST));
        if u8::from(syn) + u8::from(fin) + u8::from(rst) > 1 || !(syn || ack || rst) {
            return Verdict::BadFlags;
        }
        let answered = self.ends[1].first.is_some();
        match self.phase {
            TcpPhase::SynSent => self.before_answer(from, segment, (syn, ack, rst)),
            // Refused or withdrawn before there was an answer.
            TcpPhase::Reset if !answered && !syn => {
                let verdict = self.before_answer(from, segment, (syn, ack, rst));
                if verdict == Verdict::Closes { Verdict::Tolerated } else { verdict }
            }
            _ if rst => self.reset(from, segment, ack),
            _ if syn && ack => self.syn_ack(from, segment),
            _ if syn => self.syn(from, segment),
            TcpPhase::Reset => self.wrong(from, segment).unwrap_or(Verdict::Tolerated),
            TcpPhase::SynReceived
            | TcpPhase::Established
            | TcpPhase::HalfClosed
            | TcpPhase::LastAck
            | TcpPhase::TimeWait => match self.wrong(from, segment) {
                Some(verdict) => verdict,
                None => self.accept(from, segment),
            },
        }
    }

    fn begin(&mut self, syn: &Segment) {
        let [opener, answerer] = &mut self.ends;
        if opener.first != Some(syn.sequence) {
            let windows = std::mem::take(&mut opener.windows);
            *opener = End { first: Some(syn.sequence), windows, ..End::default() };
        }
        opener.sent = opener.sent.max(i64::from(syn.takes()));
        opener.room = opener.sent;
        opener.scale = syn.scale.or(opener.scale);
        opener.windows.push(i64::from(syn.window));
        answerer.room = 1 + i64::from(syn.window);
    }

    fn meet(&mut self, segment: &Segment, heard: Option<i64>) {
        let [opener, answerer] = &mut self.ends;
        answerer.first = Some(segment.sequence);
        answerer.sent = i64::from(segment.takes());
        answerer.room = answerer.room.max(answerer.sent);
        answerer.heard = heard.unwrap_or(0);
        answerer.scale = segment.scale;
        answerer.windows.push(i64::from(segment.window));
        opener.room = opener.sent.max(heard.unwrap_or(opener.sent) + i64::from(segment.window));
        opener.heard = 0;
        self.phase = TcpPhase::SynReceived;
    }

    fn before_answer(
        &mut self,
        from: Direction,
        segment: &Segment,
        (syn, ack, rst): (bool, bool, bool),
    ) -> Verdict {
        let opener = &self.ends[0];
        let heard = opener.position(segment.acknowledgment);
        let acknowledges = ack && heard > 0 && heard <= opener.sent;
        match from {
            Direction::Opening if syn && !ack => {
                self.begin(segment);
                Verdict::InState
            }
            Direction::Opening if syn => Verdict::UnexpectedSyn,
            Direction::Opening if rst => {
                if opener.position(segment.sequence) == opener.sent {
                    self.phase = TcpPhase::Reset;
                    Verdict::Closes
                } else {
                    Verdict::Tolerated
                }
            }
            Direction::Opening => Verdict::TooEarly,
            Direction::Answers if rst && acknowledges => {
                self.phase = TcpPhase::Reset;
                Verdict::Closes
            }
            Direction::Answers if rst => Verdict::BadReset,
            Direction::Answers if syn && (acknowledges || !ack) => {
                self.meet(segment, ack.then_some(heard));
                Verdict::InState
            }
            Direction::Answers if syn => Verdict::Tolerated,
            Direction::Answers if segment.takes() == 0 => Verdict::Tolerated,
            Direction::Answers => Verdict::TooEarly,
        }
    }

    /// Whether a SYN is one that its sender has sent before.
    fn repeats(&self, from: Direction, segment: &Segment) -> bool {
        let (end, other) = (&self.ends[from.index()], &self.ends[from.opposite().index()]);
        let position = end.position(segment.sequence);
        if end.first.is_none() {
            return false;
        }
        match other.heard {
            0 => position == 0,
            heard => position < heard && position >= end.sent - other.reach(),
        }
    }

    fn syn(&mut self, from: Direction, segment: &Segment) -> Verdict {
        let repeats = self.repeats(from, segment);
        let end = &self.ends[from.index()];
        let newer = segment.timestamps || end.position(segment.sequence) >= end.sent;
        if self.phase == TcpPhase::Reset || self.phase == TcpPhase::TimeWait && !repeats && newer {
            return Verdict::Reopens;
        }
        if self.phase == TcpPhase::SynReceived && repeats && from == Direction::Opening {
            self.asked_again = true;
            return Verdict::InState;
        }
        if repeats {
            return Verdict::Tolerated;
        }
        match (from, self.asked) {
            (Direction::Answers, _) => Verdict::UnexpectedSyn,
            (Direction::Opening, Some((_, true))) => Verdict::Reopens,
            (Direction::Opening, _) => {
                self.asked = Some((segment.sequence, false));
                Verdict::Tolerated
            }
        }
    }

    fn syn_ack(&mut self, from: Direction, segment: &Segment) -> Verdict {
        if self.phase == TcpPhase::Reset {
            return Verdict::UnexpectedSyn;
        }
        if self.repeats(from, segment) {
            if let Some(verdict) = self.wrong(from, segment) {
                return verdict;
            }
            if self.ends[from.index()].heard > 0 {
                return Verdict::Tolerated;
            }
            return self.accept(from, segment);
        }
        if from == Direction::Opening {
            return Verdict::UnexpectedSyn;
        }
        if self.phase == TcpPhase::SynReceived {
            let [opener, answerer] = &self.ends;
            let heard = opener.position(segment.acknowledgment);
            let only_syn = answerer.sent == 1 && !answerer.fin && opener.heard == 0;
            if self.asked_again
                && only_syn
                && heard > 0
                && (heard == answerer.heard || heard == opener.sent)
            {
                self.asked_again = false;
                let heard = Some(heard);
                self.meet(segment, heard);
                return Verdict::InState;
            }
            let refuted = self.refute(segment);
            return if refuted { Verdict::UnexpectedSyn } else { Verdict::Tolerated };
        }
        self.refute(segment);
        Verdict::UnexpectedSyn
    }

    fn refute(&mut self, segment: &Segment) -> bool {
        match &mut self.asked {
            Some((number, refuted)) if segment.acknowledgment == number.wrapping_add(1) => {
                *refuted = true;
                true
            }
            _ => false,
        }
    }

    fn reset(&mut self, from: Direction, segment: &Segment, ack: bool) -> Verdict {
        let (end, other) = (&self.ends[from.index()], &self.ends[from.opposite().index()]);
        let position = end.position(segment.sequence);
        if position == end.sent || position == other.heard {
            let again = self.phase == TcpPhase::Reset;
            self.phase = TcpPhase::Reset;
            return if again { Verdict::Tolerated } else { Verdict::Closes };
        }
        if position > other.heard && position <= end.room {
            return Verdict::Tolerated;
        }
        let refuses = from == Direction::Answers && ack && self.refute(segment);
        if refuses { Verdict::Tolerated } else { Verdict::BadReset }
    }

    fn wrong(&self, from: Direction, segment: &Segment) -> Option<Verdict> {
        let (end, other) = (&self.ends[from.index()], &self.ends[from.opposite().index()]);
        let start = end.position(segment.sequence);
        let behind = start + i64::from(segment.takes());
        if start > end.room || behind < end.sent - other.reach() {
            return Some(Verdict::OutOfWindow);
        }
        if end.fin && behind > end.sent {
            return Some(Verdict::AfterFin);
        }
        let heard = other.position(segment.acknowledgment);
        let least = if end.heard == 0 { 1 } else { other.sent - end.reach() };
        (heard < least || heard > other.sent).then_some(Verdict::BadAcknowledgment)
    }

    fn accept(&mut self, from: Direction, segment: &Segment) -> Verdict {
        let both = self.ends.iter().all(|end| end.scale.is_some());
        let is_syn = segment.flags.contains(Flags::SYN);
        let heard = self.ends[from.opposite().index()].position(segment.acknowledgment);
        let end = &mut self.ends[from.index()];
        let scale = if both && !is_syn { end.scale.unwrap_or(0) } else { 0 };
        let window = i64::from(segment.window) << scale;
        let behind = end.position(segment.sequence) + i64::from(segment.takes());
        end.sent = end.sent.max(behind);
        end.fin |= segment.flags.contains(Flags::FIN) && behind == end.sent;
        end.heard = end.heard.max(heard);
        end.windows.push(window);
        let other = &mut self.ends[from.opposite().index()];
        other.room = other.room.max(heard + window);
        if from == Direction::Answers && self.asked.is_some() {
            self.asked = None;
        }
        self.settle();
        Verdict::InState
    }

    fn settle(&mut self) {
        let [opener, answerer] = &self.ends;
        let all_heard = opener.heard == answerer.sent && answerer.heard == opener.sent;
        self.phase = match (opener.fin, answerer.fin) {
            _ if opener.heard == 0 || answerer.heard == 0 => TcpPhase::SynReceived,
            (false, false) => TcpPhase::Established,
            (true, true) if all_heard => TcpPhase::TimeWait,
            (true, true) => TcpPhase::LastAck,
            (true, false) | (false, true) => TcpPhase::HalfClosed,
        };
    }
}

trait Takes {
    fn takes(&self) -> u32;
}

impl Takes for Segment {
    /// Data, and one each for SYN and FIN.
    fn takes(&self) -> u32 {
        let one = |flag| u32::from(self.flags.contains(flag));
        self.length + one(Flags::SYN) + one(Flags::FIN)
    }
}
