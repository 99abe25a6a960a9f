//! The sockets of every queue of every device: queue `q` belongs to worker `q` modulo the workers.

use std::collections::BTreeMap;
use std::os::fd::AsFd;

use anyhow::{Context, Result};
use ebpf::{Slot, Steering, WorkerIndex};
use io::af_xdp::{AfXdpPort, BusyPoll};

use super::super::devices::{self, Held};
use super::memory::Memory;
use crate::runtime::worker::Device;

/// The queues of each worker.
pub(super) type Queues = BTreeMap<u32, Vec<Device<AfXdpPort>>>;

/// Opens all of them with frames of their workers, and tells the steering program. Beside them: which devices run
/// without copies.
pub(super) fn open(
    config: &config::Config,
    steering: &mut Steering,
    held: &mut [Held],
    memory: &mut Memory,
) -> Result<(Queues, Vec<bool>)> {
    let workers = memory.pools.len() as u32;
    let mut queues = Queues::new();
    let mut zero_copy = Vec::new();
    for (held, wanted) in held.iter_mut().zip(&config.interface) {
        let mut all_zero_copy = true;
        for queue in 0..held.found.queues {
            let worker = queue % workers;
            let pool = memory.pools.get_mut(worker as usize).context("a worker without frames")?;
            let socket =
                devices::open_queue(held, wanted, queue, &memory.umem, pool, busy_poll(config))?;
            let slot = Slot(held.found.first_slot.0 + queue);
            steering.set_socket(slot, WorkerIndex(worker), socket.as_fd())?;
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

/// How queues are polled in the kernel's stead, where they are.
pub(super) fn busy_poll(config: &config::Config) -> Option<BusyPoll> {
    let budget = u16::try_from(config.gateway.busy_poll_budget).unwrap_or(u16::MAX);
    match config.gateway.poll_mode {
        config::PollMode::Busy => Some(BusyPoll { budget, ..BusyPoll::USUAL }),
        config::PollMode::Adaptive | config::PollMode::Interrupt => None,
    }
}
