//! From a configuration to a running gateway: the order in which things come to life.
//!
//! Devices are found, the program loaded and attached (disabled), frames mapped, sockets opened, the first snapshot
//! published, threads started, signs of life awaited; only then is steering enabled. Whatever fails on the way
//! undoes what came before by being dropped: the program goes before the sockets.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::Duration;

use aead::Aead;
use anyhow::{Context, Result, bail, ensure};
use clock::{Clock, Monotonic, Rate};
use ebpf::{Capacities, OnFailure, Steering, SteeringOptions, WorkerIndex};
use io::af_xdp::{AfXdpPort, BusyPoll};
use io::{FramePool, FrameSize, HugePages, Tun, Umem, UmemConfig};
use pipeline::{Outbox, PeerOwners, ReplyBudget, StateLimits, WorkerId, WorkerState};
use rand::rngs::SysRng;
use rand::{Rng, SeedableRng};
use rtrb::{Consumer, RingBuffer};
use telemetry::WorkerCounters;
use wireguard::{Gate, GateSettings, HandshakeSettings, Handshakes, PrivateKey};

use super::devices::{self, Held};
use super::netlink::{Changes, Kernel, Mirror, Options};
use super::observer::WatchedWorker;
use super::peers::PeerRegistry;
use super::rules;
use super::snapshots::{Fixed, SnapshotMaker};
use super::tunnel::{self, TunnelDevice};
use super::vlan_tags::TagKeeper;
use crate::runtime::handshake::{HandshakeClient, HandshakeParts, HandshakeThread, WorkerLink};
use crate::runtime::mesh::mesh;
use crate::runtime::pin::{self, CpuNumber};
use crate::runtime::privileges::Privileges;
use crate::runtime::publish::Publisher;
use crate::runtime::shared::WorkerShared;
use crate::runtime::slow_path::SlowPath;
use crate::runtime::wake::{Sleeper, Waker, wake_pair};
use crate::runtime::worker::{Body, Device, Mailboxes, Worker};
use crate::runtime::worker_thread::{self, Surroundings, Waiting};

/// A worker's thread, as control holds it.
pub struct WorkerHandle {
    /// What it shares.
    pub shared: Arc<WorkerShared>,
    /// Wakes it.
    pub waker: Waker,
    /// The thread.
    pub thread: JoinHandle<Result<Worker<AfXdpPort>>>,
}

/// A helper thread, as control holds it.
pub struct HelperThread {
    /// What it is for.
    pub name: &'static str,
    /// Wakes it.
    pub waker: Waker,
    /// The thread.
    pub thread: JoinHandle<()>,
}

/// Everything that runs.
pub struct Running {
    /// The kernel's tables.
    pub mirror: Mirror,
    /// Orders to the kernel.
    pub kernel: Kernel,
    /// The steering program.
    pub steering: Steering,
    /// The devices with the program on them.
    pub held: Vec<Held>,
    /// Keeps VLAN tags in the frames of the devices.
    pub tags: TagKeeper,
    /// Which devices run without copies, in the same order.
    pub zero_copy: Vec<bool>,
    /// The tunnel device.
    pub tunnel: Option<TunnelDevice>,
    /// The peers.
    pub registry: PeerRegistry,
    /// Asks the handshake thread; none without a tunnel.
    pub client: Option<HandshakeClient>,
    /// The tunnel's public key.
    pub public_key: Option<wireguard::PublicKey>,
    /// Compiles snapshots.
    pub maker: SnapshotMaker,
    /// Publishes them.
    pub publisher: Publisher,
    /// The workers.
    pub workers: Vec<WorkerHandle>,
    /// The same, as readers see them.
    pub watched: Vec<WatchedWorker>,
    /// What each worker tells control.
    pub events: Vec<Consumer<pipeline::ControlEvent>>,
    /// The handshake thread and the slow path.
    pub helpers: Vec<HelperThread>,
    /// The slow path's counters.
    pub slow_path: Arc<crossbeam_utils::CachePadded<WorkerCounters>>,
    /// The handshake thread's counters.
    pub handshakes: Arc<WorkerCounters>,
    /// How control is woken.
    pub sleeper: Sleeper,
    /// Wakes control.
    pub waker: Waker,
    /// Set when the helper threads are to end.
    pub stop: Arc<AtomicBool>,
    /// The cipher in use.
    pub aead: aead::Backend,
    /// Keeps the tunnel's port from other processes.
    _port_guard: Option<UdpSocket>,
}

/// Frames that a worker has beyond what its rings and packets without a next hop hold: bursts, hand-offs, packets that
/// wait for sessions.
const FRAMES_IN_FLIGHT: u32 = 4096;
/// Packets that may wait for sessions, per worker.
const STAGED: usize = 2048;

/// Brings a gateway to life.
pub fn start(config: &config::Config) -> Result<Running> {
    let aead = choose_cipher(config)?;
    let mut mirror =
        Mirror::open(&Options::default()).context("cannot read the kernel's tables")?;
    let mut kernel = Kernel::open().context("cannot give the kernel orders")?;
    let cpus = pin::allowed_cpus()?;
    let (found, workers) = devices::find(config, &mirror, cpus.len())?;
    let configured: Vec<CpuNumber> =
        config.gateway.cpus.iter().map(|&cpu| cpu as CpuNumber).collect();
    let cpus = pin::choose(workers as usize, &configured)?;

    let mut steering = load_steering(config)?;
    let mut tags = TagKeeper::open()?;
    let mut held = Vec::new();
    for (found, wanted) in found.into_iter().zip(&config.interface) {
        tags.add(found.ifindex, &found.name)?;
        held.push(devices::attach(&mut steering, found, wanted)?);
    }

    let slow_frames = 2 * config.limits.tun_queue;
    let per_worker = frames_per_worker(config, &held, workers);
    let (umem, mut pool) = map_frames(config, workers * per_worker + slow_frames)?;
    let mut pools: Vec<FramePool> = (0..workers).map(|_| pool.split(per_worker as usize)).collect();
    let (queues, zero_copy) =
        open_queues(config, &mut steering, &mut held, workers, &umem, &mut pools)?;

    let tunnel_mtu = config
        .wireguard
        .as_ref()
        .map(|wireguard| tunnel::mtu(wireguard, held.iter().map(|held| held.found.mtu)));
    let mut tunnel = None;
    if let (Some(wireguard), Some(mtu)) = (&config.wireguard, tunnel_mtu) {
        tunnel = Some(tunnel::create(wireguard, mtu, &mut kernel, &mut mirror)?);
    }
    let (tun, tunnel) = tunnel.map_or((None, None), |(tun, device)| (Some(tun), Some(device)));
    let port_guard =
        config.wireguard.as_ref().map(|wireguard| guard_port(wireguard.listen_port)).transpose()?;

    let assembly = Assembly { config, aead, workers, cpus, per_worker };
    assembly.run(Prepared {
        mirror,
        kernel,
        steering,
        held,
        tags,
        zero_copy,
        tun,
        tunnel,
        port_guard,
        pools,
        slow_pool: pool,
        queues,
    })
}

fn choose_cipher(config: &config::Config) -> Result<Aead> {
    let choice = match config.wireguard.as_ref().map(|wireguard| wireguard.aead) {
        None | Some(config::AeadBackend::Auto) => aead::Choice::Auto,
        Some(config::AeadBackend::Ring) => aead::Choice::Forced(aead::Backend::Ring),
        Some(backend @ (config::AeadBackend::Avx512 | config::AeadBackend::Avx2)) => {
            bail!("wireguard.aead = {backend:?}: this build has no such backend; it has \"ring\"")
        }
    };
    Ok(Aead::new(choice)?)
}

fn load_steering(config: &config::Config) -> Result<Steering> {
    let options = SteeringOptions {
        transit_on_failure: match config.gateway.on_stall {
            config::OnStall::Drop => OnFailure::Drop,
            config::OnStall::Pass => OnFailure::Pass,
        },
        heartbeat_timeout: config.gateway.heartbeat_timeout.get(),
        multi_buffer: false,
        capacities: Capacities::default(),
    };
    Steering::load(&options).context("the steering program cannot be loaded")
}

fn frames_per_worker(config: &config::Config, held: &[Held], workers: u32) -> u32 {
    if let Some(frames) = config.gateway.frames_per_worker.exactly() {
        return frames;
    }
    let in_rings: u32 = held
        .iter()
        .zip(&config.interface)
        .map(|(held, wanted)| {
            let queues = held.found.queues.div_ceil(workers);
            queues * (wanted.fill_ring + wanted.rx_ring + wanted.tx_ring)
        })
        .sum();
    in_rings + frames_beyond_rings(&config.limits)
}

/// What waits may take all the room that it has without taking it from the rings.
const fn frames_beyond_rings(limits: &config::Limits) -> u32 {
    limits.parked_packets + FRAMES_IN_FLIGHT
}

fn map_frames(config: &config::Config, frames: u32) -> Result<(Arc<Umem>, FramePool)> {
    let frame_size = match config.gateway.frame_size.bytes() {
        2048 => FrameSize::Bytes2048,
        4096 => FrameSize::Bytes4096,
        other => bail!("gateway.frame_size: {other} bytes; 2KiB and 4KiB are possible"),
    };
    let huge_pages = match config.gateway.huge_pages {
        config::HugePages::Auto => HugePages::Prefer,
        config::HugePages::On => HugePages::Require,
        config::HugePages::Off => HugePages::Never,
    };
    let config = UmemConfig { frame_size, huge_pages, ..UmemConfig::with_frames(frames) };
    let (umem, pool) = Umem::new(config).with_context(|| format!("{frames} packet frames"))?;
    tracing::info!(frames, pages = ?umem.pages(), "packet memory");
    Ok((umem, pool))
}

type Queues = BTreeMap<u32, Vec<Device<AfXdpPort>>>;

/// Opens every queue of every device: queue `q` belongs to worker `q` modulo the workers.
fn open_queues(
    config: &config::Config,
    steering: &mut Steering,
    held: &mut [Held],
    workers: u32,
    umem: &Arc<Umem>,
    pools: &mut [FramePool],
) -> Result<(Queues, Vec<bool>)> {
    let mut queues = Queues::new();
    let mut zero_copy = Vec::new();
    for (held, wanted) in held.iter_mut().zip(&config.interface) {
        let mut all_zero_copy = true;
        for queue in 0..held.found.queues {
            let worker = queue % workers;
            let pool = pools.get_mut(worker as usize).context("a worker without frames")?;
            let socket = devices::open_queue(held, wanted, queue, umem, pool, busy_poll(config))?;
            let slot = ebpf::Slot(held.found.first_slot.0 + queue);
            steering.set_socket(slot, WorkerIndex(worker), std::os::fd::AsFd::as_fd(&socket))?;
            all_zero_copy &= socket.obtained().zero_copy;
            queues.entry(worker).or_default().push(Device {
                port: held.found.port,
                number: queue,
                queue: socket,
            });
        }
        zero_copy.push(all_zero_copy);
    }
    Ok((queues, zero_copy))
}

fn busy_poll(config: &config::Config) -> Option<BusyPoll> {
    let budget = u16::try_from(config.gateway.busy_poll_budget).unwrap_or(u16::MAX);
    match config.gateway.poll_mode {
        config::PollMode::Busy => Some(BusyPoll { budget, ..BusyPoll::USUAL }),
        config::PollMode::Adaptive | config::PollMode::Interrupt => None,
    }
}

/// Holds the tunnel's port in the kernel too, so that no other process takes it.
fn guard_port(port: u16) -> Result<UdpSocket> {
    UdpSocket::bind(("::", port))
        .or_else(|_| UdpSocket::bind(("0.0.0.0", port)))
        .with_context(|| format!("wireguard.listen_port: UDP port {port} is taken"))
}

struct Assembly<'a> {
    config: &'a config::Config,
    aead: Aead,
    workers: u32,
    cpus: Vec<CpuNumber>,
    per_worker: u32,
}

struct Prepared {
    mirror: Mirror,
    kernel: Kernel,
    steering: Steering,
    held: Vec<Held>,
    tags: TagKeeper,
    zero_copy: Vec<bool>,
    tun: Option<Tun>,
    tunnel: Option<TunnelDevice>,
    port_guard: Option<UdpSocket>,
    pools: Vec<FramePool>,
    slow_pool: FramePool,
    queues: Queues,
}

/// The rings and wakers of one worker, before they are handed out.
struct WorkerSeat {
    sleeper: Sleeper,
    waker: Waker,
    mailboxes: Mailboxes,
}

impl Assembly<'_> {
    fn run(self, prepared: Prepared) -> Result<Running> {
        let Prepared {
            mut mirror,
            mut kernel,
            steering,
            held,
            tags,
            zero_copy,
            tun,
            mut tunnel,
            port_guard,
            pools,
            slow_pool,
            queues,
        } = prepared;
        let config = self.config;
        let privileges = Privileges::of(&config.security);
        let mut rng =
            rand::rngs::StdRng::try_from_rng(&mut SysRng).context("no randomness to be had")?;
        let now = Monotonic.now();
        let stop = Arc::new(AtomicBool::new(false));
        let places = config.limits.peers as usize;
        let owners = PeerOwners::new(places);
        let (control_sleeper, control_waker) = wake_pair()?;
        let (handshake_sleeper, handshake_waker) = wake_pair()?;
        let (slow_sleeper, slow_waker) = wake_pair()?;

        let mut seats = Vec::new();
        let mut links = Vec::new();
        let mut events = Vec::new();
        for _ in 0..self.workers {
            let (seat, link, control) = self.mailboxes(&handshake_waker, &control_waker)?;
            seats.push(seat);
            links.push(link);
            events.push(control);
        }
        let mut wakers: Vec<Waker> = seats.iter().map(|seat| seat.waker.clone()).collect();
        wakers.push(slow_waker.clone());
        let mut mesh_seats = mesh(&wakers, config.limits.handoff_ring as usize);

        let mut helpers = Vec::new();
        let handshakes = Arc::new(crossbeam_utils::CachePadded::into_inner(WorkerCounters::new()));
        let mut client = None;
        let mut gate = None;
        let mut public_key = None;
        if let Some(wireguard) = &config.wireguard {
            let private =
                wireguard.private_key.as_ref().context("wireguard.private_key_file: no key")?;
            let private = PrivateKey::from_bytes(*private.bytes());
            let settings = HandshakeSettings {
                give_up: wireguard.handshake_give_up.get(),
                ..HandshakeSettings::new(
                    NonZeroU32::new(self.workers).context("no workers")?,
                    places,
                )
            };
            let engine_rng =
                rand::rngs::StdRng::try_from_rng(&mut SysRng).context("no randomness to be had")?;
            let engine = Handshakes::new(&private, &settings, Box::new(engine_rng));
            let settings = GateSettings {
                gateway: Rate::new(
                    wireguard.handshake_rate.pps(),
                    u64::from(wireguard.handshake_burst),
                ),
                sources: config.limits.handshake_sources as usize,
                ..GateSettings::STANDARD
            };
            let shared = Arc::new(Gate::new(engine.public_key(), &settings, &mut rng));
            public_key = Some(*engine.public_key());
            let (thread, asks) = HandshakeThread::new(HandshakeParts {
                engine,
                gate: Arc::clone(&shared),
                owners: owners.clone(),
                places,
                workers: links,
                sleeper: handshake_sleeper,
                waker: handshake_waker.clone(),
                counters: Arc::clone(&handshakes),
                stop: Arc::clone(&stop),
            });
            helpers
                .push(helper("rw-handshake", handshake_waker, privileges, move || thread.run())?);
            gate = Some(shared);
            client = Some(asks);
        }

        let found: Vec<_> = held.iter().map(|held| held.found.clone()).collect();
        let mut maker = SnapshotMaker::new(&Fixed {
            found: &found,
            tunnel: tunnel.as_ref(),
            listen_port: config.wireguard.as_ref().map_or(0, |wireguard| wireguard.listen_port),
            owners,
            gate,
            seed: rng.next_u64(),
        });
        let mut registry = PeerRegistry::new(places);
        if let (Some(client), Some(wireguard)) = (&client, &config.wireguard) {
            registry.change(&wireguard.peer, client)?.finish(client)?;
        }
        if let (Some(tunnel), Some(wireguard)) = (&mut tunnel, &config.wireguard)
            && wireguard.routes == config::TunnelRoutes::AllowedIps
        {
            tunnel.set_routes(&registry.prefixes(), &mut kernel)?;
        }
        mirror.process().context("cannot read the kernel's tables")?;
        maker.take_peers(&registry);
        maker.take_policy(rules::compile(config, registry.specs())?);
        let everything =
            Changes::LINKS | Changes::ADDRESSES | Changes::ROUTES | Changes::NEIGHBOURS;
        maker.take_kernel(mirror.tables(), everything, config)?;
        let publisher = Publisher::new(maker.make(), self.workers as usize);

        let slow_path = Arc::new(WorkerCounters::new());
        if let (Some(tun), Some(seat)) = (tun, mesh_seats.pop()) {
            let slow = SlowPath {
                tun,
                seat,
                sleeper: slow_sleeper,
                pool: slow_pool,
                counters: Arc::clone(&slow_path),
                workers: self.workers as usize,
                stop: Arc::clone(&stop),
            };
            helpers.push(helper("rw-slow-path", slow_waker, privileges, move || slow.run())?);
        }
        let reply_budget = Arc::new(ReplyBudget::new(
            usize::from(u16::MAX),
            Rate::new(config.limits.reply_rate.pps(), config.limits.reply_rate.pps().div_ceil(10)),
            Rate::new(
                config.limits.reply_rate_per_source.pps(),
                config.limits.reply_rate_per_source.pps(),
            ),
        ));
        let hash_seed = rng.next_u64();
        let mut workers = Vec::new();
        let mut watched = Vec::new();
        let mut queues = queues;
        for (number, ((seat, mesh_seat), pool)) in
            seats.into_iter().zip(mesh_seats).zip(pools).enumerate()
        {
            let shared = Arc::new(WorkerShared::new(now));
            let state = WorkerState::new(self.aead, self.limits(), rng.next_u64(), now);
            let outbox = Outbox::new(held.len(), self.outbox_capacity());
            let worker = Worker {
                id: WorkerId(number as u16),
                workers: self.workers as u16,
                snapshots: publisher.subscribe(number),
                shared: Arc::clone(&shared),
                reply_budget: Arc::clone(&reply_budget),
                hash_seed,
                body: Body {
                    devices: queues.remove(&(number as u32)).unwrap_or_default(),
                    pool,
                    state,
                    outbox,
                    seat: mesh_seat,
                    mailboxes: seat.mailboxes,
                },
            };
            let cpu = self.cpus.get(number).copied().context("a worker without a processor")?;
            let surroundings = self.surroundings(cpu, seat.sleeper, &steering);
            let waker = seat.waker;
            let thread = std::thread::Builder::new()
                .name(format!("rw-worker-{number}"))
                .spawn(move || worker_thread::run(worker, &surroundings))?;
            watched.push(WatchedWorker {
                shared: Arc::clone(&shared),
                cpu,
                frames: u64::from(self.per_worker),
                waker: waker.clone(),
            });
            workers.push(WorkerHandle { shared, waker, thread });
        }
        let mut running = Running {
            mirror,
            kernel,
            steering,
            held,
            tags,
            zero_copy,
            tunnel,
            registry,
            client,
            public_key,
            maker,
            publisher,
            workers,
            watched,
            events,
            helpers,
            slow_path,
            handshakes,
            sleeper: control_sleeper,
            waker: control_waker,
            stop,
            aead: self.aead.backend(),
            _port_guard: port_guard,
        };
        running.await_signs_of_life(now)?;
        running.steer(config)?;
        running.steering.enable(true)?;
        Ok(running)
    }

    fn mailboxes(
        &self,
        handshake_waker: &Waker,
        control_waker: &Waker,
    ) -> Result<(WorkerSeat, WorkerLink, Consumer<pipeline::ControlEvent>)> {
        let limits = &self.config.limits;
        let (sleeper, waker) = wake_pair()?;
        let (to_worker, commands) = RingBuffer::new(limits.command_ring as usize);
        let (handshakes, from_worker) = RingBuffer::new(limits.handshake_queue as usize);
        let (events, to_control) = RingBuffer::new(limits.event_ring as usize);
        let mailboxes = Mailboxes {
            commands,
            handshakes,
            handshake_waker: handshake_waker.clone(),
            events,
            control_waker: control_waker.clone(),
        };
        let link = WorkerLink { commands: to_worker, events: from_worker, waker: waker.clone() };
        Ok((WorkerSeat { sleeper, waker, mailboxes }, link, to_control))
    }

    fn limits(&self) -> StateLimits {
        let limits = &self.config.limits;
        StateLimits {
            peers: limits.peers as usize,
            staged: STAGED,
            parked: limits.parked_packets as usize,
            park_time: limits.park_time.get(),
        }
    }

    /// Twice the largest transmit ring: a full ring may wait in front of a full ring.
    fn outbox_capacity(&self) -> usize {
        let largest = self.config.interface.iter().map(|interface| interface.tx_ring).max();
        2 * largest.unwrap_or(2048) as usize
    }

    fn surroundings(&self, cpu: CpuNumber, sleeper: Sleeper, steering: &Steering) -> Surroundings {
        Surroundings {
            cpu,
            waiting: match self.config.gateway.poll_mode {
                config::PollMode::Adaptive => Waiting::Adaptive,
                config::PollMode::Busy => Waiting::Busy,
                config::PollMode::Interrupt => Waiting::Interrupt,
            },
            busy_poll: busy_poll(self.config).is_some(),
            sleeper,
            privileges: Privileges::of(&self.config.security),
            heartbeats: Some(steering.heartbeats()),
        }
    }
}

/// How long the workers may take to their first turn.
const FIRST_TURN_WITHIN: Duration = Duration::from_secs(2);

impl Running {
    fn await_signs_of_life(&self, since: clock::Time) -> Result<()> {
        let deadline = since + FIRST_TURN_WITHIN + Duration::from_secs(5);
        while self.workers.iter().any(|worker| worker.shared.last_beat() == since) {
            let dead = self.workers.iter().any(|worker| worker.thread.is_finished());
            ensure!(!dead && Monotonic.now() < deadline, "a worker does not start");
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Tells the steering program our addresses and the tunnel service on each that is no broadcast address.
    ///
    /// # Errors
    /// What the program does not take; what it had before remains.
    pub fn steer(&mut self, config: &config::Config) -> Result<()> {
        let locals = self.maker.local_addresses();
        self.steering.set_locals(locals).context("the gateway's addresses")?;
        let port = config.wireguard.as_ref().map(|wireguard| wireguard.listen_port);
        let addresses = self.maker.unicast_addresses();
        let on_each =
            |&port| addresses.iter().map(move |&address| ebpf::Service::udp(address, port));
        let services: Vec<_> = port.iter().flat_map(on_each).collect();
        self.steering.set_services(&services).context("the tunnel services")
    }
}

fn helper(
    name: &'static str,
    waker: Waker,
    privileges: Privileges,
    body: impl FnOnce() + Send + 'static,
) -> Result<HelperThread> {
    let run = move || {
        privileges.keep_none();
        body();
    };
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run)?;
    Ok(HelperThread { name, waker, thread })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_that_wait_leave_the_rings_their_frames_however_many_may_wait() {
        for parked_packets in [1, 256, 1 << 16] {
            let limits = config::Limits { parked_packets, ..config::Limits::default() };
            let waiting = parked_packets as usize + STAGED;
            let bursts = 2 * io::BURST;
            assert!(frames_beyond_rings(&limits) as usize >= waiting + bursts, "{parked_packets}");
        }
    }
}
