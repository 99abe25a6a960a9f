//! Waking a thread that sleeps in `poll`.
//!
//! A worker that finds no work may sleep. Whoever leaves work for it (another worker, control, the slow
//! path) calls [`Waker::wake`], which costs one load unless the worker really sleeps; only then is there a
//! system call. The fence pair makes sure that either the sleeper sees the work or the waker sees the
//! sleeper.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use rustix::event::{EventfdFlags, eventfd};

/// The sleeping side.
#[derive(Debug)]
pub struct Sleeper(Arc<Shared>);

/// The waking side; cheap to clone.
#[derive(Clone, Debug)]
pub struct Waker(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    asleep: AtomicBool,
    event: OwnedFd,
}

/// A pair of a sleeper and its waker.
pub fn wake_pair() -> io::Result<(Sleeper, Waker)> {
    let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let shared = Arc::new(Shared { asleep: AtomicBool::new(false), event });
    Ok((Sleeper(Arc::clone(&shared)), Waker(shared)))
}

impl Sleeper {
    /// Announces that this thread is about to sleep. Look for work once more before sleeping.
    pub fn announce(&self) {
        self.0.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// Awake again; forgets wake-ups that came meanwhile.
    pub fn awake(&self) {
        self.0.asleep.store(false, Ordering::Relaxed);
        let mut count = [0; 8];
        // An empty counter says EAGAIN, which is what is wanted.
        let _ = rustix::io::read(&self.0.event, &mut count);
    }
}

impl AsFd for Sleeper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.event.as_fd()
    }
}

impl Waker {
    /// Wakes the sleeper if it sleeps. Call after the work is visible.
    pub fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.0.asleep.load(Ordering::Relaxed) {
            // A full counter (EAGAIN) wakes as well.
            let _ = rustix::io::write(&self.0.event, &1u64.to_ne_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    fn readable(sleeper: &Sleeper) -> bool {
        let mut fds = [PollFd::new(sleeper, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 1
    }

    #[test]
    fn a_sleeper_is_woken_and_one_that_is_awake_costs_no_system_call() {
        let (sleeper, waker) = wake_pair().unwrap();
        waker.wake();
        assert!(!readable(&sleeper), "nobody slept");
        sleeper.announce();
        waker.wake();
        assert!(readable(&sleeper));
        sleeper.awake();
        assert!(!readable(&sleeper), "old wake-ups are forgotten");
    }
}
