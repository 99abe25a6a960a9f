//! What the threads of the gateway have in common, and the start of those that are no workers.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use clock::Time;
use crossbeam_utils::CachePadded;
use io::{FramePool, Tun};
use pipeline::PeerOwners;
use rand::SeedableRng;
use rand::rngs::{StdRng, SysRng};
use telemetry::WorkerCounters;

use super::super::running::HelperThread;
use crate::runtime::mesh::MeshSeat;
use crate::runtime::privileges::Privileges;
use crate::runtime::shared::WorkerShared;
use crate::runtime::slow_path::SlowPath;
use crate::runtime::wake::{Sleeper, Waker};

/// What the threads have in common.
pub(super) struct Crew<'a> {
    /// What they do.
    pub config: &'a config::Config,
    /// How many workers there are.
    pub workers: usize,
    /// What each of them shares, by number.
    pub shared: Vec<Arc<WorkerShared>>,
    /// What they may do.
    pub privileges: Privileges,
    /// Which worker owns which peer.
    pub owners: PeerOwners,
    /// The handshake thread's counters.
    pub handshakes: Arc<WorkerCounters>,
    /// The slow path's counters.
    pub slow_path: Arc<CachePadded<WorkerCounters>>,
    /// Set when the helper threads are to end.
    pub stop: Arc<AtomicBool>,
}

impl<'a> Crew<'a> {
    /// Nobody has started.
    pub(super) fn new(config: &'a config::Config, workers: usize, now: Time) -> Self {
        Self {
            config,
            workers,
            shared: (0..workers).map(|_| Arc::new(WorkerShared::new(now))).collect(),
            privileges: Privileges::of(&config.security),
            owners: PeerOwners::new(config.limits.peers as usize),
            handshakes: Arc::new(CachePadded::into_inner(WorkerCounters::new())),
            slow_path: Arc::new(WorkerCounters::new()),
            stop: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Starts a thread that needs no privileges.
    pub(super) fn helper(
        &self,
        name: &'static str,
        waker: Waker,
        body: impl FnOnce() + Send + 'static,
    ) -> Result<HelperThread> {
        let privileges = self.privileges;
        let run = move || {
            privileges.keep_none();
            body();
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(HelperThread { name, waker, thread })
    }

    /// Starts the thread that moves packets between the workers and the kernel, where there is a tunnel.
    pub(super) fn start_slow_path(
        &self,
        tun: Option<Tun>,
        (seat, pool): (MeshSeat, FramePool),
        (sleeper, waker): (Sleeper, Waker),
    ) -> Result<Option<HelperThread>> {
        let Some(tun) = tun else { return Ok(None) };
        let slow_path = SlowPath {
            tun,
            sleeper,
            pool,
            counters: Arc::clone(&self.slow_path),
            workers: self.shared.clone(),
            seat,
            stop: Arc::clone(&self.stop),
        };
        self.helper("rw-slow-path", waker, move || slow_path.run()).map(Some)
    }
}

/// Randomness of the system's.
pub(super) fn randomness() -> Result<StdRng> {
    StdRng::try_from_rng(&mut SysRng).context("no randomness to be had")
}
