//! Prefixes flattened into disjoint intervals.

use core::iter::{Copied, Zip};
use core::slice;

use super::word::Word;

/// The number a table knows a value by; [`MISS`] for "no prefix matches".
pub(super) type ValueId = u32;

/// No prefix matches.
pub(super) const MISS: ValueId = 0;

/// The address space cut at every point where the longest match changes.
///
/// Interval `i` reaches from `starts[i]` to just before `starts[i + 1]`. The first starts at zero;
/// neighbours differ in their value, so a table is as small as what it says.
#[derive(Debug)]
pub(super) struct Intervals<K> {
    pub(super) starts: Vec<K>,
    pub(super) values: Vec<ValueId>,
}

impl<K: Copy + Eq> Intervals<K> {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { starts: Vec::with_capacity(capacity), values: Vec::with_capacity(capacity) }
    }

    /// From `start` on the value is `value`. Starts never step back; the last word on a start
    /// counts.
    pub(super) fn push(&mut self, start: K, value: ValueId) {
        if self.starts.last() == Some(&start) {
            self.starts.pop();
            self.values.pop();
        }
        if self.values.last() != Some(&value) {
            self.starts.push(start);
            self.values.push(value);
        }
    }

    /// The same with wider starts.
    pub(super) fn widened(&self) -> Intervals<u64>
    where
        u64: From<K>,
    {
        let starts = self.starts.iter().map(|start| u64::from(*start)).collect();
        Intervals { starts, values: self.values.clone() }
    }

    /// Start and value of each, ascending.
    pub(super) fn iter(&self) -> IntervalIter<'_, K> {
        self.starts.iter().copied().zip(self.values.iter().copied())
    }
}

/// Start and value of intervals, ascending.
pub(super) type IntervalIter<'a, K> =
    Zip<Copied<slice::Iter<'a, K>>, Copied<slice::Iter<'a, ValueId>>>;

/// Flattens prefixes given as (first address, length, value) in ascending order of the pair
/// (first address, length), which puts every prefix behind those that contain it.
pub(super) fn flatten<K: Word>(
    prefixes: impl ExactSizeIterator<Item = (K, u8, ValueId)>,
) -> Intervals<K> {
    let mut intervals = Intervals::with_capacity(2 * prefixes.len() + 1);
    intervals.push(K::ZERO, MISS);
    // The prefixes around the current point, the outermost first: last address and value.
    let mut open: Vec<(K, ValueId)> = Vec::with_capacity(K::BITS as usize + 1);
    for (start, length, value) in prefixes {
        close_before(&mut intervals, &mut open, Some(start));
        intervals.push(start, value);
        open.push((start.last_of_prefix(length), value));
    }
    close_before(&mut intervals, &mut open, None);
    intervals
}

/// Ends the open prefixes that lie wholly before `point` (all of them without one): behind each,
/// the one around it speaks again.
fn close_before<K: Word>(
    intervals: &mut Intervals<K>,
    open: &mut Vec<(K, ValueId)>,
    point: Option<K>,
) {
    while let Some(&(last, _)) = open.last()
        && point.is_none_or(|point| last < point)
    {
        open.pop();
        if let Some(next) = last.successor() {
            intervals.push(next, open.last().map_or(MISS, |&(_, value)| value));
        }
    }
}
