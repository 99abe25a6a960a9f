//! Memory from `mmap`, unmapped when dropped.
//!
//! [`Umem`](crate::Umem) and the AF_XDP rings stand on it. It hands out a pointer and a length and
//! never a reference: who may touch which byte is decided above.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};

/// Size of a huge page on the architectures this runs on.
const HUGE_PAGE: usize = 2 << 20;

/// A mapping owned by this value.
#[derive(Debug)]
pub struct Mapping {
    base: NonNull<u8>,
    length: usize,
}

// SAFETY: the value is only an address range; access through it is guarded by its users.
unsafe impl Send for Mapping {}
// SAFETY: as above, `&Mapping` gives nothing but the address and the length.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Anonymous zeroed memory on reserved huge pages. Fails where none are reserved.
    pub fn huge(length: usize) -> io::Result<Self> {
        let length = length.next_multiple_of(HUGE_PAGE);
        map(
            length,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_HUGETLB | libc::MAP_POPULATE,
            -1,
            0,
        )
    }

    /// Anonymous zeroed memory on ordinary pages.
    pub fn anonymous(length: usize) -> io::Result<Self> {
        map(length, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
    }

    /// `length` bytes of `file` from `offset`, shared with whoever else maps them.
    pub fn shared(file: BorrowedFd<'_>, length: usize, offset: i64) -> io::Result<Self> {
        map(length, libc::MAP_SHARED | libc::MAP_POPULATE, file.as_raw_fd(), offset)
    }

    /// Asks for transparent huge pages; whether the kernel agreed to try.
    pub fn advise_huge(&self) -> bool {
        self.advise(libc::MADV_HUGEPAGE)
    }

    /// Takes every page fault now instead of under the first packets. Best effort.
    pub fn populate(&self) {
        self.advise(libc::MADV_POPULATE_WRITE);
    }

    /// The first byte.
    pub fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// How many bytes are mapped.
    pub fn length(&self) -> usize {
        self.length
    }

    fn advise(&self, advice: libc::c_int) -> bool {
        // SAFETY: the range is ours, and neither advice used here discards its content.
        unsafe { libc::madvise(self.base.as_ptr().cast(), self.length, advice) == 0 }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range came from `mmap` with this length and is unmapped once.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.length) };
    }
}

fn map(length: usize, flags: libc::c_int, file: libc::c_int, offset: i64) -> io::Result<Mapping> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a fresh mapping at an address of the kernel's choice disturbs no other memory.
    let base = unsafe { libc::mmap(ptr::null_mut(), length, access, flags, file, offset) };
    if base == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let base = NonNull::new(base.cast())
        .ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))?;
    Ok(Mapping { base, length })
}
