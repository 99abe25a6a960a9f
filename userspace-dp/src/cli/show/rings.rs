//! `show rings`: levels, what the kernel counts, where the frames are, hand-offs.

use super::cell;
use crate::api::{Queue, RingLevel, Rings};
use crate::cli::colour::{Paint, Tone};
use crate::cli::table::{Table, number, text};

pub(super) fn render(rings: &Rings, paint: Paint) -> String {
    let tables = [
        levels(rings, paint),
        statistics(rings, paint),
        frames(rings, paint),
        handoffs(rings, paint),
    ];
    tables.join("\n")
}

fn level(ring: RingLevel) -> String {
    format!("{}/{}", ring.level, ring.size)
}

fn levels(rings: &Rings, paint: Paint) -> String {
    let mut table = Table::new([
        number("worker"),
        text("interface"),
        number("queue"),
        number("receive"),
        number("transmit"),
        number("fill"),
        number("completion"),
        number("kicks"),
    ]);
    for queue in &rings.queues {
        table.row([
            cell(queue.worker),
            queue.interface.clone(),
            cell(queue.queue),
            level(queue.rx),
            level(queue.tx),
            level(queue.fill),
            level(queue.completion),
            cell(queue.kicks),
        ]);
    }
    table.render(paint)
}

fn statistics(rings: &Rings, paint: Paint) -> String {
    let mut table = Table::new([
        text("interface"),
        number("queue"),
        number("rx_dropped"),
        number("rx_ring_full"),
        number("rx_fill_ring_empty_descs"),
        number("rx_invalid_descs"),
        number("tx_invalid_descs"),
        number("tx_ring_empty_descs"),
    ]);
    for Queue { interface, queue, xdp, .. } in &rings.queues {
        table.row([
            interface.clone(),
            cell(*queue),
            cell(xdp.rx_dropped),
            cell(xdp.rx_ring_full),
            cell(xdp.rx_fill_ring_empty_descs),
            cell(xdp.rx_invalid_descs),
            cell(xdp.tx_invalid_descs),
            cell(xdp.tx_ring_empty_descs),
        ]);
    }
    table.render(paint)
}

/// The census: one line per worker, each state by name, since states differ between workers.
fn frames(rings: &Rings, paint: Paint) -> String {
    let columns = [number("worker"), number("frames"), text("sums up"), text("where")];
    let mut table = Table::new(columns);
    for worker in &rings.frames {
        let states: Vec<String> =
            worker.states.iter().map(|state| format!("{} {}", state.state, state.frames)).collect();
        let sums_up = if worker.sums_up { "yes" } else { "NO" };
        table.row([cell(worker.worker), cell(worker.total), sums_up.to_owned(), states.join(", ")]);
    }
    let mut text = table.render(paint);
    for worker in rings.frames.iter().filter(|worker| !worker.sums_up) {
        let line = format!("worker {}: frames are missing or counted twice", worker.worker);
        text.push_str(&paint.paint(Tone::Bad, &line));
        text.push('\n');
    }
    text
}

fn handoffs(rings: &Rings, paint: Paint) -> String {
    let columns = [
        number("from"),
        number("to"),
        number("frames"),
        number("dropped (full)"),
        number("in ring"),
    ];
    let mut table = Table::new(columns);
    for handoff in &rings.handoffs {
        table.row([
            cell(handoff.from),
            if handoff.slow_path { "slow path".to_owned() } else { cell(handoff.to) },
            cell(handoff.frames),
            cell(handoff.full),
            level(handoff.ring),
        ]);
    }
    table.render(paint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{FrameState, Handoff, WorkerFrames, XdpStatistics};

    #[test]
    fn levels_statistics_census_and_hand_offs_are_four_tables() {
        let ring = |level, size| RingLevel { level, size };
        let queue = Queue {
            worker: 0,
            interface: "eth0".into(),
            queue: 1,
            rx: ring(3, 2048),
            tx: ring(0, 2048),
            fill: ring(4000, 4096),
            completion: ring(0, 2048),
            kicks: 46,
            xdp: XdpStatistics { rx_ring_full: 5, ..XdpStatistics::default() },
        };
        let state = |state: &str, frames| FrameState { state: state.into(), frames };
        let frames = WorkerFrames {
            worker: 0,
            states: vec![state("free", 4093), state("fill", 4000), state("rx", 3)],
            total: 8192,
            sums_up: false,
        };
        let handoff = |to, slow_path, frames| Handoff {
            from: 0,
            to,
            slow_path,
            frames,
            full: 0,
            ring: ring(0, 2048),
        };
        let rings = Rings {
            taken_at_unix: 0,
            queues: vec![queue],
            frames: vec![frames],
            handoffs: vec![handoff(1, false, 9), handoff(2, true, 3)],
        };
        let expected = "\
worker  interface  queue  receive  transmit       fill  completion  kicks
     0  eth0           1   3/2048    0/2048  4000/4096      0/2048     46

interface  queue  rx_dropped  rx_ring_full  rx_fill_ring_empty_descs  rx_invalid_descs  tx_invalid_descs  tx_ring_empty_descs
eth0           1           0             5                         0                 0                 0                    0

worker  frames  sums up  where
     0    8192  NO       free 4093, fill 4000, rx 3
worker 0: frames are missing or counted twice

from         to  frames  dropped (full)  in ring
   0          1       9               0   0/2048
   0  slow path       3               0   0/2048
";
        assert_eq!(render(&rings, Paint::Plain), expected);
    }
}
