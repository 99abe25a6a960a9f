//! Signs of life of the workers, in memory that the XDP program reads.
//!
//! The map is mapped into the process, one cache line for each worker, so a beat is one relaxed
//! store: no system call, no shared line. It costs nothing to beat in each turn of a poll loop.
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;

use clock::Time;

use crate::layout::HEARTBEAT_SIZE;
use crate::port::WorkerIndex;

/// A handle to all heartbeats. Cheap to clone, outlives the loader.
#[derive(Clone, Debug)]
pub struct Heartbeats(Arc<Mapping>);

#[derive(Debug)]
struct Mapping {
    lines: NonNull<Line>,
    workers: usize,
}

/// One line of the map.
#[repr(C, align(64))]
struct Line {
    last_ns: AtomicU64,
    unused: [u64; 7],
}

const _: () = assert!(size_of::<Line>() == HEARTBEAT_SIZE);

// SAFETY: the memory is shared with the kernel and reached only through atomics.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Heartbeats {
    /// Maps the first `workers` lines of the map.
    pub(crate) fn map(map: BorrowedFd<'_>, workers: u32) -> io::Result<Self> {
        let workers = workers as usize;
        // SAFETY: a fresh mapping at an address the kernel picks; nothing else is touched.
        let memory = unsafe {
            libc::mmap(
                core::ptr::null_mut(),
                workers * HEARTBEAT_SIZE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                map.as_raw_fd(),
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let lines = NonNull::new(memory.cast()).ok_or_else(io::Error::last_os_error)?;
        Ok(Self(Arc::new(Mapping { lines, workers })))
    }

    /// Says that the worker is alive at `now`. An index beyond the table does nothing, so the
    /// worker counts as dead. The worker itself calls it, at least ten times per timeout.
    pub fn beat(&self, worker: WorkerIndex, now: Time) {
        if let Some(line) = self.0.line(worker) {
            line.last_ns.store(now.as_nanos(), Ordering::Relaxed);
        }
    }

    /// When the worker last beat; none if it never did.
    pub fn read(&self, worker: WorkerIndex) -> Option<Time> {
        let last = self.0.line(worker)?.last_ns.load(Ordering::Relaxed);
        (last != 0).then(|| Time::from_nanos(last))
    }

    /// How many workers there is room for.
    pub fn workers(&self) -> usize {
        self.0.workers
    }
}

impl Mapping {
    fn line(&self, worker: WorkerIndex) -> Option<&Line> {
        let index = worker.0 as usize;
        // SAFETY: the mapping holds `workers` lines and lives as long as `self`; the kernel
        // reads and writes them only as whole words, which the atomics do too.
        (index < self.workers).then(|| unsafe { self.lines.add(index).as_ref() })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped in `map` with this length, and no reference outlives the last handle.
        unsafe { libc::munmap(self.lines.as_ptr().cast(), self.workers * HEARTBEAT_SIZE) };
    }
}
