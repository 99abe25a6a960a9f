//! Where a packet lies in its region.

/// Where a packet lies: its address in the region in the low 48 bits, its length in the high 16.
/// One word, and close to what ring entries hold, so that a burst is converted in a few instructions
/// per packet. The address alone tells the frame, hence a packet begins inside of its frame: an
/// empty one at the very end is moved one byte towards the front.
#[derive(Clone, Copy)]
pub(crate) struct Place(u64);

/// The part of a place that is the address. Regions are smaller by far.
const ADDRESS: u64 = (1 << 48) - 1;

impl Place {
    /// The place of `length` bytes at `address`; above 16 and 48 bits it means nothing.
    #[inline]
    pub fn new(address: u64, length: u64) -> Self {
        Self(address | length << 48)
    }

    #[inline]
    pub fn address(self) -> u64 {
        self.0 & ADDRESS
    }

    #[inline]
    pub fn length(self) -> u64 {
        self.0 >> 48
    }

    /// Which frame of `1 << shift` bytes it is.
    #[inline]
    pub fn index(self, shift: u32) -> u32 {
        (self.address() >> shift) as u32
    }
}
