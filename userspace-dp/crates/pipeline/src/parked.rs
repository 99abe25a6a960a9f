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

/// What a packet waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    /// The interface that it leaves by.
    pub(crate) interface: InterfaceId,
    /// The next hop there.
    pub(crate) address: IpAddr,
    /// Since when it waits.
    pub(crate) since: Time,
}

/// The packets of one worker that wait for next hops.
#[derive(Debug)]
pub(crate) struct Parked {
    frames: HeldFrames<Waiting>,
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

    /// Keeps `frame`, an IP packet.
    pub(crate) fn park(
        &mut self,
        waiting: Waiting,
        frame: Frame,
        arrived: Time,
        sink: &mut Sink<'_>,
    ) {
        let held = HeldFrame { frame, arrived, note: waiting };
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
        let oldest = self.frames.front(&self.queue).map(|held| held.note.since);
        if oldest.is_some_and(|since| now.since(since) >= self.patience) {
            self.look(snapshot, now, sink, out);
        } else {
            self.poll_new(snapshot, now, sink, out);
        }
    }

    /// The same, unless nothing can have changed since it was last looked at.
    #[inline]
    pub(crate) fn poll_new(
        &mut self,
        snapshot: &Snapshot,
        now: Time,
        sink: &mut Sink<'_>,
        out: &mut Outbox,
    ) {
        if self.looked_at != snapshot.path_generation {
            self.look(snapshot, now, sink, out);
        }
    }

    fn look(&mut self, snapshot: &Snapshot, now: Time, sink: &mut Sink<'_>, out: &mut Outbox) {
        self.looked_at = snapshot.path_generation;
        for _ in 0..self.queue.len() {
            let Some(held) = self.frames.pop(&mut self.queue) else { return };
            let Waiting { interface, address, since } = held.note;
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
            } else if now.since(since) >= self.patience {
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
