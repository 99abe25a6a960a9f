//! The search for the interval that holds an address.
//!
//! A *node* maps the address by a subtraction and a shift to one of its slots; the slot names a
//! *group*, a cache line of separators, which tells by counting which of its up to eight *buckets*;
//! the bucket, a cache line of interval starts and values, tells by counting which value. No step
//! has a branch that depends on the address. The root is a node over nodes. Only where starts
//! crowd so much that a group cannot hold those of one slot, the slot leads to another node.
//!
//! Of a large table the nodes stay in the first-level cache and slots and groups in the second, so
//! that one load, that of the bucket, goes further. Nodes divide the range that their starts really
//! span, not a range of bits, so neither long common prefixes nor sparse tables cost steps or
//! space: one node, slot, group and bucket, 148 bytes, serve up to five starts.
//!
//! An index can hold further trees beside its first (the lower halves of IPv6 addresses need one
//! per upper half), in the same arrays.

mod planter;

use super::intervals::{Intervals, MISS, ValueId};
use planter::Planter;

/// Trees over intervals of 64-bit numbers.
#[derive(Debug)]
pub(super) struct Index {
    root: Spread,
    nodes: Vec<Node>,
    /// Numbers of groups or, with [`NESTED`] set, of nodes.
    slots: Vec<u32>,
    groups: Vec<Group>,
    buckets: Vec<Bucket>,
}

/// A linear map from keys to the steps `0..=last`; what lies outside clamps to the ends.
#[derive(Clone, Copy, Debug)]
struct Spread {
    origin: u64,
    /// The right shift in the upper 6 bits, `last` in the others.
    shape: u32,
}

/// Spreads its keys over `slots[base..]`.
#[derive(Clone, Copy, Debug)]
struct Node {
    origin: u64,
    shape: u32,
    base: u32,
}

/// Consecutive buckets, told apart by the last key before each but the first. Unused separators are
/// the highest key, which no key exceeds.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Group {
    separators: [u64; GROUP_LEN - 1],
    /// The number of the first bucket.
    base: u32,
}

/// Consecutive starts with the value before the first and from each on. Unused starts are the
/// highest key with the value of the last start, so that counting them changes nothing.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Bucket {
    starts: [u64; BUCKET_LEN],
    values: [ValueId; BUCKET_LEN + 1],
}

impl Index {
    /// An index without a tree: every search misses.
    pub(super) const fn new() -> Self {
        Self {
            root: Spread::UNDIVIDED,
            nodes: vec![],
            slots: vec![],
            groups: vec![],
            buckets: vec![],
        }
    }

    /// An index whose first tree holds these intervals.
    pub(super) fn of(intervals: &Intervals<u64>) -> Self {
        let mut index = Self::new();
        let root = planter::root_spread(&intervals.starts);
        Planter::new(&mut index, intervals).plant(root);
        index.root = root;
        index.nodes.shrink_to_fit();
        index.slots.shrink_to_fit();
        index.groups.shrink_to_fit();
        index.buckets.shrink_to_fit();
        index
    }

    /// Adds a tree; the number is the way in for [`Index::search_tree`].
    pub(super) fn add_tree(&mut self, intervals: &Intervals<u64>) -> u32 {
        Planter::new(self, intervals).plant(Spread::UNDIVIDED)
    }

    /// The value of the interval that holds `key`, in the first tree.
    #[inline(always)]
    pub(super) fn search(&self, key: u64) -> ValueId {
        self.search_tree(self.root.step(key), key)
    }

    /// The value of the interval that holds `key`, in the tree with this number.
    #[inline(always)]
    pub(super) fn search_tree(&self, tree: u32, key: u64) -> ValueId {
        let group = self.group(self.place(tree, key), key);
        self.value(self.bucket(group, key), key)
    }

    /// Searches for many keys in the first tree, step by step for all: what one waits for, the
    /// others wait for at the same time.
    #[inline(always)]
    pub(super) fn search_burst<const N: usize>(&self, keys: &[u64; N]) -> [ValueId; N] {
        let mut found = keys.map(|key| self.place(self.root.step(key), key));
        for (found, key) in found.iter_mut().zip(keys) {
            *found = self.group(*found, *key);
        }
        for (found, key) in found.iter_mut().zip(keys) {
            *found = self.bucket(*found, *key);
        }
        for (found, key) in found.iter_mut().zip(keys) {
            *found = self.value(*found, *key);
        }
        found
    }

    /// Where the slot of `key` at node `number` is.
    #[inline(always)]
    fn place(&self, number: u32, key: u64) -> u32 {
        let Some(node) = self.nodes.get(number as usize) else { return ABSENT };
        let spread = Spread { origin: node.origin, shape: node.shape };
        node.base.wrapping_add(spread.step(key))
    }

    /// The number of the group of `key`, whose slot is at `place`.
    #[inline(always)]
    fn group(&self, place: u32, key: u64) -> u32 {
        match self.slots.get(place as usize) {
            Some(slot) if slot & NESTED == 0 => *slot,
            Some(slot) => self.descend(*slot, key),
            None => ABSENT,
        }
    }

    /// The number of the group of `key` below the node that `slot` leads to.
    #[inline(never)]
    fn descend(&self, mut slot: u32, key: u64) -> u32 {
        // Every node at least halves the range of the one above, so 64 always end it.
        for _ in 0..u64::BITS {
            let place = self.place(slot & !NESTED, key);
            match self.slots.get(place as usize) {
                Some(next) if next & NESTED == 0 => return *next,
                Some(next) => slot = *next,
                None => return ABSENT,
            }
        }
        ABSENT
    }

    /// The number of the bucket of `key` in group `number`.
    #[inline(always)]
    fn bucket(&self, number: u32, key: u64) -> u32 {
        let Some(group) = self.groups.get(number as usize) else { return ABSENT };
        // A binary search over seven, without a branch: `count` has its upper bits first, so every
        // place is below seven.
        let passed = |place: usize| usize::from(group.separators[place] < key);
        let mut count = passed(3) << 2;
        count |= passed(count | 1) << 1;
        count |= passed(count);
        group.base + count as u32
    }

    #[inline(always)]
    fn value(&self, bucket: u32, key: u64) -> ValueId {
        let Some(bucket) = self.buckets.get(bucket as usize) else { return MISS };
        let passed = bucket.starts.iter().map(|start| usize::from(*start <= key)).sum::<usize>();
        bucket.values.get(passed).copied().unwrap_or(MISS)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.nodes)
            + size_of_val(&*self.slots)
            + size_of_val(&*self.groups)
            + size_of_val(&*self.buckets)
    }
}

impl Spread {
    /// Everything on one step.
    const UNDIVIDED: Self = Self { origin: 0, shape: 0 };

    #[inline(always)]
    fn last(self) -> u32 {
        self.shape & LAST
    }

    #[inline(always)]
    fn step(self, key: u64) -> u32 {
        let steps = key.saturating_sub(self.origin) >> (self.shape >> LAST_BITS);
        steps.min(u64::from(self.last())) as u32
    }
}

/// Buckets of a group: as many as a cache line can tell apart.
const GROUP_LEN: usize = 8;
/// Starts of a bucket: as many as a cache line holds with their values.
const BUCKET_LEN: usize = 5;
/// Marks a slot that leads to a node.
const NESTED: u32 = 1 << 31;
/// No slot, group or bucket has this number.
const ABSENT: u32 = u32::MAX;
const LAST_BITS: u32 = 26;
const LAST: u32 = (1 << LAST_BITS) - 1;
