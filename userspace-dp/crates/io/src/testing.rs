//! What tests and benches need around AF_XDP: a network namespace of their own, veth pairs, a
//! three-instruction XDP program, packet sockets, and a stand-in for the kernel.
//!
//! Compiled for tests and with the feature `testing`; never part of the product. Needs root and
//! `ip(8)`; tests say so when they are skipped. Everything in the namespace ends with the thread
//! that made it. Failures panic: a test has nobody to report errors to.

mod kernel;
mod packet_socket;
mod steering;

use std::ffi::CString;
use std::io;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

pub use kernel::FakeKernel;
pub use packet_socket::PacketSocket;
pub use steering::Steering;

/// Runs `test` in a fresh network namespace; `None`, with a printed line, when that takes root.
pub fn in_namespace<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    // SAFETY: asking for the user id touches no memory.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!("skipped: needs root for a network namespace");
        return None;
    }
    let thread = thread::spawn(move || {
        // SAFETY: detaches this thread alone from the namespace.
        let done = unsafe { libc::unshare(libc::CLONE_NEWNET) };
        assert_eq!(done, 0, "no network namespace: {}", io::Error::last_os_error());
        test()
    });
    match thread.join() {
        Ok(value) => Some(value),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Runs `ip` with these words.
pub fn ip(words: &str) {
    let output = Command::new("ip").args(words.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A veth pair of two queues each, up, without addresses.
pub fn veth(left: &str, right: &str, mtu: u32) {
    let queues = "numrxqueues 2 numtxqueues 2";
    ip(&format!("link add name {left} {queues} type veth peer name {right} {queues}"));
    for name in [left, right] {
        ip(&format!("link set dev {name} addrgenmode none mtu {mtu}"));
        ip(&format!("link set dev {name} up"));
    }
}

/// The kernel's index of the device `name`.
pub fn index_of(name: &str) -> u32 {
    let name = CString::new(name).unwrap();
    // SAFETY: `name` ends with a zero.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    assert_ne!(index, 0, "{name:?}: {}", io::Error::last_os_error());
    index
}

/// Waits until `done` says so; a test that waits longer has failed.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(20), "still waiting: {what}");
        thread::yield_now();
    }
}

/// Keeps of this thread's capabilities only those in `keep`, by their numbers.
pub fn keep_capabilities(keep: &[u32]) {
    /// Version 3: two sets of 32 bits each.
    const VERSION: u32 = 0x2008_0522;
    let low = keep.iter().fold(0, |bits, &number| bits | 1_u64 << number);
    let halves = [low as u32, (low >> 32) as u32];
    let sets = halves.map(|half| [half, half, 0]); // effective, permitted, inheritable
    let header = [VERSION, 0];
    // SAFETY: the kernel reads a header of two words and two sets of three during the call.
    let done = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) };
    assert_eq!(done, 0, "dropping capabilities: {}", io::Error::last_os_error());
}

/// How many bytes this process may lock; `None` without a limit.
pub fn locked_memory_limit() -> Option<u64> {
    // SAFETY: zeroes are a value of this structure of integers, which the kernel fills in.
    let limit = unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit);
        limit.rlim_cur
    };
    (limit != libc::RLIM_INFINITY).then_some(limit)
}
