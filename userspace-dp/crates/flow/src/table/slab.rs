//! Where flows lie: a fixed array of entries with generations.

use crate::key::Words;
use crate::tcp::Connection;
use crate::tick::Tick;
use crate::{Direction, Phase};

/// A flow in a table. One of a flow that is gone names nothing, also when the place has another flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowId {
    index: u32,
    generation: u32,
}

impl FlowId {
    /// The place in the table, below its capacity and one more; with another generation it is another flow's.
    pub const fn index(self) -> u32 {
        self.index
    }
}

/// What every packet of a flow reads: two cache lines.
#[repr(C, align(64))]
pub(super) struct Hot {
    /// By direction.
    pub(super) keys: [Words; 2],
    /// Of a TCP flow; else nothing.
    pub(super) connection: Connection,
    pub(super) phase: Phase,
    generation: u32,
    /// When the last packet came that refreshed it.
    pub(super) touched: Tick,
}

const _: () = assert!(size_of::<Hot>() == 128);

/// A flow, or room for one.
#[repr(C)]
pub(super) struct Entry<P> {
    pub(super) hot: Hot,
    /// By direction; `None` in an entry that is free.
    pub(super) payload: Option<[P; 2]>,
}

/// All entries.
pub(super) struct Slab<P> {
    entries: Box<[Entry<P>]>,
    /// Free entries; the last is taken first, as it is the warmest. Never longer than at the start.
    free: Vec<u32>,
    /// No entry from here on was ever used.
    unused: u32,
}

impl<P> Slab<P> {
    pub(super) fn new(entries: u32) -> Self {
        let entry = |_| Entry { hot: Hot::FREE, payload: None };
        Self {
            entries: (0..entries).map(entry).collect(),
            free: (0..entries).rev().collect(),
            unused: 0,
        }
    }

    /// Puts a flow into a free entry; `None` if there is none.
    pub(super) fn insert(
        &mut self,
        keys: [Words; 2],
        (connection, phase): (Connection, Phase),
        payload: [P; 2],
        now: Tick,
    ) -> Option<FlowId> {
        let index = self.free.pop()?;
        self.unused = self.unused.max(index + 1);
        let entry = &mut self.entries[index as usize];
        let generation = entry.hot.generation;
        entry.hot = Hot { keys, connection, phase, generation, touched: now };
        entry.payload = Some(payload);
        Some(FlowId { index, generation })
    }

    /// Takes out the flow in an entry; `None` if it is free.
    pub(super) fn take(&mut self, index: u32) -> Option<([Words; 2], Phase, [P; 2])> {
        let Entry { hot, payload } = self.entries.get_mut(index as usize)?;
        let payload = payload.take()?;
        let (keys, phase) = (hot.keys, hot.phase);
        *hot = Hot { generation: hot.generation.wrapping_add(1), ..Hot::FREE };
        self.free.push(index);
        Some((keys, phase, payload))
    }

    #[inline]
    pub(super) fn get(&self, id: FlowId) -> Option<&Entry<P>> {
        let entry = self.entries.get(id.index as usize)?;
        (entry.hot.generation == id.generation).then_some(entry)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: FlowId) -> Option<&mut Entry<P>> {
        let entry = self.entries.get_mut(id.index as usize)?;
        (entry.hot.generation == id.generation).then_some(entry)
    }

    /// The id of whatever lies in an entry.
    #[inline]
    pub(super) fn id(&self, index: u32) -> Option<FlowId> {
        let generation = self.entries.get(index as usize)?.hot.generation;
        Some(FlowId { index, generation })
    }

    /// The id of the flow in an entry; `None` if it is free.
    pub(super) fn occupant(&self, index: u32) -> Option<FlowId> {
        self.entries.get(index as usize)?.payload.as_ref()?;
        self.id(index)
    }

    /// The key of one direction in an entry; nobody's if it is free.
    #[inline]
    pub(super) fn key(&self, index: u32, direction: Direction) -> &Words {
        self.entries
            .get(index as usize)
            .map_or(&Words::NONE, |entry| &entry.hot.keys[direction.index()])
    }

    /// How many flows there are.
    pub(super) fn len(&self) -> u32 {
        (self.entries.len() - self.free.len()) as u32
    }

    /// No entry from here on was ever used.
    pub(super) const fn unused(&self) -> u32 {
        self.unused
    }
}

impl Hot {
    const FREE: Self = Self {
        keys: [Words::NONE; 2],
        connection: Connection::NONE,
        phase: Phase::Other(crate::Exchange::Unreplied),
        generation: 0,
        touched: Tick(0),
    };
}
