//! The life of a worker's thread: pinned, polling, sometimes asleep, watched, and at the end tidy.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use arrayvec::ArrayVec;
use clock::{Clock, Monotonic, Time};
use ebpf::{Heartbeats, WorkerIndex};
use io::Port;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::alloc_guard;
use super::pin::{CpuNumber, pin_current_thread};
use super::privileges::{self, Privileges};
use super::reporting::Reporting;
use super::shared::Fault;
use super::wake::Sleeper;
use super::worker::Worker;

/// How a worker waits for packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// It polls while there is traffic and sleeps when there has been none for a while.
    Adaptive,
    /// It never sleeps.
    Busy,
    /// It sleeps whenever there is nothing to do.
    Interrupt,
}

/// Empty turns before an adaptive worker sleeps: some tens of microseconds, longer than the gap between two
/// interrupts of a busy device, far shorter than what a person notices as load.
const PATIENCE_TURNS: u32 = 256;
/// The longest sleep, however long a worker may be silent.
const SLEEP_MAX: Duration = Duration::from_millis(100);
/// The longest sleep while packets wait for a device, which may become ready without saying so.
const SLEEP_BEFORE_DEVICE: Duration = Duration::from_millis(1);
/// Least time between two forced polls of the receive path; more often starves transmission.
const BUSY_POLL_INTERVAL: Duration = Duration::from_micros(5);
/// Descriptors that a worker waits on: its queues and its waker.
const WAITS_MAX: usize = 65;

/// Where and how the thread runs.
pub struct Surroundings {
    /// The processor.
    pub cpu: CpuNumber,
    /// How it waits.
    pub waiting: Waiting,
    /// Whether the queues are polled in the kernel's stead.
    pub busy_poll: bool,
    /// How it is woken.
    pub sleeper: Sleeper,
    /// Whether the thread gives up its capabilities: rings and sockets are open when it begins.
    pub privileges: Privileges,
    /// The longest silence before the worker counts as dead: it never sleeps so long that it comes near.
    pub heartbeat_timeout: Duration,
    /// Signs of life that the steering program reads; none where there is no program.
    pub heartbeats: Option<Heartbeats>,
}

/// Runs `worker` until it is told to stop. Returns the worker, tidied, so that its queues can be closed in order.
pub fn run<P: Port>(
    mut worker: Worker<P>,
    surroundings: &Surroundings,
) -> anyhow::Result<Worker<P>> {
    pin_current_thread(surroundings.cpu)?;
    surroundings.privileges.keep(privileges::NONE).context("capabilities")?;
    let shared = Arc::clone(&worker.shared);
    // The library behind snapshots keeps a node for each thread, allocated at its first reading: now, not in a turn.
    drop(worker.snapshots.last());
    let sleep_max = longest_sleep(surroundings.heartbeat_timeout);
    let mut reporting = Reporting::default();
    let mut idle_turns: u32 = 0;
    let mut polled_at = Time::ZERO;
    let mut turn_began = Monotonic.now();
    while !shared.stop.load(Ordering::Relaxed) {
        match shared.fault() {
            Fault::None => {}
            Fault::Kill => anyhow::bail!("killed by a fault that was put in"),
            Fault::Stop => loop {
                std::thread::park();
            },
        }
        shared.beat(turn_began);
        if let Some(heartbeats) = &surroundings.heartbeats {
            heartbeats.beat(WorkerIndex(u32::from(worker.id.0)), turn_began);
        }
        if surroundings.busy_poll && turn_began.since(polled_at) >= BUSY_POLL_INTERVAL {
            polled_at = turn_began;
            for device in &mut worker.body.devices {
                device.queue.busy_poll();
            }
        }
        let handled = alloc_guard::forbid(|| worker.turn(turn_began, &Monotonic));
        let reports = reporting.go_on(&worker);
        idle_turns = empty_turns(idle_turns, handled);
        let sleeps = match surroundings.waiting {
            Waiting::Busy => false,
            Waiting::Adaptive => idle_turns > PATIENCE_TURNS,
            Waiting::Interrupt => idle_turns > 0,
        };
        if sleeps && !reports {
            sleep(&worker, &surroundings.sleeper, sleep_max);
        }
        let now = Monotonic.now();
        let spent = u64::try_from(now.since(turn_began).as_nanos()).unwrap_or(u64::MAX);
        let counters = &shared.counters;
        if handled > 0 {
            counters.busy_nanos.add(spent)
        } else {
            counters.idle_nanos.add(spent)
        }
        turn_began = now;
    }
    worker.drain();
    Ok(worker)
}

/// Turns without work in a row, after one that handled so many. A worker that never sleeps makes more of them than
/// can be counted.
fn empty_turns(before: u32, handled: usize) -> u32 {
    if handled > 0 { 0 } else { before.saturating_add(1) }
}

/// How long a worker may sleep that must not be silent for `heartbeat_timeout`. A quarter of it: control is patient for
/// three quarters, so that a sleeper has the other half to be woken, scheduled and seen.
fn longest_sleep(heartbeat_timeout: Duration) -> Duration {
    SLEEP_MAX.min(heartbeat_timeout / 4)
}

/// Sleeps until a packet arrives, a device takes what waits for it, somebody wakes the worker, a timer is due, or the
/// heartbeat is.
fn sleep<P: Port>(worker: &Worker<P>, sleeper: &Sleeper, sleep_max: Duration) {
    sleeper.announce();
    if !worker.body.has_work() {
        let mut waits = ArrayVec::<PollFd<'_>, WAITS_MAX>::new();
        waits.push(PollFd::from_borrowed_fd(sleeper.as_fd(), PollFlags::IN));
        let mut longest = sleep_max;
        for device in &worker.body.devices {
            let mut events = PollFlags::IN;
            if worker.body.outbox.waits_for(device.port) {
                events |= PollFlags::OUT;
                longest = sleep_max.min(SLEEP_BEFORE_DEVICE);
            }
            if let (Some(fd), false) = (device.queue.as_fd(), waits.is_full()) {
                waits.push(PollFd::from_borrowed_fd(fd, events));
            }
        }
        let due = worker.body.state.next_deadline().since(Monotonic.now());
        let limit = due.min(longest);
        let limit = Timespec { tv_sec: 0, tv_nsec: i64::from(limit.subsec_nanos()) };
        // Interrupted or not: the loop looks for work again.
        let _ = poll(&mut waits, Some(&limit));
    }
    sleeper.awake();
}

#[cfg(test)]
mod tests;
