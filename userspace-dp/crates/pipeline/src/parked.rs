//! Packets that wait for their next hop to answer: for a bounded time, and a bounded number.

use core::net::IpAddr;
use core::time::Duration;

use clock::Time;
use io::Frame;
use route::{InterfaceId, NeighbourState};
use telemetry::Reason;

use crate::held::{HeldFrame, HeldFrames, HeldQueue};
use crate::next_hop;
use crate::outbox::{Outbox, Sink};
use crate::packet::{Outgoing, Verdict};
use crate::snapshot::Snapshot;

/// The packets of one worker that wait for next hops.
#[derive(Debug)]
pub(crate) struct Parked {
    frames: HeldFrames<(InterfaceId, IpAddr)>,
    queue: HeldQueue,
    /// How long a packet waits for its next hop.
    patience: Duration,
    /// The path generation that the queue was last compared with.
    looked_at: u64,
}

impl Parked {
    pub(crate) fn new(capacity: usize, patience: Duration) -> Self {
        let frames = HeldFrames::new(capacity);
        Self { frames, queue: HeldQueue::EMPTY, patience, looked_at: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    /// Keeps `frame`, an IP packet for `address` on `interface`.
    pub(crate) fn park(
        &mut self,
        interface: InterfaceId,
        address: IpAddr,
        frame: Frame,
        arrived: Time,
        sink: &mut Sink<'_>,
    ) {
        let held = HeldFrame { frame, arrived, note: (interface, address) };
        if let Err(held) = self.frames.push(&mut self.queue, held) {
            sink.discard(held.frame, Reason::NeighbourQueueFull);
        }
    }

    /// Sends on what can go by now, and drops what has waited too long. Packets stay in order.
    pub(crate) fn poll(
        &mut self,
        snapshot: &Snapshot,
        now: Time,
        sink: &mut Sink<'_>,
        out: &mut Outbox,
    ) {
        let expired =
            self.frames.front(&self.queue).is_some_and(|held| now.since(held.arrived) >= self.patience);
        if !expired && self.looked_at == snapshot.path_generation {
            return;
        }
        self.looked_at = snapshot.path_generation;
        for _ in 0..self.queue.len() {
            let Some(held) = self.frames.pop(&mut self.queue) else { return };
            let (interface, address) = held.note;
            let known = snapshot.neighbours.get(interface, address).and_then(|neighbour| {
                match neighbour.state {
                    NeighbourState::Reachable | NeighbourState::Stale => Some(neighbour.mac),
                    NeighbourState::Incomplete | NeighbourState::Failed => None,
                }
            });
            if let Some(mac) = known {
                let HeldFrame { mut frame, arrived, .. } = held;
                match next_hop::link_to(&mut frame, interface, mac, snapshot) {
                    Verdict::Forward(port) => out.transmit(port, Outgoing { frame, arrived }, sink),
                    Verdict::Drop(reason) => sink.discard(frame, reason),
                    Verdict::Pending
                    | Verdict::HandOff(..)
                    | Verdict::Punt
                    | Verdict::AwaitSession(_)
                    | Verdict::AwaitNeighbour(..)
                    | Verdict::Consumed => sink.discard(frame, Reason::Undecided),
                }
            } else if now.since(held.arrived) >= self.patience {
                sink.discard(held.frame, Reason::NeighbourTimeout);
            } else if let Err(held) = self.frames.push(&mut self.queue, held) {
                sink.discard(held.frame, Reason::NeighbourQueueFull);
            }
        }
    }

    /// Drops everything, at the end.
    pub(crate) fn clear(&mut self, sink: &mut Sink<'_>) {
        while let Some(held) = self.frames.pop(&mut self.queue) {
            sink.discard(held.frame, Reason::Shutdown);
        }
    }
}
