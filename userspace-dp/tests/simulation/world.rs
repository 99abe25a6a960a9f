//! The gateway, its cables, its peers and its hosts, and how they take turns.

mod accounts;
mod faulty_queue;
mod making;

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use clock::{Clock, Time, Virtual};
use io::memory::{MemoryPort, Station};
use io::{Faults, FramePool, Umem};
use pipeline::testing::{LAN, WAN, outer_datagram};
use pipeline::{ControlEvent, Entry, Ingress, PortId};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use ringwall::runtime::alloc_guard;
use ringwall::runtime::handshake::HandshakeThread;
use ringwall::runtime::mesh::MeshSeat;
use ringwall::runtime::publish::Publisher;
use ringwall::runtime::worker::Worker;
use telemetry::WorkerCounters;
use wireguard::PeerHandle;

use crate::client::{Gateway as Client, wall};
use faulty_queue::{FaultHandle, Queue};

/// How the gateway is made.
#[derive(Clone, Copy)]
pub struct Plan {
    pub workers: u16,
    pub frames_per_worker: u32,
    pub ring: u32,
    pub mesh: usize,
    pub outbox: usize,
    /// Whether an allocation within a worker's turn is a failure.
    pub forbid_allocation: bool,
}

impl Plan {
    pub const STANDARD: Self = Self {
        workers: 1,
        frames_per_worker: 4096,
        ring: 512,
        mesh: 512,
        outbox: 512,
        forbid_allocation: false,
    };
}

/// A peer of the tunnel: the client, and the gateway as it knows it.
pub struct Peer {
    pub client: Client,
    pub gateway: PeerHandle,
}

pub struct World {
    pub rng: StdRng,
    pub peers: Vec<Peer>,
    pub workers: u16,
    clock: Virtual,
    umem: Arc<Umem>,
    members: Vec<Worker<Queue>>,
    faults: Vec<FaultHandle>,
    /// By device and queue.
    stations: BTreeMap<(PortId, u16), Station<MemoryPort>>,
    slow_path: MeshSeat,
    slow_path_pool: FramePool,
    handshakes: HandshakeThread,
    handshake_counters: Arc<WorkerCounters>,
    events: Vec<rtrb::Consumer<ControlEvent>>,
    /// Keeps the snapshot.
    _publisher: Publisher,
    order: Vec<usize>,
    forbid_allocation: bool,
}

impl World {
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// A frame for the gateway by one queue of a device. False when the cable has no room.
    pub fn send(&mut self, port: PortId, queue: u16, frame: &[u8]) -> bool {
        let station = self.stations.get_mut(&(port, queue)).expect("a queue");
        station.send(frame).expect("no longer than a frame")
    }

    /// A packet of the gateway's own kernel for a tunnel, by way of a worker.
    pub fn send_from_kernel(&mut self, worker: usize, packet: &[u8]) {
        let mut frame = self.slow_path_pool.take().expect("a frame");
        frame.fill(packet).expect("no longer than a frame");
        let packet = Ingress { frame, entry: Entry::Local, arrived: self.now(), hops: 0 };
        assert!(self.slow_path.hand_over(worker, packet).is_ok());
    }

    /// Datagrams of a peer, by the queue that its packets are hashed to.
    pub fn send_from_peer(
        &mut self,
        peer: usize,
        datagrams: Vec<crate::client::Datagram>,
        queue: u16,
    ) -> usize {
        let from = self.peers[peer].client.address;
        let frames: Vec<Vec<u8>> = datagrams
            .iter()
            .map(|datagram| outer_datagram(from, datagram.to, &datagram.bytes).frame())
            .collect();
        frames.iter().filter(|frame| self.send(WAN, queue, frame)).count()
    }

    /// One turn of everybody, in random order, a millisecond long.
    pub fn step(&mut self) {
        self.step_some(|_| true);
    }

    /// The same with only those workers that `takes_turn` names.
    pub fn step_some(&mut self, takes_turn: impl Fn(usize) -> bool) {
        self.order.shuffle(&mut self.rng);
        let now = self.now();
        for position in 0..self.order.len() {
            let worker = self.order[position];
            if !takes_turn(worker) {
                continue;
            }
            let (member, clock) = (&mut self.members[worker], &self.clock);
            if self.forbid_allocation {
                alloc_guard::forbid(|| member.turn(now, clock));
            } else {
                member.turn(now, clock);
            }
        }
        self.handshakes.turn(now, wall(now));
        self.slow_path.settle(&mut self.slow_path_pool);
        let pool = &mut self.slow_path_pool;
        self.slow_path.take_over(64, |packet| pool.put(packet.frame));
        for events in &mut self.events {
            while events.pop().is_ok() {}
        }
        self.clock.advance(Duration::from_millis(1));
        for peer in 0..self.peers.len() {
            let due = self.peers[peer].client.turn(now);
            let queue = self.queue_of(peer);
            self.send_from_peer(peer, due, queue);
        }
    }

    /// The queue that a peer's outer packets come by.
    pub fn queue_of(&self, peer: usize) -> u16 {
        (peer as u16 * 3 + 1) % self.workers
    }

    /// What reached the far ends of a device's cables.
    pub fn received(&mut self, port: PortId) -> Vec<Vec<u8>> {
        let of_port = self.stations.iter_mut().filter(|((device, _), _)| *device == port);
        of_port.flat_map(|(_, station)| station.receive_all()).collect()
    }

    /// Lets time pass with a turn every 10 ms; peers get what is for them.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now() + time;
        while self.now() < end {
            self.step();
            self.deliver_to_peers();
            self.clock.advance(Duration::from_millis(9));
        }
    }

    /// Gives peers the tunnel packets for them; other frames of the WAN are returned.
    pub fn deliver_to_peers(&mut self) -> Vec<Vec<u8>> {
        let mut others = Vec::new();
        for frame in self.received(WAN) {
            let found = wire::parse(&frame).ok().and_then(|parsed| {
                let peer = self.peers.iter().position(|peer| {
                    let at = peer.client.address;
                    at.ip() == parsed.addresses.destination()
                        && parsed.transport.ports().is_some_and(|ports| ports.1 == at.port())
                })?;
                let gateway =
                    SocketAddr::new(parsed.addresses.source(), parsed.transport.ports()?.0);
                let whole = datagram_is_whole(&frame, &parsed);
                Some((peer, gateway, frame.get(parsed.payload_range())?, whole))
            });
            let Some((peer, gateway, message, whole)) = found else {
                others.push(frame);
                continue;
            };
            if !whole {
                continue;
            }
            let now = self.now();
            let answers = self.peers[peer].client.receive(gateway, message, now);
            let queue = self.queue_of(peer);
            self.send_from_peer(peer, answers, queue);
        }
        others
    }

    /// Every peer gets a session, as initiator.
    pub fn warm_up(&mut self) {
        // The first turn fills the rings.
        self.step();
        let now = self.now();
        for peer in 0..self.peers.len() {
            let hello = crate::flows::Flow::ToHost(peer).packet(u64::MAX, false);
            let handle = self.peers[peer].gateway;
            let datagrams = self.peers[peer].client.send(handle, &hello, now);
            let queue = self.queue_of(peer);
            self.send_from_peer(peer, datagrams, queue);
        }
        self.pass(Duration::from_millis(500));
        let _ = self.received(LAN);
        assert!(
            self.peers.iter().all(|peer| peer.client.counts.sessions == 1),
            "every peer has a session"
        );
    }

    pub fn set_faults(&mut self, faults: Faults) {
        for port in &self.faults {
            port.borrow_mut().set_faults(faults, faults);
        }
    }
}

/// Whether a peer's own stack would accept the datagram. Over IPv6 the UDP checksum is all that covers the addresses,
/// and a client that took a damaged one would send to where no gateway is.
fn datagram_is_whole(frame: &[u8], parsed: &wire::Parsed) -> bool {
    const CHECKSUM: core::ops::Range<usize> = 6..8;
    if matches!(parsed.addresses, wire::Addresses::V4 { .. }) {
        return true;
    }
    let mut segment = frame[parsed.l4()..parsed.end()].to_vec();
    let found = segment[CHECKSUM].to_vec();
    segment[CHECKSUM].fill(0);
    let sum =
        wire::checksum::of_segment(&parsed.addresses, wire::protocol::UDP, &segment).to_be_bytes();
    found == sum
}
