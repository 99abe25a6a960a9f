//! The parts of one datagram that have passed, in units of eight bytes, as few disconnected ranges.

/// How many ranges are kept apart. Fragments mostly come in order, or in reverse, which is one range and two; this many
/// holes at a time are left by nobody who is honest.
const RANGES: usize = 8;

/// Ascending ranges that do not touch; the empty ones at the end are at zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ranges {
    starts: [u16; RANGES],
    ends: [u16; RANGES],
    count: u8,
}

/// Why a range is not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAdded {
    /// All of it was there.
    Duplicate,
    /// Some of it was there.
    Overlap,
    /// It would be one range too many.
    Scattered,
}

impl Ranges {
    pub(super) const NONE: Self = Self { starts: [0; RANGES], ends: [0; RANGES], count: 0 };

    /// Adds `start..end`, which is not empty.
    pub(super) fn add(&mut self, start: u16, end: u16) -> Result<(), NotAdded> {
        let count = usize::from(self.count).min(RANGES);
        // All before lie before the new range, and may touch it.
        let before = self.ends[..count].iter().take_while(|held| **held <= start).count();
        if let Some((held_start, held_end)) = self.get(before)
            && held_start < end
        {
            let within = held_start <= start && end <= held_end;
            return Err(if within { NotAdded::Duplicate } else { NotAdded::Overlap });
        }
        let touches_before = before > 0 && self.ends[before - 1] == start;
        let touches_after = self.get(before).is_some_and(|(held_start, _)| held_start == end);
        match (touches_before, touches_after) {
            (true, true) => {
                self.ends[before - 1] = self.ends[before];
                self.close_up(before);
            }
            (true, false) => self.ends[before - 1] = end,
            (false, true) => self.starts[before] = start,
            (false, false) if count == RANGES => return Err(NotAdded::Scattered),
            (false, false) => {
                self.starts.copy_within(before..count, before + 1);
                self.ends.copy_within(before..count, before + 1);
                (self.starts[before], self.ends[before]) = (start, end);
                self.count += 1;
            }
        }
        Ok(())
    }

    /// True if everything up to `end` is there.
    pub(super) fn are_all(&self, end: u16) -> bool {
        self.count == 1 && (self.starts[0], self.ends[0]) == (0, end)
    }

    /// Behind the last.
    pub(super) fn end(&self) -> u16 {
        usize::from(self.count).checked_sub(1).map_or(0, |last| self.ends[last])
    }

    fn get(&self, at: usize) -> Option<(u16, u16)> {
        (at < usize::from(self.count)).then(|| (self.starts[at], self.ends[at]))
    }

    /// Takes out a range whose content its neighbour has.
    fn close_up(&mut self, at: usize) {
        let count = usize::from(self.count);
        self.starts.copy_within(at + 1..count, at);
        self.ends.copy_within(at + 1..count, at);
        self.count -= 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Ranges among these units, as the units themselves.
    const UNITS: u16 = 40;

    fn disconnected(units: &[bool]) -> usize {
        let mut before = false;
        units.iter().filter(|held| !core::mem::replace(&mut before, **held) && **held).count()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn they_are_a_set_of_units(
            additions in prop::collection::vec((0..UNITS, 1..6_u16), 0..60),
        ) {
            let mut ranges = Ranges::NONE;
            let mut model = [false; UNITS as usize + 6];
            for (start, length) in additions {
                let end = start + length;
                let part = usize::from(start)..usize::from(end);
                let held = model[part.clone()].iter().filter(|held| **held).count();
                let mut with = model;
                with[part].fill(true);
                let expected = match held {
                    0 if disconnected(&with) > RANGES => Err(NotAdded::Scattered),
                    0 => Ok(()),
                    held if held == usize::from(length) => Err(NotAdded::Duplicate),
                    _ => Err(NotAdded::Overlap),
                };
                prop_assert_eq!(ranges.add(start, end), expected);
                if expected.is_ok() {
                    model = with;
                }
                let highest = model.iter().rposition(|held| *held).map_or(0, |last| last + 1);
                prop_assert_eq!(usize::from(ranges.end()), highest);
                let whole = highest > 0 && model[..highest].iter().all(|held| *held);
                prop_assert_eq!(ranges.are_all(highest as u16), whole);
            }
        }
    }
}
