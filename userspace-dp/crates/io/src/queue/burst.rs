//! Whole bursts between frames and ring entries.
//!
//! The innermost loops of the crate, a dozen instructions per packet.

use std::mem::MaybeUninit;
use std::ptr::NonNull;

use crate::frame::{Frame, Place};
use crate::ring::Descriptor;
use crate::umem::Umem;

/// What a burst of received entries came to. There is no branch per entry: all are converted first
/// and judged together, at first by the bits that any of them had, and only then one by one.
#[derive(Default)]
pub(super) struct Received {
    /// All addresses, one over the other.
    addresses: u64,
    /// All lengths in the low half, all options in the high half, one over the other.
    lengths_and_options: u64,
    /// The sum of all lengths, if no entry has options.
    pub bytes: u64,
}

impl Received {
    #[inline]
    pub fn convert(
        &mut self,
        entries: &[Descriptor],
        slots: &mut [MaybeUninit<Frame>],
        umem: NonNull<Umem>,
    ) {
        for (entry, slot) in entries.iter().zip(slots) {
            let [address, length_and_options] = entry.words();
            self.addresses |= address;
            self.lengths_and_options |= length_and_options;
            self.bytes += length_and_options;
            let place = Place::new(address, length_and_options);
            // SAFETY: a handle in a slot beyond the burst's length counts for nothing; `receive`
            // makes it count once the entries are judged.
            slot.write(unsafe { Frame::new(umem, place) });
        }
    }

    /// Whether every entry is certainly a whole packet inside one frame of the region, which ends
    /// at `end` and has frames of `size` bytes. Bits of several entries together make no less than
    /// each of them.
    #[inline]
    pub fn surely_plain(&self, end: u64, size: u64) -> bool {
        let start = self.addresses & (size - 1);
        let longest = self.lengths_and_options;
        (longest <= size) & (start + longest.min(size) <= size) & (self.addresses < end)
    }
}

/// Whether this entry is a whole packet inside one frame of the region.
#[inline]
pub(super) fn is_plain(entry: &Descriptor, end: u64, size: u64) -> bool {
    let start = entry.address & (size - 1);
    let fits = start + u64::from(entry.length) <= size;
    fits && entry.options == 0 && entry.address < end
}

/// What a burst of frames to send came to, likewise.
pub(super) struct Sent {
    /// The regions' addresses, one over the other, and the bits that all of them share.
    regions: (usize, usize),
    /// The highest bit is set when a packet is empty.
    empty: u64,
    /// The sum of all lengths.
    pub bytes: u64,
}

impl Sent {
    pub const NOTHING: Self = Self { regions: (0, usize::MAX), empty: 0, bytes: 0 };

    #[inline]
    pub fn convert(&mut self, frames: &[Frame], slots: &mut [Descriptor]) {
        for (frame, slot) in frames.iter().zip(slots) {
            let (address, length) = (frame.place().address(), frame.place().length());
            let region = frame.region().addr().get();
            self.regions.0 |= region;
            self.regions.1 &= region;
            self.empty |= length.wrapping_sub(1);
            self.bytes += length;
            *slot = Descriptor::from_words([address, length]);
        }
    }

    /// Whether every frame is of the region and holds a packet.
    #[inline]
    pub fn all_plain(&self, umem: NonNull<Umem>) -> bool {
        let umem = umem.addr().get();
        self.regions.0 == umem && self.regions.1 == umem && self.empty >> 63 == 0
    }
}
