//! The kernel's ends of a live socket's rings, taken over through a second mapping.
//!
//! For measuring ring code, ours or a peer's, on the memory it really works on: the socket is
//! bound to a device without traffic, and this plays the kernel. Such a socket must never be woken
//! up, nor its device be used.

use std::io;
use std::os::fd::BorrowedFd;

use crate::af_xdp::{RingSizes, far_ends};
use crate::ring::{Consumer, Descriptor, Producer};

/// The far ends of the four rings.
#[derive(Debug)]
pub struct FakeKernel {
    /// Free frames from the user.
    pub fill: Consumer<u64>,
    /// Sent frames to the user.
    pub completion: Producer<u64>,
    /// Received packets to the user.
    pub receive: Producer<Descriptor>,
    /// Packets to send from the user.
    pub transmit: Consumer<Descriptor>,
}

impl FakeKernel {
    /// Takes over the far ends of the rings of `socket`, which were created with `sizes`.
    ///
    /// # Errors
    /// The kernel's answer.
    ///
    /// # Safety
    /// The kernel stays away: the socket's queue gets no packets and no wake-ups. What the user's
    /// ends rely on the caller keeps: only frames that were filled are received, and only those
    /// that were transmitted are completed.
    pub unsafe fn take_over(socket: BorrowedFd<'_>, sizes: RingSizes) -> io::Result<Self> {
        // SAFETY: passed on from the caller.
        unsafe { far_ends(socket, sizes) }
    }

    /// Delivers `count` packets of `length` bytes, each at `headroom` in a filled frame; how many
    /// there was room and frames for.
    pub fn deliver(&mut self, count: u32, headroom: u64, length: u32) -> u32 {
        let mut receive = self.receive.reserve(count);
        let filled = self.fill.take(receive.room());
        let mut delivered = 0;
        for base in filled {
            receive.push(Descriptor { address: base + headroom, length, options: 0 });
            delivered += 1;
        }
        delivered
    }

    /// As `deliver`, with the frames and lengths that the last lap of the receive ring left in its
    /// slots, and without touching the slots; those frames must have been filled again.
    pub fn deliver_again(&mut self, count: u32) -> u32 {
        let filled = self.fill.take(count).count();
        self.receive.publish_again(filled as u32)
    }

    /// Takes everything that waits in the transmit ring, without looking at it, and completes
    /// `addresses`, which must be as many; how many.
    pub fn send_all(&mut self, addresses: impl Iterator<Item = u64>) -> usize {
        let waiting = self.transmit.pending();
        let mut completion = self.completion.reserve(waiting);
        addresses
            .zip(self.transmit.take(waiting))
            .filter(|(sent, _)| completion.push(*sent))
            .count()
    }
}
