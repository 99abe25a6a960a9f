//! `show runtime`: what each worker did, and what each stage cost.

use hdrhistogram::Histogram;
use telemetry::{Reason, Stage, WorkerCounters};

use super::taken_at;
use crate::api::{Latency, Runtime, StageCost, WorkerRuntime};
use crate::control::observer::{Observer, WatchedWorker};

pub(super) fn runtime(observer: &Observer) -> Runtime {
    let workers = observer.workers.iter().enumerate();
    Runtime {
        taken_at_unix: taken_at(),
        workers: workers.map(|(number, worker)| row(number, worker, observer)).collect(),
    }
}

fn row(number: usize, worker: &WatchedWorker, observer: &Observer) -> WorkerRuntime {
    let counters = &worker.shared.counters;
    WorkerRuntime {
        worker: number as u32,
        cpu: u32::try_from(worker.cpu).ok(),
        alive: observer.is_alive(worker),
        rx_packets: counters.received_packets.read(),
        rx_bytes: counters.received_bytes.read(),
        tx_packets: counters.transmitted_packets.read(),
        tx_bytes: counters.transmitted_bytes.read(),
        drops: counters.dropped_total(),
        bursts: counters.bursts.read(),
        turns: counters.turns.read(),
        busy_ns: counters.busy_nanos.read(),
        idle_ns: counters.idle_nanos.read(),
        handed_over: counters.handed_over.read(),
        taken_over: counters.taken_over.read(),
        punted: counters.punted.read(),
        injected: counters.injected.read(),
        replies: counters.replies.read(),
        generation: counters.generation.read(),
        stages: Stage::ALL.iter().map(|&stage| cost(counters, stage)).collect(),
        latency: latency(counters),
    }
}

fn cost(counters: &WorkerCounters, stage: Stage) -> StageCost {
    let of_stage = Reason::all().filter(|reason| reason.stage() == stage);
    let counts = counters.stage(stage);
    StageCost {
        stage: stage.name().into(),
        packets: counts.packets.read(),
        drops: of_stage.map(|reason| counters.dropped(reason)).sum(),
        timed_packets: counts.timed_packets.read(),
        timed_ns: counts.timed_nanos.read(),
    }
}

/// Longer waits count as this: an hour.
const LATENCY_MAX_NS: u64 = 3_600_000_000_000;

/// Quantiles of the latency histogram, to the resolution of its buckets (6.25 %).
pub(crate) fn latency(counters: &WorkerCounters) -> Latency {
    let mut histogram: Histogram<u64> = match Histogram::new_with_max(LATENCY_MAX_NS, 3) {
        Ok(histogram) => histogram,
        // The bound and three digits are within what the library offers.
        Err(_) => return Latency { count: 0, p50_ns: 0, p99_ns: 0, p999_ns: 0, max_ns: 0 },
    };
    for (nanos, count) in counters.latency.read() {
        histogram.saturating_record_n(nanos, count);
    }
    Latency {
        count: histogram.len(),
        p50_ns: histogram.value_at_quantile(0.5),
        p99_ns: histogram.value_at_quantile(0.99),
        p999_ns: histogram.value_at_quantile(0.999),
        max_ns: histogram.max(),
    }
}
