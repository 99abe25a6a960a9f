use super::*;

#[test]
fn a_syn_over_a_connection_is_challenged_by_the_other_end_and_changes_nothing() {
    // RFC 5961, section 4, with an opener that has really forgotten: it resets by the challenge's number.
    let mut dialogue = Dialogue::established();
    dialogue.all(&[(O, data(X, 100, Y))]);
    assert_eq!(dialogue.say(O, syn(123)), Verdict::Tolerated);
    assert_eq!(dialogue.say(O, syn(123)), Verdict::Tolerated);
    dialogue.all(&[(A, ack(Y, X + 100))]);
    assert_eq!(dialogue.say(O, rst(X + 100)), Verdict::Closes);
    assert_eq!(dialogue.say(O, syn(123)), Verdict::Reopens);
}

#[test]
fn any_number_of_syns_does_not_end_a_connection_whose_other_end_knows_it() {
    let mut dialogue = Dialogue::established();
    for number in 0..1000 {
        assert_eq!(dialogue.say(O, syn(number * 4_000_000)), Verdict::Tolerated);
    }
    dialogue.all(&[(A, ack(Y, X)), (O, data(X, 100, Y))]);
}

#[test]
fn an_answerer_that_has_forgotten_says_so_and_the_next_syn_begins_anew() {
    let answers = [
        (syn_ack(99, 124), Verdict::UnexpectedSyn),
        (segment(RST_ACK, 0, 124), Verdict::Tolerated),
    ];
    for (answer, verdict) in answers {
        let mut dialogue = Dialogue::established();
        assert_eq!(dialogue.say(O, syn(123)), Verdict::Tolerated);
        assert_eq!(dialogue.say(A, answer), verdict);
        assert_eq!(dialogue.say(O, syn(123)), Verdict::Reopens);
    }
}

#[test]
fn no_answer_to_another_syn_and_no_word_of_the_connection_counts_as_forgetting() {
    let mut dialogue = Dialogue::established();
    assert_eq!(dialogue.say(A, syn_ack(99, 124)), Verdict::UnexpectedSyn, "nobody has asked");
    assert_eq!(dialogue.say(O, syn(123)), Verdict::Tolerated);
    assert_eq!(dialogue.say(A, syn_ack(99, 125)), Verdict::UnexpectedSyn);
    assert_eq!(dialogue.say(A, segment(RST_ACK, 0, 125)), Verdict::BadReset);
    assert_eq!(dialogue.say(O, syn(123)), Verdict::Tolerated);
    // Forged; but the answerer speaks up.
    assert_eq!(dialogue.say(A, syn_ack(99, 124)), Verdict::UnexpectedSyn);
    dialogue.all(&[(A, ack(Y, X))]);
    assert_eq!(dialogue.say(O, syn(123)), Verdict::Tolerated);
}

#[test]
fn the_answerer_opens_nothing_through_a_flow_that_exists() {
    let mut dialogue = Dialogue::established();
    for number in [5, Y, Y + 5, ANSWERER.wrapping_sub(1 << 20)] {
        assert_eq!(dialogue.say(A, syn(number)), Verdict::UnexpectedSyn, "{number}");
    }
}

#[test]
fn another_syn_in_half_open_begins_anew_once_the_answerer_takes_it() {
    let mut dialogue = Dialogue::opened_by(syn(OPENER));
    dialogue.all(&[(A, syn_ack(ANSWERER, X))]);
    assert_eq!(dialogue.say(O, syn(9000)), Verdict::Tolerated);
    assert_eq!(dialogue.say(A, syn_ack(77, 9001)), Verdict::UnexpectedSyn);
    assert_eq!(dialogue.say(O, syn(9000)), Verdict::Reopens);
}

fn in_time_wait() -> Dialogue {
    let mut dialogue = Dialogue::established();
    dialogue.all(&[(O, fin(X, Y)), (A, fin(Y, X + 1)), (O, ack(X + 1, Y + 1))]);
    assert_eq!(dialogue.phase, TcpPhase::TimeWait);
    dialogue
}

#[test]
fn a_connection_that_has_ended_is_reopened_by_a_newer_syn_of_either_end() {
    let later = Segment { timestamps: true, ..syn(X.wrapping_sub(1 << 30)) };
    for (from, newer) in
        [(O, syn(X + 1)), (O, syn(X.wrapping_add(1 << 30))), (O, later), (A, syn(Y + 1))]
    {
        assert_eq!(in_time_wait().say(from, newer), Verdict::Reopens, "{newer:?}");
    }
}

#[test]
fn an_old_syn_reopens_nothing() {
    let copy = Segment { timestamps: true, ..syn(OPENER) };
    for (from, old) in
        [(O, syn(X.wrapping_sub(1 << 30))), (O, syn(OPENER)), (O, copy), (A, syn(ANSWERER))]
    {
        let mut dialogue = in_time_wait();
        assert_eq!(dialogue.say(from, old), Verdict::Tolerated, "{old:?}");
        assert_eq!(dialogue.phase, TcpPhase::TimeWait);
    }
}
