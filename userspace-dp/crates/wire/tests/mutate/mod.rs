//! Structure-aware mutation of frames: most changes hit header bytes, and half of the time the IPv4
//! header checksum is made right again, so that mutants get past it.

use std::fmt;

use wire::build::restore_ipv4_checksum;

/// A small generator with its seed at hand; set `RINGWALL_SEED` to replay.
pub struct Randomness {
    seed: u64,
    state: u64,
}

impl Randomness {
    /// Seeded from the environment, else with a fixed number.
    pub fn new() -> Self {
        let given = std::env::var("RINGWALL_SEED").ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or(0x5eed_0001);
        Self { seed, state: seed }
    }

    /// The next number (splitmix64).
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is above zero.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

impl fmt::Display for Randomness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RINGWALL_SEED={}", self.seed)
    }
}

/// A mutant of one of `frames`.
pub fn frame(frames: &[Vec<u8>], randomness: &mut Randomness) -> Vec<u8> {
    let mut frame = frames[randomness.below(frames.len())].clone();
    for _ in 0..randomness.below(4) {
        change(&mut frame, randomness);
    }
    if randomness.below(2) == 0 {
        repair(&mut frame);
    }
    frame
}

fn change(frame: &mut Vec<u8>, randomness: &mut Randomness) {
    if frame.is_empty() {
        return;
    }
    // Header bytes three times out of four.
    let reach = if randomness.below(4) == 0 { frame.len() } else { frame.len().min(90) };
    let at = randomness.below(reach);
    match randomness.below(6) {
        0 => frame[at] ^= 1 << randomness.below(8),
        1 => frame[at] = randomness.next() as u8,
        2 => frame[at] = INTERESTING[randomness.below(INTERESTING.len())],
        3 => frame[at] = frame[at].wrapping_add(1),
        4 => frame.truncate(at.max(frame.len() - frame.len().min(24))),
        _ => frame.extend(std::iter::repeat_n(0xee, randomness.below(20))),
    }
}

fn repair(frame: &mut [u8]) {
    for l3 in [14, 18, 22] {
        let ethertype = frame.get(l3 - 2..l3);
        if ethertype == Some(&[0x08, 0x00]) {
            restore_ipv4_checksum(&mut frame[l3..]);
            return;
        }
    }
}

/// Values that mean something in a header: protocol numbers, lengths, versions, edges.
const INTERESTING: &[u8] = &[
    0, 1, 2, 3, 4, 5, 6, 7, 8, 17, 20, 40, 41, 43, 44, 45, 47, 50, 51, 58, 59, 60, 0x45, 0x46,
    0x4f, 0x60, 0x81, 0x86, 0x88, 0xa8, 0xdd, 132, 135, 139, 140, 253, 254, 255,
];
