//! The gateway: one worker's state, its frames, and everything that it put out.

use core::time::Duration;
use std::sync::Arc;

use aead::{Aead, Choice};
use clock::{Rate, Time};
use io::{Frame, FramePool, Umem, UmemConfig};
use telemetry::{Reason, WorkerCounters};
use wire::Parsed;
use wireguard::{Endpoint, Role};

use super::network::{Network, PEERS, WAN, peer_handle};
use super::remote::Remote;
use crate::handshake::PeerCommand;
use crate::outbox::{Outbox, Sink};
use crate::packet::{Arrivals, Entry, Ingress};
use crate::process::Context;
use crate::reply_budget::ReplyBudget;
use crate::snapshot::{PeerIndex, PeerOwners, PortId, Snapshot, WorkerId};
use crate::stages::{StageTimer, Untimed};
use crate::state::{StateLimits, WorkerState};

/// Table sizes of a [`Site`].
pub const SITE_LIMITS: StateLimits =
    StateLimits { peers: 8, staged: 512, parked: 64, park_time: Duration::from_secs(3) };
/// Frames for each device in the outbox.
const OUTBOX: usize = 1024;

/// A frame that left by a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The device.
    pub port: PortId,
    /// The frame.
    pub bytes: Vec<u8>,
}

impl Sent {
    /// The frame, parsed.
    pub fn parsed(&self) -> Parsed {
        wire::parse(&self.bytes).expect("a valid frame")
    }

    /// The IP packet.
    pub fn ip(&self) -> &[u8] {
        let parsed = self.parsed();
        &self.bytes[parsed.l3()..parsed.end()]
    }

    /// The upper layer's payload.
    pub fn payload(&self) -> &[u8] {
        &self.bytes[self.parsed().payload_range()]
    }
}

/// A gateway of one worker.
pub struct Site {
    /// What the worker keeps.
    pub state: WorkerState,
    /// Its free frames.
    pub pool: FramePool,
    /// What it put out and nobody took yet.
    pub out: Outbox,
    /// Its counters.
    pub counters: WorkerCounters,
    /// What control published.
    pub snapshot: Snapshot,
    /// Routes and neighbours behind the snapshot.
    pub network: Network,
    /// The budget of answers.
    pub budget: ReplyBudget,
    /// The time.
    pub now: Time,
    /// Which worker this is.
    pub worker: WorkerId,
    /// How many there are.
    pub workers: u16,
    umem: Arc<Umem>,
}

impl Site {
    /// The only worker of a gateway.
    pub fn new() -> Self {
        Self::of(WorkerId(0), 1, SITE_LIMITS)
    }

    /// One of several workers.
    pub fn of(worker: WorkerId, workers: u16, limits: StateLimits) -> Self {
        let (umem, pool) = Umem::new(UmemConfig::with_frames(2048)).expect("memory");
        let now = Time::from_nanos(1_000_000_000_000);
        let mut network = Network::new();
        let snapshot = network.snapshot(PeerOwners::new(PEERS.len()), 1);
        let aead = Aead::new(Choice::Auto).expect("a cipher");
        Self {
            state: WorkerState::new(aead, limits, 11, now),
            pool,
            out: Outbox::new(2, OUTBOX),
            counters: WorkerCounters::new().into_inner(),
            snapshot,
            network,
            budget: ReplyBudget::new(
                8,
                Rate::new(1_000_000, 1_000_000),
                Rate::new(1_000_000, 1_000_000),
            ),
            now,
            worker,
            workers,
            umem,
        }
    }

    /// Publishes what was changed in [`Site::network`].
    pub fn publish(&mut self) {
        let generation = self.snapshot.generation + 1;
        let next = self.network.snapshot(self.snapshot.tunnel.owners.clone(), generation);
        self.snapshot.generation = generation;
        self.snapshot.path_generation = generation;
        self.snapshot.fib = next.fib;
        self.snapshot.neighbours = next.neighbours;
    }

    /// Makes this worker the owner of a peer.
    pub fn adopt(&mut self, peer: PeerIndex) {
        let endpoint = PEERS.get(peer as usize).map(|plan| Endpoint::configured(plan.socket()));
        self.command(PeerCommand::Adopt { peer: peer_handle(peer), endpoint, keepalive: None });
        self.snapshot.tunnel.owners.claim(peer, self.worker);
    }

    /// Adopts a peer and gives it a session that both sides can send in.
    pub fn connect(&mut self, peer: PeerIndex) -> Remote {
        self.adopt(peer);
        let mut remote = self.install(peer, Role::Responder);
        let keepalive = remote.frame(&[], self.now);
        assert_eq!(self.receive(WAN, [keepalive]), []);
        remote
    }

    /// Gives an adopted peer a session that we began or answered.
    pub fn install(&mut self, peer: PeerIndex, ours: Role) -> Remote {
        let theirs = match ours {
            Role::Initiator => Role::Responder,
            Role::Responder => Role::Initiator,
        };
        let plan = PEERS.get(peer as usize).expect("a peer of the plan");
        let serial = (self.now.as_nanos() / 1_000_000_000 % 1_000) as u32 * 4096;
        let index = (serial + peer + 1) * 4 * u32::from(self.workers) + u32::from(self.worker.0);
        let (remote, keypair) = Remote::new(plan.socket(), index, theirs, self.now);
        let endpoint = Endpoint::new(remote.at, remote.gateway.ip());
        self.command(PeerCommand::Install { peer: peer_handle(peer), keypair, endpoint });
        remote
    }

    /// Carries out a command.
    pub fn command(&mut self, command: PeerCommand) {
        self.with(|state, context, sink, out| state.command(command, context, sink, out));
    }

    /// Does what time asks for.
    pub fn poll(&mut self) {
        self.with(|state, context, sink, out| state.poll(context, sink, out));
    }

    /// Lets time pass and does what it asks for.
    pub fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.poll();
    }

    /// Takes frames in by a device, in bursts; what left by devices.
    pub fn receive(
        &mut self,
        port: PortId,
        frames: impl IntoIterator<Item = Vec<u8>>,
    ) -> Vec<Sent> {
        self.enter(Entry::Port(port), frames)
    }

    /// Takes packets in by any way; what left by devices.
    pub fn enter(&mut self, entry: Entry, packets: impl IntoIterator<Item = Vec<u8>>) -> Vec<Sent> {
        let mut arrivals = Arrivals::new();
        for bytes in packets {
            let frame = self.frame(&bytes);
            arrivals.push(Ingress { frame, entry, arrived: self.now, hops: 0 });
            if arrivals.is_full() {
                self.process(&mut arrivals);
            }
        }
        self.process(&mut arrivals);
        self.sent()
    }

    /// Processes a burst.
    pub fn process(&mut self, arrivals: &mut Arrivals) {
        self.process_with(arrivals, &mut Untimed);
    }

    /// Processes a burst, and tells `timer` what each stage takes.
    pub fn process_with(&mut self, arrivals: &mut Arrivals, timer: &mut impl StageTimer) {
        self.with(|state, context, sink, out| state.process(arrivals, context, sink, out, timer));
    }

    /// A frame that holds `bytes`.
    pub fn frame(&mut self, bytes: &[u8]) -> Frame {
        let mut frame = self.pool.take().expect("a free frame");
        frame.fill(bytes).expect("room");
        frame
    }

    /// What left by devices since the last call, device by device.
    pub fn sent(&mut self) -> Vec<Sent> {
        let mut sent = Vec::new();
        for port in [0, 1].map(PortId) {
            while let Some(outgoing) = self.out.pop(port) {
                sent.push(Sent { port, bytes: outgoing.frame.data().to_vec() });
                self.pool.put(outgoing.frame);
            }
        }
        sent
    }

    /// What went to the kernel since the last call.
    pub fn punted(&mut self) -> Vec<Vec<u8>> {
        let mut punted = Vec::new();
        while let Some(outgoing) = self.out.punt.pop_front() {
            punted.push(outgoing.frame.data().to_vec());
            self.pool.put(outgoing.frame);
        }
        punted
    }

    /// What went to other workers since the last call: to whom, as what, and the bytes.
    pub fn handed_off(&mut self) -> Vec<(WorkerId, Entry, Vec<u8>)> {
        let mut handed = Vec::new();
        while let Some((worker, packet)) = self.out.hand_off.pop_front() {
            handed.push((worker, packet.entry, packet.frame.data().to_vec()));
            self.pool.put(packet.frame);
        }
        handed
    }

    /// The reasons that packets were dropped for so far, with their numbers.
    pub fn drops(&self) -> Vec<(Reason, u64)> {
        Reason::all()
            .map(|reason| (reason, self.counters.dropped(reason)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    /// Whether every frame is where it can be found.
    pub fn assert_frames_complete(&self) {
        let census = self.umem.census() + self.pool.census() + self.state.census();
        let held = io::Census::held(self.out.frames() as u64);
        (census + held).audit(&self.umem).expect("every frame is somewhere");
    }

    fn with(
        &mut self,
        work: impl FnOnce(&mut WorkerState, &Context<'_>, &mut Sink<'_>, &mut Outbox),
    ) {
        let context = Context {
            snapshot: &self.snapshot,
            now: self.now,
            reply_budget: &self.budget,
            worker: self.worker,
            workers: self.workers,
            hash_seed: 0x1234_5678_9abc_def0,
        };
        let mut sink = Sink { pool: &mut self.pool, counters: &self.counters };
        work(&mut self.state, &context, &mut sink, &mut self.out);
    }
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.with(|state, _, sink, out| {
            out.clear(sink);
            state.clear(sink);
        });
    }
}
