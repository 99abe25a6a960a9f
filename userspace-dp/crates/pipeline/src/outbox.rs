//! Where finished packets wait for the worker loop to move them on.
//!
//! Every queue has a fixed capacity and is allocated at the start. What does not fit is a counted drop of the
//! newest; what was accepted stays in order. What a device takes nothing of goes after a short time, so that a device
//! that is stuck holds no frames that others need.

use core::time::Duration;
use std::collections::VecDeque;

use arrayvec::ArrayVec;
use clock::Time;
use io::{Burst, FramePool, Port};
use route::InterfaceId;
use telemetry::{Reason, WorkerCounters};

use crate::handshake::HandshakeEvent;
use crate::packet::{Ingress, Outgoing};
use crate::snapshot::{PortId, WorkerId};

/// Events for the control thread that one burst may cause.
pub const EVENTS_MAX: usize = 64;
/// Of these, the places that only next hops that packets wait for may take.
const RESERVED_FOR_MISSING: usize = 24;

/// A device that takes nothing for so long is stuck, and nothing waits for it. Rings of common sizes drain in a
/// fraction of that on the slowest links.
const STUCK_AFTER: Duration = Duration::from_millis(100);

/// What the control thread should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlEvent {
    /// Packets wait for this next hop to answer.
    NeighbourMissing(InterfaceId, core::net::IpAddr),
    /// Packets went to this next hop lately.
    NeighbourUsed(InterfaceId, core::net::IpAddr),
    /// A framed application message of a peer that is configured for it.
    ApplicationMessage(crate::snapshot::PeerIndex),
}

/// Finished packets of one worker.
#[derive(Debug)]
pub struct Outbox {
    ports: Box<[Lane]>,
    capacity: usize,
    /// Packets for other workers, with the worker.
    pub hand_off: VecDeque<(WorkerId, Ingress)>,
    /// Packets for the kernel.
    pub punt: VecDeque<Outgoing>,
    /// Events for the control thread.
    pub events: ArrayVec<ControlEvent, EVENTS_MAX>,
    /// Handshake datagrams and requests for the handshake thread.
    pub handshakes: VecDeque<HandshakeEvent>,
}

/// What waits for a device.
#[derive(Debug)]
struct Lane {
    waiting: VecDeque<Outgoing>,
    /// Since when it waits without the device taking anything.
    stuck_since: Option<Time>,
}

impl Lane {
    fn discard(&mut self, reason: Reason, sink: &mut Sink<'_>) {
        for outgoing in self.waiting.drain(..) {
            sink.discard(outgoing.frame, reason);
        }
    }
}

impl Outbox {
    /// An outbox for `ports` devices that keeps up to `capacity` frames for each.
    pub fn new(ports: usize, capacity: usize) -> Self {
        Self {
            ports: (0..ports)
                .map(|_| Lane { waiting: VecDeque::with_capacity(capacity), stuck_since: None })
                .collect(),
            capacity,
            hand_off: VecDeque::with_capacity(capacity),
            punt: VecDeque::with_capacity(capacity),
            events: ArrayVec::new(),
            handshakes: VecDeque::with_capacity(capacity),
        }
    }

    /// Queues a frame for `port`; a full queue drops it, counted.
    pub fn transmit(&mut self, port: PortId, outgoing: Outgoing, sink: &mut Sink<'_>) {
        match self.ports.get_mut(usize::from(port.0)) {
            Some(lane) if lane.waiting.len() < self.capacity => lane.waiting.push_back(outgoing),
            Some(_) | None => sink.discard(outgoing.frame, Reason::TransmitRingFull),
        }
    }

    /// Queues a packet for another worker; a full queue drops it, counted.
    pub fn hand_off(&mut self, worker: WorkerId, packet: Ingress, sink: &mut Sink<'_>) {
        if self.hand_off.len() < self.capacity {
            self.hand_off.push_back((worker, packet));
        } else {
            sink.discard(packet.frame, Reason::HandOffRingFull);
        }
    }

    /// Queues a packet for the kernel; a full queue drops it, counted.
    pub fn punt(&mut self, outgoing: Outgoing, sink: &mut Sink<'_>) {
        if self.punt.len() < self.capacity {
            self.punt.push_back(outgoing);
        } else {
            sink.discard(outgoing.frame, Reason::SlowPathFull);
        }
    }

    /// Notes an event; without room it is lost and counted. Some room is kept for next hops that packets wait for.
    pub fn event(&mut self, event: ControlEvent, counters: &WorkerCounters) {
        let reserved = match event {
            ControlEvent::NeighbourMissing(..) => 0,
            ControlEvent::NeighbourUsed(..) | ControlEvent::ApplicationMessage(_) => {
                RESERVED_FOR_MISSING
            }
        };
        if self.events.remaining_capacity() <= reserved || self.events.try_push(event).is_err() {
            counters.events_lost.bump();
        }
    }

    /// Notes that packets wait for a next hop.
    pub fn neighbour_missing(
        &mut self,
        interface: InterfaceId,
        address: core::net::IpAddr,
        counters: &WorkerCounters,
    ) {
        self.event(ControlEvent::NeighbourMissing(interface, address), counters);
    }

    /// Notes that packets go to a next hop.
    pub fn neighbour_used(
        &mut self,
        interface: InterfaceId,
        address: core::net::IpAddr,
        counters: &WorkerCounters,
    ) {
        self.event(ControlEvent::NeighbourUsed(interface, address), counters);
    }

    /// Queues an event for the handshake thread; without room it is lost and counted.
    pub fn handshake(&mut self, event: HandshakeEvent, counters: &WorkerCounters) {
        if self.handshakes.len() < self.capacity {
            self.handshakes.push_back(event);
        } else {
            counters.count_drop(Reason::WgHandshakeQueueFull, 1);
        }
    }

    /// Whether frames wait for `port`.
    pub fn waits_for(&self, port: PortId) -> bool {
        self.ports.get(usize::from(port.0)).is_some_and(|lane| !lane.waiting.is_empty())
    }

    /// Takes the oldest frame that waits for `port`, for whoever has no device to flush to.
    pub fn pop(&mut self, port: PortId) -> Option<Outgoing> {
        self.ports.get_mut(usize::from(port.0))?.waiting.pop_front()
    }

    /// Moves what `device` has room for onto its transmit ring, oldest first. Calls `sent` for each run of
    /// frames that arrived at one time: with that time, and their number and bytes.
    pub fn flush(
        &mut self,
        port: PortId,
        device: &mut impl Port,
        now: Time,
        mut sent: impl FnMut(Time, u64, u64),
    ) {
        let Some(lane) = self.ports.get_mut(usize::from(port.0)) else { return };
        let Lane { waiting: queue, stuck_since } = lane;
        while !queue.is_empty() {
            let mut burst = Burst::new();
            let mut notes = ArrayVec::<(Time, u64), { io::BURST }>::new();
            while !burst.is_full() {
                let Some(outgoing) = queue.pop_front() else { break };
                notes.push((outgoing.arrived, outgoing.frame.len() as u64));
                burst.push(outgoing.frame);
            }
            let queued = device.transmit(&mut burst);
            if queued > 0 {
                *stuck_since = None;
            }
            let stuck = !burst.is_empty();
            while let Some(frame) = burst.pop() {
                let arrived = notes.pop().map_or(now, |(arrived, _)| arrived);
                queue.push_front(Outgoing { frame, arrived });
            }
            for run in notes.chunk_by(|one, next| one.0 == next.0) {
                let Some((arrived, _)) = run.first() else { continue };
                sent(*arrived, run.len() as u64, run.iter().map(|(_, length)| length).sum());
            }
            if stuck {
                stuck_since.get_or_insert(now);
                return;
            }
        }
        *stuck_since = None;
    }

    /// Drops what waits for `port`.
    pub fn discard(&mut self, port: PortId, reason: Reason, sink: &mut Sink<'_>) {
        if let Some(lane) = self.ports.get_mut(usize::from(port.0)) {
            lane.discard(reason, sink);
        }
    }

    /// Drops what waits for devices that are stuck, and goes on so until they take something again.
    pub fn discard_stuck(&mut self, now: Time, sink: &mut Sink<'_>) {
        for lane in &mut self.ports {
            if lane.stuck_since.is_some_and(|since| now.since(since) >= STUCK_AFTER) {
                lane.discard(Reason::TransmitRingFull, sink);
            }
        }
    }

    /// Frames in all queues.
    pub fn frames(&self) -> usize {
        self.ports.iter().map(|lane| lane.waiting.len()).sum::<usize>()
            + self.hand_off.len()
            + self.punt.len()
    }

    /// Gives every frame back, counted as dropped at the end.
    pub fn clear(&mut self, sink: &mut Sink<'_>) {
        for lane in &mut self.ports {
            lane.discard(Reason::Shutdown, sink);
        }
        for (_, packet) in self.hand_off.drain(..) {
            sink.discard(packet.frame, Reason::Shutdown);
        }
        for outgoing in self.punt.drain(..) {
            sink.discard(outgoing.frame, Reason::Shutdown);
        }
    }
}

/// Where frames go that go nowhere: back to the pool, counted.
#[derive(Debug)]
pub struct Sink<'a> {
    /// The worker's free frames.
    pub pool: &'a mut FramePool,
    /// The worker's counters.
    pub counters: &'a WorkerCounters,
}

impl Sink<'_> {
    /// Drops the packet in `frame` for `reason`.
    pub fn discard(&mut self, frame: io::Frame, reason: Reason) {
        self.counters.count_drop(reason, 1);
        self.pool.put(frame);
    }
}
