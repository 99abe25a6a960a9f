//! Large IPv4 tables: two loads, no search.
//!
//! The upper 18 bits of the address name a block of 64 /24 prefixes, and the block holds the value
//! of each. Blocks that are alike are kept once: nearly all of the address space is one value over
//! and over, so that a table of the whole Internet takes a few MiB instead of 32, and what is
//! looked up most stays in the caches. A /24 that is divided further is left to the [`Index`].

use core::iter::Peekable;

use super::index::Index;
use super::intervals::{IntervalIter, Intervals, MISS, ValueId};

/// A table over the whole IPv4 address space: 1 MiB and 128 bytes per different block.
#[derive(Debug)]
pub(super) struct Direct {
    directory: Vec<u32>,
    blocks: Vec<Block>,
    fine: Index,
}

/// The values of 64 consecutive /24 prefixes; [`DIVIDED`] where there is no single one.
type Block = [u16; BLOCK_LEN];

impl Direct {
    /// The table of these intervals; `None` if their values do not fit 16 bits.
    pub(super) fn of(intervals: &Intervals<u32>) -> Option<Self> {
        if intervals.values.iter().any(|value| *value >= ValueId::from(DIVIDED)) {
            return None;
        }
        let mut builder = Builder::new(intervals);
        for number in 0..1 << DIRECTORY_BITS {
            builder.add_block(number);
        }
        let fine = Index::of(&builder.fine);
        Some(Self { directory: builder.directory, blocks: builder.blocks, fine })
    }

    #[inline(always)]
    pub(super) fn search(&self, key: u32) -> ValueId {
        let number = self.directory.get((key >> STEP_BITS >> BLOCK_BITS) as usize);
        let Some(block) = number.and_then(|number| self.blocks.get(*number as usize)) else {
            return MISS;
        };
        let value = block[(key >> STEP_BITS) as usize % BLOCK_LEN];
        if value == DIVIDED { self.search_fine(key) } else { ValueId::from(value) }
    }

    #[inline(never)]
    fn search_fine(&self, key: u32) -> ValueId {
        self.fine.search(u64::from(key))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.directory) + size_of_val(&*self.blocks) + self.fine.memory_bytes()
    }
}

/// A table in the making, block after block.
struct Builder<'a> {
    directory: Vec<u32>,
    blocks: Vec<Block>,
    /// The block that says the same value 64 times, by value.
    uniform: Vec<Option<u32>>,
    /// What the divided /24 prefixes hold.
    fine: Intervals<u64>,
    rest: Peekable<IntervalIter<'a, u32>>,
    /// The value at the current point.
    value: ValueId,
}

impl<'a> Builder<'a> {
    fn new(intervals: &'a Intervals<u32>) -> Self {
        let values = intervals.values.iter().max().map_or(0, |highest| *highest as usize + 1);
        let mut fine = Intervals::with_capacity(0);
        fine.push(0, MISS);
        Self {
            directory: Vec::with_capacity(1 << DIRECTORY_BITS),
            blocks: Vec::new(),
            uniform: vec![None; values],
            fine,
            rest: intervals.iter().peekable(),
            value: MISS,
        }
    }

    fn add_block(&mut self, number: u32) {
        let origin = number << BLOCK_BITS << STEP_BITS;
        let changes = |start: u32| start >> STEP_BITS >> BLOCK_BITS == number;
        if let Some((_, value)) = self.rest.next_if(|(start, _)| *start == origin) {
            self.value = value;
        }
        if !self.rest.peek().is_some_and(|(start, _)| changes(*start)) {
            let uniform = self.uniform_block();
            self.directory.push(uniform);
            return;
        }
        let mut block = [0; BLOCK_LEN];
        for (offset, place) in (0..).zip(&mut block) {
            *place = self.step(origin + (offset << STEP_BITS));
        }
        self.directory.push(self.blocks.len() as u32);
        self.blocks.push(block);
    }

    /// The number of the block of nothing but the current value.
    fn uniform_block(&mut self) -> u32 {
        let (value, blocks) = (self.value, &mut self.blocks);
        *self.uniform[value as usize].get_or_insert_with(|| {
            blocks.push([value as u16; BLOCK_LEN]);
            blocks.len() as u32 - 1
        })
    }

    /// What a block says about the /24 that begins at `origin`.
    fn step(&mut self, origin: u32) -> u16 {
        if let Some((_, value)) = self.rest.next_if(|(start, _)| *start == origin) {
            self.value = value;
        }
        let inside = |start: u32| start >> STEP_BITS == origin >> STEP_BITS;
        if !self.rest.peek().is_some_and(|(start, _)| inside(*start)) {
            return self.value as u16;
        }
        self.fine.push(u64::from(origin), self.value);
        while let Some((start, value)) = self.rest.next_if(|(start, _)| inside(*start)) {
            self.fine.push(u64::from(start), value);
            self.value = value;
        }
        DIVIDED
    }
}

/// Stands for a /24 that the index knows more about.
const DIVIDED: u16 = u16::MAX;
const STEP_BITS: u32 = 8;
const BLOCK_BITS: u32 = 6;
const DIRECTORY_BITS: u32 = 32 - BLOCK_BITS - STEP_BITS;
const BLOCK_LEN: usize = 1 << BLOCK_BITS;
