use super::*;

#[test]
fn both_ends_may_begin_at_once() {
    let mut dialogue = Dialogue::opened_by(syn(OPENER));
    dialogue.all(&[(A, syn(ANSWERER))]);
    assert_eq!(dialogue.phase, TcpPhase::SynReceived);
    dialogue.all(&[(O, syn_ack(OPENER, Y))]);
    assert_eq!(dialogue.phase, TcpPhase::SynReceived, "one of two is confirmed");
    dialogue.all(&[(A, syn_ack(ANSWERER, X))]);
    assert_eq!(dialogue.phase, TcpPhase::Established);
    dialogue.all(&[(O, data(X, 100, Y)), (A, data(Y, 100, X.wrapping_add(100)))]);
}

#[test]
fn who_never_sees_the_answer_does_not_get_beyond_half_open() {
    let mut dialogue = Dialogue::opened_by(syn(OPENER));
    assert_eq!(dialogue.say(O, ack(X, Y)), Verdict::TooEarly);
    dialogue.all(&[(A, syn_ack(ANSWERER, X))]);
    for guess in [0, 1, ANSWERER, ANSWERER - 1, Y + 1, ANSWERER.wrapping_add(1 << 31)] {
        assert_eq!(dialogue.say(O, ack(X, guess)), Verdict::BadAcknowledgment, "{guess}");
        assert_eq!(dialogue.say(O, data(X, 10, guess)), Verdict::BadAcknowledgment, "{guess}");
        assert_eq!(dialogue.say(O, syn_ack(OPENER, guess)), Verdict::BadAcknowledgment, "{guess}");
    }
    assert_eq!(dialogue.phase, TcpPhase::SynReceived);
    dialogue.all(&[(O, ack(X, Y))]);
    assert_eq!(dialogue.phase, TcpPhase::Established);
}

#[test]
fn a_repeated_syn_keeps_the_flow_and_a_repeated_answer_does_not() {
    let mut dialogue = Dialogue::opened_by(syn(OPENER));
    assert_eq!(dialogue.say(O, syn(OPENER)), Verdict::InState);
    dialogue.all(&[(A, syn_ack(ANSWERER, X))]);
    assert_eq!(dialogue.say(O, syn(OPENER)), Verdict::InState);
    assert_eq!(dialogue.say(A, syn_ack(ANSWERER, X)), Verdict::Tolerated);
    dialogue.all(&[(O, ack(X, Y))]);
    assert_eq!(
        dialogue.say(A, syn_ack(ANSWERER, X)),
        Verdict::Tolerated,
        "the ACK was lost behind us"
    );
    assert_eq!(dialogue.say(O, syn(OPENER)), Verdict::Tolerated, "a late copy");
    assert_eq!(dialogue.phase, TcpPhase::Established);
}

#[test]
fn an_opener_may_begin_with_another_number_while_nobody_has_answered() {
    let mut dialogue = Dialogue::opened_by(syn(55));
    dialogue.all(&[(O, syn(OPENER))]);
    assert_eq!(dialogue.say(A, syn_ack(1, 56)), Verdict::Tolerated, "the opener resets it");
    assert_eq!(dialogue.phase, TcpPhase::SynSent);
    dialogue.all(&[(A, syn_ack(ANSWERER, X)), (O, ack(X, Y))]);
    assert_eq!(dialogue.phase, TcpPhase::Established);
}

#[test]
fn of_two_answers_the_first_counts_unless_the_opener_has_asked_again_in_between() {
    let other = ANSWERER.wrapping_mul(3);
    let mut first = Dialogue::opened_by(syn(OPENER));
    first.all(&[(O, syn(OPENER)), (A, syn_ack(ANSWERER, X))]);
    assert_eq!(first.say(A, syn_ack(other, X)), Verdict::Tolerated);
    first.all(&[(O, ack(X, Y))]);

    let mut second = Dialogue::opened_by(syn(OPENER));
    second.all(&[(A, syn_ack(ANSWERER, X)), (O, syn(OPENER)), (A, syn_ack(other, X))]);
    assert_eq!(second.say(O, ack(X, Y)), Verdict::BadAcknowledgment);
    second.all(&[(O, ack(X, other + 1))]);
}

#[test]
fn an_answer_comes_from_the_answerer_and_acknowledges_the_syn() {
    let mut dialogue = Dialogue::opened_by(syn(OPENER));
    assert_eq!(dialogue.say(O, syn_ack(OPENER, Y)), Verdict::UnexpectedSyn);
    for wrong in [OPENER, X + 1, 0] {
        assert_eq!(dialogue.say(A, syn_ack(ANSWERER, wrong)), Verdict::Tolerated);
    }
    assert_eq!(dialogue.phase, TcpPhase::SynSent);
    assert_eq!(dialogue.say(A, data(Y, 100, X)), Verdict::TooEarly);
    assert_eq!(dialogue.say(A, fin(Y, X)), Verdict::TooEarly);
}

#[test]
fn a_half_open_connection_of_before_is_found_out_and_reset() {
    // RFC 9293, section 3.5.1, figure 10: the opener has crashed and begins anew; the answerer has not noticed.
    let mut dialogue = Dialogue::opened_by(syn(400));
    assert_eq!(dialogue.say(A, ack(300, 100)), Verdict::Tolerated);
    assert_eq!(dialogue.say(O, rst(100)), Verdict::Tolerated);
    assert_eq!(dialogue.say(O, syn(400)), Verdict::InState);
    dialogue.all(&[(A, syn_ack(ANSWERER, 401)), (O, ack(401, Y))]);
}

#[test]
fn data_may_travel_with_the_syn_and_be_confirmed_or_not() {
    for confirmed in [0, 300] {
        let fast = Segment { length: 300, ..syn(OPENER) };
        let mut dialogue = Dialogue::opened_by(fast);
        let heard = X + confirmed;
        dialogue.all(&[(A, syn_ack(ANSWERER, heard)), (A, data(Y, 5000, heard))]);
        dialogue.all(&[(O, data(heard, 400, Y)), (O, ack(heard + 400, Y + 5000))]);
        assert_eq!(dialogue.phase, TcpPhase::Established);
    }
    let mut dialogue = Dialogue::opened_by(Segment { length: 300, ..syn(OPENER) });
    assert_eq!(dialogue.say(O, syn(OPENER)), Verdict::InState, "repeated without the data");
    dialogue.all(&[(A, syn_ack(ANSWERER, X + 300))]);
}

#[test]
fn a_conversation_is_joined_in_the_middle() {
    // What is on its way in both directions, with a scale that nobody saw.
    let mut dialogue = Dialogue::opened_by(data(X, 1000, Y));
    assert_eq!(dialogue.phase, TcpPhase::Established);
    dialogue.all(&[
        (A, data(Y + 90_000, 1400, X)),
        (O, ack(X.wrapping_add(1000), Y + 70_000)),
        (A, data(Y, 1400, X)),
        (O, data(X.wrapping_add(900_000), 1400, Y + 91_400)),
        (A, ack(Y + 91_400, X.wrapping_add(901_400))),
    ]);
    assert_eq!(dialogue.say(O, rst(X.wrapping_add(901_400))), Verdict::Closes);
    let last = Dialogue::opened_by(fin(X, Y));
    assert_eq!(last.phase, TcpPhase::HalfClosed);
}
