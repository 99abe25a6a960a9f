//! What readers may see of the running gateway: counters that are read where they are, and a view that control
//! renews. Nobody who reads delays a worker.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clock::{Clock, Monotonic, Time};
use crossbeam_utils::CachePadded;
use pipeline::Snapshot;
use route::WeightedHop;
use telemetry::WorkerCounters;

use super::devices::Found;
use super::peers::KnownPeer;
use crate::api::{LinkStatistics, Reload};
use crate::runtime::handshake::HandshakeClient;
use crate::runtime::pin::CpuNumber;
use crate::runtime::shared::{WorkerReport, WorkerShared};
use crate::runtime::wake::Waker;

/// One worker, as readers see it.
pub struct WatchedWorker {
    /// What it shares.
    pub shared: Arc<WorkerShared>,
    /// The processor that it is pinned to.
    pub cpu: CpuNumber,
    /// Frames that it was given.
    pub frames: u64,
    /// Wakes it, so that it answers a question.
    pub waker: Waker,
}

/// A device, as readers see it.
#[derive(Clone, Debug)]
pub struct DeviceView {
    /// The device.
    pub found: Found,
    /// How the kernel says that the steering program runs.
    pub mode: String,
    /// Whether its sockets run without copies.
    pub zero_copy: bool,
    /// Why less was got than could have been.
    pub stepped_down: Option<String>,
    /// The steering program's number in the kernel.
    pub program_id: Option<u32>,
    /// Whether the link is up with carrier.
    pub link_up: bool,
    /// The kernel's own counters.
    pub link: LinkStatistics,
}

/// The tunnel's device, as readers see it.
#[derive(Clone, Debug, Default)]
pub struct TunnelView {
    /// The kernel's index; zero without a tunnel.
    pub ifindex: u32,
    /// Whether the link is up.
    pub link_up: bool,
    /// The kernel's own counters.
    pub link: LinkStatistics,
}

/// A route with its next hops.
pub type RouteView = (ipnet::IpNet, Vec<WeightedHop>);

/// What control knows and renews.
#[derive(Clone)]
pub struct View {
    /// The configuration in effect, with the files that it came from.
    pub loaded: Arc<config::Loaded>,
    /// The snapshot in effect.
    pub snapshot: Arc<Snapshot>,
    /// The devices, in configuration order.
    pub devices: Vec<DeviceView>,
    /// The steering program's exits: name, packets.
    pub exits: Vec<(&'static str, u64)>,
    /// The peers.
    pub peers: Arc<[KnownPeer]>,
    /// The tunnel's device.
    pub tunnel: TunnelView,
    /// The tunnel's public key.
    pub public_key: Option<wireguard::PublicKey>,
    /// The last reload.
    pub reload: Option<Reload>,
    /// What does not work, one line each.
    pub problems: Vec<String>,
}

/// The readers' side of the gateway.
pub struct Observer {
    /// By number of the worker.
    pub workers: Vec<WatchedWorker>,
    /// The slow path's counters.
    pub slow_path: Arc<CachePadded<WorkerCounters>>,
    /// The handshake thread's counters.
    pub handshakes: Arc<WorkerCounters>,
    /// Asks the handshake thread.
    pub client: Option<HandshakeClient>,
    /// The cipher in use.
    pub aead: aead::Backend,
    /// When the gateway was ready.
    pub started: Time,
    /// A worker that has not turned for this long is dead.
    pub heartbeat_timeout: Duration,
    routes: Mutex<Sender<Sender<Vec<RouteView>>>>,
    control: Waker,
    view: RwLock<View>,
    /// The last report of each worker. Who asks holds it, so that nobody takes another's answer.
    reports: Mutex<Vec<Option<WorkerReport>>>,
}

/// How long control or a worker may take to answer a question. A worker takes as many turns as its peers need, each well
/// under a millisecond.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);

impl Observer {
    /// An observer with a first view.
    pub fn new(parts: ObserverParts) -> Self {
        let ObserverParts {
            workers,
            slow_path,
            handshakes,
            client,
            aead,
            heartbeat_timeout,
            routes,
            control,
            view,
        } = parts;
        let reports = Mutex::new(workers.iter().map(|_| None).collect());
        Self {
            reports,
            workers,
            slow_path,
            handshakes,
            client,
            aead,
            started: Monotonic.now(),
            heartbeat_timeout,
            routes: Mutex::new(routes),
            control,
            view: RwLock::new(view),
        }
    }

    /// The present view.
    pub fn view(&self) -> View {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Renews the view.
    pub fn renew(&self, change: impl FnOnce(&mut View)) {
        change(&mut self.view.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Whether the heartbeat of a worker advances.
    pub fn is_alive(&self, worker: &WatchedWorker) -> bool {
        Monotonic.now().since(worker.shared.last_beat()) < self.heartbeat_timeout
    }

    /// Asks control for every route; `None` when it does not answer, which does not mean that there are none. There
    /// may be many, so they are gathered only when somebody looks.
    pub fn routes(&self) -> Option<Vec<RouteView>> {
        let (reply, answer) = channel();
        let asked = self.routes.lock().unwrap_or_else(PoisonError::into_inner).send(reply);
        self.control.wake();
        asked.ok()?;
        answer.recv_timeout(ANSWER_WITHIN).ok()
    }

    /// Asks every worker for a report. For one that does not answer it is the last that it gave, so that no count
    /// falls back; `None` when it never gave any. Several who ask at once are served one after the other.
    pub fn reports(&self) -> Vec<Option<WorkerReport>> {
        let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        for worker in &self.workers {
            worker.shared.ask();
            worker.waker.wake();
        }
        let deadline = Monotonic.now() + ANSWER_WITHIN;
        for (worker, last) in self.workers.iter().zip(&mut *reports) {
            if let Some(report) = wait_for(worker, deadline) {
                *last = Some(report);
            }
        }
        reports.clone()
    }
}

/// What an [`Observer`] is made of.
pub struct ObserverParts {
    /// By number of the worker.
    pub workers: Vec<WatchedWorker>,
    /// The slow path's counters.
    pub slow_path: Arc<CachePadded<WorkerCounters>>,
    /// The handshake thread's counters.
    pub handshakes: Arc<WorkerCounters>,
    /// Asks the handshake thread.
    pub client: Option<HandshakeClient>,
    /// The cipher in use.
    pub aead: aead::Backend,
    /// A worker that has not turned for this long is dead.
    pub heartbeat_timeout: Duration,
    /// Asks control for its routes.
    pub routes: Sender<Sender<Vec<RouteView>>>,
    /// Wakes control.
    pub control: Waker,
    /// The first view.
    pub view: View,
}

fn wait_for(worker: &WatchedWorker, deadline: Time) -> Option<WorkerReport> {
    loop {
        if let Some(report) = worker.shared.told() {
            return Some(report);
        }
        if Monotonic.now() >= deadline {
            return None;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Seconds since the Unix epoch, now.
pub fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The wall-clock time of a point on the monotonic clock, in seconds since the Unix epoch.
pub fn unix_at(time: Time) -> u64 {
    unix_now().saturating_sub(Monotonic.now().since(time).as_secs())
}

#[cfg(test)]
mod tests;
