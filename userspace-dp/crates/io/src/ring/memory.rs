//! Where the words and slots of one ring lie: in memory of the kernel's or in plain memory.

use core::any::Any;
use core::cell::UnsafeCell;
use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use super::Descriptor;
use crate::mapping::Mapping;

/// What a ring can hold: plain integers, valid whatever the other side writes.
///
/// # Safety
/// Every bit pattern is a value, there is no padding, and the alignment is at most eight.
pub unsafe trait Slot: Copy + Send + 'static {}

// SAFETY: an integer.
unsafe impl Slot for u64 {}
// SAFETY: three integers that fill 16 bytes.
unsafe impl Slot for Descriptor {}

/// The number of slots of a ring: a power of two, at most 2^24.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingSize(u32);

/// The number is no ring size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a ring of {0} entries is impossible: it takes a power of two from 1 to 16,777,216")]
pub struct RingSizeError(pub u32);

impl RingSize {
    /// Checks `entries`.
    ///
    /// # Errors
    /// [`RingSizeError`] when it is no power of two, or too large.
    pub const fn new(entries: u32) -> Result<Self, RingSizeError> {
        if entries.is_power_of_two() && entries <= 1 << 24 {
            Ok(Self(entries))
        } else {
            Err(RingSizeError(entries))
        }
    }

    /// The number of slots.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// Offsets of a ring's parts from the beginning of its memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offsets {
    /// The producer index.
    pub producer: usize,
    /// The consumer index.
    pub consumer: usize,
    /// The flag word.
    pub flags: usize,
    /// The first slot.
    pub slots: usize,
}

/// One line of plain ring memory: the three words get one each, so that the ends do not contend.
#[repr(align(64))]
struct Line(#[expect(dead_code, reason = "reached by address only")] UnsafeCell<[u8; LINE]>);

const LINE: usize = 64;

// SAFETY: lines are memory reached through atomics and the ring protocol only.
unsafe impl Sync for Line {}

/// A run of slots: the first, and how many.
type Run<T> = (NonNull<T>, usize);

/// The shared memory of one ring. Copies are views of the same ring.
pub struct RingMemory<T> {
    producer: NonNull<AtomicU32>,
    consumer: NonNull<AtomicU32>,
    flags: NonNull<AtomicU32>,
    slots: NonNull<T>,
    mask: u32,
    /// Keeps the memory alive.
    backing: Arc<dyn Any + Send + Sync>,
}

// SAFETY: the words are atomics, the slots are governed by the ring protocol of the two ends.
unsafe impl<T: Slot> Send for RingMemory<T> {}

impl<T: Slot> RingMemory<T> {
    /// A ring over plain memory whose indices begin at `start`.
    pub fn plain(size: RingSize, start: u32) -> Self {
        let offsets = Offsets { producer: 0, consumer: LINE, flags: 2 * LINE, slots: 3 * LINE };
        let bytes = offsets.slots + size.get() as usize * size_of::<T>();
        let lines: Arc<[Line]> =
            (0..bytes.div_ceil(LINE)).map(|_| Line(UnsafeCell::new([0; LINE]))).collect();
        let base = NonNull::from(&*lines).cast::<u8>();
        let holder: Arc<dyn Any + Send + Sync> = Arc::new(lines);
        // SAFETY: the parts lie inside the lines, aligned to them, zeroed, kept by `holder`.
        let memory = unsafe { Self::at(base, offsets, size, holder) };
        memory.producer().store(start, Ordering::Relaxed);
        memory.consumer().store(start, Ordering::Relaxed);
        memory
    }

    /// A ring inside a mapping shared with the kernel; `None` when a part lies outside of it.
    pub(crate) fn mapped(mapping: Mapping, offsets: Offsets, size: RingSize) -> Option<Self> {
        let words = [offsets.producer, offsets.consumer, offsets.flags];
        let slots_end = offsets.slots.checked_add(size.get() as usize * size_of::<T>())?;
        let inside = words.iter().all(|&at| at.is_multiple_of(4) && at + 4 <= mapping.length())
            && offsets.slots.is_multiple_of(align_of::<T>())
            && slots_end <= mapping.length();
        let base = mapping.base();
        // SAFETY: just checked; the mapping begins on a page and is kept by the holder.
        inside.then(|| unsafe { Self::at(base, offsets, size, Arc::new(mapping)) })
    }

    /// # Safety
    /// All parts lie, aligned and initialised, in memory at `base` that `backing` keeps alive.
    unsafe fn at(
        base: NonNull<u8>,
        offsets: Offsets,
        size: RingSize,
        backing: Arc<dyn Any + Send + Sync>,
    ) -> Self {
        // SAFETY: offsets inside the memory, by the contract above.
        unsafe {
            Self {
                producer: base.add(offsets.producer).cast(),
                consumer: base.add(offsets.consumer).cast(),
                flags: base.add(offsets.flags).cast(),
                slots: base.add(offsets.slots).cast(),
                mask: size.get() - 1,
                backing,
            }
        }
    }

    #[inline]
    pub(super) fn producer(&self) -> &AtomicU32 {
        // SAFETY: an aligned word kept alive by `backing`, accessed atomically by everyone.
        unsafe { self.producer.as_ref() }
    }

    #[inline]
    pub(super) fn consumer(&self) -> &AtomicU32 {
        // SAFETY: as above.
        unsafe { self.consumer.as_ref() }
    }

    #[inline]
    pub(super) fn flags(&self) -> &AtomicU32 {
        // SAFETY: as above.
        unsafe { self.flags.as_ref() }
    }

    /// The slot of entry `index`.
    #[inline]
    pub(super) fn slot(&self, index: u32) -> NonNull<T> {
        // SAFETY: the masked index is below the number of slots.
        unsafe { self.slots.add((index & self.mask) as usize) }
    }

    /// First slot and length of the two runs that the `count` entries from `index` on lie in;
    /// `count` is at most the size.
    #[inline]
    pub(super) fn runs(&self, index: u32, count: u32) -> (Run<T>, Run<T>) {
        let before_wrap = count.min(self.size() - (index & self.mask));
        let first = (self.slot(index), before_wrap as usize);
        (first, (self.slots, (count - before_wrap) as usize))
    }

    /// The number of slots.
    #[inline]
    pub fn size(&self) -> u32 {
        self.mask + 1
    }
}

impl<T> Clone for RingMemory<T> {
    fn clone(&self) -> Self {
        Self { backing: Arc::clone(&self.backing), ..*self }
    }
}

impl<T> fmt::Debug for RingMemory<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingMemory").field("mask", &self.mask).finish_non_exhaustive()
    }
}
