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
        let rings = held.iter().zip(&config.interface).map(|(held, wanted)| {
            (held.found.queues, [wanted.fill_ring, wanted.rx_ring, wanted.tx_ring])
        });
        let frames = Frames::needed(config, rings, workers)?;
        let (umem, mut pool) = map_frames(config, frames.all)?;
        let per_worker = frames.per_worker;
        let pools = (0..workers).map(|_| pool.split(per_worker as usize)).collect();
        Ok(Self { umem, pools, slow_path: pool, per_worker })
    }
}

/// How many frames there are to be.
#[derive(Debug, PartialEq, Eq)]
struct Frames {
    per_worker: u32,
    all: u32,
}

impl Frames {
    /// As many as `workers` need that serve devices with so many queues and rings of these sizes.
    ///
    /// # Errors
    /// Frames are numbered with 32 bits, which is not enough.
    fn needed(
        config: &config::Config,
        rings: impl Iterator<Item = (u32, [u32; 3])>,
        workers: u32,
    ) -> Result<Self> {
        let in_rings = |(queues, rings): (u32, [u32; 3])| {
            u64::from(queues.div_ceil(workers)) * rings.into_iter().map(u64::from).sum::<u64>()
        };
        let per_worker = match config.gateway.frames_per_worker.exactly() {
            Some(frames) => u64::from(frames),
            None => {
                rings.map(in_rings).sum::<u64>() + u64::from(frames_beyond_rings(&config.limits))
            }
        };
        let of_slow_path = 2 * u64::from(config.limits.tun_queue);
        let all = u64::from(workers) * per_worker + of_slow_path;
        match (u32::try_from(per_worker), u32::try_from(all)) {
            (Ok(per_worker), Ok(all)) => Ok(Self { per_worker, all }),
            (Ok(_) | Err(_), Ok(_) | Err(_)) => bail!(
                "{all} packet frames for {workers} workers; {} are possible: make the rings smaller, or \
                 gateway.frames_per_worker",
                u32::MAX
            ),
        }
    }
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
    tracing::info!(frames, pages = %umem.pages(), "packet memory");
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

    fn config(gateway: &str) -> config::Config {
        crate::control::testing::load(gateway).config
    }

    #[test]
    fn there_are_frames_for_each_workers_rings_for_what_waits_and_for_the_slow_path() {
        let config = config("");
        let limits = &config.limits;
        let rings = [(3, [4096, 2048, 2048]), (1, [64, 64, 64])];
        let frames = Frames::needed(&config, rings.into_iter(), 2).unwrap();
        let per_worker = 2 * 8192 + 192 + frames_beyond_rings(limits);
        assert_eq!(frames, Frames { per_worker, all: 2 * per_worker + 2 * limits.tun_queue });
    }

    #[test]
    fn more_frames_than_can_be_numbered_fail_the_start_and_do_not_wrap_around() {
        let config = config("");
        let rings = (0..32).map(|_| (1024, [65_536; 3]));
        let error = Frames::needed(&config, rings.clone(), 1).unwrap_err().to_string();
        assert!(error.contains("packet frames for 1 workers"), "{error}");
        assert!(Frames::needed(&config, rings.take(1), 1024).is_ok());
    }

    #[test]
    fn the_most_frames_that_the_configuration_takes_can_be_numbered_with_the_most_workers() {
        let mut config = config("");
        config.gateway.frames_per_worker =
            config::Count::Exactly(std::num::NonZeroU32::new(1 << 21).unwrap());
        config.limits.tun_queue = 65_536;
        let frames = Frames::needed(&config, std::iter::empty(), 1024).unwrap();
        assert_eq!(frames.all, (1 << 31) + 131_072);
    }
}
