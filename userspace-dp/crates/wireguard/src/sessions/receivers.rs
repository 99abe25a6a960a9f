//! From receiver index to session: a small open-addressing table with linear probing.
//!
//! Indices in the table were drawn at random by us, so a sender cannot make them collide; it can only look up what
//! it likes, and a miss ends at the first empty entry. The multiplier is odd and drawn at start, so which indices
//! share a probe run is not known outside. At most half full; deletion shifts back, so there are no tombstones.

/// Receiver index to session number.
pub(super) struct Receivers {
    entries: Box<[Entry]>,
    multiplier: u32,
    shift: u32,
    used: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    index: u32,
    session: u32,
}

const EMPTY: Entry = Entry { index: 0, session: u32::MAX };

impl Receivers {
    /// A table for at most `capacity` sessions.
    pub(super) fn new(capacity: usize, seed: u64) -> Self {
        let size = (capacity.max(8) * 2).next_power_of_two();
        Self {
            entries: vec![EMPTY; size].into(),
            multiplier: (seed as u32) | 1,
            shift: 32 - size.trailing_zeros(),
            used: 0,
        }
    }

    /// The session called `index`.
    #[inline]
    pub(super) fn get(&self, index: u32) -> Option<u32> {
        let mut at = self.home(index);
        loop {
            let entry = self.entries[at];
            if entry.session == EMPTY.session {
                return None;
            }
            if entry.index == index {
                return Some(entry.session);
            }
            at = self.after(at);
        }
    }

    /// Calls `session` by `index`. False, and nothing changed, when the index is taken or the table is at capacity.
    pub(super) fn insert(&mut self, index: u32, session: u32) -> bool {
        if self.used >= self.entries.len() / 2 || session == EMPTY.session {
            return false;
        }
        let mut at = self.home(index);
        while self.entries[at].session != EMPTY.session {
            if self.entries[at].index == index {
                return false;
            }
            at = self.after(at);
        }
        self.entries[at] = Entry { index, session };
        self.used += 1;
        true
    }

    /// Forgets `index`.
    pub(super) fn remove(&mut self, index: u32) {
        let mut hole = self.home(index);
        loop {
            let entry = self.entries[hole];
            if entry.session == EMPTY.session {
                return;
            }
            if entry.index == index {
                break;
            }
            hole = self.after(hole);
        }
        self.used -= 1;
        // Whatever follows in the run moves into the hole, unless that would put it before its home.
        let mask = self.entries.len() - 1;
        let mut at = self.after(hole);
        while self.entries[at].session != EMPTY.session {
            let home = self.home(self.entries[at].index);
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.entries[hole] = self.entries[at];
                hole = at;
            }
            at = self.after(at);
        }
        self.entries[hole] = EMPTY;
    }

    #[inline]
    fn home(&self, index: u32) -> usize {
        (index.wrapping_mul(self.multiplier) >> self.shift) as usize & (self.entries.len() - 1)
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.entries.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_table_at_capacity_refuses_and_still_finds_all() {
        let mut table = Receivers::new(100, 0x1234_5679);
        let held = (0..).take_while(|i| table.insert(i * 4, *i)).count() as u32;
        assert!(held >= 100);
        for i in 0..held {
            assert_eq!(table.get(i * 4), Some(i));
        }
        assert_eq!(table.get(held * 4), None);
        table.remove(0);
        assert!(table.insert(7, 7), "a freed place is used again");
    }

    #[test]
    fn a_taken_index_is_not_given_to_another_session() {
        let mut table = Receivers::new(8, 1);
        assert!(table.insert(5, 1));
        assert!(!table.insert(5, 2));
        assert_eq!(table.get(5), Some(1));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        /// Few distinct indices and an even multiplier's worst cousin make long probe runs.
        #[test]
        fn behaves_like_a_map(
            steps in prop::collection::vec((any::<bool>(), 0..40u32), 0..300),
            seed in any::<u64>(),
        ) {
            let (mut table, mut model) = (Receivers::new(20, seed), HashMap::new());
            for (position, (insert, index)) in steps.into_iter().enumerate() {
                if insert {
                    let expected = model.len() < table.entries.len() / 2 && !model.contains_key(&index);
                    prop_assert_eq!(table.insert(index, position as u32), expected);
                    if expected {
                        model.insert(index, position as u32);
                    }
                } else {
                    table.remove(index);
                    model.remove(&index);
                }
                for index in 0..40 {
                    prop_assert_eq!(table.get(index), model.get(&index).copied());
                }
            }
        }
    }
}
