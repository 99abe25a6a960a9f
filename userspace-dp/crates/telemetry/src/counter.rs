//! Counters with one writer and any number of readers.

use core::sync::atomic::{AtomicU64, Ordering};

/// A count that only grows. One thread writes it; any thread may read it.
///
/// A bump is a relaxed load and a relaxed store (0.2 ns), not an atomic addition (4.5 ns): with a second
/// writer increments would be lost, so each counter belongs to one worker.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// A counter at zero.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds `count`. Only the owning thread may call this.
    #[inline]
    pub fn add(&self, count: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    /// Adds one. Only the owning thread may call this.
    #[inline]
    pub fn bump(&self) {
        self.add(1);
    }

    /// The present count.
    pub fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A level that rises and falls, written by one thread.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// A gauge at zero.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Sets the level.
    #[inline]
    pub fn set(&self, level: u64) {
        self.0.store(level, Ordering::Relaxed);
    }

    /// The present level.
    pub fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_adds_up_and_a_gauge_forgets() {
        let counter = Counter::new();
        counter.bump();
        counter.add(41);
        assert_eq!(counter.read(), 42);
        let gauge = Gauge::new();
        gauge.set(9);
        gauge.set(3);
        assert_eq!(gauge.read(), 3);
    }
}
