//! When the gateway counts as loaded: too many handshake messages in the last second, or a queue an eighth full.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use clock::Time;

/// Once loaded, for at least this long.
const STICKY: Duration = Duration::from_secs(1);
/// The second is counted in slices, so that a message leaves the count within an eighth of a second of its age.
const SLICES: u64 = 8;
const SLICE_NANOS: u64 = 1_000_000_000 / SLICES;
const COUNT_BITS: u32 = 24;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

/// Shared by all workers.
pub(super) struct Load {
    threshold: u64,
    /// Per slice of the last second: which slice it is (high bits) and how many messages (low bits).
    slices: [AtomicU64; SLICES as usize],
    loaded_until: AtomicU64,
}

impl Load {
    pub(super) fn new(threshold: u32) -> Self {
        Self {
            threshold: u64::from(threshold),
            slices: [const { AtomicU64::new(0) }; SLICES as usize],
            loaded_until: AtomicU64::new(0),
        }
    }

    /// A handshake message with a right MAC came.
    pub(super) fn note_handshake(&self, now: Time) {
        let slice = now.as_nanos() / SLICE_NANOS;
        self.count(slice);
        let first = slice.saturating_sub(SLICES - 1);
        let recent: u64 = self
            .slices
            .iter()
            .map(|word| word.load(Ordering::Relaxed))
            .filter(|word| (first..=slice).contains(&(word >> COUNT_BITS)))
            .map(|word| word & COUNT_MASK)
            .sum();
        if recent >= self.threshold {
            self.set_loaded(now);
        }
    }

    pub(super) fn report_queue(&self, waiting: usize, capacity: usize, now: Time) {
        if capacity > 0 && waiting.saturating_mul(8) >= capacity {
            self.set_loaded(now);
        }
    }

    pub(super) fn is_loaded(&self, now: Time) -> bool {
        now.as_nanos() < self.loaded_until.load(Ordering::Relaxed)
    }

    fn set_loaded(&self, now: Time) {
        self.loaded_until.fetch_max((now + STICKY).as_nanos(), Ordering::Relaxed);
    }

    /// Adds one to `slice`, which begins at zero unless it is the one already there. A count that a late worker
    /// brings for a slice overwritten meanwhile is lost, and so is what would overflow.
    fn count(&self, slice: u64) {
        let word = &self.slices[(slice % SLICES) as usize];
        let _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seen| {
            match (seen >> COUNT_BITS).cmp(&slice) {
                core::cmp::Ordering::Less => Some(slice << COUNT_BITS | 1),
                core::cmp::Ordering::Equal => (seen & COUNT_MASK < COUNT_MASK).then_some(seen + 1),
                core::cmp::Ordering::Greater => None,
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn twenty_four_a_second_are_no_load_and_twenty_five_are() {
        let load = Load::new(25);
        for second in 1..20u64 {
            for i in 0..24 {
                load.note_handshake(at(second * 1_000 + i * 1_000 / 24));
            }
            assert!(!load.is_loaded(at(second * 1_000 + 999)), "second {second}");
        }
        let load = Load::new(25);
        for i in 0..25 {
            assert!(!load.is_loaded(at(5_000 + i)));
            load.note_handshake(at(5_000 + i));
        }
        assert!(load.is_loaded(at(5_024)));
    }

    #[test]
    fn load_sticks_for_a_second_and_then_goes() {
        let load = Load::new(25);
        (0..25).for_each(|_| load.note_handshake(at(100)));
        assert!(load.is_loaded(at(1_099)));
        assert!(!load.is_loaded(at(1_100)));
        load.note_handshake(at(1_200));
        assert!(!load.is_loaded(at(1_200)), "the old messages have left the count");
    }

    #[test]
    fn a_queue_an_eighth_full_is_load() {
        let load = Load::new(25);
        load.report_queue(127, 1024, at(10));
        assert!(!load.is_loaded(at(10)));
        load.report_queue(128, 1024, at(10));
        assert!(load.is_loaded(at(1_009)) && !load.is_loaded(at(1_010)));
    }

    #[test]
    fn threads_count_together() {
        let load = Load::new(25);
        std::thread::scope(|scope| {
            for _ in 0..5 {
                scope.spawn(|| (0..5).for_each(|_| load.note_handshake(at(3_000))));
            }
        });
        assert!(load.is_loaded(at(3_001)));
    }
}
