//! How a world is made: the handshake service with the peers that it knows, then the workers with their cables.

use core::num::NonZeroU32;
use core::time::Duration;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use aead::{Aead, Choice};
use clock::{Rate, Virtual};
use io::memory::{CableConfig, MemoryPort, Station, WhenFull, cable};
use io::ring::RingSize;
use io::{FramePool, Umem, UmemConfig};
use pipeline::handshake::{HandshakeEvent, PeerCommand};
use pipeline::testing::{LAN, Network, PEERS, WAN};
use pipeline::{
    ControlEvent, Outbox, PeerOwners, PortId, ReplyBudget, StateLimits, TunnelPeer, WorkerId,
    WorkerState,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use ringwall::runtime::handshake::{
    HandshakeClient, HandshakeParts, HandshakeThread, NewPeer, PeerSettings, WorkerLink,
};
use ringwall::runtime::mesh::{MeshSeat, mesh};
use ringwall::runtime::publish::Publisher;
use ringwall::runtime::shared::WorkerShared;
use ringwall::runtime::wake::{Waker, wake_pair};
use ringwall::runtime::worker::{Body, Device, Mailboxes, Worker};
use rtrb::{Consumer, Producer, RingBuffer};
use telemetry::WorkerCounters;
use wireguard::{Gate, GateSettings, HandshakeSettings, Handshakes, PrivateKey, PublicKey};

use super::faulty_queue::{FaultHandle, Queue, faulty};
use super::{Peer, Plan, World};
use crate::client::{Gateway as Client, START, wall};

impl World {
    pub fn new(plan: Plan, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let workers = usize::from(plan.workers);
        let frames = plan.frames_per_worker * (u32::from(plan.workers) + 1);
        let (umem, mut pool) = Umem::new(UmemConfig::with_frames(frames)).expect("memory");
        let wakers: Vec<Waker> = (0..=workers).map(|_| waker()).collect();
        let mut seats = mesh(&wakers, plan.mesh);
        let slow_path = seats.pop().expect("the last seat");

        let mut service = Service::new(&wakers[..workers], &mut rng);
        let (peers, known) = service.take_peers(&mut rng);
        let mut cabling = Cabling::new(plan, &umem);
        let mut members = Members::new(plan, service.publisher(known, workers), &service.waker);
        for (seat, ends) in seats.into_iter().zip(service.ends) {
            let mut own = pool.split(plan.frames_per_worker as usize);
            let devices = cabling.devices(members.all.len() as u16, &mut own, &mut rng);
            members.add(seat, ends, devices, own, rng.next_u64());
        }
        Self {
            rng,
            peers,
            workers: plan.workers,
            clock: Virtual::starting_at(START),
            umem,
            order: (0..workers).collect(),
            members: members.all,
            faults: cabling.faults,
            stations: cabling.stations,
            slow_path,
            slow_path_pool: pool,
            handshakes: service.thread,
            handshake_counters: service.counters,
            events: members.events,
            _publisher: members.publisher,
            forbid_allocation: plan.forbid_allocation,
        }
    }
}

/// A waker of somebody who never sleeps.
fn waker() -> Waker {
    wake_pair().expect("an event descriptor").1
}

/// A worker's ends of the rings to the handshake thread.
type Ends = (Consumer<PeerCommand>, Producer<HandshakeEvent>);

/// The handshake thread and what it is made with.
struct Service {
    thread: HandshakeThread,
    client: HandshakeClient,
    counters: Arc<WorkerCounters>,
    gate: Arc<Gate>,
    owners: PeerOwners,
    public: PublicKey,
    waker: Waker,
    ends: Vec<Ends>,
}

impl Service {
    fn new(workers: &[Waker], rng: &mut StdRng) -> Self {
        let private = PrivateKey::generate(rng);
        let settings = GateSettings {
            per_source: Rate::new(1000, 1000),
            gateway: Rate::new(10_000, 10_000),
            ..GateSettings::STANDARD
        };
        let count = NonZeroU32::new(workers.len() as u32).expect("workers");
        let engine_settings = HandshakeSettings::new(count, PEERS.len());
        let engine_rng = StdRng::seed_from_u64(rng.next_u64());
        let engine = Handshakes::new(&private, &engine_settings, Box::new(engine_rng));
        let outstanding = engine.outstanding();
        let gate = Arc::new(Gate::new(engine.public_key(), &settings, outstanding, rng));
        let (links, ends) = workers.iter().map(link).unzip();
        let (sleeper, waker) = wake_pair().expect("an event descriptor");
        let owners = PeerOwners::new(PEERS.len());
        let counters = Arc::new(WorkerCounters::new().into_inner());
        let (thread, client) = HandshakeThread::new(HandshakeParts {
            engine,
            gate: Arc::clone(&gate),
            owners: owners.clone(),
            places: PEERS.len(),
            workers: links,
            sleeper,
            waker: waker.clone(),
            counters: Arc::clone(&counters),
            stop: Arc::new(AtomicBool::new(false)),
        });
        let public = private.public_key();
        Self { thread, client, counters, gate, owners, public, waker, ends }
    }

    /// Makes every peer, and makes it known.
    fn take_peers(&mut self, rng: &mut StdRng) -> (Vec<Peer>, Vec<Option<TunnelPeer>>) {
        let (mut peers, mut known) = (Vec::new(), Vec::new());
        for plan in &PEERS {
            let key = PrivateKey::generate(rng);
            let new = NewPeer {
                public: key.public_key(),
                preshared: None,
                settings: PeerSettings { endpoint: None, keepalive: None },
            };
            // Control asks and waits, so it asks from a thread of its own while ours answers.
            let control = self.client.clone();
            let asking = std::thread::spawn(move || control.add(new));
            while !asking.is_finished() {
                self.thread.turn(START, wall(START));
            }
            let id = asking.join().expect("control").expect("the thread").expect("a place");
            known.push(Some(TunnelPeer { id, application_messages: false }));
            let mut client = Client::new(&key, plan.endpoint, rng.next_u64());
            let at =
                if plan.socket().is_ipv4() { "192.0.2.1:51820" } else { "[2001:db8::1]:51820" };
            let at: SocketAddr = at.parse().expect("an address");
            let gateway = client.add_peer(self.public, None, Some(at), None);
            peers.push(Peer { client, gateway });
        }
        (peers, known)
    }

    /// Publishes the snapshot of a gateway with these peers.
    fn publisher(&self, known: Vec<Option<TunnelPeer>>, workers: usize) -> Publisher {
        let mut snapshot = Network::new().snapshot(self.owners.clone(), 1);
        snapshot.tunnel.gate = Some(Arc::clone(&self.gate));
        snapshot.tunnel.peers = known.into();
        Publisher::new(snapshot, workers)
    }
}

/// The rings between the handshake thread and a worker, which `waker` wakes.
fn link(waker: &Waker) -> (WorkerLink, Ends) {
    let (to_worker, commands) = RingBuffer::new(1024);
    let (handshakes, events) = RingBuffer::new(1024);
    (WorkerLink { commands: to_worker, events, waker: waker.clone() }, (commands, handshakes))
}

/// The cables of all workers.
struct Cabling {
    plan: Plan,
    umem: Arc<Umem>,
    stations: BTreeMap<(PortId, u16), Station<MemoryPort>>,
    faults: Vec<FaultHandle>,
}

impl Cabling {
    fn new(plan: Plan, umem: &Arc<Umem>) -> Self {
        Self { plan, umem: Arc::clone(umem), stations: BTreeMap::new(), faults: Vec::new() }
    }

    /// The queues of a worker, each with a station at the far end of its cable.
    fn devices(
        &mut self,
        worker: u16,
        own: &mut FramePool,
        rng: &mut StdRng,
    ) -> Vec<Device<Queue>> {
        let ring_size = RingSize::new(self.plan.ring).expect("a power of two");
        let config = CableConfig { ring_size, when_full: WhenFull::Drop };
        let mut devices = Vec::new();
        for port in [WAN, LAN] {
            let (far_umem, far_pool) =
                Umem::new(UmemConfig::with_frames(4 * self.plan.ring)).expect("memory");
            let (near, far) = cable(&self.umem, &far_umem, config);
            self.stations.insert((port, worker), Station::new(far, far_pool));
            let queue: Queue = if self.plan.forbid_allocation {
                Box::new(near)
            } else {
                let (queue, faults) = faulty(near, &self.umem, own.split(32), rng.next_u64());
                self.faults.push(faults);
                queue
            };
            devices.push(Device { port, number: u32::from(worker), queue });
        }
        devices
    }
}

/// The workers.
struct Members {
    plan: Plan,
    publisher: Publisher,
    handshake_waker: Waker,
    reply_budget: Arc<ReplyBudget>,
    all: Vec<Worker<Queue>>,
    events: Vec<Consumer<ControlEvent>>,
}

impl Members {
    fn new(plan: Plan, publisher: Publisher, handshake_waker: &Waker) -> Self {
        let reply_budget = ReplyBudget::new(8, Rate::new(1000, 1000), Rate::new(100, 100));
        Self {
            plan,
            publisher,
            handshake_waker: handshake_waker.clone(),
            reply_budget: Arc::new(reply_budget),
            all: Vec::new(),
            events: Vec::new(),
        }
    }

    fn add(
        &mut self,
        seat: MeshSeat,
        (commands, handshakes): Ends,
        devices: Vec<Device<Queue>>,
        pool: FramePool,
        seed: u64,
    ) {
        let number = self.all.len();
        let (events, to_control) = RingBuffer::new(256);
        self.events.push(to_control);
        let park_time = Duration::from_secs(3);
        let limits = StateLimits { peers: 8, staged: 512, parked: 64, park_time };
        let aead = Aead::new(Choice::Auto).expect("a cipher");
        let mailboxes = Mailboxes {
            commands,
            handshakes,
            handshake_waker: self.handshake_waker.clone(),
            events,
            control_waker: waker(),
        };
        self.all.push(Worker {
            id: WorkerId(number as u16),
            workers: self.plan.workers,
            snapshots: self.publisher.subscribe(number),
            shared: Arc::new(WorkerShared::new(START)),
            reply_budget: Arc::clone(&self.reply_budget),
            hash_seed: 9,
            body: Body {
                devices,
                pool,
                state: WorkerState::new(aead, limits, seed, START),
                outbox: Outbox::new(2, self.plan.outbox),
                seat,
                mailboxes,
            },
        });
    }
}
