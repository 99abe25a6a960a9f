//! SplitMix64 (Steele, Lea, Flood 2014): small, seedable, good enough to pick faults.

use super::PartsPerMillion;

/// A sequence of choices.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// Whether something of this probability happens.
    pub fn happens(&mut self, chance: PartsPerMillion) -> bool {
        self.below(1_000_000) < u64::from(chance.0)
    }

    /// A number below `bound`, which is above zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
