//! Packet memory: how many frames there are, and whose they are.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use io::{FramePool, FrameSize, HugePages, Umem, UmemConfig};

use super::super::devices::Held;

/// Frames that a worker has beyond what its rings and packets without a next hop hold: bursts, hand-offs, packets that
/// wait for sessions.
const FRAMES_IN_FLIGHT: u32 = 4096;

/// The memory with the frames of each thread.
pub(super) struct Memory {
    /// All of it.
    pub umem: Arc<Umem>,
    /// Each worker's frames.
    pub pools: Vec<FramePool>,
    /// The slow path's frames.
    pub slow_path: FramePool,
    /// How many frames each worker has.
    pub per_worker: u32,
}

impl Memory {
    /// Maps as much as the rings of `held` and the workers need.
    pub(super) fn map(config: &config::Config, held: &[Held], workers: u32) -> Result<Self> {
        let per_worker = frames_per_worker(config, held, workers);
        let of_slow_path = 2 * config.limits.tun_queue;
        let (umem, mut pool) = map_frames(config, workers * per_worker + of_slow_path)?;
        let pools = (0..workers).map(|_| pool.split(per_worker as usize)).collect();
        Ok(Self { umem, pools, slow_path: pool, per_worker })
    }
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

#[cfg(test)]
mod tests {
    use super::super::workers::STAGED;
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
