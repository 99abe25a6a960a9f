//! The integers that addresses are searched as.

/// An address, or one half of an IPv6 address, in host order.
pub(super) trait Word: Copy + Ord {
    const ZERO: Self;
    const MAX: Self;
    const BITS: u32;
    /// The last address of the prefix of `length` bits that begins here.
    fn last_of_prefix(self, length: u8) -> Self;
    /// The address after this one, if there is one.
    fn successor(self) -> Option<Self>;
}

macro_rules! word {
    ($($word:ty)*) => {$(
        impl Word for $word {
            const ZERO: Self = 0;
            const MAX: Self = Self::MAX;
            const BITS: u32 = Self::BITS;

            fn last_of_prefix(self, length: u8) -> Self {
                self | Self::MAX.checked_shr(u32::from(length)).unwrap_or(0)
            }

            fn successor(self) -> Option<Self> {
                self.checked_add(1)
            }
        }
    )*};
}
word!(u32 u64 u128);

/// A word that an [`Index`](super::index::Index) searches.
pub(super) trait Key: Word {
    /// How far it lies beyond `origin`; zero for what lies before.
    fn beyond(self, origin: Self) -> u64;
    /// [`Key::beyond`] in units of `1 << shift`.
    fn steps_beyond(self, origin: Self, shift: u32) -> u64;
}

macro_rules! key {
    ($($word:ty)*) => {$(
        impl Key for $word {
            fn beyond(self, origin: Self) -> u64 {
                u64::from(self.saturating_sub(origin))
            }

            #[inline(always)]
            fn steps_beyond(self, origin: Self, shift: u32) -> u64 {
                u64::from(self.saturating_sub(origin) >> (shift & (Self::BITS - 1)))
            }
        }
    )*};
}
key!(u32 u64);
