//! Since when the silence of a worker counts: a pause of the whole process is nobody's death.
//!
//! When the process or the machine stands still (a stop signal, a paused guest), every heartbeat is old at once,
//! and so is control's own last look. Then workers get as long as ever from there on before they are judged; but
//! not twice in a row, so that a control thread that is always late still judges.

use std::time::Duration;

use clock::Time;

/// How often heartbeats are looked at.
pub const WATCH_EVERY: Duration = Duration::from_millis(50);
/// Control's own look is this late only when it stood still itself.
const OVERDUE: Duration = WATCH_EVERY.saturating_mul(3);

/// When control looked, and since when it counts.
#[derive(Debug)]
pub struct Watch {
    looked_at: Time,
    counts_from: Time,
    was_overdue: bool,
}

impl Watch {
    /// A watch that begins at `now`.
    pub const fn new(now: Time) -> Self {
        Self { looked_at: now, counts_from: now, was_overdue: false }
    }

    /// Whether it is time to look.
    pub fn is_due(&self, now: Time) -> bool {
        now.since(self.looked_at) >= WATCH_EVERY
    }

    /// Notes that control looks at `now`.
    pub fn look(&mut self, now: Time) {
        let overdue = now.since(self.looked_at) > OVERDUE;
        if overdue && !self.was_overdue {
            self.counts_from = now;
        }
        self.was_overdue = overdue;
        self.looked_at = now;
    }

    /// How long somebody whose last sign of life is this old has been silent while control was there to see it.
    pub fn silence(&self, last_beat: Time, now: Time) -> Duration {
        now.since(last_beat.max(self.counts_from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time::from_nanos(1_000_000_000);

    fn after(milliseconds: u64) -> Time {
        START + Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_silent_worker_is_seen_while_control_looks_in_time() {
        let mut watch = Watch::new(START);
        for step in 1..=20 {
            let now = after(50 * step);
            assert!(watch.is_due(now) && !watch.is_due(now - Duration::from_millis(1)));
            watch.look(now);
        }
        assert_eq!(watch.silence(after(250), after(1000)), Duration::from_millis(750));
    }

    #[test]
    fn after_a_pause_of_the_whole_process_silence_counts_from_its_end() {
        let mut watch = Watch::new(START);
        watch.look(after(50));
        let back = after(10_050);
        watch.look(back);
        assert_eq!(watch.silence(after(40), back), Duration::ZERO);
        // Who does not wake up is found all the same.
        for step in 1..=20 {
            watch.look(back + Duration::from_millis(50 * step));
        }
        let later = back + Duration::from_secs(1);
        assert_eq!(watch.silence(after(40), later), Duration::from_secs(1));
        // Who beats is not silent.
        assert_eq!(watch.silence(later, later), Duration::ZERO);
    }

    #[test]
    fn a_control_thread_that_is_always_late_judges_nevertheless() {
        let mut watch = Watch::new(START);
        for step in 1..=5 {
            watch.look(after(400 * step));
        }
        assert_eq!(watch.silence(START, after(2000)), Duration::from_millis(1600));
    }
}
