//! A cable: two ports joined in memory, over the same rings as AF_XDP.
//!
//! Tests, simulations, fuzzing and benches use it, with the gateway at one end and a [`Station`]
//! or another gateway at the other. Each port plays the kernel for what it transmits: `kick` moves
//! packets from its transmit ring into frames of the other's fill ring. Between ports of one
//! [`Umem`] the two frames change places and nothing is copied; between regions (or where a packet
//! begins before the region's headroom) the packet is copied. Either way every port keeps as many
//! frames as it had. The ends may live in different threads.

mod link;
mod station;
mod wire;

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::census::Census;
use crate::pool::FramePool;
use crate::port::{Burst, Kick, Port, PortStatistics};
use crate::queue::{Queue, Rings};
use crate::ring::{self, RingSize};
use crate::umem::Umem;
use link::{Link, Side};
use wire::{FarRings, Wire};

pub use station::Station;

/// What happens to packets when the far end has no frame or no room for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// They stay in the transmit ring: nothing is lost.
    Wait,
    /// They are dropped and counted at the far end, as a network card does.
    Drop,
}

/// How a cable is made.
#[derive(Clone, Copy, Debug)]
pub struct CableConfig {
    /// Entries of each of the eight rings.
    pub ring_size: RingSize,
    /// What happens when the far end is full.
    pub when_full: WhenFull,
}

/// Joins two new ports. Their frames come from pools of `left` and `right`, by [`Port::refill`]
/// and [`Port::transmit`]; the two may be the same region.
pub fn cable(left: &Arc<Umem>, right: &Arc<Umem>, config: CableConfig) -> (MemoryPort, MemoryPort) {
    let (left_rings, left_far) = rings(config.ring_size);
    let (right_rings, right_far) = rings(config.ring_size);
    let link = Arc::new(Link::default());
    let (left_sends, left_receives) = left_far.split();
    let (right_sends, right_receives) = right_far.split();
    let port = |umem, rings, side, wire| MemoryPort {
        queue: Queue::new(umem, rings),
        wire,
        side,
        link: Arc::clone(&link),
    };
    let to_right = Wire::new(left_sends, right_receives, left, right, config.when_full);
    let to_left = Wire::new(right_sends, left_receives, right, left, config.when_full);
    (port(left, left_rings, Side::Left, to_right), port(right, right_rings, Side::Right, to_left))
}

/// One end of a cable.
#[derive(Debug)]
pub struct MemoryPort {
    queue: Queue,
    /// What carries our packets to the far end.
    wire: Wire,
    side: Side,
    link: Arc<Link>,
}

impl Port for MemoryPort {
    #[inline]
    fn receive(&mut self, burst: &mut Burst) -> usize {
        self.queue.receive(burst)
    }

    #[inline]
    fn transmit(&mut self, burst: &mut Burst) -> usize {
        self.queue.transmit(burst)
    }

    #[inline]
    fn reap(&mut self, pool: &mut FramePool) -> usize {
        self.queue.reap(pool)
    }

    #[inline]
    fn refill(&mut self, pool: &mut FramePool) -> usize {
        self.queue.refill(pool)
    }

    fn kick(&mut self) -> Kick {
        if self.link.is_gone(self.side.other()) {
            self.queue.statistics.link_down += 1;
            return Kick::LinkDown;
        }
        let carried = self.wire.carry();
        if carried.dropped > 0 {
            self.link.count_dropped(self.side.other(), carried.dropped);
        }
        if carried.waiting {
            self.queue.statistics.back_pressure += 1;
            return Kick::BackPressure;
        }
        if carried.moved == 0 {
            return Kick::NotNeeded;
        }
        self.queue.statistics.kicks += 1;
        Kick::Woken
    }

    fn umem(&self) -> &Arc<Umem> {
        self.queue.umem()
    }

    fn statistics(&self) -> PortStatistics {
        let mut statistics = self.queue.statistics;
        statistics.fill_ring_empty = self.link.dropped(self.side);
        statistics
    }

    fn census(&self) -> Census {
        self.queue.census()
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

impl Drop for MemoryPort {
    fn drop(&mut self) {
        // The far end's wire may still reach our rings: their frames retire with the last end.
        let owed = self.queue.disown();
        self.link.leave(self.side, self.queue.umem(), owed);
    }
}

fn rings(size: RingSize) -> (Rings, FarRings) {
    let (fill, far_fill) = ring::pair(size);
    let (far_completion, completion) = ring::pair(size);
    let (far_receive, receive) = ring::pair(size);
    let (transmit, far_transmit) = ring::pair(size);
    let near = Rings { fill, completion, receive, transmit };
    let far = FarRings {
        fill: far_fill,
        completion: far_completion,
        receive: far_receive,
        transmit: far_transmit,
    };
    (near, far)
}

#[cfg(test)]
mod tests;
