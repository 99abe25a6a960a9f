//! Packets that wait for their next hop to answer: for a bounded time, and a bounded number.
//!
//! Each next hop has a share, and when the store is full one that waits already makes room, so that a scan of
//! addresses that do not exist neither fills the store for good nor turns away who talks to hosts that answer.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::HashMap;

use arrayvec::ArrayVec;
use clock::Time;
use io::BURST;
use route::{InterfaceId, NeighbourState};
use telemetry::Reason;
use wire::Mac;

use crate::held::{HeldFrame, HeldFrames, HeldQueue};
use crate::in_use::NeighboursInUse;
use crate::next_hop;
use crate::outbox::{Outbox, Sink};
use crate::packet::{Origin, Outgoing, Verdict};
use crate::snapshot::Snapshot;

/// Packets that may wait for one next hop.
///
/// What needs the room is a neighbour that vanishes under traffic. It is back after some 10 ms, most of which goes
/// into gathering the kernel's reports for two snapshots: this many packets last for 6,000 a second, 75 Mbit/s of
/// full size. It is a quarter of `limits.parked_packets` as that comes, so one next hop leaves room for others, and
/// of the order of what the kernel holds itself (101). A host that never answered needs less: a first flight is ten
/// packets (RFC 6928), and senders repeat what was lost.
pub(crate) const PARKED_PER_NEXT_HOP: usize = 64;

/// What packets wait for: the interface that they leave by, and the next hop there.
pub(crate) type Awaited = (InterfaceId, IpAddr);

/// What is noted about a packet that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    /// Since when.
    pub(crate) since: Time,
    /// Where it came from, when its sender is to hear that nobody answers. A packet of the gateway itself, a sealed
    /// one among them, has no such sender.
    pub(crate) origin: Option<Origin>,
}

/// Packets whose next hop did not answer in time.
pub(crate) type GivenUp = ArrayVec<HeldFrame<Waiting>, BURST>;

/// The packets of one worker that wait for next hops.
#[derive(Debug)]
pub(crate) struct Parked {
    frames: HeldFrames<Waiting>,
    /// The next hops that packets wait for, in no order; each has some.
    hops: Vec<Hop>,
    /// Where they are among `hops`.
    places: HashMap<Awaited, usize>,
    /// The place of the next one to give a packet up when there is no room.
    gives_way: usize,
    /// How long a packet waits for its next hop.
    patience: Duration,
    /// No packet waits since earlier.
    oldest: Time,
    /// The path generation that the packets were last compared with.
    looked_at: u64,
}

#[derive(Debug)]
struct Hop {
    awaited: Awaited,
    queue: HeldQueue,
}

impl Parked {
    pub(crate) fn new(capacity: usize, patience: Duration) -> Self {
        Self {
            frames: HeldFrames::new(capacity),
            hops: Vec::with_capacity(capacity),
            // Twice the room, so that it is tidied in place and never grows.
            places: HashMap::with_capacity(2 * capacity),
            gives_way: 0,
            patience,
            oldest: Time::NEVER,
            looked_at: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    /// Keeps an IP packet. Beyond its next hop's share the oldest of those goes, and without room the oldest of
    /// another one, each in its turn.
    pub(crate) fn park(&mut self, awaited: Awaited, held: HeldFrame<Waiting>, sink: &mut Sink<'_>) {
        let since = held.note.since;
        let place = self.places.get(&awaited).copied();
        if let Some(hop) = place.and_then(|place| self.hops.get_mut(place))
            && hop.queue.len() >= PARKED_PER_NEXT_HOP
        {
            if let Some(oldest) = self.frames.pop(&mut hop.queue) {
                sink.discard(oldest.frame, Reason::NeighbourQueueFull);
            }
        } else if self.frames.is_full() {
            self.make_room(sink);
        }
        // Making room may have moved it or ended it.
        let place = self.places.get(&awaited).copied();
        let kept = if let Some(hop) = place.and_then(|place| self.hops.get_mut(place)) {
            self.frames.push(&mut hop.queue, held)
        } else {
            let mut queue = HeldQueue::EMPTY;
            let kept = self.frames.push(&mut queue, held);
            if kept.is_ok() {
                self.places.insert(awaited, self.hops.len());
                self.hops.push(Hop { awaited, queue });
            }
            kept
        };
        match kept {
            Ok(()) => self.oldest = self.oldest.min(since),
            Err(held) => sink.discard(held.frame, Reason::NeighbourQueueFull),
        }
    }

    fn make_room(&mut self, sink: &mut Sink<'_>) {
        if self.gives_way >= self.hops.len() {
            self.gives_way = 0;
        }
        let place = self.gives_way;
        let Some(hop) = self.hops.get_mut(place) else { return };
        if let Some(oldest) = self.frames.pop(&mut hop.queue) {
            sink.discard(oldest.frame, Reason::NeighbourQueueFull);
        }
        self.forget_empty(place);
        self.gives_way = place + 1;
    }

    /// Forgets the next hop at `place` when nothing waits for it any more; the last one takes its place.
    fn forget_empty(&mut self, place: usize) -> bool {
        if self.hops.get(place).is_none_or(|hop| !hop.queue.is_empty()) {
            return false;
        }
        let gone = self.hops.swap_remove(place);
        self.places.remove(&gone.awaited);
        if let Some(moved) = self.hops.get(place) {
            self.places.insert(moved.awaited, place);
        }
        true
    }

    /// Whether next hops may have answered since the packets were last looked at.
    #[inline]
    pub(crate) fn has_news(&self, snapshot: &Snapshot) -> bool {
        self.looked_at != snapshot.path_generation
    }

    /// Whether some packet may have waited too long.
    pub(crate) fn is_overdue(&self, now: Time) -> bool {
        !self.hops.is_empty() && now.since(self.oldest) >= self.patience
    }

    /// Sends on what can go by now, and hands out what has waited too long, up to a burst of it. Packets for one
    /// next hop stay in order.
    pub(crate) fn look(
        &mut self,
        in_use: &mut NeighboursInUse,
        snapshot: &Snapshot,
        now: Time,
        sink: &mut Sink<'_>,
        out: &mut Outbox,
    ) -> GivenUp {
        let mut given_up = GivenUp::new();
        self.looked_at = snapshot.path_generation;
        self.oldest = Time::NEVER;
        let mut place = 0;
        while let Some(hop) = self.hops.get_mut(place) {
            let (interface, address) = hop.awaited;
            let known = known(snapshot, interface, address);
            if known.is_some() {
                in_use.found(interface, address);
            }
            while let Some(since) = self.frames.front(&hop.queue).map(|held| held.note.since) {
                let waits = now.since(since) < self.patience || given_up.is_full();
                if known.is_none() && waits {
                    self.oldest = self.oldest.min(since);
                    break;
                }
                let Some(held) = self.frames.pop(&mut hop.queue) else { break };
                match known {
                    Some(mac) => send(held, interface, mac, snapshot, sink, out),
                    None => given_up.push(held),
                }
            }
            if !self.forget_empty(place) {
                place += 1;
            }
        }
        given_up
    }

    /// Drops everything, at the end.
    pub(crate) fn clear(&mut self, sink: &mut Sink<'_>) {
        for mut hop in self.hops.drain(..) {
            while let Some(held) = self.frames.pop(&mut hop.queue) {
                sink.discard(held.frame, Reason::Shutdown);
            }
        }
        self.places.clear();
    }
}

/// The hardware address of a next hop, once it has answered.
fn known(snapshot: &Snapshot, interface: InterfaceId, address: IpAddr) -> Option<Mac> {
    let neighbour = snapshot.neighbours.get(interface, address)?;
    match neighbour.state {
        NeighbourState::Reachable | NeighbourState::Stale => Some(neighbour.mac),
        NeighbourState::Incomplete | NeighbourState::Failed => None,
    }
}

/// Sends on a packet whose next hop has answered.
fn send(
    held: HeldFrame<Waiting>,
    interface: InterfaceId,
    mac: Mac,
    snapshot: &Snapshot,
    sink: &mut Sink<'_>,
    out: &mut Outbox,
) {
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
}
