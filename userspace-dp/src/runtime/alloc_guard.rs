//! In debug builds: an allocator that ends the process when a worker allocates on the packet path.
//!
//! A worker wraps its loop turn in [`forbid`]; whatever it calls may then neither allocate nor free. Release
//! builds use the system allocator untouched and [`forbid`] costs nothing.

/// Runs `turn`; in debug builds a heap allocation in it is a bug that aborts.
#[cfg(not(debug_assertions))]
#[inline]
pub fn forbid<T>(turn: impl FnOnce() -> T) -> T {
    turn()
}

#[cfg(debug_assertions)]
pub use guarded::forbid;

#[cfg(debug_assertions)]
mod guarded {
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::cell::Cell;

    thread_local! {
        static FORBIDDEN: Cell<bool> = const { Cell::new(false) };
    }

    struct Guarded;

    #[global_allocator]
    static ALLOCATOR: Guarded = Guarded;

    // SAFETY: every call is passed to the system allocator unchanged; the check before it neither allocates
    // nor touches the arguments.
    unsafe impl GlobalAlloc for Guarded {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            check("allocates");
            // SAFETY: the caller's contract is passed on as it is.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
            check("frees");
            // SAFETY: the caller's contract is passed on as it is.
            unsafe { System.dealloc(pointer, layout) }
        }

        unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            check("reallocates");
            // SAFETY: the caller's contract is passed on as it is.
            unsafe { System.realloc(pointer, layout, size) }
        }
    }

    fn check(what: &str) {
        // A thread that is being torn down has no flag any more and is on no packet path.
        if FORBIDDEN.try_with(Cell::get).unwrap_or(false) {
            FORBIDDEN.set(false);
            panic!("a worker {what} memory on the packet path");
        }
    }

    /// Runs `turn`; a heap allocation in it is a bug that panics.
    pub fn forbid<T>(turn: impl FnOnce() -> T) -> T {
        FORBIDDEN.set(true);
        let result = turn();
        FORBIDDEN.set(false);
        result
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::forbid;

    #[test]
    fn arithmetic_passes_and_an_allocation_is_caught() {
        assert_eq!(forbid(|| 2 + 2), 4);
        let caught = std::thread::spawn(|| forbid(|| drop(std::hint::black_box(vec![1u8; 64])))).join();
        assert!(caught.is_err());
    }
}
