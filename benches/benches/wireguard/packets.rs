//! The inner packets that everybody gets, and how a stretch of work is timed.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use ringwall_benches::report::Sample;

/// Packets per set: a full burst.
pub const COUNT: usize = 64;
/// Bytes of a frame.
pub const FRAME: usize = 2048;
/// Where an inner packet begins in a frame: behind the headroom and the outer headers, so not aligned.
pub const INNER: usize = 314;
/// The tunnel's MTU.
pub const MTU: usize = 1420;
/// Work per sample: sets, so that a sample is about a millisecond.
const SETS: usize = 16;

/// 64 valid IPv4 packets.
pub struct Set {
    pub name: &'static str,
    pub inner: Vec<Vec<u8>>,
}

impl Set {
    pub fn all() -> Vec<Self> {
        vec![
            Self::of("64", |_| 64),
            Self::of("256", |_| 256),
            Self::of("1420", |_| 1420),
            Self::of("imix", |i| [64, 576, 64, 64, 576, 64, 1420, 64, 576, 64, 576, 64][i % 12]),
        ]
    }

    fn of(name: &'static str, length: impl Fn(usize) -> usize) -> Self {
        let mut rng = StdRng::seed_from_u64(1);
        let mut inner: Vec<Vec<u8>> = (0..COUNT).map(|i| ipv4(length(i), &mut rng)).collect();
        inner.shuffle(&mut rng);
        Self { name, inner }
    }
}

fn ipv4(length: usize, rng: &mut StdRng) -> Vec<u8> {
    let mut packet = vec![0; length];
    rng.fill_bytes(&mut packet[20..]);
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&(length as u16).to_be_bytes());
    packet[8..10].copy_from_slice(&[64, 17]);
    packet[12..20].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
    packet
}

/// Frames as a driver would hand them out.
pub fn frames() -> Vec<[u8; FRAME]> {
    vec![[0; FRAME]; COUNT]
}

/// Several sets, each prepared outside the clock. `work` gets what `prepare` made and gives back what is to be
/// dropped, or looked at, outside the clock.
pub fn sample<P, R>(mut prepare: impl FnMut() -> P, mut work: impl FnMut(P) -> R) -> Sample {
    let mut elapsed = Duration::ZERO;
    for _ in 0..SETS {
        let prepared = prepare();
        let start = Instant::now();
        let result = work(prepared);
        elapsed += start.elapsed();
        drop(std::hint::black_box(result));
    }
    Sample { elapsed, items: (SETS * COUNT) as u64 }
}
