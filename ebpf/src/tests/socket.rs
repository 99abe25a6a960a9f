//! The least AF_XDP socket that receives: a few frames, copy mode, read by looking at the ring.
use core::sync::atomic::{AtomicU32, Ordering};
use std::io::Error;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::rig::xdp_socket;

const FRAMES: usize = 16;
const FRAME: usize = 4096;

/// A bound socket whose frames are given to the kernel once and never taken back.
pub(super) struct ReceiveSocket {
    fd: OwnedFd,
    frames: *mut u8,
    ring: *mut u8,
    offsets: libc::xdp_ring_offset,
}

impl ReceiveSocket {
    /// A socket on a queue of an interface.
    pub(super) fn bind(ifindex: u32, queue: u32) -> Self {
        let fd = xdp_socket();
        let frames = map(FRAMES * FRAME, -1, 0);
        let region = libc::xdp_umem_reg {
            addr: frames as u64,
            len: (FRAMES * FRAME) as u64,
            chunk_size: FRAME as u32,
            headroom: 0,
            flags: 0,
            tx_metadata_len: 0,
        };
        set(&fd, libc::XDP_UMEM_REG, &region);
        let entries = FRAMES as u32;
        set(&fd, libc::XDP_UMEM_FILL_RING, &entries);
        set(&fd, libc::XDP_UMEM_COMPLETION_RING, &entries);
        set(&fd, libc::XDP_RX_RING, &entries);
        let offsets = mmap_offsets(&fd);
        fill(&fd, &offsets.fr);
        let size = offsets.rx.desc as usize + FRAMES * size_of::<libc::xdp_desc>();
        let ring = map(size, fd.as_raw_fd(), libc::XDP_PGOFF_RX_RING);
        let address = libc::sockaddr_xdp {
            sxdp_family: libc::AF_XDP as u16,
            sxdp_flags: libc::XDP_COPY,
            sxdp_ifindex: ifindex,
            sxdp_queue_id: queue,
            sxdp_shared_umem_fd: 0,
        };
        // SAFETY: a valid address of the length given.
        let bound = unsafe {
            let length = size_of_val(&address) as u32;
            libc::bind(fd.as_raw_fd(), core::ptr::from_ref(&address).cast(), length)
        };
        assert_eq!(bound, 0, "bind: {}", Error::last_os_error());
        Self { fd, frames, ring, offsets: offsets.rx }
    }

    /// Every frame received so far, oldest first.
    pub(super) fn received(&self) -> Vec<Vec<u8>> {
        // SAFETY: offsets and sizes are the kernel's own for this ring; the producer index is
        // read with acquire before the descriptors it publishes, and frames stay ours for good.
        unsafe {
            let producer = self.ring.add(self.offsets.producer as usize).cast::<AtomicU32>();
            let count = (*producer).load(Ordering::Acquire) as usize;
            let descriptors = self.ring.add(self.offsets.desc as usize).cast::<libc::xdp_desc>();
            (0..count.min(FRAMES))
                .map(|index| {
                    let descriptor = *descriptors.add(index);
                    let start = self.frames.add(descriptor.addr as usize);
                    core::slice::from_raw_parts(start, descriptor.len as usize).to_vec()
                })
                .collect()
        }
    }
}

impl AsFd for ReceiveSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Gives all frames to the kernel.
fn fill(fd: &OwnedFd, offsets: &libc::xdp_ring_offset) {
    let size = offsets.desc as usize + FRAMES * size_of::<u64>();
    let ring = map(size, fd.as_raw_fd(), libc::XDP_UMEM_PGOFF_FILL_RING as i64);
    // SAFETY: as the kernel laid the ring out; the producer index is stored after the entries.
    unsafe {
        let entries = ring.add(offsets.desc as usize).cast::<u64>();
        for index in 0..FRAMES {
            entries.add(index).write((index * FRAME) as u64);
        }
        let producer = ring.add(offsets.producer as usize).cast::<AtomicU32>();
        (*producer).store(FRAMES as u32, Ordering::Release);
    }
}

/// Memory that stays mapped until the test process ends.
fn map(size: usize, fd: i32, offset: i64) -> *mut u8 {
    let sharing = if fd < 0 {
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS
    } else {
        libc::MAP_SHARED | libc::MAP_POPULATE
    };
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a fresh mapping at an address the kernel picks.
    let memory = unsafe { libc::mmap(core::ptr::null_mut(), size, access, sharing, fd, offset) };
    assert_ne!(memory, libc::MAP_FAILED, "mmap: {}", Error::last_os_error());
    memory.cast()
}

fn set<T>(fd: &OwnedFd, option: i32, value: &T) {
    let value = core::ptr::from_ref(value).cast();
    // SAFETY: a value of the size given, which lives through the call.
    let outcome = unsafe {
        libc::setsockopt(fd.as_raw_fd(), libc::SOL_XDP, option, value, size_of::<T>() as u32)
    };
    assert_eq!(outcome, 0, "option {option}: {}", Error::last_os_error());
}

fn mmap_offsets(fd: &OwnedFd) -> libc::xdp_mmap_offsets {
    // SAFETY: a struct of integers, written by the kernel up to the length given.
    unsafe {
        let mut offsets: libc::xdp_mmap_offsets = core::mem::zeroed();
        let mut length = size_of_val(&offsets) as u32;
        let value = core::ptr::from_mut(&mut offsets).cast();
        let option = libc::XDP_MMAP_OFFSETS;
        let outcome = libc::getsockopt(fd.as_raw_fd(), libc::SOL_XDP, option, value, &mut length);
        assert_eq!(outcome, 0, "offsets: {}", Error::last_os_error());
        offsets
    }
}
