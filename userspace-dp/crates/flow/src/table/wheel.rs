//! A timer for each flow, kept roughly and cheaply.
//!
//! A wheel of 4096 steps of 134 ms, 9 minutes around. A packet that refreshes its flow does not touch the wheel: the
//! entry stays where it is, comes up too early, and is put where the deadline really is. Only a deadline that becomes
//! earlier moves an entry. One that is further away than the wheel is round waits in the last step and is looked at
//! again. Setting and cancelling cost O(1), as does finding the next; all of it is links through one array.

use crate::tick::Tick;

/// Timers by number.
pub(super) struct Wheel {
    heads: Box<[u32; SLOTS]>,
    links: Box<[Link]>,
    /// A bit for each slot that has an entry, and one for each word of these that is not zero.
    occupied: Box<[u64; SLOTS / 64]>,
    words: u64,
    /// Everything before this step was handed out.
    now: Tick,
}

#[derive(Clone, Copy)]
struct Link {
    before: u32,
    after: u32,
    /// The slot it waits in, or [`IDLE`].
    slot: u32,
}

/// As many as 64 words of 64 bits.
const SLOTS: usize = 4096;
const NONE: u32 = u32::MAX;
const IDLE: u32 = u32::MAX;

impl Wheel {
    /// A wheel for timers `0..count`, none of them set, that stands at `now`.
    pub(super) fn new(count: usize, now: Tick) -> Self {
        Self {
            heads: Box::new([NONE; SLOTS]),
            links: vec![Link { before: NONE, after: NONE, slot: IDLE }; count].into(),
            occupied: Box::new([0; SLOTS / 64]),
            words: 0,
            now,
        }
    }

    /// Sees to it that `timer` is handed out at `deadline`, or before.
    #[inline]
    pub(super) fn no_later_than(&mut self, timer: u32, deadline: Tick) {
        let ahead = deadline.since(self.now).min(SLOTS as u32 - 1);
        let slot = slot_of(self.now.plus(ahead));
        let link = self.links[timer as usize];
        if link.slot == IDLE || ahead < self.ahead(link.slot) {
            self.cancel(timer);
            self.link(timer, slot);
        }
    }

    /// Forgets `timer`.
    pub(super) fn cancel(&mut self, timer: u32) {
        let Link { before, after, slot } = self.links[timer as usize];
        if slot == IDLE {
            return;
        }
        self.links[timer as usize].slot = IDLE;
        if after != NONE {
            self.links[after as usize].before = before;
        }
        if before != NONE {
            self.links[before as usize].after = after;
            return;
        }
        let slot = slot as usize;
        self.heads[slot] = after;
        if after == NONE {
            let word = &mut self.occupied[slot / 64];
            *word &= !(1 << (slot % 64));
            if *word == 0 {
                self.words &= !(1 << (slot / 64));
            }
        }
    }

    /// Takes out one timer whose step has come.
    pub(super) fn take(&mut self, now: Tick) -> Option<u32> {
        let due = now.since(self.now);
        match self.next() {
            Some(ahead) if ahead <= due => {
                self.now = self.now.plus(ahead);
                let timer = self.heads[slot_of(self.now) as usize];
                self.cancel(timer);
                Some(timer)
            }
            Some(_) | None => {
                self.now = self.now.plus(due);
                None
            }
        }
    }

    /// `now`, or where the wheel stands if that is later: time does not go back.
    pub(super) const fn latest(&self, now: Tick) -> Tick {
        self.now.plus(now.since(self.now))
    }

    /// Steps from `now` to the first entry, if there is any.
    pub(super) fn steps_to_next(&self, now: Tick) -> Option<u32> {
        self.next().map(|ahead| ahead.saturating_sub(now.since(self.now)))
    }

    fn link(&mut self, timer: u32, slot: u32) {
        let at = slot as usize;
        let head = core::mem::replace(&mut self.heads[at], timer);
        if head != NONE {
            self.links[head as usize].before = timer;
        }
        self.links[timer as usize] = Link { before: NONE, after: head, slot };
        self.occupied[at / 64] |= 1 << (at % 64);
        self.words |= 1 << (at / 64);
    }

    /// Steps from the wheel's own to the first that has an entry. All lie within one turn.
    fn next(&self) -> Option<u32> {
        let here = slot_of(self.now);
        let (word, bit) = (here / 64, here % 64);
        let rest = self.occupied[word as usize] & u64::MAX << bit;
        if rest != 0 {
            return Some(rest.trailing_zeros() - bit);
        }
        // The other words in order, and at last the beginning of this one.
        let words = self.words.rotate_right(word + 1);
        let step = words.trailing_zeros();
        let found = self.occupied[((word + 1 + step) % 64) as usize];
        (words != 0).then(|| self.ahead((word + 1 + step) % 64 * 64 + found.trailing_zeros()))
    }

    /// Steps from the wheel's own to a slot.
    const fn ahead(&self, slot: u32) -> u32 {
        slot.wrapping_sub(slot_of(self.now)) % SLOTS as u32
    }
}

const fn slot_of(tick: Tick) -> u32 {
    tick.0 % SLOTS as u32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn taken(wheel: &mut Wheel, now: u32) -> Vec<u32> {
        let mut taken: Vec<u32> = core::iter::from_fn(|| wheel.take(Tick(now))).collect();
        taken.sort_unstable();
        taken
    }

    #[test]
    fn a_timer_comes_at_its_step_and_once() {
        let mut wheel = Wheel::new(4, Tick(0));
        wheel.no_later_than(2, Tick(100));
        assert_eq!(wheel.steps_to_next(Tick(30)), Some(70));
        assert_eq!(wheel.take(Tick(99)), None);
        assert_eq!(wheel.take(Tick(100)), Some(2));
        assert_eq!(wheel.take(Tick(5000)), None);
        assert_eq!(wheel.steps_to_next(Tick(5000)), None);
    }

    #[test]
    fn a_step_that_has_passed_comes_at_once() {
        let mut wheel = Wheel::new(1, Tick(0));
        assert_eq!(wheel.take(Tick(70)), None);
        wheel.no_later_than(0, Tick(3));
        assert_eq!(wheel.steps_to_next(Tick(70)), Some(0));
        assert_eq!(wheel.take(Tick(70)), Some(0));
    }

    #[test]
    fn only_an_earlier_deadline_moves_an_entry() {
        let mut wheel = Wheel::new(1, Tick(0));
        wheel.no_later_than(0, Tick(100));
        wheel.no_later_than(0, Tick(200));
        wheel.no_later_than(0, Tick(50));
        assert_eq!(wheel.take(Tick(50)), Some(0));
        assert_eq!(wheel.take(Tick(1000)), None);
    }

    #[test]
    fn a_deadline_beyond_the_wheel_is_looked_at_once_a_turn() {
        let mut wheel = Wheel::new(1, Tick(0));
        let (mut now, mut looks) = (Tick(0), 0);
        while now.0 < 54_000 {
            wheel.no_later_than(0, Tick(54_000));
            now = now.plus(wheel.steps_to_next(now).unwrap());
            assert_eq!(wheel.take(now), Some(0));
            looks += 1;
        }
        assert_eq!((now, looks), (Tick(54_000), 14));
    }

    #[test]
    fn the_number_of_steps_goes_around() {
        let late = Tick(u32::MAX - 10);
        let mut wheel = Wheel::new(2, late);
        wheel.no_later_than(0, late.plus(20));
        assert_eq!(wheel.take(late.plus(19)), None);
        assert_eq!(wheel.take(late.plus(20)), Some(0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn behaves_like_a_sorted_list(
            start in 0..5000_u32,
            steps in prop::collection::vec((0..3_u8, 0..8_u32, 0..4095_u32), 1..200),
        ) {
            let mut wheel = Wheel::new(8, Tick(start));
            let mut now = start;
            let mut model: BTreeMap<u32, u32> = BTreeMap::new();
            for (kind, timer, amount) in steps {
                match kind {
                    0 => {
                        wheel.no_later_than(timer, Tick(now + amount));
                        let kept = model.entry(timer).or_insert(now + amount);
                        *kept = (now + amount).min(*kept);
                    }
                    1 => {
                        wheel.cancel(timer);
                        model.remove(&timer);
                    }
                    _ => {
                        now += amount / 8;
                        let due: Vec<u32> =
                            model.iter().filter(|row| *row.1 <= now).map(|row| *row.0).collect();
                        model.retain(|_, deadline| *deadline > now);
                        prop_assert_eq!(taken(&mut wheel, now), due);
                    }
                }
                let next = model.values().min().map(|deadline| deadline - now);
                prop_assert_eq!(wheel.steps_to_next(Tick(now)), next);
            }
        }
    }
}
