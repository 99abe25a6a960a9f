//! The associations of one worker.

use core::time::Duration;

use clock::Time;

use super::ranges::{NotAdded, Ranges};
use super::{FragmentKey, FragmentRefusal, Piece};
use crate::HashKey;
use crate::hash::Hash;
use crate::key::Words;
use crate::tick::Tick;

/// What is known of the datagram that a later fragment belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Association<V> {
    /// Its first fragment was judged to be this, and this one fits to what has passed.
    Known(V),
    /// Its first fragment was not seen, or too long ago.
    Unknown,
    /// It must not pass, whatever the first one was.
    Refused(FragmentRefusal),
}

/// What first fragments were judged to be.
pub struct FragmentTable<V> {
    sets: Box<[Set]>,
    entries: Box<[Entry<V>]>,
    hash: HashKey,
    /// Steps that an association lives.
    lifetime: u32,
}

const WAYS: usize = 8;

/// What is read to find an association: one cache line for eight.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Set {
    /// The upper half of the key's hash, or [`FREE`].
    tags: [u32; WAYS],
    /// When the first fragment came.
    since: [Tick; WAYS],
}

const FREE: u32 = 0;

#[derive(Clone, Copy)]
struct Entry<V> {
    words: Words,
    passed: Ranges,
    /// Where the datagram ends, in units; zero until its last fragment has passed.
    end: u16,
    /// Why nothing of it passes any more.
    suspect: Option<FragmentRefusal>,
    /// `None` in an entry that was never used.
    value: Option<V>,
}

impl<V: Copy> FragmentTable<V> {
    /// Room for `associations`, rounded up to a power of two, each of which lives for `lifetime` from its first fragment:
    /// as long as a receiver may hold an incomplete datagram (RFC 8200: 60 s; Linux: 30 s) makes no gap, shorter is safe.
    /// Takes all the memory that it will ever have.
    pub fn new(associations: u32, lifetime: Duration, hash: HashKey) -> Self {
        let sets = (associations as usize).div_ceil(WAYS).max(1).next_power_of_two();
        let vacant =
            Entry { words: Words::NONE, passed: Ranges::NONE, end: 0, suspect: None, value: None };
        Self {
            sets: vec![Set { tags: [FREE; WAYS], since: [Tick(0); WAYS] }; sets].into(),
            entries: vec![vacant; sets * WAYS].into(),
            hash,
            lifetime: Tick::spanning(lifetime),
        }
    }

    /// Remembers what a first fragment was judged to be. To be called for those that are refused as well, so that the
    /// later ones need not be held.
    ///
    /// # Errors
    /// Why the fragment must not pass, whatever it was judged to be.
    pub fn first(
        &mut self,
        key: &FragmentKey,
        piece: &Piece,
        value: V,
        now: Time,
    ) -> Result<(), FragmentRefusal> {
        let now = Tick::of(now);
        let words = key.words();
        let hash = self.hash.of(&words);
        let way = match self.find(hash, &words, now) {
            // The identification is used again for another datagram.
            Some(way) if self.entry(hash, way).is_complete() => way,
            Some(way) => return self.entry_mut(hash, way).pass(piece),
            None => self.room(hash, now),
        };
        let entry = self.entry_mut(hash, way);
        *entry = Entry { words, passed: Ranges::NONE, end: 0, suspect: None, value: Some(value) };
        let passes = entry.pass(piece);
        let set = self.set_mut(hash);
        (set.tags[way], set.since[way]) = (tag(hash), now);
        passes
    }

    /// What a later fragment belongs to. One that is [`Association::Known`] counts as passed, so it is to be asked about
    /// once.
    pub fn later(&mut self, key: &FragmentKey, piece: &Piece, now: Time) -> Association<V> {
        if piece.is_tcp && piece.offset < TCP_HEADER {
            return Association::Refused(FragmentRefusal::Tiny);
        }
        let words = key.words();
        let hash = self.hash.of(&words);
        let Some(way) = self.find(hash, &words, Tick::of(now)) else { return Association::Unknown };
        let entry = self.entry_mut(hash, way);
        match (entry.pass(piece), entry.value) {
            (Ok(()), Some(value)) => Association::Known(value),
            (Ok(()), None) => Association::Unknown,
            (Err(refusal), _) => Association::Refused(refusal),
        }
    }

    /// The association of a key, if it lives.
    fn find(&self, hash: Hash, words: &Words, now: Tick) -> Option<usize> {
        let set = &self.sets[self.set_of(hash)];
        (0..WAYS).find(|way| {
            set.tags[*way] == tag(hash)
                && now.since(set.since[*way]) <= self.lifetime
                && self.entry(hash, *way).words == *words
        })
    }

    /// A place for a new association: free, outlived or complete, else the oldest.
    fn room(&self, hash: Hash, now: Tick) -> usize {
        let set = &self.sets[self.set_of(hash)];
        let age = |way: usize| now.since(set.since[way]);
        let is_over = |way: &usize| {
            set.tags[*way] == FREE
                || age(*way) > self.lifetime
                || self.entry(hash, *way).is_complete()
        };
        let oldest = || (0..WAYS).max_by_key(|way| age(*way)).unwrap_or(0);
        (0..WAYS).find(is_over).unwrap_or_else(oldest)
    }

    fn set_of(&self, hash: Hash) -> usize {
        hash.lower() as usize & (self.sets.len() - 1)
    }

    fn set_mut(&mut self, hash: Hash) -> &mut Set {
        let at = self.set_of(hash);
        &mut self.sets[at]
    }

    fn entry(&self, hash: Hash, way: usize) -> &Entry<V> {
        &self.entries[self.set_of(hash) * WAYS + way]
    }

    fn entry_mut(&mut self, hash: Hash, way: usize) -> &mut Entry<V> {
        let at = self.set_of(hash) * WAYS + way;
        &mut self.entries[at]
    }
}

impl<V> Entry<V> {
    /// True if all of the datagram has passed.
    fn is_complete(&self) -> bool {
        self.suspect.is_none() && self.end > 0 && self.passed.are_all(self.end)
    }

    /// Adds a piece to what has passed, or says why it must not.
    fn pass(&mut self, piece: &Piece) -> Result<(), FragmentRefusal> {
        if let Some(suspect) = self.suspect {
            return Err(suspect);
        }
        let result = self.fit(piece);
        match result {
            Ok(()) | Err(FragmentRefusal::Duplicate | FragmentRefusal::Tiny) => {}
            Err(suspect) => self.suspect = Some(suspect),
        }
        result
    }

    fn fit(&mut self, piece: &Piece) -> Result<(), FragmentRefusal> {
        let start = piece.offset / UNIT;
        // At most 2^16 + 2^13 bytes, so it fits; only the last piece ends within a unit.
        let end = piece.end().div_ceil(u32::from(UNIT)) as u16;
        if end <= start {
            return Err(FragmentRefusal::Inconsistent);
        }
        let beyond = self.end > 0 && (end > self.end || (!piece.more && end != self.end));
        let cuts_off = !piece.more && end < self.passed.end();
        if beyond || cuts_off {
            return Err(FragmentRefusal::Inconsistent);
        }
        self.passed.add(start, end).map_err(|not_added| match not_added {
            NotAdded::Duplicate => FragmentRefusal::Duplicate,
            NotAdded::Overlap => FragmentRefusal::Overlap,
            NotAdded::Scattered => FragmentRefusal::Scattered,
        })?;
        if !piece.more {
            self.end = end;
        }
        Ok(())
    }
}

const fn tag(hash: Hash) -> u32 {
    let upper = hash.upper();
    if upper == FREE { 1 } else { upper }
}

/// Fragments begin at multiples of this.
const UNIT: u16 = 8;
/// No TCP header is shorter.
const TCP_HEADER: u16 = 20;
