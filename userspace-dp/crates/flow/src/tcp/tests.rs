//! Conversations by hand, a rule at a time.

mod blind;
mod closing;
mod opening;
mod resets;
mod stray_syns;
mod windows;

use wire::tcp::Flags;

use super::*;

/// Direction of the opener's segments.
const O: Direction = Direction::Opening;
/// Direction of the answerer's.
const A: Direction = Direction::Answers;

const FIN_ACK: Flags = Flags::FIN.with(Flags::ACK);
const SYN_ACK: Flags = Flags::SYN.with(Flags::ACK);
const RST_ACK: Flags = Flags::RST.with(Flags::ACK);

/// A segment without data and with a window of 10,000.
fn segment(flags: Flags, sequence: u32, acknowledgment: u32) -> Segment {
    Segment {
        sequence,
        acknowledgment,
        length: 0,
        window: 10_000,
        flags,
        scale: None,
        timestamps: false,
        fragmented: false,
    }
}

fn syn(sequence: u32) -> Segment {
    segment(Flags::SYN, sequence, 0)
}

fn syn_ack(sequence: u32, acknowledgment: u32) -> Segment {
    segment(SYN_ACK, sequence, acknowledgment)
}

fn ack(sequence: u32, acknowledgment: u32) -> Segment {
    segment(Flags::ACK, sequence, acknowledgment)
}

fn data(sequence: u32, length: u32, acknowledgment: u32) -> Segment {
    Segment { length, ..ack(sequence, acknowledgment) }
}

fn fin(sequence: u32, acknowledgment: u32) -> Segment {
    segment(FIN_ACK, sequence, acknowledgment)
}

fn rst(sequence: u32) -> Segment {
    segment(Flags::RST, sequence, 0)
}

/// A connection under test.
struct Dialogue {
    connection: Connection,
    phase: TcpPhase,
}

/// The number of the opener's SYN; all that it sends comes near the end of the circle and over it.
const OPENER: u32 = u32::MAX - 1000;
/// The number of the answerer's SYN.
const ANSWERER: u32 = 7_000_000;
/// The first number of the opener's data.
const X: u32 = OPENER + 1;
/// The first number of the answerer's data.
const Y: u32 = ANSWERER + 1;

impl Dialogue {
    fn opened_by(segment: Segment) -> Self {
        let (connection, phase) = Connection::opened_by(&segment);
        Self { connection, phase }
    }

    /// Both ends have found each other, neither has sent data.
    fn established() -> Self {
        let mut dialogue = Self::opened_by(syn(OPENER));
        dialogue.all(&[(A, syn_ack(ANSWERER, X)), (O, ack(X, Y))]);
        assert_eq!(dialogue.phase, TcpPhase::Established);
        dialogue
    }

    fn say(&mut self, from: Direction, segment: Segment) -> Verdict {
        let before = (self.connection, self.phase);
        let (verdict, phase) = self.connection.judge(self.phase, from, &segment);
        self.phase = phase;
        if verdict.consequence() == crate::Consequence::Refuse {
            let mut now = self.connection;
            // That somebody asked, and was refuted, is noted; nothing that segments are held against.
            let noted = Marks::ASKED | Marks::REFUTED;
            now.marks[0].0 = now.marks[0].0 & !noted | before.0.marks[0].0 & noted;
            assert_eq!((now, phase), before, "{segment:?} was refused and changed something");
        }
        verdict
    }

    /// All of these belong to the conversation.
    fn all(&mut self, segments: &[(Direction, Segment)]) {
        for (from, segment) in segments {
            assert_eq!(self.say(*from, *segment), Verdict::InState, "{from:?} {segment:?}");
        }
    }
}

#[test]
fn what_is_known_of_both_ends_is_small() {
    assert_eq!(size_of::<Connection>(), 36);
}

#[test]
fn a_conversation_goes_through_its_phases() {
    let mut dialogue = Dialogue::opened_by(syn(OPENER));
    assert_eq!(dialogue.phase, TcpPhase::SynSent);
    let steps = [
        (A, syn_ack(ANSWERER, X), TcpPhase::SynReceived),
        (O, ack(X, Y), TcpPhase::Established),
        (O, data(X, 2000, Y), TcpPhase::Established),
        (A, data(Y, 500, X.wrapping_add(2000)), TcpPhase::Established),
        (O, fin(X.wrapping_add(2000), Y + 500), TcpPhase::HalfClosed),
        (A, ack(Y + 500, X.wrapping_add(2001)), TcpPhase::HalfClosed),
        (A, data(Y + 500, 500, X.wrapping_add(2001)), TcpPhase::HalfClosed),
        (A, fin(Y + 1000, X.wrapping_add(2001)), TcpPhase::LastAck),
        (O, ack(X.wrapping_add(2001), Y + 1001), TcpPhase::TimeWait),
    ];
    for (from, segment, phase) in steps {
        assert_eq!(dialogue.say(from, segment), Verdict::InState, "{segment:?}");
        assert_eq!(dialogue.phase, phase, "{segment:?}");
    }
}

#[test]
fn flags_that_nobody_sends_together_are_refused_in_every_phase() {
    let mut dialogue = Dialogue::established();
    for flags in [
        Flags::NONE,
        Flags::FIN,
        Flags::SYN.with(Flags::FIN),
        Flags::SYN.with(Flags::RST),
        FIN_ACK.with(Flags::RST),
        Flags(0xff),
        Flags::PSH.with(Flags::URG),
    ] {
        assert_eq!(dialogue.say(O, segment(flags, X, Y)), Verdict::BadFlags, "{flags}");
    }
}
