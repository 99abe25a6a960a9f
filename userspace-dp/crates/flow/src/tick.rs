//! Time in steps of 134 ms, in 32 bits.
//!
//! A flow's last packet is remembered in four bytes. The number goes around after 18 years of uptime; distances are
//! taken around the circle, so only a flow that is silent for nine years would be misjudged.

use core::time::Duration;

use clock::Time;

/// A step of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tick(pub(crate) u32);

/// 2^27 ns: short beside every timeout, and a shift instead of a division.
const SHIFT: u32 = 27;

impl Tick {
    pub(crate) const NANOS: u64 = 1 << SHIFT;

    /// The step that `now` is in.
    #[inline]
    pub(crate) const fn of(now: Time) -> Self {
        Self((now.as_nanos() >> SHIFT) as u32)
    }

    /// How many steps hold `duration`; at most two years.
    pub(crate) fn spanning(duration: Duration) -> u32 {
        let ticks = duration.as_nanos().div_ceil(u128::from(Self::NANOS));
        ticks.min(u128::from(SPAN_MAX)) as u32
    }

    /// Steps from `earlier` to here; zero if it lies ahead.
    #[inline]
    pub(crate) const fn since(self, earlier: Self) -> u32 {
        let distance = self.0.wrapping_sub(earlier.0) as i32;
        if distance < 0 { 0 } else { distance as u32 }
    }

    /// `steps` later.
    #[inline]
    pub(crate) const fn plus(self, steps: u32) -> Self {
        Self(self.0.wrapping_add(steps))
    }
}

/// Half of how far distances reach.
const SPAN_MAX: u32 = 1 << 29;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_round_up() {
        assert_eq!(Tick::spanning(Duration::ZERO), 0);
        assert_eq!(Tick::spanning(Duration::from_nanos(1)), 1);
        assert_eq!(Tick::spanning(Duration::from_nanos(Tick::NANOS)), 1);
        assert_eq!(Tick::spanning(Duration::from_nanos(Tick::NANOS + 1)), 2);
        assert_eq!(Tick::spanning(Duration::MAX), SPAN_MAX);
    }

    #[test]
    fn distances_go_around_and_never_back() {
        let late = Tick(u32::MAX - 2);
        assert_eq!(late.plus(5), Tick(2));
        assert_eq!(late.plus(5).since(late), 5);
        assert_eq!(late.since(late.plus(5)), 0);
        assert_eq!(Tick::of(Time::NEVER).since(Tick::of(Time::NEVER)), 0);
    }
}
