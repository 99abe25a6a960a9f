//! One region of memory cut into equal frames, shared by all ports that transmit from it.
//!
//! Set-up creates it; afterwards only [`Frame`](crate::Frame) handles touch its bytes. Every byte belongs to
//! exactly one frame, and every frame to exactly one holder. The region stays mapped until the last
//! `Arc<Umem>` is gone *and* every frame came home: pools and ports retire the frames they own
//! when they are dropped. A frame that is forgotten keeps the region mapped for good, so no handle
//! can outlive its bytes.
//!
//! See the kernel's `Documentation/networking/af_xdp.rst`, "UMEM".

mod config;

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::af_xdp::Socket;
use crate::census::Census;
use crate::frame::Place;
use crate::mapping::Mapping;
use crate::pool::FramePool;
pub use config::{FrameSize, HugePages, Pages, UmemConfig, UmemError};

/// Bytes in front of a received packet that the kernel keeps for XDP programs, per frame. They are
/// free to use once the packet is in our hands.
pub const XDP_HEADROOM: u16 = 256;

/// Bytes in front of the IP packet that the largest MTU must leave room for: Ethernet and two tags.
const LINK_HEADER: usize = 14 + 2 * 4;

/// A region of frames. See the module's description for its lifetime.
#[derive(Debug)]
pub struct Umem {
    base: NonNull<u8>,
    frame_shift: u32,
    frames: u32,
    headroom: u16,
    pages: Pages,
    /// Frames whose handle is gone for good; at `frames` the frames' own claim on the region ends.
    retired: AtomicU32,
    /// Those of them whose handle was dropped instead of being handed back: each one is a bug.
    lost: AtomicU32,
    /// AF_XDP sockets over this region, so that the next one can share it.
    members: Mutex<Vec<Member>>,
    mapping: Mapping,
}

// SAFETY: the bytes behind `base` are reached only through `Frame`s, each of which owns its part;
// everything else is immutable or atomic.
unsafe impl Send for Umem {}
// SAFETY: as above.
unsafe impl Sync for Umem {}

impl Umem {
    /// Maps the region and hands out all its frames in one pool.
    ///
    /// # Errors
    /// See [`UmemError`]; nothing stays mapped on error.
    pub fn new(config: UmemConfig) -> Result<(Arc<Self>, FramePool), UmemError> {
        let frame_size = config.frame_size.bytes();
        if config.frames == 0 {
            return Err(UmemError::NoFrames);
        }
        if usize::from(XDP_HEADROOM) + usize::from(config.headroom) + LINK_HEADER >= frame_size {
            return Err(UmemError::Headroom { headroom: config.headroom, frame_size });
        }
        let (mapping, pages) = map(config.frames as usize * frame_size, config.huge_pages)?;
        let umem = Arc::new(Self {
            base: mapping.base(),
            frame_shift: config.frame_size.shift(),
            frames: config.frames,
            headroom: config.headroom,
            pages,
            retired: AtomicU32::new(0),
            lost: AtomicU32::new(0),
            members: Mutex::new(Vec::new()),
            mapping,
        });
        // The frames' own claim on the region; `retire` gives it back when the last one came home.
        let _claim = Arc::into_raw(Arc::clone(&umem));
        let pool = FramePool::holding_all(&umem);
        Ok((umem, pool))
    }

    /// How many frames there are.
    pub fn frames(&self) -> u32 {
        self.frames
    }

    /// Bytes per frame.
    pub fn frame_size(&self) -> usize {
        1 << self.frame_shift
    }

    /// Bytes in all frames.
    pub fn size(&self) -> u64 {
        u64::from(self.frames) << self.frame_shift
    }

    /// Bytes reserved in front of a packet, [`XDP_HEADROOM`] included: where packets begin.
    pub fn headroom(&self) -> u16 {
        XDP_HEADROOM + self.headroom
    }

    /// Which pages the region stands on.
    pub fn pages(&self) -> Pages {
        self.pages
    }

    /// The largest MTU whose packets, with Ethernet header and two VLAN tags, fit one frame.
    pub fn largest_mtu(&self) -> u32 {
        let room = self.frame_size() - usize::from(self.headroom()) - LINK_HEADER;
        room as u32
    }

    /// Frames that are gone for good: retired by an owner that was dropped, or lost.
    pub fn census(&self) -> Census {
        let lost = self.lost.load(Ordering::Acquire);
        let retired = self.retired.load(Ordering::Acquire).saturating_sub(lost);
        Census { retired: u64::from(retired), lost: u64::from(lost), ..Census::EMPTY }
    }

    pub(crate) fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// Bytes that AF_XDP should keep free in front of a packet beyond its own.
    pub(crate) fn extra_headroom(&self) -> u16 {
        self.headroom
    }

    pub(crate) fn frame_shift(&self) -> u32 {
        self.frame_shift
    }

    /// The first byte of the packet at `place`, which must lie inside the region.
    #[inline]
    pub(crate) fn address_of(&self, place: Place) -> NonNull<u8> {
        debug_assert!(place.index(self.frame_shift) < self.frames);
        // SAFETY: the place lies inside the region, and so inside the mapping.
        unsafe { self.base.add(place.address() as usize) }
    }

    /// The open AF_XDP sockets over this region. Set-up only.
    pub(crate) fn members(&self) -> MutexGuard<'_, Vec<Member>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes one more socket, and forgets closed ones.
    pub(crate) fn enter(&self, member: Member) {
        let mut members = self.members();
        members.retain(|known| known.socket.strong_count() > 0);
        members.push(member);
    }

    /// Ends the life of `count` frames without a handle.
    ///
    /// # Safety
    /// `umem` came from a live `Frame` or is kept alive by an `Arc`; the caller owned exactly these
    /// `count` frames and never makes a handle to them again.
    pub(crate) unsafe fn retire(umem: NonNull<Self>, count: u32) {
        if count == 0 {
            return;
        }
        // SAFETY: the caller's frames are not retired yet, so the frames' claim keeps `umem` alive.
        let this = unsafe { umem.as_ref() };
        let frames = this.frames;
        if this.retired.fetch_add(count, Ordering::AcqRel) + count == frames {
            // SAFETY: the claim that `new` took is returned once, by whoever retires the last frame.
            unsafe { Arc::decrement_strong_count(umem.as_ptr()) };
        }
    }

    /// Ends the life of a frame whose handle was dropped.
    ///
    /// # Safety
    /// As [`Umem::retire`] for one frame.
    pub(crate) unsafe fn lose(umem: NonNull<Self>) {
        // SAFETY: the frame is not retired yet, so the frames' claim keeps `umem` alive.
        unsafe { umem.as_ref() }.lost.fetch_add(1, Ordering::AcqRel);
        // SAFETY: passed on from the caller.
        unsafe { Self::retire(umem, 1) };
    }
}

/// A socket over a region and what another one must match to share its registration.
#[derive(Debug)]
pub(crate) struct Member {
    socket: Weak<Socket>,
    pub zero_copy: bool,
    pub scatter_gather: bool,
}

impl Member {
    pub fn new(socket: &Arc<Socket>, zero_copy: bool, scatter_gather: bool) -> Self {
        Self { socket: Arc::downgrade(socket), zero_copy, scatter_gather }
    }

    /// The socket, if it is open still.
    pub fn socket(&self) -> Option<Arc<Socket>> {
        self.socket.upgrade()
    }
}

fn map(bytes: usize, wanted: HugePages) -> Result<(Mapping, Pages), UmemError> {
    let ordinary = || Mapping::anonymous(bytes).map_err(|source| UmemError::Map { bytes, source });
    match wanted {
        HugePages::Require => match Mapping::huge(bytes) {
            Ok(mapping) => Ok((mapping, Pages::Huge)),
            Err(source) => Err(UmemError::HugePages { bytes, source }),
        },
        HugePages::Prefer => {
            if let Ok(mapping) = Mapping::huge(bytes) {
                return Ok((mapping, Pages::Huge));
            }
            let mapping = ordinary()?;
            let pages = if mapping.advise_huge() { Pages::Transparent } else { Pages::Ordinary };
            mapping.populate();
            Ok((mapping, pages))
        }
        HugePages::Never => {
            let mapping = ordinary()?;
            mapping.populate();
            Ok((mapping, Pages::Ordinary))
        }
    }
}

#[cfg(test)]
mod tests;
