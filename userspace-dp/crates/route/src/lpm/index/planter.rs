//! How a tree of an [`Index`] is built: from the sorted starts, top down, in one pass.

use super::super::intervals::Intervals;
use super::{BUCKET_LEN, Bucket, GROUP_LEN, Group, Index, LAST, LAST_BITS, NESTED, Node, Spread};

/// Adds one tree to an index.
pub(super) struct Planter<'a> {
    index: &'a mut Index,
    intervals: &'a Intervals<u64>,
    /// The first start of the group that was made last.
    group_first: Option<usize>,
    /// The first start that it has no bucket for.
    group_end: usize,
}

impl<'a> Planter<'a> {
    pub(super) fn new(index: &'a mut Index, intervals: &'a Intervals<u64>) -> Self {
        Self { index, intervals, group_first: None, group_end: 0 }
    }

    /// Adds a root node for every step of `root`; returns the number of the first.
    pub(super) fn plant(&mut self, root: Spread) -> u32 {
        let first = self.index.nodes.len() as u32;
        let vacant = Node { origin: 0, shape: 0, base: 0 };
        self.index.nodes.resize((first + root.last()) as usize + 1, vacant);
        let mut from = 0;
        for step in 0..=root.last() {
            let to = self.end_of_step(from, self.intervals.starts.len(), root, step);
            self.grow(first + step, from, to);
            from = to;
        }
        first
    }

    /// Makes node `number` lead to the starts `from..to`.
    fn grow(&mut self, number: u32, from: usize, to: usize) {
        let spread = node_spread(&self.intervals.starts[from..to]);
        let Spread { origin, shape } = spread;
        let base = self.index.slots.len() as u32;
        self.index.nodes[number as usize] = Node { origin, shape, base };
        self.index.slots.resize((base + spread.last()) as usize + 1, 0);
        let mut first = from;
        for step in 0..=spread.last() {
            let end = self.end_of_step(first, to, spread, step);
            self.index.slots[(base + step) as usize] = if end - first <= GROUP_STARTS {
                self.group(first, end)
            } else {
                let nested = self.index.nodes.len() as u32;
                self.index.nodes.push(Node { origin, shape, base });
                self.grow(nested, first, end);
                nested | NESTED
            };
            first = end;
        }
    }

    /// The end of the run in `from..to` of starts that fall on `step`.
    fn end_of_step(&self, from: usize, to: usize, spread: Spread, step: u32) -> usize {
        let starts = &self.intervals.starts[from..to];
        from + starts.iter().take_while(|start| spread.step(**start) <= step).count()
    }

    /// The number of a group that holds the starts `first..end`, at most [`GROUP_STARTS`], and tells
    /// them from their neighbours: the last one if it has room, or a new one.
    fn group(&mut self, first: usize, end: usize) -> u32 {
        let begin = match self.group_first {
            Some(begin) if end - begin <= GROUP_STARTS => begin,
            _ => {
                let base = self.index.buckets.len() as u32;
                self.index.groups.push(Group { separators: [u64::MAX; GROUP_LEN - 1], base });
                self.group_first = Some(first);
                self.group_end = first;
                self.add_bucket();
                first
            }
        };
        while self.group_end < end {
            let separator = (self.group_end - begin) / BUCKET_LEN - 1;
            if let Some(group) = self.index.groups.last_mut() {
                group.separators[separator] = self.intervals.starts[self.group_end] - 1;
            }
            self.add_bucket();
        }
        self.index.groups.len() as u32 - 1
    }

    /// Adds a bucket to the last group.
    fn add_bucket(&mut self) {
        let first = self.group_end;
        self.group_end += BUCKET_LEN;
        let Intervals { starts, values } = self.intervals;
        let last = values[values.len().min(first + BUCKET_LEN) - 1];
        let mut bucket = Bucket { starts: [u64::MAX; BUCKET_LEN], values: [last; BUCKET_LEN + 1] };
        for (place, start) in bucket.starts.iter_mut().zip(&starts[first..]) {
            *place = *start;
        }
        // The first interval of all begins at zero, so there nothing lies before it.
        let (skip, before) = if first == 0 { (1, 0) } else { (0, first - 1) };
        for (place, value) in bucket.values.iter_mut().skip(skip).zip(&values[before..]) {
            *place = *value;
        }
        self.index.buckets.push(bucket);
    }
}

/// The spread of the first tree's root: up to 512 nodes, which fit the first-level cache, once a
/// node would have more than 512 starts.
pub(super) fn root_spread(starts: &[u64]) -> Spread {
    spread(starts, (starts.len() / 512).next_power_of_two().ilog2().min(9))
}

/// The spread of a node: a slot for every two to four starts.
fn node_spread(starts: &[u64]) -> Spread {
    match starts.len() {
        0..=GROUP_STARTS => Spread::UNDIVIDED,
        len => spread(starts, (len / 2).ilog2()),
    }
}

/// Over the range of `starts`, on at most `1 << bits` steps: on more than half as many unless the
/// range itself is shorter.
fn spread(starts: &[u64], bits: u32) -> Spread {
    // What lies before the range falls on its first step, so the zero that every tree begins with
    // need not be part of it.
    let (first, rest) = starts.split_first().unzip();
    let origin = if first == Some(&0) { rest.and_then(|rest| rest.first()) } else { first };
    match (origin, starts.last()) {
        (Some(&origin), Some(&end)) if bits > 0 => {
            let distance = end - origin;
            let shift = (u64::BITS - distance.leading_zeros()).saturating_sub(bits);
            Spread { origin, shape: shift << LAST_BITS | (distance >> shift) as u32 & LAST }
        }
        _ => Spread::UNDIVIDED,
    }
}

/// Starts of a group.
const GROUP_STARTS: usize = GROUP_LEN * BUCKET_LEN;
