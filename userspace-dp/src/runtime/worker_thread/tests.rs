//! The thread around the loop: it sleeps and wakes, shows its heartbeat, obeys faults, and ends tidily.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::thread::JoinHandle;

use io::memory::{CableConfig, MemoryPort, Station, WhenFull, cable};
use io::ring::RingSize;
use io::{Burst, Census, FramePool, HugePages, Kick, Port, PortStatistics, Umem, UmemConfig};
use pipeline::handshake::PeerCommand;
use pipeline::{
    Outbox, PeerOwners, PortId, ReplyBudget, StateLimits, TunnelPeer, WorkerId, WorkerState,
};
use rtrb::RingBuffer;
use wireguard::PeerHandle;

use super::*;
use crate::control::snapshots::{Fixed, SnapshotMaker};
use crate::runtime::mesh::mesh;
use crate::runtime::pin::allowed_cpus;
use crate::runtime::publish::Publisher;
use crate::runtime::shared::WorkerShared;
use crate::runtime::wake::{Waker, wake_pair};
use crate::runtime::worker::{Body, Device, Mailboxes};

/// A port that can be waited on, as a socket can: for packets, by a pipe that whoever sends one writes to. It never
/// says that there is room to transmit.
struct Bell(MemoryPort, OwnedFd);

impl Port for Bell {
    fn receive(&mut self, burst: &mut Burst) -> usize {
        let mut rung = [0; 64];
        // Not rung says EAGAIN.
        let _ = rustix::io::read(&self.1, &mut rung);
        self.0.receive(burst)
    }
    fn transmit(&mut self, burst: &mut Burst) -> usize {
        self.0.transmit(burst)
    }
    fn reap(&mut self, pool: &mut FramePool) -> usize {
        self.0.reap(pool)
    }
    fn refill(&mut self, pool: &mut FramePool) -> usize {
        self.0.refill(pool)
    }
    fn kick(&mut self) -> Kick {
        self.0.kick()
    }
    fn umem(&self) -> &Arc<Umem> {
        self.0.umem()
    }
    fn statistics(&self) -> PortStatistics {
        self.0.statistics()
    }
    fn census(&self) -> Census {
        self.0.census()
    }
    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.1.as_fd())
    }
}

const FRAMES: u32 = 256;
/// Peers that the snapshot names.
const PEERS: u32 = 50_000;
/// Of these, the first, which the worker has room for; it owns those that a test gives it.
const PLACES: u32 = 1000;

fn peer_handle(number: u32) -> PeerHandle {
    PeerHandle::new(number, 1)
}

/// The far end of the worker's port, before it is used, with its frames.
type Far = (MemoryPort, FramePool);

/// A worker on its thread with one port, and the far end of it.
struct Scene<F> {
    shared: Arc<WorkerShared>,
    waker: Waker,
    bell: OwnedFd,
    far: F,
    thread: JoinHandle<anyhow::Result<Worker<Bell>>>,
    commands: rtrb::Producer<PeerCommand>,
}

fn start(waiting: Waiting) -> Scene<Station<MemoryPort>> {
    start_with(waiting, WhenFull::Drop, |_, (port, pool)| Station::new(port, pool))
}

/// A worker that begins with what `prepare` leaves in its outbox and makes of the far end.
fn start_with<F>(
    waiting: Waiting,
    when_full: WhenFull,
    prepare: impl FnOnce(&mut Body<Bell>, Far) -> F,
) -> Scene<F> {
    start_within(Duration::from_secs(60), waiting, when_full, prepare)
}

/// The same with a longest silence.
fn start_within<F>(
    heartbeat_timeout: Duration,
    waiting: Waiting,
    when_full: WhenFull,
    prepare: impl FnOnce(&mut Body<Bell>, Far) -> F,
) -> Scene<F> {
    let config = UmemConfig { huge_pages: HugePages::Never, ..UmemConfig::with_frames(FRAMES) };
    let (umem, pool) = Umem::new(config).unwrap();
    let (far_umem, far_pool) = Umem::new(config).unwrap();
    let ring_size = RingSize::new(64).unwrap();
    let (near, far) = cable(&umem, &far_umem, CableConfig { ring_size, when_full });
    let (rung, bell) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&rung, true).unwrap();
    let (rung, bell) = (OwnedFd::from(rung), OwnedFd::from(bell));

    let fixed = Fixed {
        found: &[],
        tunnel: None,
        listen_port: 0,
        owners: PeerOwners::new(0),
        gate: None,
        seed: 1,
    };
    let mut snapshot = SnapshotMaker::new(&fixed).make();
    let peer = |number| TunnelPeer { id: peer_handle(number), application_messages: false };
    snapshot.tunnel.peers = (0..PEERS).map(|number| Some(peer(number))).collect();
    let publisher = Publisher::new(snapshot, 1);
    let (sleeper, waker) = wake_pair().unwrap();
    let (to_worker, commands) = RingBuffer::new(64);
    let (handshakes, _) = RingBuffer::new(64);
    let (events, _) = RingBuffer::new(64);
    let other = wake_pair().unwrap().1;
    let mut seats = mesh(&[waker.clone(), other.clone()], 64);
    let now = Monotonic.now();
    let shared = Arc::new(WorkerShared::new(now));
    let limits = StateLimits {
        peers: PLACES as usize,
        staged: 8,
        parked: 8,
        park_time: Duration::from_secs(1),
    };
    let mut worker = Worker {
        id: WorkerId(0),
        workers: 1,
        snapshots: publisher.subscribe(0),
        shared: Arc::clone(&shared),
        reply_budget: Arc::new(ReplyBudget::new(1, clock::Rate::new(1, 1), clock::Rate::new(1, 1))),
        hash_seed: 1,
        body: Body {
            devices: vec![Device { port: PortId(0), number: 0, queue: Bell(near, rung) }],
            pool,
            state: WorkerState::new(aead::Aead::new(aead::Choice::Auto).unwrap(), limits, 1, now),
            outbox: Outbox::new(1, 128),
            seat: seats.remove(0),
            mailboxes: Mailboxes {
                commands,
                handshakes,
                handshake_waker: other.clone(),
                events,
                control_waker: other,
            },
        },
    };
    let surroundings = Surroundings {
        cpu: allowed_cpus().unwrap()[0],
        waiting,
        busy_poll: false,
        sleeper,
        privileges: Privileges::Retain,
        heartbeat_timeout,
        heartbeats: None,
    };
    let far = prepare(&mut worker.body, (far, far_pool));
    let thread = std::thread::spawn(move || run(worker, &surroundings));
    Scene { shared, waker, bell, far, thread, commands: to_worker }
}

impl<F> Scene<F> {
    fn turns(&self) -> u64 {
        self.shared.counters.turns.read()
    }

    fn received(&self) -> u64 {
        self.shared.counters.received_packets.read()
    }

    /// Waits for something that needs no more than the thread to get its processor.
    fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Monotonic.now() + Duration::from_secs(20);
        while !condition(self) {
            assert!(Monotonic.now() < deadline, "{what}");
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Waits until the thread sleeps: then it turns only for its heartbeat, every tenth of a second.
    fn until_asleep(&self) {
        self.until("it does not fall asleep", |scene| {
            let before = scene.turns();
            std::thread::sleep(Duration::from_millis(20));
            scene.turns() - before <= 2 && before > 0
        });
    }

    fn end(self) -> Worker<Bell> {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.waker.wake();
        self.thread.join().unwrap().unwrap()
    }
}

#[test]
fn an_adaptive_worker_falls_asleep_and_a_packet_wakes_it() {
    let mut scene = start(Waiting::Adaptive);
    scene.until_asleep();
    assert!(scene.far.send(&[0; 60]).unwrap());
    rustix::io::write(&scene.bell, &1u64.to_ne_bytes()).unwrap();
    scene.until("the packet is not received", |scene| scene.received() == 1);
    let idle = scene.shared.counters.idle_nanos.read();
    assert!(idle > scene.shared.counters.busy_nanos.read(), "sleep counts as idle");
    scene.end();
}

/// Leaves packets in the outbox for the worker's only device.
fn leave_packets(body: &mut Body<Bell>, count: usize) {
    let counters = telemetry::WorkerCounters::new();
    for _ in 0..count {
        let mut frame = body.pool.take().unwrap();
        frame.fill(&[0; 60]).unwrap();
        let mut sink = pipeline::Sink { pool: &mut body.pool, counters: &counters };
        let outgoing = pipeline::Outgoing { frame, arrived: Monotonic.now() };
        body.outbox.transmit(PortId(0), outgoing, &mut sink);
    }
    assert_eq!(counters.dropped_total(), 0);
}

#[test]
fn a_worker_whose_device_is_down_drops_what_waits_for_it_and_sleeps() {
    for waiting in [Waiting::Adaptive, Waiting::Interrupt] {
        let scene = start_with(waiting, WhenFull::Wait, |body, far| {
            leave_packets(body, 100);
            drop(far);
        });
        scene.until_asleep();
        let counters = &scene.shared.counters;
        assert_eq!(counters.dropped(telemetry::Reason::LinkDown), 100 - 64, "the ring holds 64");
        assert_eq!(counters.frames_held.read(), 0);
        assert_eq!(scene.end().body.census().total(), u64::from(FRAMES));
    }
}

#[test]
fn a_worker_whose_device_takes_nothing_sleeps_and_what_waits_is_dropped_in_time() {
    let scene = start_with(Waiting::Adaptive, WhenFull::Wait, |body, far| {
        leave_packets(body, 100);
        far
    });
    scene.until("it does not give up", |scene| {
        let dropped = scene.shared.counters.dropped(telemetry::Reason::TransmitRingFull);
        dropped == 100 - 64
    });
    // It waits for a tenth of a second: some turns of patience, then one a millisecond.
    assert!(scene.turns() < 10 * u64::from(PATIENCE_TURNS), "{} turns", scene.turns());
    scene.until_asleep();
    assert_eq!(scene.shared.counters.frames_held.read(), 0);
    // The far end comes to life: what is in the ring goes out, and the device is as good as new.
    let Scene { far: (port, pool), shared, waker, thread, bell, commands } = scene;
    let mut far = Station::new(port, pool);
    waker.wake();
    let deadline = Monotonic.now() + Duration::from_secs(20);
    let mut arrived = 0;
    while arrived < 64 {
        assert!(Monotonic.now() < deadline, "{arrived} packets arrived");
        arrived += far.receive_all().len();
    }
    let worker = Scene { far, shared, waker, thread, bell, commands }.end();
    assert_eq!(worker.body.census().total(), u64::from(FRAMES));
}

#[test]
fn a_sleeping_worker_is_woken_by_whoever_leaves_work_for_it() {
    let scene = start(Waiting::Interrupt);
    scene.until_asleep();
    scene.shared.ask();
    scene.waker.wake();
    scene.until("it does not answer", |scene| !scene.shared.is_asked());
    let report = scene.shared.told().unwrap();
    assert_eq!(report.census.total(), u64::from(FRAMES));
    scene.end();
}

#[test]
fn a_report_of_many_peers_takes_many_short_turns_and_no_sleep() {
    let mut scene = start(Waiting::Interrupt);
    // Every other peer is this worker's.
    let owned: Vec<PeerHandle> = (0..PLACES).step_by(2).map(peer_handle).collect();
    for &peer in &owned {
        let mut command = PeerCommand::Adopt { peer, endpoint: None, keepalive: None };
        while let Err(rtrb::PushError::Full(back)) = scene.commands.push(command) {
            command = back;
            std::thread::yield_now();
        }
        scene.waker.wake();
    }
    scene.until("it takes the peers on", |scene| {
        scene.shared.counters.commands.read() == owned.len() as u64
    });
    scene.until_asleep();
    for _ in 0..3 {
        let turns = scene.turns();
        scene.shared.ask();
        scene.waker.wake();
        // Asleep for a tenth of a second in between it would take minutes.
        scene.until("it does not answer", |scene| !scene.shared.is_asked());
        let turns = scene.turns() - turns;
        assert!(turns >= u64::from(PEERS) / 64, "{turns} turns");
        let report = scene.shared.told().unwrap();
        let told: Vec<PeerHandle> = report.peers.iter().map(|(peer, _)| *peer).collect();
        assert_eq!(told, owned);
        assert_eq!(report.census.total(), u64::from(FRAMES));
    }
    scene.end();
}

#[test]
fn a_busy_worker_never_sleeps() {
    let mut scene = start(Waiting::Busy);
    let before = scene.turns();
    scene.until("it does not turn", |scene| scene.turns() > before + 10_000);
    // Nobody rings: it finds the packet by looking.
    assert!(scene.far.send(&[0; 60]).unwrap());
    scene.until("the packet is not received", |scene| scene.received() == 1);
    scene.end();
}

#[test]
fn a_sleeping_worker_keeps_its_heart_beating() {
    let scene = start(Waiting::Interrupt);
    scene.until_asleep();
    for _ in 0..3 {
        let before = scene.shared.last_beat();
        scene.until("the heart stands still", |scene| scene.shared.last_beat() > before);
    }
    scene.end();
}

/// The configuration takes heartbeat timeouts from 100 ms on. Asleep for the longest that a sleep may be, the worker
/// would turn 200 times until the scene gives up.
#[test]
fn a_worker_that_may_only_be_silent_shortly_sleeps_no_longer_than_that() {
    let timeout = Duration::from_millis(4);
    let scene = start_within(timeout, Waiting::Interrupt, WhenFull::Drop, |_, _| ());
    scene.until("it sleeps too long", |scene| scene.turns() > 400);
    scene.end();
}

#[test]
fn no_sleep_comes_near_the_silence_that_control_bears() {
    for milliseconds in [100, 101, 399, 400, 1000, 60_000] {
        let timeout = Duration::from_millis(milliseconds);
        let patience = timeout * 3 / 4;
        assert!(longest_sleep(timeout) <= patience / 3, "{milliseconds} ms");
        assert!(longest_sleep(timeout) <= SLEEP_MAX, "{milliseconds} ms");
    }
    assert_eq!(longest_sleep(Duration::from_secs(1)), SLEEP_MAX);
}

#[test]
fn a_worker_that_is_killed_ends_with_an_error_and_one_that_stops_shows_no_more_heartbeats() {
    let killed = start(Waiting::Adaptive);
    killed.shared.set_fault(Fault::Kill);
    killed.waker.wake();
    assert!(killed.thread.join().unwrap().is_err());

    let stopped = start(Waiting::Busy);
    stopped.until("it does not begin", |scene| scene.turns() > 0);
    stopped.shared.set_fault(Fault::Stop);
    stopped.until("it does not stop", |scene| {
        let before = scene.shared.last_beat();
        std::thread::sleep(Duration::from_millis(20));
        scene.shared.last_beat() == before
    });
    assert!(!stopped.thread.is_finished(), "it ended instead");
}

#[test]
fn an_ended_worker_comes_back_with_all_of_its_frames() {
    let mut scene = start(Waiting::Adaptive);
    scene.until("it does not begin", |scene| scene.turns() > 0);
    for _ in 0..10 {
        assert!(scene.far.send(&[0; 60]).unwrap());
    }
    rustix::io::write(&scene.bell, &1u64.to_ne_bytes()).unwrap();
    scene.until("the packets are not received", |scene| scene.received() == 10);
    let shared = Arc::clone(&scene.shared);
    let worker = scene.end();
    assert!(shared.ended.load(Ordering::Acquire));
    assert_eq!(worker.body.census().total(), u64::from(FRAMES));
    assert_eq!(shared.counters.dropped_total(), 10, "a port in no zone");
}

#[test]
fn empty_turns_are_counted_from_the_last_packet_on_and_never_too_many() {
    assert_eq!(empty_turns(0, 0), 1);
    assert_eq!(empty_turns(7, 1), 0);
    assert_eq!(empty_turns(u32::MAX, 0), u32::MAX);
}
