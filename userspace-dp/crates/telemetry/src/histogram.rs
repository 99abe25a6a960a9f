//! A fixed log-linear histogram that a worker can write without allocating.
//!
//! Values are nanoseconds. Each power of two is cut into 16 equal parts, so a recorded value is known to
//! within 6.25 %. The reading side turns the buckets into quantiles.

use crate::Counter;

/// Parts per power of two.
const PARTS: u64 = 16;
/// Values of 2^40 ns (18 minutes) and more share the last bucket.
const POWERS: usize = 40;
/// The number of buckets of every [`Histogram`].
const BUCKETS: usize = (POWERS - 3) * PARTS as usize;

/// Counts of values by size, with one writer.
#[derive(Debug)]
pub struct Histogram {
    buckets: Box<[Counter]>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: (0..BUCKETS).map(|_| Counter::new()).collect() }
    }
}

impl Histogram {
    /// Counts `times` occurrences of `nanos`.
    #[inline]
    pub fn record(&self, nanos: u64, times: u64) {
        if let Some(bucket) = self.buckets.get(bucket_of(nanos)) {
            bucket.add(times);
        }
    }

    /// Every non-empty bucket as (smallest value that it holds, count), smallest first.
    pub fn read(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.buckets
            .iter()
            .enumerate()
            .map(|(index, count)| (lowest_of(index), count.read()))
            .filter(|&(_, count)| count > 0)
    }
}

fn bucket_of(nanos: u64) -> usize {
    if nanos < PARTS {
        return nanos as usize;
    }
    let power = 63 - nanos.leading_zeros() as usize;
    let part = (nanos >> (power - 4)) as usize & (PARTS as usize - 1);
    ((power - 3) * PARTS as usize + part).min(BUCKETS - 1)
}

fn lowest_of(bucket: usize) -> u64 {
    let (power, part) = (bucket / PARTS as usize, (bucket % PARTS as usize) as u64);
    if power == 0 { part } else { (PARTS + part) << (power - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bucket_begins_where_its_lowest_value_says() {
        for bucket in 0..BUCKETS {
            assert_eq!(bucket_of(lowest_of(bucket)), bucket);
        }
    }

    #[test]
    fn a_value_is_known_to_within_a_sixteenth() {
        for nanos in [0, 1, 15, 16, 17, 31, 33, 1_000, 1_001, 65_535, 1_234_567, 1 << 39] {
            let lowest = lowest_of(bucket_of(nanos));
            assert!(lowest <= nanos && nanos - lowest <= nanos / 16, "{nanos} fell to {lowest}");
        }
    }

    #[test]
    fn values_beyond_the_range_are_counted_in_the_last_bucket() {
        let histogram = Histogram::default();
        histogram.record(u64::MAX, 2);
        assert_eq!(histogram.read().map(|(_, count)| count).sum::<u64>(), 2);
    }
}
