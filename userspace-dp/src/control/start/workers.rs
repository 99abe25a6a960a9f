//! The workers' threads: each with its queues, frames, rings and processor.

use std::sync::Arc;

use aead::Aead;
use anyhow::{Context, Result};
use clock::{Rate, Time};
use ebpf::Steering;
use io::FramePool;
use io::af_xdp::AfXdpPort;
use pipeline::{Outbox, ReplyBudget, StateLimits, WorkerId, WorkerState};
use rand::Rng;
use rand::rngs::StdRng;

use super::super::observer::WatchedWorker;
use super::super::running::WorkerHandle;
use super::crew::Crew;
use super::queues::{Queues, busy_poll};
use super::wiring::WorkerSeat;
use crate::runtime::pin::CpuNumber;
use crate::runtime::publish::Publisher;
use crate::runtime::wake::Sleeper;
use crate::runtime::worker::{Body, Device, Worker};
use crate::runtime::worker_thread::{self, Surroundings, Waiting};

/// Packets that may wait for sessions, per worker.
pub(super) const STAGED: usize = 2048;

/// What all workers are made with.
pub(super) struct Workers<'a> {
    /// What all threads have in common.
    pub crew: &'a Crew<'a>,
    /// The cipher.
    pub aead: Aead,
    /// Where they show that they live.
    pub steering: &'a Steering,
    /// Where they read the snapshot.
    pub publisher: &'a Publisher,
    /// The processor of each.
    pub cpus: &'a [CpuNumber],
    /// Frames of each.
    pub frames: u32,
    /// When the gateway started.
    pub now: Time,
}

/// What is one worker's alone.
struct Own {
    number: usize,
    seat: WorkerSeat,
    pool: FramePool,
    devices: Vec<Device<AfXdpPort>>,
    seed: u64,
}

/// What all workers share.
struct Shared {
    reply_budget: Arc<ReplyBudget>,
    hash_seed: u64,
}

impl Workers<'_> {
    /// Starts all of them.
    pub(super) fn start(
        &self,
        seats: Vec<WorkerSeat>,
        pools: Vec<FramePool>,
        mut queues: Queues,
        rng: &mut StdRng,
    ) -> Result<(Vec<WorkerHandle>, Vec<WatchedWorker>)> {
        let shared =
            Shared { reply_budget: Arc::new(self.reply_budget()), hash_seed: rng.next_u64() };
        let (mut workers, mut watched) = (Vec::new(), Vec::new());
        for (number, (seat, pool)) in seats.into_iter().zip(pools).enumerate() {
            let devices = queues.remove(&(number as u32)).unwrap_or_default();
            let own = Own { number, seat, pool, devices, seed: rng.next_u64() };
            let (handle, watch) = self.start_one(own, &shared)?;
            workers.push(handle);
            watched.push(watch);
        }
        Ok((workers, watched))
    }

    fn start_one(&self, own: Own, all: &Shared) -> Result<(WorkerHandle, WatchedWorker)> {
        let Own { number, seat, pool, devices, seed } = own;
        let WorkerSeat { sleeper, waker, mesh, mailboxes } = seat;
        let shared =
            self.crew.shared.get(number).cloned().context("a worker that shares nothing")?;
        let worker = Worker {
            id: WorkerId(number as u16),
            workers: self.crew.workers as u16,
            snapshots: self.publisher.subscribe(number),
            shared: Arc::clone(&shared),
            reply_budget: Arc::clone(&all.reply_budget),
            hash_seed: all.hash_seed,
            body: Body {
                devices,
                pool,
                state: WorkerState::new(self.aead, self.limits(), seed, self.now),
                outbox: Outbox::new(self.crew.config.interface.len(), self.outbox_capacity()),
                seat: mesh,
                mailboxes,
            },
        };
        let cpu = self.cpus.get(number).copied().context("a worker without a processor")?;
        let surroundings = self.surroundings(cpu, sleeper);
        let thread = std::thread::Builder::new()
            .name(format!("rw-worker-{number}"))
            .spawn(move || worker_thread::run(worker, &surroundings))?;
        let (frames, wakes) = (u64::from(self.frames), waker.clone());
        let watched = WatchedWorker { shared: Arc::clone(&shared), cpu, frames, waker: wakes };
        Ok((WorkerHandle { shared, waker, thread }, watched))
    }

    fn reply_budget(&self) -> ReplyBudget {
        let limits = &self.crew.config.limits;
        let (all, source) = (limits.reply_rate.pps(), limits.reply_rate_per_source.pps());
        let sources = usize::from(u16::MAX);
        ReplyBudget::new(sources, Rate::new(all, all.div_ceil(10)), Rate::new(source, source))
    }

    fn limits(&self) -> StateLimits {
        let limits = &self.crew.config.limits;
        StateLimits {
            peers: limits.peers as usize,
            staged: STAGED,
            parked: limits.parked_packets as usize,
            park_time: limits.park_time.get(),
        }
    }

    /// Twice the largest transmit ring: a full ring may wait in front of a full ring.
    fn outbox_capacity(&self) -> usize {
        let largest = self.crew.config.interface.iter().map(|interface| interface.tx_ring).max();
        2 * largest.unwrap_or(2048) as usize
    }

    fn surroundings(&self, cpu: CpuNumber, sleeper: Sleeper) -> Surroundings {
        let config = self.crew.config;
        Surroundings {
            cpu,
            waiting: match config.gateway.poll_mode {
                config::PollMode::Adaptive => Waiting::Adaptive,
                config::PollMode::Busy => Waiting::Busy,
                config::PollMode::Interrupt => Waiting::Interrupt,
            },
            busy_poll: busy_poll(config).is_some(),
            sleeper,
            privileges: self.crew.privileges,
            heartbeat_timeout: config.gateway.heartbeat_timeout.get(),
            heartbeats: Some(self.steering.heartbeats()),
        }
    }
}
