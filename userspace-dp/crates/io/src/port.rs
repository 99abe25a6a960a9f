//! One receive and one transmit queue of one device, whatever stands behind it.
//!
//! One worker owns each port and turns it in this order: `reap`, `refill`, `receive`, process,
//! `transmit`, `kick`. Refill comes before transmit even under back-pressure: a dry fill ring sends
//! packets to the kernel's path. No call blocks, allocates or reads a clock.

use core::ops::AddAssign;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use arrayvec::ArrayVec;

use crate::census::Census;
use crate::frame::Frame;
use crate::pool::FramePool;
use crate::umem::Umem;

/// The most frames a worker handles in one turn: fits the first-level cache; 256 was slower.
pub const BURST: usize = 64;

/// Frames under way in one turn of a worker.
pub type Burst = ArrayVec<Frame, BURST>;

/// What a [`Port::kick`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kick {
    /// The other side did not ask for it: no system call was made.
    NotNeeded,
    /// The other side was woken.
    Woken,
    /// The other side has no room; frames stay queued and the next turn tries again.
    BackPressure,
    /// The link is down or gone; frames stay queued. Counted in [`PortStatistics::link_down`].
    LinkDown,
    /// The system call failed otherwise. Counted in [`PortStatistics::kick_failures`].
    Failed,
}

/// A queue pair. See the module's description for the order of calls.
pub trait Port {
    /// Appends received frames to `burst` while it has room; how many.
    fn receive(&mut self, burst: &mut Burst) -> usize;

    /// Takes frames from the front of `burst` while the transmit queue has room; how many were
    /// queued. What does not fit stays, in order. So do frames of another [`Umem`], which this port
    /// cannot send: they are counted, and the caller copies them ([`Frame::copy_into`]). Empty
    /// frames are taken out, counted and recycled.
    fn transmit(&mut self, burst: &mut Burst) -> usize;

    /// Puts transmitted frames back into `pool`, a pool of this port's region; how many.
    fn reap(&mut self, pool: &mut FramePool) -> usize;

    /// Hands free frames of `pool`, a pool of this port's region, to the receive side while it has
    /// room; how many.
    fn refill(&mut self, pool: &mut FramePool) -> usize;

    /// Wakes the other side for queued transmissions and refilled frames, if it asked to be woken.
    /// Call it once per turn as long as anything is outstanding.
    fn kick(&mut self) -> Kick;

    /// Runs the receive path on this thread, where preferred busy polling is on. The caller leaves
    /// at least 5 us between two calls.
    fn busy_poll(&mut self) {}

    /// The region whose frames this port receives into and can transmit.
    fn umem(&self) -> &Arc<Umem>;

    /// What passed so far.
    fn statistics(&self) -> PortStatistics;

    /// Where this port's frames are.
    fn census(&self) -> Census;

    /// What to wait on for received frames; `None` where there is nothing to wait on.
    fn as_fd(&self) -> Option<BorrowedFd<'_>>;
}

impl<P: Port + ?Sized> Port for Box<P> {
    fn receive(&mut self, burst: &mut Burst) -> usize {
        (**self).receive(burst)
    }
    fn transmit(&mut self, burst: &mut Burst) -> usize {
        (**self).transmit(burst)
    }
    fn reap(&mut self, pool: &mut FramePool) -> usize {
        (**self).reap(pool)
    }
    fn refill(&mut self, pool: &mut FramePool) -> usize {
        (**self).refill(pool)
    }
    fn kick(&mut self) -> Kick {
        (**self).kick()
    }
    fn busy_poll(&mut self) {
        (**self).busy_poll();
    }
    fn umem(&self) -> &Arc<Umem> {
        (**self).umem()
    }
    fn statistics(&self) -> PortStatistics {
        (**self).statistics()
    }
    fn census(&self) -> Census {
        (**self).census()
    }
    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        (**self).as_fd()
    }
}

/// What a port counted since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortStatistics {
    /// Frames received.
    pub received: u64,
    /// Bytes in them.
    pub received_bytes: u64,
    /// Frames queued for transmission.
    pub transmitted: u64,
    /// Bytes in them.
    pub transmitted_bytes: u64,
    /// Transmitted frames that came back.
    pub completed: u64,
    /// Packets that came in several buffers, dropped whole.
    pub fragmented: u64,
    /// Descriptors from the other side that name no window of a frame.
    pub invalid: u64,
    /// Frames refused by transmit since they are of another region.
    pub foreign: u64,
    /// Frames without a packet, taken out by transmit.
    pub empty: u64,
    /// Wake-ups made.
    pub kicks: u64,
    /// Wake-ups answered with "no room".
    pub back_pressure: u64,
    /// Wake-ups that found the link down or gone.
    pub link_down: u64,
    /// Wake-ups that failed otherwise.
    pub kick_failures: u64,
    /// Packets the other side dropped since it had no frame to put them in.
    pub fill_ring_empty: u64,
    /// Packets the other side dropped since the receive ring was full.
    pub receive_ring_full: u64,
    /// Packets the other side dropped for other reasons.
    pub receive_dropped: u64,
    /// Descriptors of ours that the other side refused in the fill ring.
    pub fill_descriptors_refused: u64,
    /// Descriptors of ours that the other side refused in the transmit ring.
    pub transmit_descriptors_refused: u64,
    /// Times the other side looked for something to transmit and found nothing.
    pub transmit_ring_empty: u64,
}

impl AddAssign for PortStatistics {
    fn add_assign(&mut self, other: Self) {
        self.received += other.received;
        self.received_bytes += other.received_bytes;
        self.transmitted += other.transmitted;
        self.transmitted_bytes += other.transmitted_bytes;
        self.completed += other.completed;
        self.fragmented += other.fragmented;
        self.invalid += other.invalid;
        self.foreign += other.foreign;
        self.empty += other.empty;
        self.kicks += other.kicks;
        self.back_pressure += other.back_pressure;
        self.link_down += other.link_down;
        self.kick_failures += other.kick_failures;
        self.fill_ring_empty += other.fill_ring_empty;
        self.receive_ring_full += other.receive_ring_full;
        self.receive_dropped += other.receive_dropped;
        self.fill_descriptors_refused += other.fill_descriptors_refused;
        self.transmit_descriptors_refused += other.transmit_descriptors_refused;
        self.transmit_ring_empty += other.transmit_ring_empty;
    }
}
