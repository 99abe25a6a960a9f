//! Rates that several threads enforce together: the generic cell rate algorithm on one shared word.
//!
//! The word holds the theoretical arrival time: the moment at which a source that stays silent has its whole
//! burst back. Taking one unit moves it by the emission interval; a unit is refused when that would put it
//! further than the burst ahead of now. There are no windows, so there is no double burst at their borders.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::Time;

/// A configured rate: so many units a second, so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    interval_ns: u64,
    tolerance_ns: u64,
}

impl Rate {
    /// `per_second` units a second, at most `burst` at once. A rate of zero refuses everything but what its
    /// burst lets through once; a burst of zero counts as one.
    pub const fn new(per_second: u64, burst: u64) -> Self {
        let interval_ns = match 1_000_000_000u64.checked_div(per_second) {
            Some(interval) => interval,
            None => u64::MAX / 4,
        };
        let burst = if burst == 0 { 1 } else { burst };
        Self { interval_ns, tolerance_ns: interval_ns.saturating_mul(burst) }
    }

    /// The theoretical arrival time after taking a unit at `now`, or `None` when the rate is spent.
    #[inline]
    pub fn advance(&self, arrival_ns: u64, now: Time) -> Option<u64> {
        let now = now.as_nanos();
        let next = arrival_ns.max(now).saturating_add(self.interval_ns);
        (next <= now.saturating_add(self.tolerance_ns)).then_some(next)
    }
}

/// The state of one rate, shared by all who enforce it.
#[derive(Debug, Default)]
pub struct RateState(AtomicU64);

impl RateState {
    /// A rate nobody has used.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Takes one unit of `rate` if there is one. Any number of threads together stay within the rate.
    #[inline]
    pub fn take(&self, rate: &Rate, now: Time) -> bool {
        let mut arrival = self.0.load(Ordering::Relaxed);
        loop {
            let Some(next) = rate.advance(arrival, now) else { return false };
            match self.0.compare_exchange_weak(arrival, next, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(seen) => arrival = seen,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[test]
    fn the_burst_passes_at_once_and_then_the_rate_holds() {
        let (rate, state) = (Rate::new(10, 5), RateState::new());
        let mut now = Time::from_nanos(1_000_000_000);
        assert_eq!((0..100).filter(|_| state.take(&rate, now)).count(), 5);
        let mut passed = 0;
        for _ in 0..1_000 {
            now = now + Duration::from_millis(10);
            passed += usize::from(state.take(&rate, now));
        }
        assert_eq!(passed, 100, "ten seconds at ten a second");
    }

    #[test]
    fn threads_share_one_budget() {
        let (rate, state) = (Rate::new(1, 100), RateState::new());
        let now = Time::from_nanos(5_000_000_000);
        let passed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..1_000).filter(|_| state.take(&rate, now)).count()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 100);
    }

    #[test]
    fn a_rate_of_zero_gives_its_burst_once() {
        let (rate, state) = (Rate::new(0, 2), RateState::new());
        let passed =
            (0..10u64).filter(|s| state.take(&rate, Time::from_nanos(s * 1_000_000_000))).count();
        assert_eq!(passed, 2);
    }
}
