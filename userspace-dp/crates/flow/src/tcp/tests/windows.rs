use super::*;

/// How far back numbers reach by a window of 10,000, which counts as 16 KiB.
const REACH: u32 = 2 * (1 << 14) + (1 << 16);

#[test]
fn data_begins_no_further_than_there_is_room() {
    let mut dialogue = Dialogue::established();
    let limit = X.wrapping_add(10_000);
    assert_eq!(dialogue.say(O, data(limit.wrapping_add(1), 1, Y)), Verdict::OutOfWindow);
    dialogue.all(&[(O, data(limit.wrapping_sub(1), 1, Y)), (O, data(limit, 1, Y))]);
    assert_eq!(dialogue.say(O, data(limit.wrapping_add(1), 1, Y)), Verdict::OutOfWindow);
    dialogue.all(&[(A, ack(Y, limit)), (O, data(limit.wrapping_add(1), 1, Y))]);
}

#[test]
fn data_ends_no_earlier_than_the_reach() {
    let mut dialogue = Dialogue::established();
    let far = X.wrapping_add(200_000);
    for sent in (0..200_000).step_by(10_000) {
        let start = X.wrapping_add(sent);
        dialogue.all(&[(O, data(start, 10_000, Y)), (A, ack(Y, start.wrapping_add(10_000)))]);
    }
    let oldest = far.wrapping_sub(REACH);
    dialogue.all(&[(O, data(oldest.wrapping_sub(100), 100, Y))]);
    assert_eq!(dialogue.say(O, data(oldest.wrapping_sub(100), 99, Y)), Verdict::OutOfWindow);
}

#[test]
fn nobody_confirms_what_was_not_sent_or_what_is_long_confirmed() {
    let mut dialogue = Dialogue::established();
    assert_eq!(dialogue.say(A, ack(Y, X.wrapping_add(1))), Verdict::BadAcknowledgment);
    for sent in (0..200_000).step_by(10_000) {
        let start = X.wrapping_add(sent);
        dialogue.all(&[(O, data(start, 10_000, Y)), (A, ack(Y, start.wrapping_add(10_000)))]);
    }
    let oldest = X.wrapping_add(200_000).wrapping_sub(REACH);
    dialogue.all(&[(A, ack(Y, oldest))]);
    assert_eq!(dialogue.say(A, ack(Y, oldest.wrapping_sub(1))), Verdict::BadAcknowledgment);
    assert_eq!(dialogue.say(A, data(Y, 9, oldest.wrapping_sub(1))), Verdict::BadAcknowledgment);
}

#[test]
fn keepalives_and_probes_of_a_closed_window_belong_to_the_conversation() {
    let mut dialogue = Dialogue::established();
    let closed = Segment { window: 0, ..ack(Y, X.wrapping_add(10_000)) };
    dialogue.all(&[
        // With a byte of garbage before what was sent, without one, and their answers.
        (O, data(X - 1, 1, Y)),
        (A, ack(Y, X)),
        (A, ack(Y - 1, X)),
        (O, ack(X, Y)),
        // A window that is filled and closed; a byte beyond it; what was sent last, again.
        (O, data(X, 10_000, Y)),
        (A, closed),
        (O, data(X.wrapping_add(10_000), 1, Y)),
        (O, data(X.wrapping_add(9_999), 1, Y)),
        (A, closed),
    ]);
}

#[test]
fn a_window_that_shrinks_takes_nothing_back() {
    let mut dialogue = Dialogue::established();
    dialogue.all(&[
        (A, Segment { window: 100, ..ack(Y, X) }),
        (O, data(X.wrapping_add(5_000), 5_000, Y)),
    ]);
}

#[test]
fn windows_are_scaled_when_both_offer_it_and_never_those_of_syns() {
    for (opener, answerer, factor) in
        [(Some(7), Some(3), 8), (Some(7), None, 1), (None, Some(3), 1), (None, None, 1)]
    {
        let mut dialogue = Dialogue::opened_by(Segment { scale: opener, ..syn(OPENER) });
        let answer = Segment { scale: answerer, ..syn_ack(ANSWERER, X) };
        dialogue.all(&[(A, answer), (O, ack(X, Y))]);
        let beyond = data(X.wrapping_add(10_001), 1, Y);
        assert_eq!(dialogue.say(O, beyond), Verdict::OutOfWindow, "the SYN's window is 10,000");
        dialogue.all(&[(A, ack(Y, X))]);
        let limit = X.wrapping_add(10_000 * factor);
        assert_eq!(dialogue.say(O, data(limit.wrapping_add(1), 1, Y)), Verdict::OutOfWindow);
        dialogue.all(&[(O, data(limit, 1, Y))]);
    }
}

#[test]
fn a_repeated_syn_without_options_does_not_take_the_scale_away() {
    let mut dialogue = Dialogue::opened_by(Segment { scale: Some(7), ..syn(OPENER) });
    dialogue.all(&[(O, syn(OPENER))]);
    dialogue.all(&[(A, Segment { scale: Some(7), ..syn_ack(ANSWERER, X) }), (O, ack(X, Y))]);
    dialogue.all(&[(A, ack(Y, X)), (O, data(X.wrapping_add(1_000_000), 1, Y))]);
}

#[test]
fn the_largest_windows_leave_the_circle_in_order() {
    let wide = |segment| Segment { window: u16::MAX, scale: Some(14), ..segment };
    let mut dialogue = Dialogue::opened_by(wide(syn(OPENER)));
    dialogue.all(&[(A, wide(syn_ack(ANSWERER, X))), (O, wide(ack(X, Y))), (A, wide(ack(Y, X)))]);
    let limit = X.wrapping_add(0xffff << 14);
    dialogue.all(&[(O, data(limit, 1000, Y))]);
    assert_eq!(dialogue.say(O, data(limit.wrapping_add(1 << 30), 1, Y)), Verdict::OutOfWindow);
    dialogue.all(&[(O, data(X, 1000, Y))]);
    assert_eq!(dialogue.say(O, data(X.wrapping_sub(1 << 30), 1, Y)), Verdict::OutOfWindow);
}

#[test]
fn only_the_beginning_of_a_fragmented_segment_shows_and_its_whole_may_be_confirmed() {
    let mut dialogue = Dialogue::established();
    dialogue.all(&[(O, Segment { fragmented: true, ..data(X, 500, Y) })]);
    dialogue.all(&[(A, ack(Y, X.wrapping_add(8_000))), (O, data(X.wrapping_add(8_000), 10, Y))]);
    assert_eq!(
        dialogue.say(A, ack(Y, X.wrapping_add(70_000))),
        Verdict::BadAcknowledgment,
        "there was no room for so much"
    );
}
