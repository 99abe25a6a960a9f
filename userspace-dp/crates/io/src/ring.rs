//! Single-producer single-consumer rings in the layout that AF_XDP shares with the kernel.
//!
//! One [`Producer`] and one [`Consumer`] stand at the two ends of a ring of a power of two slots.
//! Either end may be the kernel's; with both ends here a ring is plain memory ([`pair`]), which is
//! how this code is tested and how the memory backend works. Each end keeps its own index in a
//! register and a cached copy of the other's, so that it touches the other's cache line only when
//! the cached copy says full or empty.
//!
//! Indices run freely over `u32` and wrap; the slot is the index modulo the size. The producer
//! publishes with a release store after the slots are written, the consumer releases slots with a
//! release store after they are read, and each acquires the other's index. The layout and protocol
//! are those of the kernel's `net/xdp/xsk_queue.h`.

mod descriptor;
mod memory;

use core::slice;
use core::sync::atomic::Ordering;

pub use descriptor::Descriptor;
pub use memory::{Offsets, RingMemory, RingSize, RingSizeError, Slot};

/// Flag in the ring's flag word: the other side sleeps and wants a system call.
pub const NEED_WAKEUP: u32 = libc::XDP_RING_NEED_WAKEUP;

/// Both ends of a ring over plain memory.
pub fn pair<T: Slot>(size: RingSize) -> (Producer<T>, Consumer<T>) {
    pair_starting_at(size, 0)
}

/// As [`pair`], with indices that begin at `start`: tests put it just before the wrap of `u32`.
pub fn pair_starting_at<T: Slot>(size: RingSize, start: u32) -> (Producer<T>, Consumer<T>) {
    let memory = RingMemory::plain(size, start);
    // SAFETY: the memory is new, so these are the only ends.
    unsafe { (Producer::over(memory.clone()), Consumer::over(memory)) }
}

/// The writing end of a ring.
#[derive(Debug)]
pub struct Producer<T> {
    memory: RingMemory<T>,
    /// Where the next entry goes.
    own: u32,
    /// The consumer's index when last looked at.
    consumer: u32,
}

impl<T: Slot> Producer<T> {
    /// The writing end over `memory`.
    ///
    /// # Safety
    /// It is the only writing end: nobody else writes slots or the producer index.
    pub unsafe fn over(memory: RingMemory<T>) -> Self {
        let own = memory.producer().load(Ordering::Relaxed);
        let consumer = memory.consumer().load(Ordering::Acquire);
        Self { memory, own, consumer }
    }

    /// Room for up to `limit` entries, fewer when the ring is fuller. Entries are published all at
    /// once when the writer is dropped.
    #[inline]
    pub fn reserve(&mut self, limit: u32) -> Writer<'_, T> {
        if self.cached_free() < limit {
            self.consumer = self.memory.consumer().load(Ordering::Acquire);
        }
        let end = self.own.wrapping_add(self.cached_free().min(limit));
        Writer { next: self.own, end, ring: self }
    }

    /// Entries published and not yet taken by the consumer.
    pub fn pending(&self) -> u32 {
        let consumer = self.memory.consumer().load(Ordering::Acquire);
        self.own.wrapping_sub(consumer).min(self.memory.size())
    }

    /// The last `count` entries written, oldest first, whether the consumer took them or not.
    pub(crate) fn written(&self, count: u32) -> impl Iterator<Item = T> {
        let first = self.own.wrapping_sub(count);
        // SAFETY: this end wrote these slots, and no consumer ever writes to slots.
        (0..count).map(move |at| unsafe { self.memory.slot(first.wrapping_add(at)).read() })
    }

    /// Publishes the next `count` slots, or as many as are free, with what earlier laps of the ring
    /// left in them: for measuring the reading end alone. How many.
    #[cfg(any(test, feature = "testing"))]
    pub fn publish_again(&mut self, count: u32) -> u32 {
        let mut writer = self.reserve(count);
        let free = writer.room();
        writer.fill(free);
        free
    }

    /// Whether the consumer wants to be woken. Look after publishing.
    #[inline]
    pub fn needs_wakeup(&self) -> bool {
        self.memory.flags().load(Ordering::Acquire) & NEED_WAKEUP != 0
    }

    /// How many entries the ring can hold.
    pub fn size(&self) -> u32 {
        self.memory.size()
    }

    #[inline]
    fn cached_free(&self) -> u32 {
        // Never more than the size, whatever the other side wrote.
        self.memory.size().saturating_sub(self.own.wrapping_sub(self.consumer))
    }
}

/// Reserved room in a ring; publishes what was pushed when dropped.
#[derive(Debug)]
pub struct Writer<'ring, T: Slot> {
    ring: &'ring mut Producer<T>,
    next: u32,
    end: u32,
}

impl<T: Slot> Writer<'_, T> {
    /// Entries that can still be pushed.
    #[inline]
    pub fn room(&self) -> u32 {
        self.end.wrapping_sub(self.next)
    }

    /// Writes one entry; `false`, and nothing is written, when no room is left.
    #[inline]
    pub fn push(&mut self, entry: T) -> bool {
        if self.next == self.end {
            return false;
        }
        let slot = self.ring.memory.slot(self.next);
        // SAFETY: the slot lies between our index and the consumer's, where only we may write.
        unsafe { slot.write(entry) };
        self.next = self.next.wrapping_add(1);
        true
    }
}

impl<T: Slot> Writer<'_, T> {
    /// The slots of the reserved room, in order: two runs, since the ring wraps. They hold what
    /// earlier laps left. `fill` counts how many of them were written.
    #[inline]
    pub fn runs(&mut self) -> (&mut [T], &mut [T]) {
        let (first, second) = self.ring.memory.runs(self.next, self.room());
        // SAFETY: the slots lie between our index and the consumer's, where only we read and write,
        // and every bit pattern is a value; the two runs do not overlap.
        unsafe {
            (
                slice::from_raw_parts_mut(first.0.as_ptr(), first.1),
                slice::from_raw_parts_mut(second.0.as_ptr(), second.1),
            )
        }
    }

    /// Takes the next `count` slots, at most the room, as pushed: they were written through `runs`.
    #[inline]
    pub fn fill(&mut self, count: u32) {
        self.next = self.next.wrapping_add(count.min(self.room()));
    }
}

impl<T: Slot> Drop for Writer<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.next != self.ring.own {
            self.ring.own = self.next;
            self.ring.memory.producer().store(self.next, Ordering::Release);
        }
    }
}

/// The reading end of a ring.
#[derive(Debug)]
pub struct Consumer<T> {
    memory: RingMemory<T>,
    /// Where the next entry is read.
    own: u32,
    /// The producer's index when last looked at.
    producer: u32,
}

impl<T: Slot> Consumer<T> {
    /// The reading end over `memory`.
    ///
    /// # Safety
    /// It is the only reading end: nobody else writes the consumer index.
    pub unsafe fn over(memory: RingMemory<T>) -> Self {
        let own = memory.consumer().load(Ordering::Relaxed);
        let producer = memory.producer().load(Ordering::Acquire);
        Self { memory, own, producer }
    }

    /// Up to `limit` entries, fewer when the ring is emptier, as an iterator. The slots of those
    /// that were read are given back all at once when the iterator is dropped.
    #[inline]
    pub fn take(&mut self, limit: u32) -> Reader<'_, T> {
        if self.cached_available() < limit {
            self.producer = self.memory.producer().load(Ordering::Acquire);
        }
        let end = self.own.wrapping_add(self.cached_available().min(limit));
        Reader { next: self.own, end, ring: self }
    }

    /// Entries that wait to be read.
    pub fn pending(&self) -> u32 {
        let producer = self.memory.producer().load(Ordering::Acquire);
        producer.wrapping_sub(self.own).min(self.memory.size())
    }

    /// Asks the producer for a wake-up, or no longer.
    pub fn set_needs_wakeup(&self, wanted: bool) {
        let flags = if wanted { NEED_WAKEUP } else { 0 };
        self.memory.flags().store(flags, Ordering::Release);
    }

    /// How many entries the ring can hold.
    pub fn size(&self) -> u32 {
        self.memory.size()
    }

    #[inline]
    fn cached_available(&self) -> u32 {
        // Never more than the size, whatever the other side wrote.
        self.producer.wrapping_sub(self.own).min(self.memory.size())
    }
}

/// Readable entries of a ring; gives back the slots of those it yielded when dropped.
#[derive(Debug)]
pub struct Reader<'ring, T: Slot> {
    ring: &'ring mut Consumer<T>,
    next: u32,
    end: u32,
}

impl<T: Slot> Iterator for Reader<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        if self.next == self.end {
            return None;
        }
        let slot = self.ring.memory.slot(self.next);
        self.next = self.next.wrapping_add(1);
        // SAFETY: the slot lies between our index and the producer's: written and published.
        Some(unsafe { slot.read() })
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.end.wrapping_sub(self.next) as usize;
        (left, Some(left))
    }
}

impl<T: Slot> Reader<'_, T> {
    /// The entries to come, in order: two runs, since the ring wraps.
    #[inline]
    pub fn runs(&self) -> (&[T], &[T]) {
        let count = self.end.wrapping_sub(self.next);
        let (first, second) = self.ring.memory.runs(self.next, count);
        // SAFETY: the slots lie between our index and the producer's: written, published, and left
        // alone by the producer until they are given back.
        unsafe {
            (
                slice::from_raw_parts(first.0.as_ptr(), first.1),
                slice::from_raw_parts(second.0.as_ptr(), second.1),
            )
        }
    }

    /// Passes over all entries to come: they were read through `runs`.
    #[inline]
    pub fn finish(mut self) {
        self.next = self.end;
    }
}

impl<T: Slot> ExactSizeIterator for Reader<'_, T> {}

impl<T: Slot> Drop for Reader<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.next != self.ring.own {
            self.ring.own = self.next;
            self.ring.memory.consumer().store(self.next, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests;
