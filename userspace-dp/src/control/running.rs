//! Everything that runs, as the control thread holds it.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clock::{Clock, Monotonic, Time};
use crossbeam_utils::CachePadded;
use ebpf::Steering;
use io::af_xdp::AfXdpPort;
use rtrb::Consumer;
use telemetry::WorkerCounters;

use super::channels::ChannelKeeper;
use super::devices::Held;
use super::netlink::{Kernel, Mirror};
use super::observer::WatchedWorker;
use super::peers::PeerRegistry;
use super::snapshots::SnapshotMaker;
use super::tunnel::TunnelDevice;
use super::vlan_tags::TagKeeper;
use crate::runtime::handshake::HandshakeClient;
use crate::runtime::publish::Publisher;
use crate::runtime::shared::WorkerShared;
use crate::runtime::wake::{Sleeper, Waker};
use crate::runtime::worker::Worker;

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
    /// Gives the devices their number of queues back.
    pub channels: ChannelKeeper,
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
    pub slow_path: Arc<CachePadded<WorkerCounters>>,
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
    pub(super) _port_guard: Option<UdpSocket>,
}

/// How long the workers may take to their first turn.
const FIRST_TURN_WITHIN: Duration = Duration::from_secs(7);

impl Running {
    /// Waits until every worker, started at `since`, has made a turn.
    ///
    /// # Errors
    /// One of them does not.
    pub(super) fn await_signs_of_life(&self, since: Time) -> Result<()> {
        let deadline = since + FIRST_TURN_WITHIN;
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
