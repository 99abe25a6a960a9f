//! The linear handle to one frame.
//!
//! A `Frame` is made by taking one from a [`FramePool`](crate::FramePool) or receiving from a
//! [`Port`](crate::Port), and ends by being put back or transmitted. It is neither `Clone` nor
//! `Copy`, and dropping one is a counted bug (a panic in debug builds), so an early return cannot
//! lose it quietly. The packet is a window into the frame with room in front for outer headers and
//! behind for an authentication tag; moving the window's edges copies nothing.
//!
//! Bytes that a widened window uncovers hold whatever an earlier packet left there: whoever widens
//! it overwrites them before the packet leaves.

mod place;

use core::fmt;
use core::mem;
use core::ptr::NonNull;
use core::slice;

use crate::umem::Umem;
pub(crate) use place::Place;

/// Which frame of its region this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameIndex(pub u32);

/// The frame has too few bytes left on the side that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the frame has no room for {wanted} bytes, only for {available}")]
pub struct NoRoom {
    /// Bytes asked for.
    pub wanted: usize,
    /// Bytes there are.
    pub available: usize,
}

/// Owner of one frame and of the packet in it.
#[must_use = "a frame must be put back or transmitted"]
pub struct Frame {
    umem: NonNull<Umem>,
    place: Place,
}

const _: () = assert!(size_of::<Frame>() == 16 && size_of::<Option<Frame>>() == 16);

// SAFETY: a frame has sole access to its bytes, and `Umem` may be reached from any thread.
unsafe impl Send for Frame {}
// SAFETY: `&Frame` allows nothing but reading those bytes.
unsafe impl Sync for Frame {}

impl Frame {
    /// A handle to the frame at `place`.
    ///
    /// # Safety
    /// The place is a frame of `umem` that is not retired and a window inside it, no other handle to
    /// the frame exists, and neither the kernel nor a ring holds it.
    #[inline]
    pub(crate) unsafe fn new(umem: NonNull<Umem>, place: Place) -> Self {
        Self { umem, place }
    }

    /// Gives up the handle and leaves the frame to whoever is told its index.
    #[inline]
    pub(crate) fn into_index(self) -> u32 {
        let index = self.place.index(self.umem().frame_shift());
        mem::forget(self);
        index
    }

    /// Gives up the handle and leaves the frame to whoever is told where it begins in the region.
    #[inline]
    pub(crate) fn into_base(self) -> u64 {
        let shift = self.umem().frame_shift();
        u64::from(self.into_index()) << shift
    }

    /// Where the frame and its packet lie.
    #[inline]
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    #[inline]
    fn umem(&self) -> &Umem {
        // SAFETY: this frame is not retired, so the region is alive.
        unsafe { self.umem.as_ref() }
    }

    /// Moves the window to `len` bytes from `start`, which lie inside the frame.
    #[inline]
    fn set_window(&mut self, start: usize, len: usize) {
        let size = self.umem().frame_size();
        debug_assert!(start + len <= size);
        let base = self.place.address() & !(size as u64 - 1);
        self.place = Place::new(base + start.min(size - 1) as u64, len as u64);
    }

    /// The region this frame is a part of.
    #[inline]
    pub(crate) fn region(&self) -> NonNull<Umem> {
        self.umem
    }

    /// Whether this frame is a part of `umem`.
    #[inline]
    pub fn belongs_to(&self, umem: &Umem) -> bool {
        self.umem == NonNull::from(umem)
    }

    /// Which frame of its region this is.
    #[inline]
    pub fn index(&self) -> FrameIndex {
        FrameIndex(self.place.index(self.umem().frame_shift()))
    }

    /// Bytes in the packet.
    #[inline]
    pub fn len(&self) -> usize {
        self.place.length() as usize
    }

    /// Whether the packet has no bytes.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.place.length() == 0
    }

    /// Bytes free in front of the packet.
    #[inline]
    pub fn headroom(&self) -> usize {
        (self.place.address() & (self.umem().frame_size() as u64 - 1)) as usize
    }

    /// Bytes free behind the packet.
    #[inline]
    pub fn tailroom(&self) -> usize {
        self.umem().frame_size() - self.headroom() - self.len()
    }

    /// The packet.
    #[inline]
    pub fn data(&self) -> &[u8] {
        let base = self.umem().address_of(self.place);
        // SAFETY: the packet lies inside this frame, which only this handle may write to, and the
        // region is zeroed memory from the start.
        unsafe { slice::from_raw_parts(base.as_ptr(), self.len()) }
    }

    /// The packet, to change it.
    #[inline]
    pub fn data_mut(&mut self) -> &mut [u8] {
        let base = self.umem().address_of(self.place);
        // SAFETY: as in `data`, and `&mut self` is the only access.
        unsafe { slice::from_raw_parts_mut(base.as_ptr(), self.len()) }
    }

    /// Widens the packet by `count` bytes at its front and returns them, to be overwritten.
    ///
    /// # Errors
    /// [`NoRoom`] when the headroom is smaller; the packet stays as it was.
    #[inline]
    pub fn push_front(&mut self, count: usize) -> Result<&mut [u8], NoRoom> {
        let available = self.headroom();
        if count > available {
            return Err(NoRoom { wanted: count, available });
        }
        self.set_window(available - count, self.len() + count);
        Ok(self.data_mut().split_at_mut(count).0)
    }

    /// Narrows the packet by `count` bytes at its front.
    ///
    /// # Errors
    /// [`NoRoom`] when the packet is shorter; it stays as it was.
    #[inline]
    pub fn pull_front(&mut self, count: usize) -> Result<(), NoRoom> {
        let available = self.len();
        if count > available {
            return Err(NoRoom { wanted: count, available });
        }
        self.set_window(self.headroom() + count, available - count);
        Ok(())
    }

    /// Widens the packet by `count` bytes at its back and returns them, to be overwritten.
    ///
    /// # Errors
    /// [`NoRoom`] when the tailroom is smaller; the packet stays as it was.
    #[inline]
    pub fn extend_back(&mut self, count: usize) -> Result<&mut [u8], NoRoom> {
        let available = self.tailroom();
        if count > available {
            return Err(NoRoom { wanted: count, available });
        }
        let before = self.len();
        self.set_window(self.headroom(), before + count);
        Ok(self.data_mut().split_at_mut(before).1)
    }

    /// Cuts the packet to its first `length` bytes; a shorter one stays as it is.
    #[inline]
    pub fn truncate(&mut self, length: usize) {
        if length < self.len() {
            self.set_window(self.headroom(), length);
        }
    }

    /// Empties the packet and puts its window `headroom` bytes into the frame, at most one byte
    /// before its end.
    #[inline]
    pub fn reset(&mut self, headroom: usize) {
        self.set_window(headroom.min(self.umem().frame_size() - 1), 0);
    }

    /// Replaces the packet by `bytes`, placed behind the region's usual headroom.
    ///
    /// # Errors
    /// [`NoRoom`] when the frame is too small; the packet is then empty.
    pub fn fill(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        self.reset(usize::from(self.umem().headroom()));
        self.extend_back(bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    /// Copies this packet into a frame of any region: the way across two regions.
    ///
    /// # Errors
    /// [`NoRoom`] when the other frame is too small; its packet is then empty.
    pub fn copy_into(&self, other: &mut Self) -> Result<(), NoRoom> {
        other.fill(self.data())
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({} {}+{})", self.index().0, self.headroom(), self.len())
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        let index = self.index().0;
        // SAFETY: this was the only handle to a frame that is not retired, and it ends here.
        unsafe { Umem::lose(self.umem) };
        debug_assert!(std::thread::panicking(), "frame {index} was dropped, not handed back");
    }
}

#[cfg(test)]
mod tests;
