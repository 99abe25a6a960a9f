use super::*;

#[test]
fn both_ends_may_close_at_once() {
    let mut dialogue = Dialogue::established();
    dialogue.all(&[(O, fin(X, Y)), (A, fin(Y, X))]);
    assert_eq!(dialogue.phase, TcpPhase::LastAck);
    dialogue.all(&[(O, ack(X + 1, Y + 1))]);
    assert_eq!(dialogue.phase, TcpPhase::LastAck);
    dialogue.all(&[(A, ack(Y + 1, X + 1))]);
    assert_eq!(dialogue.phase, TcpPhase::TimeWait);
}

#[test]
fn a_fin_that_is_repeated_is_confirmed_again() {
    let mut dialogue = Dialogue::established();
    dialogue.all(&[(O, fin(X, Y)), (A, fin(Y, X + 1)), (O, ack(X + 1, Y + 1))]);
    assert_eq!(dialogue.phase, TcpPhase::TimeWait);
    dialogue.all(&[(A, fin(Y, X + 1)), (O, ack(X + 1, Y + 1))]);
    assert_eq!(dialogue.phase, TcpPhase::TimeWait);
}

#[test]
fn a_fin_may_overtake_data_and_nothing_comes_behind_it() {
    let mut dialogue = Dialogue::established();
    dialogue.all(&[(O, fin(X + 500, Y)), (O, data(X, 500, Y)), (O, fin(X + 500, Y))]);
    for beyond in [data(X + 501, 1, Y), data(X + 400, 200, Y), fin(X + 600, Y)] {
        assert_eq!(dialogue.say(O, beyond), Verdict::AfterFin, "{beyond:?}");
    }
    dialogue.all(&[(A, data(Y, 1000, X + 501)), (O, ack(X + 501, Y + 1000))]);
    assert_eq!(dialogue.phase, TcpPhase::HalfClosed);
}

#[test]
fn a_fin_before_the_end_of_what_was_sent_is_none() {
    let mut dialogue = Dialogue::established();
    dialogue.all(&[(O, data(X, 800, Y)), (O, fin(X + 100, Y))]);
    assert_eq!(dialogue.phase, TcpPhase::Established);
    dialogue.all(&[(O, data(X + 800, 100, Y))]);
}

#[test]
fn the_last_word_of_both_may_come_in_any_order() {
    let mut dialogue = Dialogue::opened_by(syn(OPENER));
    dialogue.all(&[(A, syn_ack(ANSWERER, X))]);
    // The opener's acknowledgment was lost; its FIN says the same.
    dialogue.all(&[(O, fin(X, Y))]);
    assert_eq!(dialogue.phase, TcpPhase::HalfClosed);
    dialogue.all(&[(A, fin(Y, X + 1)), (O, ack(X + 1, Y + 1))]);
    assert_eq!(dialogue.phase, TcpPhase::TimeWait);
}
