//! The thread between the workers and the kernel's own network stack.
//!
//! Traffic of the gateway itself through tunnels (a ping of the tunnel address, a routing daemon) passes a TUN
//! device. Each packet there is a system call, so this thread makes them and workers only see rings. It is the
//! last member of the hand-off mesh and owns frames of its own. Nothing from here blocks a worker: full rings
//! drop the newest and count it.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::io::{FramePool, Tun};
use clock::{Clock, Monotonic};
use pipeline::{Entry, Ingress};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use telemetry::{Reason, WorkerCounters};

use super::mesh::MeshSeat;
use super::shared::WorkerShared;
use super::wake::Sleeper;

/// Packets moved in one direction before the other gets its turn.
const QUOTA: usize = 64;
/// Groups of this scope and less do not leave a link.
const LINK_SCOPE: u8 = 2;
/// The longest sleep, so that the end is noticed without a wake-up.
const SLEEP: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// Where whole IP packets come from and go to: the kernel's stack, behind a TUN device. Nothing here blocks.
pub trait KernelSide: AsFd {
    /// The length of the next packet, put into `buffer`; none when none waits.
    ///
    /// # Errors
    /// The kernel's answer, for example when the device is down.
    fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>>;

    /// Gives a whole packet to the kernel; whether it had room.
    ///
    /// # Errors
    /// The kernel's answer, for example to what is no packet.
    fn write(&self, packet: &[u8]) -> io::Result<bool>;
}

impl KernelSide for Tun {
    fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        Self::read(self, buffer)
    }

    fn write(&self, packet: &[u8]) -> io::Result<bool> {
        Self::write(self, packet)
    }
}

/// The slow path's belongings; [`SlowPath::run`] is its thread.
pub struct SlowPath<K> {
    /// The device.
    pub tun: K,
    /// Its place in the mesh.
    pub seat: MeshSeat,
    /// How it is woken.
    pub sleeper: Sleeper,
    /// Its frames.
    pub pool: FramePool,
    /// Its counters; this thread is their writer.
    pub counters: Arc<crossbeam_utils::CachePadded<WorkerCounters>>,
    /// What the workers share, by number; this thread counts there which of their packets the kernel took.
    pub workers: Vec<Arc<WorkerShared>>,
    /// Set when the gateway ends.
    pub stop: Arc<AtomicBool>,
}

impl<K: KernelSide> SlowPath<K> {
    /// Moves packets until the gateway ends or the device is gone, then gives the frames back.
    pub fn run(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            self.seat.settle(&mut self.pool);
            let to_kernel = self.move_to_kernel();
            let from_kernel = self.move_from_kernel();
            self.seat.wake_touched();
            self.counters.frames_free.set(self.pool.len() as u64);
            self.counters.frames_owed.set(self.seat.owed() as u64);
            match from_kernel {
                Ok(from_kernel) if to_kernel + from_kernel == 0 => self.sleep(),
                Ok(_) => {}
                // Control notices the end of this thread.
                Err(error) => {
                    let error = error.to_string();
                    tracing::error!(error, "the tunnel's device cannot be read any more");
                    break;
                }
            }
        }
        let pool = &mut self.pool;
        self.seat.drain(|frame| pool.put(frame));
    }

    fn move_to_kernel(&mut self) -> usize {
        let Self { seat, tun, pool, counters, workers, .. } = self;
        seat.take_over_with_member(QUOTA, |worker, packet| {
            counters.taken_over.bump();
            match tun.write(packet.frame.data()) {
                Ok(true) => {
                    counters.punted.bump();
                    if let Some(worker) = workers.get(worker) {
                        worker.counters.punted.bump();
                    }
                }
                Ok(false) => counters.count_drop(Reason::SlowPathFull, 1),
                Err(_) => counters.count_drop(Reason::SlowPathError, 1),
            }
            pool.put(packet.frame);
        })
    }

    /// How many packets came.
    ///
    /// # Errors
    /// The device is gone for good; polling it would only say so again at once.
    fn move_from_kernel(&mut self) -> io::Result<usize> {
        for moved in 0..QUOTA {
            let Some(mut frame) = self.pool.take() else { return Ok(moved) };
            let room = frame.tailroom();
            // The room is what the frame says it has, so extending by it cannot fail.
            let read = match frame.extend_back(room) {
                Ok(buffer) => self.tun.read(buffer),
                Err(_) => Ok(None),
            };
            match read {
                Ok(Some(length)) => frame.truncate(length),
                // No packet, or the device is down: nothing to move.
                Ok(None) => {
                    self.pool.put(frame);
                    return Ok(moved);
                }
                Err(error) => {
                    self.pool.put(frame);
                    return if is_fatal(&error) { Err(error) } else { Ok(moved) };
                }
            }
            self.counters.injected.bump();
            if is_for_link(frame.data()) {
                self.counters.count_drop(Reason::LinkScope, 1);
                self.pool.put(frame);
                continue;
            }
            let worker = worker_of(frame.data(), self.workers.len());
            let packet = Ingress { frame, entry: Entry::Local, arrived: Monotonic.now(), hops: 0 };
            if let Err(packet) = self.seat.hand_over(worker, packet) {
                self.counters.count_drop(Reason::HandOffRingFull, 1);
                self.pool.put(packet.frame);
            }
        }
        Ok(QUOTA)
    }

    fn sleep(&self) {
        self.sleeper.announce();
        if !self.seat.has_arrivals() {
            let mut waits = [
                PollFd::from_borrowed_fd(self.tun.as_fd(), PollFlags::IN),
                PollFd::from_borrowed_fd(self.sleeper.as_fd(), PollFlags::IN),
            ];
            // Interrupted or not: the loop looks for work again.
            let _ = poll(&mut waits, Some(&SLEEP));
        }
        self.sleeper.awake();
    }
}

/// Whether a read that failed so will never succeed: the device was deleted (`EBADFD`) or is no device at all.
fn is_fatal(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let fatal = [Errno::BADFD, Errno::BADF, Errno::NODEV, Errno::NXIO];
    error.raw_os_error().is_some_and(|code| fatal.iter().any(|errno| errno.raw_os_error() == code))
}

/// Spreads packets over the workers by their addresses, so that one conversation stays in order. The worker
/// hands the packet to the peer's owner if it is another.
fn worker_of(packet: &[u8], workers: usize) -> usize {
    let sum = addresses_of(packet)
        .iter()
        .fold(0usize, |sum, &byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    sum % workers.max(1)
}

/// Source and destination, one behind the other; nothing of what is no IP packet.
fn addresses_of(packet: &[u8]) -> &[u8] {
    let addresses = match packet.first().map(|byte| byte >> 4) {
        Some(4) => packet.get(12..20),
        Some(6) => packet.get(8..40),
        _ => None,
    };
    addresses.unwrap_or_default()
}

/// Whether the packet is for the other stations of a link. The kernel takes the device for one, and asks it for
/// routers and listeners as soon as it is up.
fn is_for_link(packet: &[u8]) -> bool {
    match *addresses_of(packet) {
        [a, b, c, d, e, f, g, h] => {
            let (source, destination) = (Ipv4Addr::new(a, b, c, d), Ipv4Addr::new(e, f, g, h));
            source.is_link_local()
                || destination.is_link_local()
                || destination.is_broadcast()
                || [e, f, g] == [224, 0, 0]
        }
        ref both => match both.as_chunks::<16>().0 {
            [source, destination] => {
                let (source, destination) = (Ipv6Addr::from(*source), Ipv6Addr::from(*destination));
                // The scope is the lower half of the second byte (RFC 4291, section 2.7).
                let scope = destination.octets()[1] & 0xf;
                source.is_unspecified()
                    || source.is_unicast_link_local()
                    || destination.is_unicast_link_local()
                    || destination.is_multicast() && scope <= LINK_SCOPE
            }
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests;
