//! What both ends of a cable share besides rings: who is gone, what was dropped, what is owed.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::umem::Umem;

/// An end of a cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

impl Side {
    pub fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

/// Shared by both ends; the last one to go drops it.
#[derive(Debug, Default)]
pub(super) struct Link {
    left: End,
    right: End,
    /// Frames of ends that are gone. They retire when nobody can reach the rings any more.
    owed: Mutex<Vec<(Arc<Umem>, u32)>>,
}

#[derive(Debug, Default)]
struct End {
    gone: AtomicBool,
    dropped: AtomicU64,
}

impl Link {
    fn end(&self, side: Side) -> &End {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }

    pub fn is_gone(&self, side: Side) -> bool {
        self.end(side).gone.load(Ordering::Acquire)
    }

    pub fn count_dropped(&self, side: Side, packets: u64) {
        self.end(side).dropped.fetch_add(packets, Ordering::Relaxed);
    }

    pub fn dropped(&self, side: Side) -> u64 {
        self.end(side).dropped.load(Ordering::Relaxed)
    }

    /// The end `side` goes and leaves `owed` frames of `umem` in its rings.
    pub fn leave(&self, side: Side, umem: &Arc<Umem>, owed: u32) {
        self.end(side).gone.store(true, Ordering::Release);
        let mut all = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((Arc::clone(umem), owed));
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        for (umem, owed) in self.owed.get_mut().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // SAFETY: both ends gave up their frames, and nobody reaches the rings any more.
            unsafe { Umem::retire(NonNull::from(&*umem), owed) };
        }
    }
}
