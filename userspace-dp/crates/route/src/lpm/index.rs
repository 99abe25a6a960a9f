//! The search for the interval that holds an address.
//!
//! A *node* maps an address by a subtraction and a shift to one of its slots; the slot names a
//! *bucket*, a cache line with a few consecutive interval starts and their values, and counting
//! the starts up to the address finds the value there. A slot onto which more starts fall than a
//! bucket holds leads to a node of its own. The root has two levels of nodes, so that the common
//! lookup is three dependent loads without a branch that depends on the address.
//!
//! Nodes divide the range that their starts really span, not a range of bits, so neither long
//! common prefixes nor sparse tables cost steps or space: one bucket, slot and node, some eighty
//! bytes, serve up to `N` starts.
//!
//! An index can hold further trees beside its first (the lower halves of IPv6 addresses need one
//! per upper half), in the same arrays.

use super::intervals::{Intervals, ValueId};
use super::word::Key;

/// Trees over intervals; `N` starts to a bucket and `M = N + 1` values.
#[derive(Debug)]
pub(super) struct Index<K, const N: usize, const M: usize> {
    root: Spread<K>,
    nodes: Vec<Node<K>>,
    /// Numbers of buckets or, with [`NESTED`] set, of nodes.
    slots: Vec<u32>,
    buckets: Vec<Bucket<K, N, M>>,
}

/// Spreads its addresses over `slots[base..]`.
#[derive(Clone, Copy, Debug)]
struct Node<K> {
    spread: Spread<K>,
    base: u32,
}

/// A linear map from addresses to the steps `0..=last`; what lies outside clamps to the ends.
#[derive(Clone, Copy, Debug)]
struct Spread<K> {
    origin: K,
    /// The right shift in the upper 6 bits, `last` in the others.
    shape: u32,
}

/// Consecutive starts with the value before the first and from each on. Unused starts repeat the
/// highest address with the value of the last start, so that counting them changes nothing.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Bucket<K, const N: usize, const M: usize> {
    starts: [K; N],
    values: [ValueId; M],
}

impl<K: Key, const N: usize, const M: usize> Index<K, N, M> {
    /// An index without a tree: every search fails.
    pub(super) const fn new() -> Self {
        Self { root: Spread::UNDIVIDED, nodes: vec![], slots: vec![], buckets: vec![] }
    }

    /// An index whose first tree holds these intervals.
    pub(super) fn of(intervals: &Intervals<K>) -> Self {
        let mut index = Self::new();
        let root = Spread::over(&intervals.starts, root_bits(intervals.starts.len()));
        Planter::new(&mut index, intervals).plant(root);
        index.root = root;
        index.nodes.shrink_to_fit();
        index.slots.shrink_to_fit();
        index.buckets.shrink_to_fit();
        index
    }

    /// Adds a tree; the number is the way in for [`Index::search_tree`].
    pub(super) fn add_tree(&mut self, intervals: &Intervals<K>) -> u32 {
        Planter::new(self, intervals).plant(Spread::UNDIVIDED)
    }

    /// The value of the interval that holds `key`, in the first tree.
    #[inline(always)]
    pub(super) fn search(&self, key: K) -> Option<ValueId> {
        self.search_tree(self.root.step(key), key)
    }

    /// The value of the interval that holds `key`, in the tree with this number.
    #[inline(always)]
    pub(super) fn search_tree(&self, tree: u32, key: K) -> Option<ValueId> {
        let mut node = self.nodes.get(tree as usize)?;
        let mut slot = *self.slots.get((node.base + node.spread.step(key)) as usize)?;
        // Every step down at least halves the range, so the bound is never what ends this.
        for _ in 0..K::BITS {
            if slot & NESTED == 0 {
                break;
            }
            node = self.nodes.get((slot & !NESTED) as usize)?;
            slot = *self.slots.get((node.base + node.spread.step(key)) as usize)?;
        }
        let bucket = self.buckets.get(slot as usize)?;
        let passed = bucket.starts.iter().map(|start| usize::from(*start <= key)).sum::<usize>();
        bucket.values.get(passed).copied()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.nodes) + size_of_val(&*self.slots) + size_of_val(&*self.buckets)
    }
}

impl<K: Key> Spread<K> {
    /// Everything on one step.
    const UNDIVIDED: Self = Self { origin: K::ZERO, shape: 0 };

    /// Over the range of `starts`, on at most `1 << bits` steps: on more than half as many unless
    /// the range itself is shorter.
    fn over(starts: &[K], bits: u32) -> Self {
        let (Some(&origin), Some(&end)) = (starts.first(), starts.last()) else {
            return Self::UNDIVIDED;
        };
        if bits == 0 {
            return Self::UNDIVIDED;
        }
        let distance = end.beyond(origin);
        let shift = (u64::BITS - distance.leading_zeros()).saturating_sub(bits);
        Self { origin, shape: shift << LAST_BITS | (distance >> shift) as u32 & LAST }
    }

    #[inline(always)]
    fn last(self) -> u32 {
        self.shape & LAST
    }

    #[inline(always)]
    fn step(self, key: K) -> u32 {
        let steps = key.steps_beyond(self.origin, self.shape >> LAST_BITS);
        steps.min(u64::from(self.last())) as u32
    }
}

/// Builds one tree.
struct Planter<'a, K, const N: usize, const M: usize> {
    index: &'a mut Index<K, N, M>,
    intervals: &'a Intervals<K>,
    /// The first start of the bucket that was made last.
    bucket_first: Option<usize>,
}

impl<'a, K: Key, const N: usize, const M: usize> Planter<'a, K, N, M> {
    fn new(index: &'a mut Index<K, N, M>, intervals: &'a Intervals<K>) -> Self {
        Self { index, intervals, bucket_first: None }
    }

    /// Adds a root node for every step of `spread`; returns the number of the first.
    fn plant(&mut self, spread: Spread<K>) -> u32 {
        let root = self.index.nodes.len() as u32;
        let vacant = Node { spread: Spread::UNDIVIDED, base: 0 };
        self.index.nodes.resize((root + spread.last()) as usize + 1, vacant);
        let mut from = 0;
        for step in 0..=spread.last() {
            let to = self.end_of_step(from, self.intervals.starts.len(), spread, step);
            self.grow(root + step, from, to);
            from = to;
        }
        root
    }

    /// Makes node `number` lead to the starts `from..to`.
    fn grow(&mut self, number: u32, from: usize, to: usize) {
        let bits = if to - from <= N { 0 } else { node_bits(to - from) };
        let spread = Spread::over(&self.intervals.starts[from..to], bits);
        let base = self.index.slots.len() as u32;
        self.index.nodes[number as usize] = Node { spread, base };
        self.index.slots.resize((base + spread.last()) as usize + 1, 0);
        let mut first = from;
        for step in 0..=spread.last() {
            let end = self.end_of_step(first, to, spread, step);
            self.index.slots[(base + step) as usize] = if end - first <= N {
                self.bucket(first, end)
            } else {
                let nested = self.index.nodes.len() as u32;
                self.index.nodes.push(Node { spread, base });
                self.grow(nested, first, end);
                nested | NESTED
            };
            first = end;
        }
    }

    /// The end of the run in `from..to` of starts that fall on `step`.
    fn end_of_step(&self, from: usize, to: usize, spread: Spread<K>, step: u32) -> usize {
        let starts = &self.intervals.starts[from..to];
        from + starts.iter().take_while(|start| spread.step(**start) <= step).count()
    }

    /// The number of a bucket with the starts `first..end`, at most `N`: the last one if it
    /// reaches that far, or a new one.
    fn bucket(&mut self, first: usize, end: usize) -> u32 {
        if self.bucket_first.is_none_or(|bucket_first| end - bucket_first > N) {
            self.bucket_first = Some(first);
            let Intervals { starts, values } = self.intervals;
            let last = values[values.len().min(first + N) - 1];
            let mut bucket = Bucket { starts: [K::MAX; N], values: [last; M] };
            for (place, start) in bucket.starts.iter_mut().zip(&starts[first..]) {
                *place = *start;
            }
            let before = first.saturating_sub(1);
            for (place, value) in
                bucket.values[usize::from(first == 0)..].iter_mut().zip(&values[before..])
            {
                *place = *value;
            }
            self.index.buckets.push(bucket);
        }
        self.index.buckets.len() as u32 - 1
    }
}

/// Root nodes, as a power of two: one for every sixteen starts, up to 64 Ki.
fn root_bits(starts: usize) -> u32 {
    (starts / 16).next_power_of_two().ilog2().min(16)
}

/// Slots of a node, as a power of two: about one for every start.
fn node_bits(starts: usize) -> u32 {
    starts.next_power_of_two().ilog2()
}

/// Marks a slot that leads to a node.
const NESTED: u32 = 1 << 31;
const LAST_BITS: u32 = 26;
const LAST: u32 = (1 << LAST_BITS) - 1;
