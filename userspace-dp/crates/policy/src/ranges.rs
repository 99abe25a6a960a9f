//! Sets of numbers as sorted ranges that neither overlap nor touch.

/// Inclusive ranges, ascending. Membership is a binary search; an empty list holds nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ranges<T>(Box<[(T, T)]>);

/// Numbers that have a next one.
pub(crate) trait Number: Copy + Ord {
    /// The next one, if there is one.
    fn successor(self) -> Option<Self>;
}

impl<T: Number> Ranges<T> {
    /// The union of these inclusive ranges; each must end where it starts or later.
    pub(crate) fn union_of(mut ranges: Vec<(T, T)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(T, T)> = Vec::with_capacity(ranges.len());
        for (start, end) in ranges {
            match merged.last_mut() {
                Some(last) if last.1.successor().is_none_or(|next| start <= next) => {
                    last.1 = last.1.max(end);
                }
                _ => merged.push((start, end)),
            }
        }
        Self(merged.into_boxed_slice())
    }

    /// Whether one of the ranges holds `number`.
    #[inline]
    pub(crate) fn contains(&self, number: T) -> bool {
        if let [(start, end)] = *self.0 {
            return (start..=end).contains(&number);
        }
        let begun = self.0.partition_point(|(start, _)| *start <= number);
        begun
            .checked_sub(1)
            .and_then(|last| self.0.get(last))
            .is_some_and(|(_, end)| number <= *end)
    }
}

macro_rules! number {
    ($($number:ty)*) => {$(
        impl Number for $number {
            fn successor(self) -> Option<Self> {
                self.checked_add(1)
            }
        }
    )*};
}
number!(u8 u16 u32 u128);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_ranges_hold_nothing() {
        assert!(!Ranges::<u32>::union_of(vec![]).contains(0));
    }

    #[test]
    fn touching_and_overlapping_ranges_become_one() {
        let ranges = Ranges::union_of(vec![(10_u16, 19), (20, 29), (25, 40), (0, 0), (42, 42)]);
        assert_eq!(*ranges.0, [(0, 0), (10, 40), (42, 42)]);
    }

    #[test]
    fn a_range_up_to_the_highest_number_swallows_what_follows() {
        let ranges = Ranges::union_of(vec![(5_u8, 255), (7, 9), (255, 255)]);
        assert_eq!(*ranges.0, [(5, 255)]);
    }

    proptest! {
        #[test]
        fn a_union_holds_exactly_what_its_parts_hold(
            parts in proptest::collection::vec((any::<u8>(), any::<u8>()), 0..8),
        ) {
            let parts: Vec<(u8, u8)> = parts.into_iter().map(|(a, b)| (a.min(b), a.max(b))).collect();
            let union = Ranges::union_of(parts.clone());
            for number in 0..=u8::MAX {
                let expected = parts.iter().any(|(start, end)| *start <= number && number <= *end);
                prop_assert_eq!(union.contains(number), expected);
            }
        }
    }
}
