//! From the hash of a key to the flow that has it.
//!
//! Buckets of one cache line hold eight entries: 32 bits of the hash, and which flow and direction it is. An entry lies in
//! one of two buckets, the first if that had room; the second is found from the first and the hash bits in the entry,
//! so an entry can be moved without looking at its flow (Fan, Andersen, Kaminsky, Mitzenmacher: Cuckoo Filter, 2014).
//! When both are full, entries are moved at most two steps; if that makes no room, the insertion is refused. At most
//! four fifths full, which random hashes fill without ever getting there. Nothing else depends on the order of
//! insertion, and there are no marks of what was deleted.

use crate::Direction;
use crate::hash::Hash;

/// A flow's number in the slab and one of its directions, in 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u32);

impl Place {
    const ANSWERS: u32 = 1 << 31;

    #[inline]
    pub(super) const fn new(flow: u32, direction: Direction) -> Self {
        match direction {
            Direction::Opening => Self(flow),
            Direction::Answers => Self(flow | Self::ANSWERS),
        }
    }

    #[inline]
    pub(super) const fn flow(self) -> u32 {
        self.0 & !Self::ANSWERS
    }

    #[inline]
    pub(super) const fn direction(self) -> Direction {
        if self.0 & Self::ANSWERS == 0 { Direction::Opening } else { Direction::Answers }
    }
}

/// The table of places.
pub(super) struct Index {
    buckets: Box<[Bucket]>,
    mask: u32,
}

const WAYS: usize = 8;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Bucket {
    tags: [u32; WAYS],
    places: [Place; WAYS],
}

/// The tag of an entry that is free; no hash has it.
const FREE: u32 = 0;

impl Index {
    /// Room for `entries`, at most four fifths full.
    pub(super) fn new(entries: usize) -> Self {
        let buckets = (entries.saturating_mul(5) / 4).div_ceil(WAYS).max(2).next_power_of_two();
        let empty = Bucket { tags: [FREE; WAYS], places: [Place(0); WAYS] };
        Self { buckets: vec![empty; buckets].into(), mask: (buckets - 1) as u32 }
    }

    /// The first place under `hash` that `is` the one.
    #[inline]
    pub(super) fn find(&self, hash: Hash, is: impl Fn(Place) -> bool) -> Option<Place> {
        let tag = tag(hash);
        let first = self.first(hash);
        self.bucket(first)
            .find(tag, &is)
            .or_else(|| self.bucket(self.other(first, tag)).find(tag, &is))
    }

    /// A place in the first bucket of `hash` that looks like the one, and most likely is. Compares without branches,
    /// so that looking for several overlaps.
    #[inline]
    pub(super) fn glance(&self, hash: Hash) -> Option<Place> {
        self.bucket(self.first(hash)).glance(tag(hash))
    }

    /// The same in the second bucket.
    #[inline]
    pub(super) fn glance_again(&self, hash: Hash) -> Option<Place> {
        let tag = tag(hash);
        self.bucket(self.other(self.first(hash), tag)).glance(tag)
    }

    /// Puts in `place` under `hash`. False, and nothing changed that anybody sees, if there is no room.
    pub(super) fn insert(&mut self, hash: Hash, place: Place) -> bool {
        let tag = tag(hash);
        let first = self.first(hash);
        let second = self.other(first, tag);
        [first, second].into_iter().any(|at| self.bucket_mut(at).put(tag, place))
            || [first, second]
                .into_iter()
                .any(|at| self.push(at) && self.bucket_mut(at).put(tag, place))
            || [first, second]
                .into_iter()
                .any(|at| self.push_twice(at) && self.bucket_mut(at).put(tag, place))
    }

    /// Takes out `place`, which lies under `hash`; whether it was there.
    pub(super) fn remove(&mut self, hash: Hash, place: Place) -> bool {
        let tag = tag(hash);
        let first = self.first(hash);
        let second = self.other(first, tag);
        self.bucket_mut(first).take(tag, place) || self.bucket_mut(second).take(tag, place)
    }

    /// Makes room in bucket `at` by moving one of its entries to that entry's other bucket.
    fn push(&mut self, at: u32) -> bool {
        let Bucket { tags, places } = *self.bucket(at);
        for (way, (tag, place)) in tags.into_iter().zip(places).enumerate() {
            let other = self.other(at, tag);
            if tag != FREE && self.bucket_mut(other).put(tag, place) {
                self.bucket_mut(at).tags[way] = FREE;
                return true;
            }
        }
        false
    }

    /// Makes room in bucket `at` by making room where one of its entries could go.
    fn push_twice(&mut self, at: u32) -> bool {
        let tags = self.bucket(at).tags;
        tags.into_iter().any(|tag| self.push(self.other(at, tag))) && self.push(at)
    }

    #[inline]
    const fn first(&self, hash: Hash) -> u32 {
        hash.lower() & self.mask
    }

    /// The other bucket of an entry with this tag that lies in `bucket`: the same step leads there and back. It is odd,
    /// so the other bucket is another one.
    #[inline]
    const fn other(&self, bucket: u32, tag: u32) -> u32 {
        (bucket ^ (tag.wrapping_mul(STEP) | 1)) & self.mask
    }

    #[inline]
    fn bucket(&self, at: u32) -> &Bucket {
        &self.buckets[(at & self.mask) as usize]
    }

    #[inline]
    fn bucket_mut(&mut self, at: u32) -> &mut Bucket {
        &mut self.buckets[(at & self.mask) as usize]
    }
}

impl Bucket {
    /// A bit for each entry with this tag.
    #[inline]
    fn matches(&self, tag: u32) -> u32 {
        let bits = self.tags.iter().enumerate().map(|(way, held)| u32::from(*held == tag) << way);
        bits.fold(0, |mask, bit| mask | bit)
    }

    #[inline]
    fn find(&self, tag: u32, is: impl Fn(Place) -> bool) -> Option<Place> {
        let mut matches = self.matches(tag);
        while matches != 0 {
            let place = self.places[matches.trailing_zeros() as usize % WAYS];
            if is(place) {
                return Some(place);
            }
            matches &= matches - 1;
        }
        None
    }

    #[inline]
    fn glance(&self, tag: u32) -> Option<Place> {
        let matches = self.matches(tag);
        let place = self.places[matches.trailing_zeros() as usize % WAYS];
        (matches != 0).then_some(place)
    }

    fn put(&mut self, tag: u32, place: Place) -> bool {
        let free = self.tags.iter().position(|held| *held == FREE);
        if let Some(way) = free {
            self.tags[way] = tag;
            self.places[way] = place;
        }
        free.is_some()
    }

    fn take(&mut self, tag: u32, place: Place) -> bool {
        let entries = self.tags.iter().zip(&self.places);
        let found = entries.enumerate().find(|(_, held)| *held == (&tag, &place));
        let way = found.map(|(way, _)| way);
        if let Some(way) = way {
            self.tags[way] = FREE;
        }
        way.is_some()
    }
}

/// What an entry keeps of its hash: never [`FREE`].
#[inline]
const fn tag(hash: Hash) -> u32 {
    let upper = hash.upper();
    if upper == FREE { 1 } else { upper }
}

/// An odd number whose products differ in every bit (2^32 divided by the golden ratio).
const STEP: u32 = 0x9e37_79b1;

#[cfg(test)]
mod tests;
