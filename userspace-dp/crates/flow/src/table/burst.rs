//! Finding the flows of a whole burst.
//!
//! Step by step for all packets, not packet by packet: hash all keys; read all buckets; read all flows. Within a step no
//! read waits for another, so the processor has as many on their way as it can, and a burst over a large table costs a
//! few waits for memory instead of two or three for each packet.

use super::{FlowId, FlowTable, Place};
use crate::hash::Hash;
use crate::key::Words;
use crate::{Direction, Key};

/// Keys that are looked up together.
const BURST: usize = 64;

impl<P> FlowTable<P> {
    /// Looks up each of `keys` and puts what [`FlowTable::find`] would say into the same place of `found`; the shorter of
    /// both counts.
    ///
    /// A flow that an earlier packet of the burst opens is not among the answers to later ones: these are misses, and
    /// [`FlowTable::open`] says whose they are.
    pub fn find_burst(&self, keys: &[Key], found: &mut [Option<(FlowId, Direction)>]) {
        for (keys, found) in keys.chunks(BURST).zip(found.chunks_mut(BURST)) {
            self.find_some(keys, found);
        }
    }

    /// At most [`BURST`] of them.
    fn find_some(&self, keys: &[Key], found: &mut [Option<(FlowId, Direction)>]) {
        let mut probes = [Probe::NONE; BURST];
        let count = keys.len().min(found.len()).min(BURST);
        let (probes, found) = (&mut probes[..count], &mut found[..count]);
        for (probe, key) in probes.iter_mut().zip(keys) {
            probe.words = Words::of(key);
        }
        for probe in probes.iter_mut() {
            probe.hash = self.hash.of(&probe.words);
        }
        for probe in probes.iter_mut() {
            probe.place = self.index.glance(probe.hash);
        }
        for probe in probes.iter_mut() {
            if probe.place.is_none() {
                probe.place = self.index.glance_again(probe.hash);
            }
        }
        for (probe, found) in probes.iter().zip(found.iter_mut()) {
            *found = probe.place.and_then(|place| {
                let id = self.slab.id(place.flow())?;
                self.holds(place, &probe.words).then_some((id, place.direction()))
            });
        }
        // Another key with the same 32 bits of hash may lie before the one that is wanted.
        for (probe, found) in probes.iter().zip(found) {
            if probe.place.is_some() && found.is_none() {
                *found = self.find_words(probe.hash, &probe.words);
            }
        }
    }
}

/// A key on its way through the steps.
#[derive(Clone, Copy)]
struct Probe {
    words: Words,
    hash: Hash,
    place: Option<Place>,
}

impl Probe {
    const NONE: Self = Self { words: Words::NONE, hash: Hash(0), place: None };
}
