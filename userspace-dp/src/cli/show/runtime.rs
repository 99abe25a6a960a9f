//! `show runtime`: what each worker does, what each stage costs, how long packets take.

use super::{cell, optional};
use crate::api::{Runtime, WorkerRuntime};
use crate::cli::colour::Paint;
use crate::cli::format::{nanoseconds, per, percent};
use crate::cli::table::{Table, number, text};

pub(super) fn render(runtime: &Runtime, paint: Paint) -> String {
    [workers(runtime, paint), stages(runtime, paint), latency(runtime, paint)].join("\n")
}

fn workers(runtime: &Runtime, paint: Paint) -> String {
    let mut table = Table::new([
        number("worker"),
        number("cpu"),
        text("state"),
        number("received"),
        number("sent"),
        number("dropped"),
        number("handed over"),
        number("taken over"),
        number("to kernel"),
        number("from kernel"),
        number("replies"),
        number("packets/burst"),
        number("busy"),
        number("generation"),
    ]);
    for worker in &runtime.workers {
        table.row([
            cell(worker.worker),
            optional(worker.cpu),
            if worker.alive { "alive" } else { "DEAD" }.to_owned(),
            cell(worker.rx_packets),
            cell(worker.tx_packets),
            cell(worker.drops),
            cell(worker.handed_over),
            cell(worker.taken_over),
            cell(worker.punted),
            cell(worker.injected),
            cell(worker.replies),
            per(worker.rx_packets + worker.taken_over + worker.injected, worker.bursts),
            percent(worker.busy_ns, worker.busy_ns.saturating_add(worker.idle_ns)),
            cell(worker.generation),
        ]);
    }
    table.render(paint)
}

fn stages(runtime: &Runtime, paint: Paint) -> String {
    let columns = [
        number("worker"),
        text("stage"),
        number("packets"),
        number("dropped"),
        number("ns/packet"),
    ];
    let mut table = Table::new(columns);
    let all = runtime.workers.iter();
    for (worker, stage) in all.flat_map(|worker| worker.stages.iter().map(move |s| (worker, s))) {
        table.row([
            cell(worker.worker),
            stage.stage.clone(),
            cell(stage.packets),
            cell(stage.drops),
            per(stage.timed_ns, stage.timed_packets),
        ]);
    }
    table.render(paint)
}

fn latency(runtime: &Runtime, paint: Paint) -> String {
    let columns = [
        number("worker"),
        number("samples"),
        number("p50"),
        number("p99"),
        number("p99.9"),
        number("max"),
    ];
    let mut table = Table::new(columns);
    for WorkerRuntime { worker, latency, .. } in &runtime.workers {
        // Without a sample nothing is known, which is not the same as no time.
        let time = |ns| if latency.count == 0 { String::new() } else { nanoseconds(ns) };
        table.row([
            cell(*worker),
            cell(latency.count),
            time(latency.p50_ns),
            time(latency.p99_ns),
            time(latency.p999_ns),
            time(latency.max_ns),
        ]);
    }
    table.render(paint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Latency, StageCost};

    #[test]
    fn workers_stages_and_latency_are_three_tables() {
        let stage = |stage: &str, packets, timed_packets, timed_ns| StageCost {
            stage: stage.into(),
            packets,
            drops: 0,
            timed_packets,
            timed_ns,
        };
        let worker = WorkerRuntime {
            worker: 0,
            cpu: Some(3),
            alive: true,
            rx_packets: 640,
            rx_bytes: 64_000,
            tx_packets: 600,
            tx_bytes: 60_000,
            drops: 40,
            bursts: 20,
            turns: 1000,
            busy_ns: 250,
            idle_ns: 750,
            handed_over: 5,
            taken_over: 6,
            punted: 7,
            injected: 8,
            replies: 9,
            generation: 2,
            stages: vec![stage("parse", 640, 64, 704), stage("egress", 0, 0, 0)],
            latency: Latency {
                count: 64,
                p50_ns: 900,
                p99_ns: 4_200,
                p999_ns: 61_000,
                max_ns: 1_200_000,
            },
        };
        let expected = "\
worker  cpu  state  received  sent  dropped  handed over  taken over  to kernel  from kernel  replies  packets/burst   busy  generation
     0    3  alive       640   600       40            5           6          7            8        9           32.7  25.0%           2

worker  stage   packets  dropped  ns/packet
     0  parse       640        0       11.0
     0  egress        0        0          -

worker  samples    p50    p99   p99.9    max
     0       64  900ns  4.2us  61.0us  1.2ms
";
        let runtime = Runtime { taken_at_unix: 0, workers: vec![worker] };
        assert_eq!(render(&runtime, Paint::Plain), expected);
    }
}
