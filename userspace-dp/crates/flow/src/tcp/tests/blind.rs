//! Senders who see nothing of a conversation, and segments of all kinds.

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::Consequence;

#[test]
fn blind_segments_neither_close_nor_refresh() {
    let random = &mut StdRng::seed_from_u64(0x0062_6c69_6e64);
    let mut dialogue = Dialogue::established();
    dialogue.all(&[(O, data(X, 900, Y)), (A, data(Y, 700, X))]);
    let kinds =
        [Flags::ACK, FIN_ACK, Flags::RST, RST_ACK, Flags::SYN, SYN_ACK, Flags::NONE, Flags(0xff)];
    let before = dialogue.connection;
    for _ in 0..2_000_000 {
        let from = if random.random() { O } else { A };
        let mut blind =
            segment(kinds[random.random_range(0..kinds.len())], random.random(), random.random());
        blind.length = random.random_range(0..1460);
        blind.window = random.random();
        let verdict = dialogue.say(from, blind);
        assert!(
            !matches!(verdict, Verdict::InState | Verdict::Closes | Verdict::Reopens),
            "{blind:?}"
        );
    }
    assert_eq!(dialogue.phase, TcpPhase::Established);
    assert_eq!(dialogue.connection.ends, before.ends);
    dialogue.all(&[(O, data(X + 900, 50, Y + 700)), (A, ack(Y + 700, X + 950))]);
}

/// Numbers near those that count, and anywhere.
fn number() -> impl Strategy<Value = u32> {
    let near = |number: u32| (-3..3_i32).prop_map(move |by| number.wrapping_add_signed(by));
    let within = |number: u32| (0..12_000_u32).prop_map(move |by| number.wrapping_add(by));
    prop_oneof![near(OPENER), near(ANSWERER), within(OPENER), within(ANSWERER), any::<u32>()]
}

fn any_segment() -> impl Strategy<Value = (Direction, Segment)> {
    let likely = [Flags::ACK, FIN_ACK, Flags::RST, RST_ACK, Flags::SYN, SYN_ACK];
    let flags =
        prop_oneof![8 => prop::sample::select(likely.to_vec()), 1 => any::<u8>().prop_map(Flags)];
    let numbers = (number(), number(), prop_oneof![Just(0), 0..2000_u32], any::<u16>());
    let options = (prop::option::of(0..=14_u8), any::<bool>(), prop::bool::weighted(0.1));
    (any::<bool>(), flags, numbers, options).prop_map(|(answers, flags, numbers, options)| {
        let (sequence, acknowledgment, length, window) = numbers;
        let (scale, timestamps, fragmented) = options;
        let segment = Segment {
            sequence,
            acknowledgment,
            length,
            window,
            flags,
            scale,
            timestamps,
            fragmented,
        };
        (if answers { A } else { O }, segment)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Nothing panics, refusals change nothing (see [`Dialogue::say`]), and neither do segments that are merely tolerated.
    #[test]
    fn whatever_comes_is_judged(
        first in any_segment(),
        rest in prop::collection::vec(any_segment(), 0..40),
    ) {
        let mut dialogue = Dialogue::opened_by(first.1);
        for (from, segment) in rest {
            let before = (dialogue.connection.ends, dialogue.connection.windows, dialogue.phase);
            let verdict = dialogue.say(from, segment);
            let after = (dialogue.connection.ends, dialogue.connection.windows, dialogue.phase);
            prop_assert_ne!(verdict, Verdict::Mismatch);
            match verdict.consequence() {
                Consequence::Pass if verdict == Verdict::Tolerated => prop_assert_eq!(after, before),
                Consequence::Pass => {}
                Consequence::Miss => prop_assert_eq!(verdict, Verdict::Reopens),
                Consequence::Refuse => prop_assert_eq!(after, before),
            }
            if verdict == Verdict::Closes {
                prop_assert_eq!(dialogue.phase, TcpPhase::Reset);
            }
        }
    }
}
