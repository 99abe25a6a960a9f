//! The timestamps in initiations: TAI64N labels, which order initiations of one peer against replays.

/// A TAI64N label: seconds since 1970 TAI plus 2^62, then nanoseconds, both big endian. Ordered as time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tai64N([u8; 12]);

/// TAI was ten seconds ahead of UTC in 1970; leap seconds since then do not matter for ordering.
const UNIX_EPOCH: u64 = (1 << 62) + 10;
/// Own stamps are rounded down to this, so that they do not tell the clock's fine structure to the network.
const GRAIN_NANOS: u32 = 1 << 24;

impl Tai64N {
    /// Bytes on the wire.
    pub const LENGTH: usize = 12;

    /// The label of a wall-clock time, in seconds and nanoseconds since 1970 UTC, rounded down to 2^24 ns.
    pub fn from_unix(seconds: u64, nanos: u32) -> Self {
        Self::join(UNIX_EPOCH.saturating_add(seconds), nanos - nanos % GRAIN_NANOS)
    }

    /// The label with these bytes, as received.
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes on the wire.
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// `self` if it is later than `earlier`, else the next grain after `earlier`: a peer refuses a stamp that does
    /// not grow, even when our wall clock was set back.
    pub(crate) fn later_than(self, earlier: Option<Self>) -> Self {
        earlier.map_or(self, |earlier| self.max(earlier.next()))
    }

    fn next(self) -> Self {
        let [a, b, c, d, e, f, g, h, n @ ..] = self.0;
        let seconds = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        let nanos = u32::from_be_bytes(n);
        let grain = nanos - nanos % GRAIN_NANOS + GRAIN_NANOS;
        if grain < 1_000_000_000 {
            Self::join(seconds, grain)
        } else {
            Self::join(seconds.saturating_add(1), 0)
        }
    }

    fn join(seconds: u64, nanos: u32) -> Self {
        let mut bytes = [0; Self::LENGTH];
        bytes[..8].copy_from_slice(&seconds.to_be_bytes());
        bytes[8..].copy_from_slice(&nanos.to_be_bytes());
        Self(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_epoch_has_its_label() {
        let label = [0x40, 0, 0, 0, 0, 0, 0, 0x0a, 0, 0, 0, 0];
        assert_eq!(Tai64N::from_unix(0, GRAIN_NANOS - 1).as_bytes(), &label);
    }

    #[test]
    fn stamps_are_ordered_as_time_is() {
        let stamps = [(1, 0), (1, GRAIN_NANOS), (1, 999_999_999), (2, 0), (256, 0), (u64::MAX, 0)]
            .map(|(seconds, nanos)| Tai64N::from_unix(seconds, nanos));
        assert!(stamps.is_sorted() && stamps.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn a_stamp_grows_even_when_the_wall_clock_steps_back() {
        let mut last = Tai64N::from_unix(1_000, 5);
        for _ in 0..200 {
            let next = Tai64N::from_unix(900, 0).later_than(Some(last));
            assert!(next > last);
            last = next;
        }
        assert_eq!(Tai64N::from_unix(2_000, 0).later_than(Some(last)), Tai64N::from_unix(2_000, 0));
    }
}
