use super::*;

#[test]
fn an_exact_reset_of_either_end_closes_in_every_phase() {
    let half = {
        let mut dialogue = Dialogue::opened_by(syn(OPENER));
        dialogue.all(&[(A, syn_ack(ANSWERER, X))]);
        dialogue
    };
    let talking = {
        let mut dialogue = Dialogue::established();
        dialogue.all(&[(O, data(X, 900, Y)), (A, data(Y, 700, X))]);
        dialogue
    };
    let closing = {
        let mut dialogue = Dialogue::established();
        dialogue.all(&[(O, fin(X, Y)), (A, fin(Y, X + 1))]);
        dialogue
    };
    let cases = [
        // What was sent last, and what the other end has confirmed last.
        (&half, O, vec![X]),
        (&half, A, vec![Y]),
        (&talking, O, vec![X + 900, X]),
        (&talking, A, vec![Y + 700, Y]),
        (&closing, O, vec![X + 1]),
        (&closing, A, vec![Y + 1]),
    ];
    for (dialogue, from, numbers) in cases {
        for number in numbers {
            for flags in [Flags::RST, RST_ACK] {
                let Dialogue { connection, phase } = *dialogue;
                let mut copy = Dialogue { connection, phase };
                let reset = segment(flags, number, 0);
                assert_eq!(copy.say(from, reset), Verdict::Closes, "{phase:?} {from:?} {number}");
                assert_eq!(copy.phase, TcpPhase::Reset);
            }
        }
    }
}

#[test]
fn a_reset_within_the_window_passes_and_one_outside_is_refused_and_neither_closes() {
    let mut dialogue = Dialogue::established();
    dialogue.all(&[(O, data(X, 500, Y)), (O, data(X + 500, 400, Y)), (A, ack(Y, X + 500))]);
    for number in [X + 501, X + 899, X.wrapping_add(901), X.wrapping_add(10_500)] {
        assert_eq!(dialogue.say(O, rst(number)), Verdict::Tolerated, "{}", number.wrapping_sub(X));
    }
    for number in [X, X + 499, X.wrapping_add(10_501), X.wrapping_add(1 << 31), Y] {
        assert_eq!(dialogue.say(O, rst(number)), Verdict::BadReset, "{}", number.wrapping_sub(X));
    }
    for number in [Y - 1, Y.wrapping_add(10_001), 0] {
        assert_eq!(
            dialogue.say(A, segment(RST_ACK, number, X + 900)),
            Verdict::BadReset,
            "{number}"
        );
    }
    assert_eq!(dialogue.phase, TcpPhase::Established);
    dialogue.all(&[(O, data(X + 900, 5, Y))]);
}

#[test]
fn a_reset_after_lost_data_is_found_exact_by_the_challenge() {
    // The opener has sent 300 bytes that never reached the gateway, and aborts behind them.
    let mut dialogue = Dialogue::established();
    dialogue.all(&[(O, data(X, 200, Y)), (A, ack(Y, X + 200))]);
    assert_eq!(dialogue.say(O, rst(X + 500)), Verdict::Tolerated);
    dialogue.all(&[(A, ack(Y, X + 200))]);
    assert_eq!(dialogue.say(O, rst(X + 200)), Verdict::Closes);
}

#[test]
fn a_syn_is_refused_by_who_acknowledges_it_and_withdrawn_by_who_sent_it() {
    let refusals = [
        (A, segment(RST_ACK, 0, X), Verdict::Closes),
        (A, segment(RST_ACK, 0, X + 1), Verdict::BadReset),
        (A, segment(RST_ACK, 0, OPENER), Verdict::BadReset),
        (A, rst(X), Verdict::BadReset),
        (A, rst(0), Verdict::BadReset),
        (O, rst(X), Verdict::Closes),
        (O, rst(X + 1), Verdict::Tolerated),
    ];
    for (from, reset, verdict) in refusals {
        let mut dialogue = Dialogue::opened_by(syn(OPENER));
        assert_eq!(dialogue.say(from, reset), verdict, "{reset:?}");
        let closed = verdict == Verdict::Closes;
        assert_eq!(dialogue.phase == TcpPhase::Reset, closed);
    }
}

#[test]
fn behind_a_reset_nothing_revives_the_connection_and_a_syn_begins_another() {
    let mut dialogue = Dialogue::established();
    assert_eq!(dialogue.say(A, rst(Y)), Verdict::Closes);
    assert_eq!(dialogue.say(A, rst(Y)), Verdict::Tolerated);
    assert_eq!(dialogue.say(O, data(X, 100, Y)), Verdict::Tolerated, "it crossed the reset");
    assert_eq!(dialogue.say(O, data(X.wrapping_add(20_000), 100, Y)), Verdict::OutOfWindow);
    assert_eq!(dialogue.say(A, syn_ack(ANSWERER, X)), Verdict::UnexpectedSyn);
    assert_eq!(dialogue.phase, TcpPhase::Reset);
    assert_eq!(dialogue.say(O, syn(5)), Verdict::Reopens);
}
