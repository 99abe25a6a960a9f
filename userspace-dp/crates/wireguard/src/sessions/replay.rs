//! The replay window of a session: which of the last 8192 counters were seen (RFC 6479 is the idea).
//!
//! One bit per counter in a ring of 8192. Moving the window ahead clears exactly the bits it passes, so the window
//! is 8192 wide to the bit, and a packet in order touches one word. Moved only by authenticated packets.

use crate::Rejected;
use crate::protocol::REPLAY_WINDOW;

/// Words of the bit ring.
pub(super) const WORDS: usize = (REPLAY_WINDOW / 64) as usize;

/// The bit ring of one session. `next` is kept beside it: one above the highest counter seen.
pub(super) type Bits = [u64; WORDS];

/// Whether `counter` may still be accepted. Changes nothing, so it may run before authentication.
#[inline]
pub(super) fn check(bits: &Bits, next: u64, counter: u64) -> Result<(), Rejected> {
    if counter >= next {
        return Ok(());
    }
    let (word, mask) = position(counter);
    if next - counter > REPLAY_WINDOW || bits[word] & mask != 0 {
        return Err(Rejected::Replayed);
    }
    Ok(())
}

/// Checks `counter` and records it as seen. The packet that carries it must be authenticated.
#[inline]
pub(super) fn commit(bits: &mut Bits, next: &mut u64, counter: u64) -> Result<(), Rejected> {
    check(bits, *next, counter)?;
    let (word, mask) = position(counter);
    if counter >= *next {
        if counter > *next {
            clear(bits, *next, counter);
        }
        *next = counter + 1;
    }
    bits[word] |= mask;
    Ok(())
}

/// Clears the bits of counters `from..to`, and all of them when that is more than the ring holds.
#[cold]
fn clear(bits: &mut Bits, from: u64, to: u64) {
    if to - from >= REPLAY_WINDOW {
        bits.fill(0);
        return;
    }
    let mut counter = from;
    while counter < to {
        let (word, mask) = position(counter);
        let whole_word = counter.is_multiple_of(64) && to - counter >= 64;
        bits[word] &= if whole_word { 0 } else { !mask };
        counter += if whole_word { 64 } else { 1 };
    }
}

#[inline]
fn position(counter: u64) -> (usize, u64) {
    ((counter / 64) as usize % WORDS, 1 << (counter % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    struct Window {
        bits: Bits,
        next: u64,
    }

    impl Window {
        fn new() -> Self {
            Self { bits: [0; WORDS], next: 0 }
        }

        fn commit(&mut self, counter: u64) -> bool {
            let allowed = check(&self.bits, self.next, counter).is_ok();
            let committed = commit(&mut self.bits, &mut self.next, counter).is_ok();
            assert_eq!(allowed, committed, "the early check and the commit agree");
            committed
        }
    }

    /// What the window must do, with a set of everything ever seen.
    struct Oracle {
        seen: HashSet<u64>,
        highest: Option<u64>,
    }

    impl Oracle {
        fn commit(&mut self, counter: u64) -> bool {
            let too_old = self.highest.is_some_and(|h| counter + (REPLAY_WINDOW - 1) < h);
            if too_old || !self.seen.insert(counter) {
                return false;
            }
            self.highest = self.highest.max(Some(counter));
            true
        }
    }

    #[test]
    fn the_window_is_8192_wide_to_the_counter() {
        let mut window = Window::new();
        assert!(window.commit(100_000));
        assert!(window.commit(100_000 - 8191), "8191 late is inside");
        assert!(!window.commit(100_000 - 8191), "and only once");
        assert!(!window.commit(100_000 - 8192), "8192 late is outside");
    }

    #[test]
    fn a_full_window_in_reverse_order_is_accepted_once() {
        let mut window = Window::new();
        assert!((0..8192).rev().all(|counter| window.commit(counter)));
        assert!(!(0..8192).any(|counter| window.commit(counter)));
    }

    #[test]
    fn the_highest_counter_of_a_session_fits() {
        let mut window = Window::new();
        let last = crate::protocol::REJECT_AFTER_MESSAGES - 1;
        assert!(window.commit(last) && !window.commit(last) && window.commit(last - 8191));
        assert!(!window.commit(0));
    }

    #[test]
    fn the_early_check_moves_nothing() {
        let window = Window::new();
        assert!(check(&window.bits, window.next, 1 << 40).is_ok());
        assert!(check(&window.bits, window.next, 0).is_ok());
    }

    /// Mostly near the front, sometimes far ahead, around the borders of words and of the window.
    fn steps() -> impl Strategy<Value = Vec<(u8, u64)>> {
        prop::collection::vec((0..6u8, 0..20_000u64), 1..400)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn any_order_of_counters_is_judged_as_by_a_set(steps in steps(), start in 0..1u64 << 50) {
            let (mut window, mut front) = (Window::new(), start);
            let mut oracle = Oracle { seen: HashSet::new(), highest: None };
            for (kind, amount) in steps {
                let counter = match kind {
                    0 | 1 => front + 1,
                    2 => front + amount,
                    3 => front.saturating_sub(amount),
                    4 => front.saturating_sub(8190 + amount % 4),
                    _ => front.saturating_sub(amount % 130),
                };
                front = front.max(counter);
                prop_assert_eq!(window.commit(counter), oracle.commit(counter), "counter {}", counter);
            }
        }
    }
}
