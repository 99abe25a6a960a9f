//! The gateway, its cables, its peers and its hosts, and how they take turns.

use core::num::NonZeroU32;
use core::time::Duration;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use aead::{Aead, Choice};
use clock::{Clock, Rate, Time, Virtual};
use io::memory::{CableConfig, MemoryPort, Station, WhenFull, cable};
use io::ring::RingSize;
use io::{Census, Faults, Faulty, FramePool, Port, Umem, UmemConfig};
use pipeline::handshake::{HandshakeEvent, PeerCommand};
use pipeline::testing::{LAN, Network, PEERS, WAN, outer_datagram};
use pipeline::{
    ControlEvent, Outbox, PeerOwners, PortId, ReplyBudget, StateLimits, TunnelPeer, WorkerId,
    WorkerState,
};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use ringwall::runtime::alloc_guard;
use ringwall::runtime::handshake::{
    HandshakeParts, HandshakeThread, NewPeer, PeerSettings, WorkerLink,
};
use ringwall::runtime::mesh::{MeshSeat, mesh};
use ringwall::runtime::publish::Publisher;
use ringwall::runtime::shared::WorkerShared;
use ringwall::runtime::wake::{Waker, wake_pair};
use ringwall::runtime::worker::{Body, Device, Mailboxes, Worker};
use telemetry::{Reason, WorkerCounters};
use wireguard::{Gate, GateSettings, HandshakeSettings, Handshakes, PeerHandle, PrivateKey};

use crate::client::{Gateway as Client, START, wall};

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

type Queue = Box<dyn Port>;

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

/// A port whose faults can be changed while a worker owns it.
type FaultHandle = std::rc::Rc<std::cell::RefCell<Faulty<MemoryPort>>>;

struct Shared(FaultHandle, Arc<Umem>);

impl Port for Shared {
    fn receive(&mut self, burst: &mut io::Burst) -> usize {
        self.0.borrow_mut().receive(burst)
    }
    fn transmit(&mut self, burst: &mut io::Burst) -> usize {
        self.0.borrow_mut().transmit(burst)
    }
    fn reap(&mut self, pool: &mut FramePool) -> usize {
        self.0.borrow_mut().reap(pool)
    }
    fn refill(&mut self, pool: &mut FramePool) -> usize {
        self.0.borrow_mut().refill(pool)
    }
    fn kick(&mut self) -> io::Kick {
        self.0.borrow_mut().kick()
    }
    fn umem(&self) -> &Arc<Umem> {
        &self.1
    }
    fn statistics(&self) -> io::PortStatistics {
        self.0.borrow().statistics()
    }
    fn census(&self) -> Census {
        self.0.borrow().census()
    }
    fn as_fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        None
    }
}

impl World {
    pub fn new(plan: Plan, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let workers = usize::from(plan.workers);
        let frames = plan.frames_per_worker * (u32::from(plan.workers) + 1);
        let (umem, mut pool) = Umem::new(UmemConfig::with_frames(frames)).expect("memory");
        let waker = || wake_pair().expect("an event descriptor");
        let wakers: Vec<Waker> = (0..=workers).map(|_| waker().1).collect();
        let mut seats = mesh(&wakers, plan.mesh);
        let slow_path = seats.pop().expect("the last seat");

        let private = PrivateKey::generate(&mut rng);
        let gate_settings = GateSettings {
            per_source: Rate::new(1000, 1000),
            gateway: Rate::new(10_000, 10_000),
            ..GateSettings::STANDARD
        };
        let gate = Arc::new(Gate::new(&private.public_key(), &gate_settings, &mut rng));
        let owners = PeerOwners::new(PEERS.len());
        let settings = HandshakeSettings::new(
            NonZeroU32::new(u32::from(plan.workers)).expect("workers"),
            PEERS.len(),
        );
        let engine =
            Handshakes::new(&private, &settings, Box::new(StdRng::seed_from_u64(rng.next_u64())));
        let (mut links, mut ends) = (Vec::new(), Vec::new());
        for waker in wakers.iter().take(workers) {
            let (command_in, commands) = rtrb::RingBuffer::<PeerCommand>::new(1024);
            let (handshakes, events) = rtrb::RingBuffer::<HandshakeEvent>::new(1024);
            links.push(WorkerLink { commands: command_in, events, waker: waker.clone() });
            ends.push((commands, handshakes));
        }
        let (sleeper, handshake_waker) = waker();
        let counters = Arc::new(WorkerCounters::new().into_inner());
        let (handshakes, control) = HandshakeThread::new(HandshakeParts {
            engine,
            gate: Arc::clone(&gate),
            owners: owners.clone(),
            places: PEERS.len(),
            workers: links,
            sleeper,
            waker: handshake_waker.clone(),
            counters: Arc::clone(&counters),
            stop: Arc::new(AtomicBool::new(false)),
        });
        let mut handshakes = handshakes;

        let mut peers = Vec::new();
        let mut known = Vec::new();
        for plan in &PEERS {
            let key = PrivateKey::generate(&mut rng);
            let new = NewPeer {
                public: key.public_key(),
                preshared: None,
                settings: PeerSettings { endpoint: None, keepalive: None },
            };
            // Control asks and waits, so it asks from a thread of its own while ours answers.
            let control = control.clone();
            let asking = std::thread::spawn(move || control.add(new));
            while !asking.is_finished() {
                handshakes.turn(START, wall(START));
            }
            let id = asking.join().expect("control").expect("the thread").expect("a place");
            known.push(Some(TunnelPeer { id, application_messages: false }));
            let mut client = Client::new(&key, plan.endpoint, rng.next_u64());
            let at =
                if plan.socket().is_ipv4() { "192.0.2.1:51820" } else { "[2001:db8::1]:51820" };
            let at: SocketAddr = at.parse().expect("an address");
            let gateway = client.add_peer(private.public_key(), None, Some(at), None);
            peers.push(Peer { client, gateway });
        }

        let mut network = Network::new();
        let mut snapshot = network.snapshot(owners, 1);
        snapshot.tunnel.gate = Some(gate);
        snapshot.tunnel.peers = known.into();
        let publisher = Publisher::new(snapshot, workers);
        let reply_budget =
            Arc::new(ReplyBudget::new(8, Rate::new(1000, 1000), Rate::new(100, 100)));

        let ring = RingSize::new(plan.ring).expect("a power of two");
        let config = CableConfig { ring_size: ring, when_full: WhenFull::Drop };
        let (mut members, mut stations, mut faults, mut events) =
            (Vec::new(), BTreeMap::new(), Vec::new(), Vec::new());
        for (number, (seat, (commands, to_handshakes))) in seats.into_iter().zip(ends).enumerate() {
            let mut own = pool.split(plan.frames_per_worker as usize);
            let mut devices = Vec::new();
            for port in [WAN, LAN] {
                let (far_umem, far_pool) =
                    Umem::new(UmemConfig::with_frames(4 * plan.ring)).expect("memory");
                let (near, far) = cable(&umem, &far_umem, config);
                stations.insert((port, number as u16), Station::new(far, far_pool));
                let queue: Queue = if plan.forbid_allocation {
                    Box::new(near)
                } else {
                    let faulty = Faulty::new(
                        near,
                        Faults::NONE,
                        Faults::NONE,
                        rng.next_u64(),
                        own.split(32),
                    );
                    let shared = std::rc::Rc::new(std::cell::RefCell::new(faulty));
                    faults.push(std::rc::Rc::clone(&shared));
                    Box::new(Shared(shared, Arc::clone(&umem)))
                };
                devices.push(Device { port, number: number as u32, queue });
            }
            let (event_in, event_out) = rtrb::RingBuffer::new(256);
            events.push(event_out);
            let limits = StateLimits {
                peers: 8,
                staged: 512,
                parked: 64,
                park_time: Duration::from_secs(3),
            };
            let aead = Aead::new(Choice::Auto).expect("a cipher");
            members.push(Worker {
                id: WorkerId(number as u16),
                workers: plan.workers,
                snapshots: publisher.subscribe(number),
                shared: Arc::new(WorkerShared::new(START)),
                reply_budget: Arc::clone(&reply_budget),
                hash_seed: 9,
                body: Body {
                    devices,
                    pool: own,
                    state: WorkerState::new(aead, limits, rng.next_u64(), START),
                    outbox: Outbox::new(2, plan.outbox),
                    seat,
                    mailboxes: Mailboxes {
                        commands,
                        handshakes: to_handshakes,
                        handshake_waker: handshake_waker.clone(),
                        events: event_in,
                        control_waker: waker().1,
                    },
                },
            });
        }
        Self {
            rng,
            peers,
            workers: plan.workers,
            clock: Virtual::starting_at(START),
            umem,
            order: (0..members.len()).collect(),
            members,
            faults,
            stations,
            slow_path,
            slow_path_pool: pool,
            handshakes,
            handshake_counters: counters,
            events,
            _publisher: publisher,
            forbid_allocation: plan.forbid_allocation,
        }
    }

    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// A frame for the gateway by one queue of a device. False when the cable has no room.
    pub fn send(&mut self, port: PortId, queue: u16, frame: &[u8]) -> bool {
        let station = self.stations.get_mut(&(port, queue)).expect("a queue");
        station.send(frame).expect("no longer than a frame")
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

    /// Every frame of the gateway is in exactly one place.
    pub fn audit(&self) {
        let members: Census = self.members.iter().map(|member| member.body.census()).sum();
        let seats = self.members.iter().map(|member| &member.body.seat);
        let in_mesh: usize =
            seats.map(MeshSeat::incoming).sum::<usize>() + self.slow_path.incoming();
        let all = self.umem.census()
            + members
            + self.slow_path_pool.census()
            + Census::held(in_mesh as u64);
        all.audit(&self.umem).expect("every frame is somewhere");
        assert_eq!(all.lost, 0);
        let owed: usize = self.members.iter().map(|member| member.body.seat.owed()).sum();
        let lent: usize = self.members.iter().map(|member| member.body.seat.lent()).sum();
        assert!(owed <= lent + self.slow_path.lent(), "nobody owes what nobody lent");
    }

    /// Packets that workers dropped, by reason.
    pub fn drops(&self) -> Vec<(Reason, u64)> {
        let of = |reason| {
            let workers = self.members.iter().map(|member| member.shared.counters.dropped(reason));
            workers.sum::<u64>() + self.handshake_counters.dropped(reason)
        };
        Reason::all().map(|reason| (reason, of(reason))).filter(|(_, count)| *count > 0).collect()
    }

    /// Packets that workers dropped.
    pub fn dropped(&self) -> u64 {
        self.drops().iter().map(|(_, count)| count).sum()
    }

    /// Packets handed from worker to worker.
    pub fn handed_over(&self) -> u64 {
        self.members.iter().map(|member| member.shared.counters.handed_over.read()).sum()
    }

    /// Packets that found no room at either end of a cable.
    pub fn lost_on_cables(&self) -> u64 {
        let devices = self.members.iter().flat_map(|member| &member.body.devices);
        let near: u64 = devices.map(|device| device.queue.statistics().fill_ring_empty).sum();
        near + self
            .stations
            .values()
            .map(|station| station.statistics().fill_ring_empty)
            .sum::<u64>()
    }

    /// Stops the gateway as the daemon does: everything goes back, and nothing is missing.
    pub fn end(mut self) {
        for member in &mut self.members {
            member.drain();
        }
        for member in &mut self.members {
            member.drain();
        }
        let pool = &mut self.slow_path_pool;
        self.slow_path.drain(|frame| pool.put(frame));
        for member in &mut self.members {
            member.drain();
        }
        self.audit();
        let held: u64 = self.members.iter().map(|member| member.body.census().held).sum();
        assert_eq!(held, 0, "nothing waits any more");
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
