//! A timer wheel with at most one entry per peer.
//!
//! 1024 ticks of 67 ms, so 68 s around. An entry further away waits in the last bucket and is handed out early; the
//! caller looks at what is really due and schedules again, so a packet never has to touch the wheel unless it needs
//! a deadline earlier than the one already set. Entries sit in doubly linked lists through one array: setting and
//! cancelling cost O(1), handing out costs O(what is due).

use clock::Time;

/// 2^26 ns = 67 ms: well below every protocol time, and a shift instead of a division.
const TICK_SHIFT: u32 = 26;
const BUCKETS: usize = 1024;
const NONE: u32 = u32::MAX;

/// Timers by number.
pub(super) struct Wheel {
    heads: Box<[u32; BUCKETS]>,
    occupied: [u64; BUCKETS / 64],
    links: Box<[Link]>,
    /// Everything before this tick was handed out.
    now_tick: u64,
}

#[derive(Clone, Copy)]
struct Link {
    before: u32,
    after: u32,
    /// The tick of the bucket it waits in, or [`IDLE`].
    tick: u64,
}

const IDLE: u64 = u64::MAX;

impl Wheel {
    /// A wheel for timers `0..capacity`, none set, that stands at `now`.
    pub(super) fn new(capacity: usize, now: Time) -> Self {
        let idle = Link { before: NONE, after: NONE, tick: IDLE };
        Self {
            heads: Box::new([NONE; BUCKETS]),
            occupied: [0; BUCKETS / 64],
            links: vec![idle; capacity].into(),
            now_tick: tick_before(now),
        }
    }

    /// Sees to it that `timer` is handed out no later than one tick after `deadline`. A deadline that has passed is
    /// handed out at the next call.
    #[inline]
    pub(super) fn no_later_than(&mut self, timer: u32, deadline: Time) {
        let tick = self.bucket_tick(deadline);
        if tick < self.links[timer as usize].tick {
            self.cancel(timer);
            self.link(timer, tick);
        }
    }

    /// Forgets `timer`.
    pub(super) fn cancel(&mut self, timer: u32) {
        let Link { before, after, tick } = self.links[timer as usize];
        if tick == IDLE {
            return;
        }
        self.links[timer as usize].tick = IDLE;
        if after != NONE {
            self.links[after as usize].before = before;
        }
        if before != NONE {
            self.links[before as usize].after = after;
            return;
        }
        let bucket = bucket_of(tick);
        self.heads[bucket] = after;
        if after == NONE {
            self.occupied[bucket / 64] &= !(1 << (bucket % 64));
        }
    }

    /// Takes out one timer that is due, or that has waited as long as the wheel is round.
    pub(super) fn take(&mut self, now: Time) -> Option<u32> {
        let until = tick_before(now);
        match self.first_occupied() {
            Some(tick) if tick <= until => {
                self.now_tick = tick;
                let timer = self.heads[bucket_of(tick)];
                self.cancel(timer);
                Some(timer)
            }
            Some(_) | None => {
                self.now_tick = self.now_tick.max(until);
                None
            }
        }
    }

    /// When the next call of [`Wheel::take`] can yield something.
    pub(super) fn next_deadline(&self) -> Time {
        self.first_occupied().map_or(Time::NEVER, |tick| Time::from_nanos(tick << TICK_SHIFT))
    }

    fn link(&mut self, timer: u32, tick: u64) {
        let bucket = bucket_of(tick);
        let head = core::mem::replace(&mut self.heads[bucket], timer);
        if head != NONE {
            self.links[head as usize].before = timer;
        }
        self.links[timer as usize] = Link { before: NONE, after: head, tick };
        self.occupied[bucket / 64] |= 1 << (bucket % 64);
    }

    /// The tick at which `deadline` has passed, within what the wheel holds.
    #[inline]
    fn bucket_tick(&self, deadline: Time) -> u64 {
        let nanos = deadline.as_nanos();
        let tick = (nanos >> TICK_SHIFT) + u64::from(nanos & ((1 << TICK_SHIFT) - 1) != 0);
        tick.clamp(self.now_tick, self.now_tick + BUCKETS as u64 - 1)
    }

    /// The earliest tick with an entry. All entries lie within one turn from `now_tick`.
    fn first_occupied(&self) -> Option<u64> {
        let start = bucket_of(self.now_tick);
        let words = self.occupied.len();
        // The first word twice: from the present bucket on, and at the end the part before it.
        (0..=words).find_map(|step| {
            let word = (start / 64 + step) % words;
            let mut bits = self.occupied[word];
            if step == 0 {
                bits &= u64::MAX << (start % 64);
            } else if step == words {
                bits &= !(u64::MAX << (start % 64));
            }
            (bits != 0).then(|| {
                let bucket = word * 64 + bits.trailing_zeros() as usize;
                self.now_tick + ((bucket + BUCKETS - start) % BUCKETS) as u64
            })
        })
    }
}

/// The last tick that has begun at `now`.
fn tick_before(now: Time) -> u64 {
    now.as_nanos() >> TICK_SHIFT
}

fn bucket_of(tick: u64) -> usize {
    (tick % BUCKETS as u64) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const TICK: u64 = 1 << TICK_SHIFT;

    fn at(nanos: u64) -> Time {
        Time::from_nanos(nanos)
    }

    #[test]
    fn a_timer_comes_after_its_deadline_and_within_a_tick() {
        let mut wheel = Wheel::new(4, at(0));
        wheel.no_later_than(2, at(10_000_000_000));
        assert_eq!(wheel.take(at(9_999_999_999)), None);
        let due = wheel.next_deadline();
        assert!(due >= at(10_000_000_000) && due < at(10_000_000_000 + TICK));
        assert_eq!(wheel.take(due), Some(2));
        assert_eq!(wheel.take(due), None);
        assert_eq!(wheel.next_deadline(), Time::NEVER);
    }

    #[test]
    fn a_past_deadline_comes_at_once() {
        let mut wheel = Wheel::new(1, at(1_000 * TICK + 5));
        wheel.no_later_than(0, Time::ZERO);
        assert_eq!(wheel.take(at(1_000 * TICK + 5)), Some(0));
    }

    #[test]
    fn a_later_deadline_does_not_postpone_and_an_earlier_one_pulls_forward() {
        let mut wheel = Wheel::new(1, at(0));
        wheel.no_later_than(0, at(100 * TICK));
        wheel.no_later_than(0, at(200 * TICK));
        wheel.no_later_than(0, at(50 * TICK));
        assert_eq!(wheel.take(at(50 * TICK)), Some(0));
        assert_eq!(wheel.take(at(300 * TICK)), None);
    }

    #[test]
    fn a_deadline_beyond_the_wheel_is_handed_out_early_to_be_set_again() {
        let (mut wheel, deadline) = (Wheel::new(1, at(0)), at(540_000_000_000));
        let mut rounds = 0;
        loop {
            wheel.no_later_than(0, deadline);
            let now = wheel.next_deadline();
            assert_eq!(wheel.take(now), Some(0));
            rounds += 1;
            if now >= deadline {
                assert!(now < deadline + core::time::Duration::from_nanos(TICK));
                break;
            }
        }
        assert_eq!(rounds, 8, "540 s are eight turns of 68 s");
    }

    #[test]
    fn a_leap_over_many_turns_hands_out_everything_once() {
        let mut wheel = Wheel::new(64, at(0));
        for timer in 0..64 {
            wheel.no_later_than(timer, at(u64::from(timer) * 17 * TICK));
        }
        let mut taken: Vec<u32> =
            core::iter::from_fn(|| wheel.take(at(1_000_000 * TICK))).collect();
        taken.sort_unstable();
        assert_eq!(taken, (0..64).collect::<Vec<_>>());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        /// Against a map of deadlines, with deadlines inside one turn, so that each is exact.
        #[test]
        fn behaves_like_a_sorted_list(
            steps in prop::collection::vec((0..3u8, 0..8u32, 0..1000 * TICK), 1..200),
        ) {
            let (mut wheel, mut now) = (Wheel::new(8, at(0)), 0);
            let mut model: BTreeMap<u32, u64> = BTreeMap::new();
            for (kind, timer, amount) in steps {
                match kind {
                    0 => {
                        let deadline = now + amount;
                        wheel.no_later_than(timer, at(deadline));
                        let kept = model.entry(timer).or_insert(deadline);
                        *kept = deadline.min(*kept);
                    }
                    1 => {
                        wheel.cancel(timer);
                        model.remove(&timer);
                    }
                    _ => {
                        now += amount / 8;
                        let taken: Vec<u32> = core::iter::from_fn(|| wheel.take(at(now))).collect();
                        for timer in &taken {
                            let deadline = model.remove(timer);
                            prop_assert!(deadline.is_some_and(|d| d <= now), "{} too early", timer);
                        }
                        prop_assert!(model.values().all(|d| *d + TICK > now), "one is overdue");
                    }
                }
            }
        }
    }
}
