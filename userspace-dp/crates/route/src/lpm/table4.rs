//! The IPv4 half of a table.

use super::direct::Direct;
use super::index::Index;
use super::intervals::{Intervals, ValueId};

/// Searched by index while small, by directory when large.
#[derive(Debug)]
pub(super) enum Table4 {
    Index(Index),
    Direct(Direct),
}

impl Table4 {
    pub(super) fn of(intervals: &Intervals<u32>) -> Self {
        let direct = (intervals.starts.len() >= DIRECT_FROM).then(|| Direct::of(intervals));
        direct.flatten().map_or_else(|| Self::Index(Index::of(&intervals.widened())), Self::Direct)
    }

    #[inline(always)]
    pub(super) fn search(&self, key: u32) -> ValueId {
        match self {
            Self::Index(index) => index.search(u64::from(key)),
            Self::Direct(direct) => direct.search(key),
        }
    }

    #[inline(always)]
    pub(super) fn search_burst<const N: usize>(&self, keys: &[u32; N]) -> [ValueId; N] {
        match self {
            Self::Index(index) => index.search_burst(&keys.map(u64::from)),
            Self::Direct(direct) => keys.map(|key| direct.search(key)),
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Index(index) => index.memory_bytes(),
            Self::Direct(direct) => direct.memory_bytes(),
        }
    }
}

/// Intervals from which on a directory pays: the index begins to miss the second-level cache.
const DIRECT_FROM: usize = 1 << 15;
