//! `show rings`: how full the rings are, and whether every frame is accounted for.

use io::{Census, PortStatistics};

use super::taken_at;
use crate::api::{FrameState, Handoff, Queue, RingLevel, Rings, WorkerFrames, XdpStatistics};
use crate::control::observer::{Observer, View};
use crate::runtime::shared::WorkerReport;

pub(super) fn rings(observer: &Observer) -> Rings {
    let view = observer.view();
    let reports = observer.reports();
    let mut frames = Vec::new();
    for (worker, report) in reports.iter().enumerate() {
        let Some(report) = report else { continue };
        frames.push(frame_row(worker as u32, report, observer));
    }
    Rings {
        taken_at_unix: taken_at(),
        queues: queues(&reports, &view),
        frames,
        handoffs: handoffs(&reports),
    }
}

/// The sockets of the workers that reported.
pub(crate) fn queues(reports: &[Option<WorkerReport>], view: &View) -> Vec<Queue> {
    let of_each = reports.iter().enumerate().flat_map(|(worker, report)| {
        report.iter().flat_map(move |report| queue_rows(worker as u32, report, view))
    });
    of_each.collect()
}

fn queue_rows(worker: u32, report: &WorkerReport, view: &View) -> Vec<Queue> {
    let row = |queue: &crate::runtime::shared::QueueReport| {
        let device = view.devices.get(usize::from(queue.port.0));
        let configured = view.loaded.config.interface.get(usize::from(queue.port.0));
        let size = |of: fn(&config::Interface) -> u32| configured.map_or(0, of);
        let census = queue.census;
        Queue {
            worker,
            interface: device.map(|device| device.found.name.clone()).unwrap_or_default(),
            queue: queue.queue,
            rx: level(census.receive, size(|interface| interface.rx_ring)),
            tx: level(census.transmit, size(|interface| interface.tx_ring)),
            fill: level(census.fill, size(|interface| interface.fill_ring)),
            completion: level(census.completion, size(|interface| interface.completion_ring)),
            kicks: queue.statistics.kicks,
            xdp: xdp(&queue.statistics),
        }
    };
    report.queues.iter().map(row).collect()
}

fn level(level: u64, size: u32) -> RingLevel {
    RingLevel { level: u32::try_from(level).unwrap_or(u32::MAX), size }
}

fn xdp(statistics: &PortStatistics) -> XdpStatistics {
    let (fill, transmit) =
        (statistics.fill_descriptors_refused, statistics.transmit_descriptors_refused);
    XdpStatistics {
        rx_dropped: statistics.receive_dropped,
        descs_refused: fill + transmit,
        rx_invalid_descs: fill,
        tx_invalid_descs: transmit,
        rx_ring_full: statistics.receive_ring_full,
        rx_fill_ring_empty_descs: statistics.fill_ring_empty,
        tx_ring_empty_descs: statistics.transmit_ring_empty,
    }
}

fn frame_row(worker: u32, report: &WorkerReport, observer: &Observer) -> WorkerFrames {
    let Census {
        free,
        fill,
        receive_driver,
        receive,
        held,
        transmit,
        transmit_driver,
        completion,
        recycle,
        retired,
        lost,
    } = report.census;
    let states = [
        ("free", free),
        ("fill", fill),
        ("rx-driver", receive_driver),
        ("rx", receive),
        ("held", held),
        ("tx", transmit),
        ("tx-driver", transmit_driver),
        ("completion", completion),
        ("recycle", recycle),
        ("retired", retired),
        ("lost", lost),
        ("lent", report.lent),
    ];
    // Frames of others that this worker has in hand count here; its own that others have in hand are lent.
    let given = observer.workers.get(worker as usize).map_or(0, |watched| watched.frames);
    let total = given + report.borrowed;
    let counted: u64 = states.iter().map(|(_, frames)| frames).sum();
    WorkerFrames {
        worker,
        states: states.map(|(state, frames)| FrameState { state: state.into(), frames }).into(),
        total,
        sums_up: counted == total,
    }
}

fn handoffs(reports: &[Option<WorkerReport>]) -> Vec<Handoff> {
    let mut rows = Vec::new();
    for (from, report) in reports.iter().enumerate() {
        let Some(report) = report else { continue };
        for (to, link) in report.handoffs.iter().enumerate().filter(|(to, _)| *to != from) {
            rows.push(Handoff {
                from: from as u32,
                to: to as u32,
                // The member after the last worker.
                slow_path: to == reports.len(),
                frames: link.handed_over,
                full: link.refused,
                ring: level(link.waiting as u64, link.capacity as u32),
            });
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::shared::LinkReport;

    #[test]
    fn the_member_after_the_last_worker_is_the_slow_path() {
        let link = |handed_over| LinkReport { handed_over, ..LinkReport::default() };
        let report = |handoffs: Vec<LinkReport>| WorkerReport {
            census: Census::EMPTY,
            queues: Vec::new(),
            lent: 0,
            borrowed: 0,
            handoffs,
            peers: Vec::new(),
        };
        let rows = handoffs(&[
            Some(report(vec![link(0), link(1), link(2)])),
            Some(report(vec![link(3), link(0), link(4)])),
        ]);
        let told: Vec<_> =
            rows.iter().map(|row| (row.from, row.to, row.slow_path, row.frames)).collect();
        assert_eq!(told, [(0, 1, false, 1), (0, 2, true, 2), (1, 0, false, 3), (1, 2, true, 4)]);
    }
}
