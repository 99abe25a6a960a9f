//! What one worker counts.

use crossbeam_utils::CachePadded;

use crate::{Counter, Gauge, Histogram, Reason, Stage};

/// Work done in one stage.
#[derive(Debug, Default)]
pub struct StageCounters {
    /// Packets that the stage looked at.
    pub packets: Counter,
    /// Packets of the bursts that were timed (a sample of all).
    pub timed_packets: Counter,
    /// Nanoseconds spent on the timed bursts.
    pub timed_nanos: Counter,
}

/// Every count of one worker. The worker alone writes, but for `punted`; control reads.
#[derive(Debug)]
pub struct WorkerCounters {
    /// Frames taken from receive rings.
    pub received_packets: Counter,
    /// Bytes of those frames, link headers included.
    pub received_bytes: Counter,
    /// Frames put on transmit rings.
    pub transmitted_packets: Counter,
    /// Bytes of those frames, link headers included.
    pub transmitted_bytes: Counter,
    /// Bursts processed: of devices, of other workers, of the slow path.
    pub bursts: Counter,
    /// Turns of the poll loop.
    pub turns: Counter,
    /// Nanoseconds of turns that found work.
    pub busy_nanos: Counter,
    /// Nanoseconds of turns that found none, sleep included.
    pub idle_nanos: Counter,
    /// Frames handed to other workers.
    pub handed_over: Counter,
    /// Frames received from other workers; what the slow path hands over is `injected`.
    pub taken_over: Counter,
    /// Packets that the kernel took from the slow path, which writes this on a cache line of its own.
    pub punted: CachePadded<Counter>,
    /// Packets that came from the kernel through the slow path, by the worker that gets them first.
    pub injected: Counter,
    /// Replies built by the gateway (ICMP errors, resets).
    pub replies: Counter,
    /// Replies that were due but not sent, because the reply rate was spent.
    pub replies_limited: Counter,
    /// Handshake messages passed to the handshake thread.
    pub handshakes_admitted: Counter,
    /// Cookie replies sent to sources that had to prove their address.
    pub cookie_replies: Counter,
    /// Commands of the control and handshake threads carried out.
    pub commands: Counter,
    /// Events that the control ring had no room for.
    pub events_lost: Counter,
    /// The snapshot generation in use.
    pub generation: Gauge,
    /// Frames in the free list.
    pub frames_free: Gauge,
    /// Frames held for a neighbour or a session to appear.
    pub frames_held: Gauge,
    /// Frames owed to other workers for those that they handed over.
    pub frames_owed: Gauge,
    /// Per stage, in [`Stage::ALL`] order.
    pub stages: [StageCounters; Stage::COUNT],
    /// From the receive ring to the transmit ring, in nanoseconds.
    pub latency: Histogram,
    drops: Box<[Counter]>,
}

impl WorkerCounters {
    /// All counts at zero, on cache lines of their own.
    pub fn new() -> CachePadded<Self> {
        CachePadded::new(Self {
            received_packets: Counter::new(),
            received_bytes: Counter::new(),
            transmitted_packets: Counter::new(),
            transmitted_bytes: Counter::new(),
            bursts: Counter::new(),
            turns: Counter::new(),
            busy_nanos: Counter::new(),
            idle_nanos: Counter::new(),
            handed_over: Counter::new(),
            taken_over: Counter::new(),
            punted: CachePadded::new(Counter::new()),
            injected: Counter::new(),
            replies: Counter::new(),
            replies_limited: Counter::new(),
            handshakes_admitted: Counter::new(),
            cookie_replies: Counter::new(),
            commands: Counter::new(),
            events_lost: Counter::new(),
            generation: Gauge::new(),
            frames_free: Gauge::new(),
            frames_held: Gauge::new(),
            frames_owed: Gauge::new(),
            stages: Default::default(),
            latency: Histogram::default(),
            drops: Reason::all().map(|_| Counter::new()).collect(),
        })
    }

    /// Counts `packets` dropped for `reason`.
    #[inline]
    pub fn count_drop(&self, reason: Reason, packets: u64) {
        if let Some(counter) = self.drops.get(reason as usize) {
            counter.add(packets);
        }
    }

    /// Packets dropped for `reason` so far.
    pub fn dropped(&self, reason: Reason) -> u64 {
        self.drops.get(reason as usize).map_or(0, Counter::read)
    }

    /// Packets dropped for any reason so far.
    pub fn dropped_total(&self) -> u64 {
        self.drops.iter().map(Counter::read).sum()
    }

    /// The counters of `stage`.
    #[inline]
    pub fn stage(&self, stage: Stage) -> &StageCounters {
        &self.stages[stage as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drop_is_counted_under_its_reason_and_no_other() {
        let counters = WorkerCounters::new();
        for reason in Reason::all() {
            counters.count_drop(reason, 1);
            assert_eq!(counters.dropped(reason), 1, "{}", reason.name());
        }
        assert_eq!(counters.dropped_total(), Reason::all().count() as u64);
    }
}
