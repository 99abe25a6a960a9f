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
            // An allocator may not unwind, so this ends the process; the message itself may allocate.
            FORBIDDEN.set(false);
            let at = std::backtrace::Backtrace::force_capture();
            eprintln!("a worker {what} memory on the packet path\n{at}");
            std::process::abort();
        }
    }

    /// Runs `turn`; a heap allocation in it is a bug that aborts the process.
    pub fn forbid<T>(turn: impl FnOnce() -> T) -> T {
        FORBIDDEN.set(true);
        let result = turn();
        FORBIDDEN.set(false);
        result
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use std::process::Command;

    use super::forbid;

    #[test]
    fn work_without_allocation_passes() {
        assert_eq!(forbid(|| 2 + 2), 4);
    }

    #[test]
    fn an_allocation_on_the_packet_path_ends_the_process() {
        const CHILD: &str = "RINGWALL_TEST_ALLOCATES";
        if std::env::var_os(CHILD).is_some() {
            forbid(|| drop(std::hint::black_box(vec![1u8; 64])));
            return;
        }
        let name = "runtime::alloc_guard::tests::an_allocation_on_the_packet_path_ends_the_process";
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        assert!(!child.status.success());
        let message = String::from_utf8_lossy(&child.stderr);
        assert!(message.contains("a worker allocates memory"), "{message}");
    }
}
