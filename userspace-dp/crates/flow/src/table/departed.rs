//! What became of flows that are no more, so that their late packets can be told from strangers.
//!
//! Words of 64 bits in sets of eight: 32 bits of the key's hash, why it went, and when. A full set forgets its oldest
//! word, so under a flood this remembers less, and never claims more than 8 in 2^32 strangers.

use core::time::Duration;

use crate::hash::Hash;
use crate::tick::Tick;

/// Why a flow is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Departure {
    /// It was silent for longer than its phase allows.
    Expired,
    /// Its ends had ended it.
    Closed,
    /// It made room for another.
    Evicted,
    /// It lost its right: policy or a peer changed.
    Revoked,
}

impl Departure {
    /// Every departure, by number.
    pub const ALL: [Self; 4] = [Self::Expired, Self::Closed, Self::Evicted, Self::Revoked];

    /// The name in counters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Closed => "closed",
            Self::Evicted => "evicted",
            Self::Revoked => "revoked",
        }
    }
}

/// The memory of departures.
pub(super) struct Departed {
    sets: Box<[Set]>,
    mask: u32,
    /// Steps that something is remembered.
    span: u32,
}

const WAYS: usize = 8;

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Set([u64; WAYS]);

/// No departure: no hash has these upper bits.
const FREE: u64 = 0;
const WHEN_BITS: u32 = 30;
const WHEN_MASK: u32 = (1 << WHEN_BITS) - 1;

impl Departed {
    pub(super) fn new(keys: u32, remembered: Duration) -> Self {
        let sets = (keys as usize).div_ceil(WAYS).max(1).next_power_of_two();
        let span = Tick::spanning(remembered);
        Self { sets: vec![Set([FREE; WAYS]); sets].into(), mask: (sets - 1) as u32, span }
    }

    /// Remembers that the flow of the key with this hash went.
    pub(super) fn note(&mut self, hash: Hash, why: Departure, now: Tick) {
        let Set(words) = &mut self.sets[(hash.lower() & self.mask) as usize];
        let upper = upper(hash);
        let place = words.iter().position(|word| (*word >> 32) as u32 == upper);
        let place = place.or_else(|| words.iter().position(|word| *word == FREE));
        let oldest = || (0..WAYS).max_by_key(|way| age(words[*way], now)).unwrap_or(0);
        let word = u64::from(upper) << 32 | (why as u64) << WHEN_BITS;
        words[place.unwrap_or_else(oldest)] = word | u64::from(now.0 & WHEN_MASK);
    }

    /// What became of the flow of the key with this hash, if that is remembered.
    pub(super) fn find(&self, hash: Hash, now: Tick) -> Option<Departure> {
        let Set(words) = &self.sets[(hash.lower() & self.mask) as usize];
        let upper = upper(hash);
        let word = words.iter().find(|word| (**word >> 32) as u32 == upper)?;
        let why = Departure::ALL[(*word >> WHEN_BITS) as usize % Departure::ALL.len()];
        (age(*word, now) <= self.span).then_some(why)
    }
}

/// Steps since the departure of a word; a free one is older than all.
fn age(word: u64, now: Tick) -> u32 {
    if word == FREE { u32::MAX } else { now.0.wrapping_sub(word as u32) & WHEN_MASK }
}

const fn upper(hash: Hash) -> u32 {
    let upper = hash.upper();
    if upper == 0 { 1 } else { upper }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(upper: u32, lower: u32) -> Hash {
        Hash(u64::from(upper) << 32 | u64::from(lower))
    }

    fn memory(keys: u32, ticks: u64) -> Departed {
        Departed::new(keys, Duration::from_nanos(ticks * Tick::NANOS))
    }

    #[test]
    fn each_departure_is_told_for_as_long_as_it_is_remembered() {
        for start in [0, WHEN_MASK - 3, u32::MAX - 3] {
            let mut departed = memory(64, 10);
            for (number, why) in Departure::ALL.into_iter().enumerate() {
                departed.note(hash(number as u32 + 1, 5), why, Tick(start));
            }
            for (number, why) in Departure::ALL.into_iter().enumerate() {
                let find =
                    |later| departed.find(hash(number as u32 + 1, 5), Tick(start).plus(later));
                assert_eq!((find(0), find(10), find(11)), (Some(why), Some(why), None));
            }
            assert_eq!(departed.find(hash(9, 5), Tick(start)), None);
            assert_eq!(departed.find(hash(3, 6), Tick(start)), None);
        }
    }

    #[test]
    fn the_latest_departure_of_a_key_counts() {
        let mut departed = memory(8, 10);
        departed.note(hash(1, 1), Departure::Expired, Tick(0));
        departed.note(hash(1, 1), Departure::Revoked, Tick(9));
        assert_eq!(departed.find(hash(1, 1), Tick(15)), Some(Departure::Revoked));
    }

    #[test]
    fn a_full_set_forgets_its_oldest() {
        let mut departed = memory(8, 1000);
        for number in 1..=9 {
            departed.note(hash(number, 0), Departure::Expired, Tick(number));
        }
        let known: Vec<u32> =
            (1..=9).filter(|number| departed.find(hash(*number, 0), Tick(9)).is_some()).collect();
        assert_eq!(known, [2, 3, 4, 5, 6, 7, 8, 9]);
    }
}
