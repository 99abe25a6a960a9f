//! The integers that addresses are.

/// An address in host order.
pub(super) trait Word: Copy + Ord {
    /// The lowest address.
    const ZERO: Self;
    /// Bits of an address.
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
word!(u32 u128);
