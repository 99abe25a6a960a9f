//! The system calls of an AF_XDP socket, typed.

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use super::config::{BusyPoll, RingSizes, SocketConfig};
use crate::mapping::Mapping;
use crate::queue::Rings;
use crate::ring::{Consumer, Descriptor, Offsets, Producer, RingMemory, RingSize, Slot};
use crate::umem::Umem;

/// Bounds the packets that copy mode sends per system call; 32 unless set. Kernel 6.18 and later.
const XDP_MAX_TX_SKB_BUDGET: libc::c_int = 9;
/// Sends of a whole burst fit one call.
const SEND_BUDGET: u32 = 256;
const SO_BUSY_POLL: libc::c_int = 46;
const SO_PREFER_BUSY_POLL: libc::c_int = 69;
const SO_BUSY_POLL_BUDGET: libc::c_int = 70;

/// How a socket gets at its region and queue.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BindTo<'a> {
    /// Over its own registration of the region, with these flags.
    Own { flags: u16 },
    /// Over the registration of another bound socket, in that one's mode.
    Shared { with: &'a Socket },
}

/// An AF_XDP socket.
#[derive(Debug)]
pub(crate) struct Socket(OwnedFd);

impl Socket {
    pub fn new() -> io::Result<Self> {
        // SAFETY: creating a socket touches no memory.
        let fd = unsafe { libc::socket(libc::AF_XDP, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        check(fd)?;
        // SAFETY: a new descriptor that nobody else owns.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Registers all frames of `umem` with the kernel, by way of this socket.
    pub fn register(&self, umem: &Umem) -> io::Result<()> {
        let region = libc::xdp_umem_reg {
            addr: umem.mapping().base().as_ptr().addr() as u64,
            len: umem.size(),
            chunk_size: umem.frame_size() as u32,
            headroom: u32::from(umem.extra_headroom()),
            flags: 0,
            tx_metadata_len: 0,
        };
        self.set(libc::SOL_XDP, libc::XDP_UMEM_REG, &region)
    }

    /// Creates the four rings and maps them.
    pub fn create_rings(&self, sizes: RingSizes) -> io::Result<Rings> {
        self.set(libc::SOL_XDP, libc::XDP_UMEM_FILL_RING, &sizes.fill.get())?;
        self.set(libc::SOL_XDP, libc::XDP_UMEM_COMPLETION_RING, &sizes.completion.get())?;
        self.set(libc::SOL_XDP, libc::XDP_RX_RING, &sizes.receive.get())?;
        self.set(libc::SOL_XDP, libc::XDP_TX_RING, &sizes.transmit.get())?;
        let (fill, completion, receive, transmit) = map_rings(self.as_fd(), sizes)?;
        // SAFETY: the rings are new, and the kernel stands at their other ends.
        Ok(unsafe {
            Rings {
                fill: Producer::over(fill),
                completion: Consumer::over(completion),
                receive: Consumer::over(receive),
                transmit: Producer::over(transmit),
            }
        })
    }

    pub fn bind(&self, config: &SocketConfig, to: BindTo<'_>) -> io::Result<()> {
        // A shared bind takes its mode from the other socket: any further flag is refused.
        let (flags, with) = match to {
            BindTo::Own { flags } => (flags, 0),
            BindTo::Shared { with } => (libc::XDP_SHARED_UMEM, with.0.as_raw_fd().cast_unsigned()),
        };
        let address = libc::sockaddr_xdp {
            sxdp_family: libc::AF_XDP as u16,
            sxdp_flags: flags,
            sxdp_ifindex: config.interface_index,
            sxdp_queue_id: config.queue,
            sxdp_shared_umem_fd: with,
        };
        let length = size_of_val(&address) as libc::socklen_t;
        // SAFETY: `address` is a `sockaddr_xdp` of `length` bytes that lives through the call.
        check(unsafe { libc::bind(self.0.as_raw_fd(), (&raw const address).cast(), length) })
    }

    /// Whether the kernel works on our frames without a copy. Known after the bind.
    pub fn is_zero_copy(&self) -> io::Result<bool> {
        let options: libc::xdp_options = get(self.as_fd(), libc::XDP_OPTIONS)?;
        Ok(options.flags & libc::XDP_OPTIONS_ZEROCOPY != 0)
    }

    /// Lets copy mode send a whole burst per call, where the kernel knows how.
    pub fn raise_send_budget(&self) {
        // An older kernel has no such option and takes 32 at a time: the caller loops.
        let _ = self.set(libc::SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &SEND_BUDGET);
    }

    pub fn prefer_busy_poll(&self, wanted: BusyPoll) -> io::Result<()> {
        self.set(libc::SOL_SOCKET, SO_PREFER_BUSY_POLL, &1_u32)?;
        self.set(libc::SOL_SOCKET, SO_BUSY_POLL, &wanted.timeout_us)?;
        self.set(libc::SOL_SOCKET, SO_BUSY_POLL_BUDGET, &u32::from(wanted.budget))
    }

    pub fn statistics(&self) -> io::Result<libc::xdp_statistics> {
        get(self.as_fd(), libc::XDP_STATISTICS)
    }

    /// Makes the kernel look at the transmit ring.
    #[inline]
    pub fn wake_transmit(&self) -> io::Result<()> {
        let fd = self.0.as_raw_fd();
        // SAFETY: an empty message without an address reads no memory.
        let sent = unsafe { libc::sendto(fd, ptr::null(), 0, libc::MSG_DONTWAIT, ptr::null(), 0) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Makes the kernel look at the fill ring, and poll the device where busy polling is on.
    #[inline]
    pub fn wake_receive(&self) -> io::Result<()> {
        let fd = self.0.as_raw_fd();
        let none = ptr::null_mut();
        // SAFETY: an empty message without an address writes no memory.
        let got = unsafe {
            libc::recvfrom(fd, none, 0, libc::MSG_DONTWAIT, ptr::null_mut(), ptr::null_mut())
        };
        if got < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    fn set<T: Plain>(&self, level: i32, option: i32, value: &T) -> io::Result<()> {
        let length = size_of::<T>() as libc::socklen_t;
        let value = ptr::from_ref(value).cast();
        // SAFETY: `value` is a plain value of `length` bytes that lives through the call.
        check(unsafe { libc::setsockopt(self.0.as_raw_fd(), level, option, value, length) })
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

type RingMemories =
    (RingMemory<u64>, RingMemory<u64>, RingMemory<Descriptor>, RingMemory<Descriptor>);

/// Maps the fill, completion, receive and transmit rings of `socket`.
fn map_rings(socket: BorrowedFd<'_>, sizes: RingSizes) -> io::Result<RingMemories> {
    let at: libc::xdp_mmap_offsets = get(socket, libc::XDP_MMAP_OFFSETS)?;
    let completion_page = libc::XDP_UMEM_PGOFF_COMPLETION_RING as i64;
    Ok((
        map_ring(socket, &at.fr, libc::XDP_UMEM_PGOFF_FILL_RING as i64, sizes.fill)?,
        map_ring(socket, &at.cr, completion_page, sizes.completion)?,
        map_ring(socket, &at.rx, libc::XDP_PGOFF_RX_RING, sizes.receive)?,
        map_ring(socket, &at.tx, libc::XDP_PGOFF_TX_RING, sizes.transmit)?,
    ))
}

fn map_ring<T: Slot>(
    socket: BorrowedFd<'_>,
    at: &libc::xdp_ring_offset,
    page_offset: i64,
    size: RingSize,
) -> io::Result<RingMemory<T>> {
    let offsets = Offsets {
        producer: at.producer as usize,
        consumer: at.consumer as usize,
        flags: at.flags as usize,
        slots: at.desc as usize,
    };
    let length = offsets.slots + size.get() as usize * size_of::<T>();
    let mapping = Mapping::shared(socket, length, page_offset)?;
    RingMemory::mapped(mapping, offsets, size)
        .ok_or_else(|| io::Error::other("the kernel's ring layout is impossible"))
}

/// The kernel's ends of the rings of `socket`, for a stand-in.
///
/// # Safety
/// The kernel stays away from these rings.
#[cfg(any(test, feature = "testing"))]
pub(crate) unsafe fn far_ends(
    socket: BorrowedFd<'_>,
    sizes: RingSizes,
) -> io::Result<crate::testing::FakeKernel> {
    let (fill, completion, receive, transmit) = map_rings(socket, sizes)?;
    // SAFETY: the kernel, whose ends these are, stays away by the contract above.
    Ok(unsafe {
        crate::testing::FakeKernel {
            fill: Consumer::over(fill),
            completion: Producer::over(completion),
            receive: Producer::over(receive),
            transmit: Consumer::over(transmit),
        }
    })
}

/// Reads an AF_XDP option.
fn get<T: Plain>(socket: BorrowedFd<'_>, option: i32) -> io::Result<T> {
    // SAFETY: zeroes are a value of every plain type.
    let mut value: T = unsafe { mem::zeroed() };
    let mut length = size_of::<T>() as libc::socklen_t;
    let target = (&raw mut value).cast();
    let (fd, level) = (socket.as_raw_fd(), libc::SOL_XDP);
    // SAFETY: the kernel writes at most `length` bytes into a plain value.
    check(unsafe { libc::getsockopt(fd, level, option, target, &raw mut length) })?;
    if length as usize == size_of::<T>() {
        Ok(value)
    } else {
        Err(io::Error::new(io::ErrorKind::Unsupported, "the kernel is too old for AF_XDP"))
    }
}

/// What crosses the socket-option calls: integers and structures of integers.
///
/// # Safety
/// Every bit pattern is a value, and there is no padding.
unsafe trait Plain {}

// SAFETY: an integer.
unsafe impl Plain for u32 {}
// SAFETY: integers without padding (8 + 8 + 4 * 4 bytes).
unsafe impl Plain for libc::xdp_umem_reg {}
// SAFETY: sixteen integers of 8 bytes.
unsafe impl Plain for libc::xdp_mmap_offsets {}
// SAFETY: one integer.
unsafe impl Plain for libc::xdp_options {}
// SAFETY: six integers of 8 bytes.
unsafe impl Plain for libc::xdp_statistics {}

const _: () = {
    assert!(size_of::<libc::xdp_umem_reg>() == 32);
    assert!(size_of::<libc::xdp_mmap_offsets>() == 128);
    assert!(size_of::<libc::xdp_statistics>() == 48);
    assert!(size_of::<libc::sockaddr_xdp>() == 16);
};

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
