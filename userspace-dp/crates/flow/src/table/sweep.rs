//! Going through all flows a few at a time: to show them, or to take out those that lost their right.

use super::{FlowId, FlowTable};

/// How far a sweep has come. Flows that are there from its beginning to its end are visited once; one that is opened
/// meanwhile may be or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(u32);

impl Cursor {
    /// Before the first flow.
    pub const START: Self = Self(0);
}

impl<P> FlowTable<P> {
    /// The next flow of a sweep. Looks at no more than `budget` places and counts it down for each; `None` when that is
    /// spent or the sweep is at its end, which [`FlowTable::is_swept`] tells apart. The table may change in between.
    pub fn sweep(&self, cursor: &mut Cursor, budget: &mut u32) -> Option<FlowId> {
        while *budget > 0 && !self.is_swept(*cursor) {
            *budget -= 1;
            let index = cursor.0;
            cursor.0 += 1;
            if let Some(id) = self.slab.occupant(index) {
                return Some(id);
            }
        }
        None
    }

    /// True if a sweep has visited every flow.
    pub const fn is_swept(&self, cursor: Cursor) -> bool {
        cursor.0 >= self.slab.unused()
    }
}
