//! A handshake thread whose workers only keep their rings, for tests.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use clock::Time;
use pipeline::PeerOwners;
use pipeline::handshake::{HandshakeEvent, PeerCommand};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rtrb::{Consumer, Producer, RingBuffer};
use telemetry::WorkerCounters;
use wireguard::{
    Admitted, Arrival, Endpoint, Gate, GateSettings, HandshakeSettings, Handshakes, Parsed,
    PeerHandle, PrivateKey, PublicKey, RetryEvent, Tai64N, Verdict,
};

use super::handshake::{HandshakeClient, HandshakeParts, HandshakeThread, WorkerLink};
use super::wake::{Sleeper, Waker, wake_pair};

/// When tests begin.
pub(crate) const START: Time = Time::from_nanos(1_000_000_000_000);

/// The time of day that belongs to a monotonic time.
pub(crate) fn wall(now: Time) -> Tai64N {
    let nanos = now.as_nanos();
    Tai64N::from_unix(1_700_000_000 + nanos / 1_000_000_000, (nanos % 1_000_000_000) as u32)
}

/// A worker's ends of its rings.
pub(crate) struct WorkerEnd {
    pub commands: Consumer<PeerCommand>,
    pub events: Producer<HandshakeEvent>,
    pub sleeper: Sleeper,
}

/// A handshake thread that does not run, with everything around it.
pub(crate) struct Scene {
    pub thread: HandshakeThread,
    pub client: HandshakeClient,
    pub workers: Vec<WorkerEnd>,
    pub owners: PeerOwners,
    pub gate: Arc<Gate>,
    pub counters: Arc<WorkerCounters>,
    pub public: PublicKey,
    stop: Arc<AtomicBool>,
    waker: Waker,
}

/// A handshake thread over `workers` workers with `places` for peers and rings of `room` commands.
pub(crate) fn handshakes(workers: u32, places: usize, room: usize) -> Scene {
    let mut rng = StdRng::seed_from_u64(1);
    let private = PrivateKey::from_bytes([7; 32]);
    let settings = HandshakeSettings::new(NonZeroU32::new(workers).unwrap(), places);
    let engine = Handshakes::new(&private, &settings, Box::new(StdRng::seed_from_u64(2)));
    let gate = Arc::new(Gate::new(
        engine.public_key(),
        &GateSettings::STANDARD,
        engine.outstanding(),
        &mut rng,
    ));
    let public = *engine.public_key();
    let (mut ends, mut links) = (Vec::new(), Vec::new());
    for _ in 0..workers {
        let (sleeper, waker) = wake_pair().unwrap();
        let (to_worker, commands) = RingBuffer::new(room);
        let (events, from_worker) = RingBuffer::new(256);
        ends.push(WorkerEnd { commands, events, sleeper });
        links.push(WorkerLink { commands: to_worker, events: from_worker, waker });
    }
    let (sleeper, waker) = wake_pair().unwrap();
    let owners = PeerOwners::new(places);
    let counters = Arc::new(crossbeam_utils::CachePadded::into_inner(WorkerCounters::new()));
    let stop = Arc::new(AtomicBool::new(false));
    let (thread, client) = HandshakeThread::new(HandshakeParts {
        engine,
        gate: Arc::clone(&gate),
        owners: owners.clone(),
        places,
        workers: links,
        sleeper,
        waker: waker.clone(),
        counters: Arc::clone(&counters),
        stop: Arc::clone(&stop),
    });
    Scene { thread, client, workers: ends, owners, gate, counters, public, stop, waker }
}

/// A handshake thread that runs until this is dropped.
pub(crate) struct RunningScene {
    pub client: HandshakeClient,
    pub workers: Vec<WorkerEnd>,
    pub owners: PeerOwners,
    stop: Arc<AtomicBool>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl Scene {
    /// Starts the thread.
    pub fn run(self) -> RunningScene {
        let Self { thread, client, workers, owners, stop, waker, .. } = self;
        let thread = Some(std::thread::spawn(move || thread.run()));
        RunningScene { client, workers, owners, stop, waker, thread }
    }

    /// What the thread has for a worker.
    pub fn told(&mut self, worker: usize) -> Vec<PeerCommand> {
        std::iter::from_fn(|| self.workers[worker].commands.pop().ok()).collect()
    }

    /// Hands the thread a handshake message that came to `worker` and passed the gate.
    pub fn hand_in(&mut self, worker: u32, message: &[u8], from: SocketAddr, now: Time) {
        let admitted = admit(&self.gate, worker, message, from, now);
        let event = HandshakeEvent::Message(admitted);
        self.workers[worker as usize].events.push(event).unwrap();
    }
}

impl Drop for RunningScene {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Lets a message pass a gate.
pub(crate) fn admit(
    gate: &Gate,
    worker: u32,
    message: &[u8],
    from: SocketAddr,
    now: Time,
) -> Admitted {
    let endpoint = Endpoint::new(from, std::net::IpAddr::from([192, 0, 2, 1]));
    let arrival = Arrival { worker, endpoint };
    match gate.screen(Parsed::read(message).unwrap(), arrival, now) {
        Verdict::Admitted(admitted) => admitted,
        Verdict::CookieReply(_) => panic!("the gate asks for a cookie"),
        Verdict::Rejected(cause) => panic!("the gate rejects it: {cause:?}"),
    }
}

/// The other end of a tunnel.
pub(crate) struct Remote {
    pub engine: Handshakes,
    pub public: PublicKey,
    pub address: SocketAddr,
    /// The gateway, as the remote knows it.
    pub gateway: PeerHandle,
}

impl Remote {
    /// A remote with a key of its own that knows the gateway.
    pub fn new(number: u8, gateway: &PublicKey) -> Self {
        let settings = HandshakeSettings::new(NonZeroU32::MIN, 4);
        let private = PrivateKey::from_bytes([number; 32]);
        let rng = StdRng::seed_from_u64(u64::from(number) + 100);
        let mut engine = Handshakes::new(&private, &settings, Box::new(rng));
        let gateway = engine.add_peer(*gateway, None).unwrap();
        let public = *engine.public_key();
        Self { engine, public, address: SocketAddr::from(([198, 51, 100, number], 4000)), gateway }
    }

    /// The first message of a handshake, or of its repetition when one is under way.
    pub fn call(&mut self, now: Time) -> Vec<u8> {
        if let Ok(initiation) = self.engine.initiate(self.gateway, 0, now, wall(now)) {
            return initiation.message.to_vec();
        }
        match self.engine.poll(now, wall(now)) {
            Some(RetryEvent::Send(initiation)) => initiation.message.to_vec(),
            Some(RetryEvent::GaveUp(_)) | None => panic!("no call is due at {now:?}"),
        }
    }
}
