//! The free frames of one owner.
//!
//! Each worker owns one pool per [`Umem`]. Last in, first out, so that a frame whose lines are
//! still in cache is used again first. Never allocates after it was made. Dropping a pool retires
//! its frames.

use std::ptr::NonNull;
use std::sync::Arc;

use crate::census::Census;
use crate::frame::{Frame, Place};
use crate::umem::Umem;

/// Free frames of one region.
#[derive(Debug)]
pub struct FramePool {
    umem: Arc<Umem>,
    /// Indices without a handle. The capacity is the region's size: putting back never allocates.
    free: Vec<u32>,
}

impl FramePool {
    pub(crate) fn holding_all(umem: &Arc<Umem>) -> Self {
        // Reversed, so that frames leave in ascending order.
        Self { umem: Arc::clone(umem), free: (0..umem.frames()).rev().collect() }
    }

    /// A pool of `umem` without frames, to be filled by `put` and `move_from`.
    pub fn empty(umem: &Arc<Umem>) -> Self {
        Self { umem: Arc::clone(umem), free: Vec::with_capacity(umem.frames() as usize) }
    }

    /// The region of this pool.
    pub fn umem(&self) -> &Arc<Umem> {
        &self.umem
    }

    /// How many frames are free.
    #[inline]
    pub fn len(&self) -> usize {
        self.free.len()
    }

    /// Whether no frame is free.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.free.is_empty()
    }

    /// A free frame with an empty packet behind the region's usual headroom.
    #[inline]
    pub fn take(&mut self) -> Option<Frame> {
        let index = self.free.pop()?;
        let base = u64::from(index) << self.umem.frame_shift();
        let place = Place::new(base + u64::from(self.umem.headroom()), 0);
        // SAFETY: an index in `free` has no handle, and the headroom ends inside a frame.
        Some(unsafe { Frame::new(NonNull::from(&*self.umem), place) })
    }

    /// Puts a frame back. One of another region is refused: it counts as lost there.
    #[inline]
    pub fn put(&mut self, frame: Frame) {
        if frame.belongs_to(&self.umem) {
            self.free.push(frame.into_index());
        } else {
            drop(frame);
        }
    }

    /// Takes `count` frames, or as many as there are, into a pool of their own.
    #[must_use = "dropping the new pool retires its frames"]
    pub fn split(&mut self, count: usize) -> Self {
        let mut other = Self::empty(&self.umem);
        let at = self.free.len().saturating_sub(count);
        other.free.extend(self.free.drain(at..));
        other
    }

    /// Moves up to `count` frames of `other`, a pool of the same region, here; how many it moved.
    pub fn move_from(&mut self, other: &mut Self, count: usize) -> usize {
        if !Arc::ptr_eq(&self.umem, &other.umem) {
            return 0;
        }
        let at = other.free.len().saturating_sub(count);
        let before = self.free.len();
        self.free.extend(other.free.drain(at..));
        self.free.len() - before
    }

    /// The free frames, as a part of an audit.
    pub fn census(&self) -> Census {
        Census { free: self.free.len() as u64, ..Census::EMPTY }
    }

    /// The index of a free frame, without a handle.
    #[inline]
    pub(crate) fn take_index(&mut self) -> Option<u32> {
        self.free.pop()
    }

    /// Puts back frame `index`.
    ///
    /// # Safety
    /// `index` is a frame of this pool's region, not retired, that the caller owned without a handle.
    #[inline]
    pub(crate) unsafe fn put_index(&mut self, index: u32) {
        self.free.push(index);
    }
}

impl Drop for FramePool {
    fn drop(&mut self) {
        let count = self.free.len() as u32;
        // SAFETY: the pool owned these frames, and its `Arc` keeps the region alive for the call.
        unsafe { Umem::retire(NonNull::from(&*self.umem), count) };
    }
}

#[cfg(test)]
mod tests;
