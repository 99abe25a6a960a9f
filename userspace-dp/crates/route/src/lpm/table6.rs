//! The IPv6 half of a table: the upper 64 bits first, the lower ones only where they matter.

use super::index::Index;
use super::intervals::{Intervals, MISS, ValueId};

/// An index over the upper halves of addresses and one over the lower halves.
#[derive(Debug)]
pub(super) struct Table6 {
    /// Values, or [`SPLIT`] with the number of a tree of `lower`: prefixes longer than 64 bits lie
    /// in this upper half.
    upper: Index,
    lower: Index,
}

impl Table6 {
    pub(super) fn of(intervals: &Intervals<u128>) -> Self {
        let mut upper = Intervals::with_capacity(intervals.starts.len());
        let mut lower = Index::new();
        let mut value = MISS;
        let mut rest = intervals.iter().peekable();
        while let Some((start, changed)) = rest.next() {
            let half = (start >> 64) as u64;
            let in_half = |entry: &(u128, ValueId)| (entry.0 >> 64) as u64 == half;
            if start as u64 == 0 && !rest.peek().is_some_and(in_half) {
                upper.push(half, changed);
                value = changed;
                continue;
            }
            let mut inside = Intervals::with_capacity(4);
            inside.push(0, value);
            inside.push(start as u64, changed);
            value = changed;
            while let Some((start, changed)) = rest.next_if(in_half) {
                inside.push(start as u64, changed);
                value = changed;
            }
            upper.push(half, SPLIT | lower.add_tree(&inside));
            if let Some(next) = half.checked_add(1) {
                upper.push(next, value);
            }
        }
        Self { upper: Index::of(&upper), lower }
    }

    #[inline(always)]
    pub(super) fn search(&self, key: u128) -> ValueId {
        self.complete(self.upper.search((key >> 64) as u64), key)
    }

    #[inline(always)]
    pub(super) fn search_burst<const N: usize>(&self, keys: &[u128; N]) -> [ValueId; N] {
        let mut found = self.upper.search_burst(&keys.map(|key| (key >> 64) as u64));
        for (found, key) in found.iter_mut().zip(keys) {
            *found = self.complete(*found, *key);
        }
        found
    }

    /// What the upper half said, or the lower half where that one left it to it.
    #[inline(always)]
    fn complete(&self, found: ValueId, key: u128) -> ValueId {
        if found & SPLIT == 0 { found } else { self.search_lower(found & !SPLIT, key as u64) }
    }

    #[inline(never)]
    fn search_lower(&self, tree: u32, key: u64) -> ValueId {
        self.lower.search_tree(tree, key)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.upper.memory_bytes() + self.lower.memory_bytes()
    }
}

/// Marks the number of a tree.
const SPLIT: ValueId = 1 << 31;
