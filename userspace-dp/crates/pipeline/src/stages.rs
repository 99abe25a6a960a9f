//! How long each stage takes.
//!
//! Reading a clock twice per stage is only worth it for a sample of bursts, so the worker loop decides which
//! ones are timed; the pipeline itself never reads a clock.

use clock::Time;
use telemetry::{Stage, WorkerCounters};

/// Told when a stage of a burst ends.
pub trait StageTimer {
    /// What was done since the last stage is none of the next one's.
    fn skip(&mut self);

    /// `stage` has handled `packets` packets of the burst.
    fn ended(&mut self, stage: Stage, packets: usize, counters: &WorkerCounters);
}

/// Counts packets and takes no time.
#[derive(Clone, Copy, Debug)]
pub struct Untimed;

impl StageTimer for Untimed {
    #[inline]
    fn skip(&mut self) {}

    #[inline]
    fn ended(&mut self, stage: Stage, packets: usize, counters: &WorkerCounters) {
        counters.stage(stage).packets.add(packets as u64);
    }
}

/// Counts packets and the time since the stage before.
#[derive(Debug)]
pub struct Timed<F> {
    now: F,
    last: Time,
}

impl<F: FnMut() -> Time> Timed<F> {
    /// Starts now.
    pub fn start(mut now: F) -> Self {
        let last = now();
        Self { now, last }
    }
}

impl<F: FnMut() -> Time> StageTimer for Timed<F> {
    fn skip(&mut self) {
        self.last = (self.now)();
    }

    fn ended(&mut self, stage: Stage, packets: usize, counters: &WorkerCounters) {
        let now = (self.now)();
        let counters = counters.stage(stage);
        counters.packets.add(packets as u64);
        counters.timed_packets.add(packets as u64);
        let spent = now.since(self.last).as_nanos();
        counters.timed_nanos.add(u64::try_from(spent).unwrap_or(u64::MAX));
        self.last = now;
    }
}
