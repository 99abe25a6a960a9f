//! AF_XDP sockets: one queue of one device, frames straight from and to the driver.
//!
//! [`AfXdpPort::open`] builds a socket over a [`Umem`], fills its fill ring, binds it, and reports
//! in [`Obtained`] what the kernel gave. The caller then enters the socket into the steering
//! program's map and hands the port to its worker. Any number of ports share a region, and a frame
//! may leave on another port of the region than it came in on.
//!
//! What this must never do: bind before the fill ring is filled. Zero-copy drivers (igb, ice, i40e)
//! take their frames at bind, and a socket bound with an empty ring never receives.
//!
//! See the kernel's `Documentation/networking/af_xdp.rst` and `include/uapi/linux/if_xdp.h`.

mod config;
mod error;
mod kick;
mod open;
mod socket;

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use crate::census::Census;
use crate::pool::FramePool;
use crate::port::{Burst, Kick, Port, PortStatistics};
use crate::queue::Queue;
use crate::umem::Umem;
pub(crate) use socket::Socket;
#[cfg(any(test, feature = "testing"))]
pub(crate) use socket::far_ends;

pub use config::{Attached, BusyPoll, RingSizes, SocketConfig, ZeroCopy};
pub use error::{NoZeroCopy, OpenError, Step};
pub use open::{BusyPolling, Obtained};

/// A bound AF_XDP socket with its rings.
#[derive(Debug)]
pub struct AfXdpPort {
    socket: Arc<Socket>,
    queue: Queue,
    obtained: Obtained,
}

impl AfXdpPort {
    /// Opens queue `config.queue` of a device over `umem`, with as many frames of `pool` in the
    /// fill ring as it holds. Blocks up to `config.patience` while the queue is busy.
    ///
    /// # Errors
    /// See [`OpenError`]; all frames are then back in `pool`.
    pub fn open(
        umem: &Arc<Umem>,
        pool: &mut FramePool,
        config: &SocketConfig,
    ) -> Result<Self, OpenError> {
        open::open(umem, pool, config)
    }

    /// Closes the socket right after its bind and takes the frames back that no packet reached.
    fn abandon(self, pool: &mut FramePool) {
        drop(self.socket);
        self.queue.abandon(pool);
    }

    /// What the kernel gave, and where that is less than was asked for.
    pub fn obtained(&self) -> &Obtained {
        &self.obtained
    }
}

impl AsFd for AfXdpPort {
    /// The socket, to be entered into the steering program's map.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Port for AfXdpPort {
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

    #[inline]
    fn kick(&mut self) -> Kick {
        kick::kick(&self.socket, &mut self.queue, self.obtained.zero_copy)
    }

    fn busy_poll(&mut self) {
        match self.obtained.busy_polling {
            BusyPolling::Granted => {
                kick::count(self.socket.wake_receive(), &mut self.queue);
            }
            BusyPolling::NotAsked | BusyPolling::Refused(_) => {}
        }
    }

    fn umem(&self) -> &Arc<Umem> {
        self.queue.umem()
    }

    /// Costs a system call.
    fn statistics(&self) -> PortStatistics {
        let mut statistics = self.queue.statistics;
        if let Ok(kernel) = self.socket.statistics() {
            statistics.fill_ring_empty = kernel.rx_fill_ring_empty_descs;
            statistics.receive_ring_full = kernel.rx_ring_full;
            statistics.receive_dropped = kernel.rx_dropped;
            statistics.fill_descriptors_refused = kernel.rx_invalid_descs;
            statistics.transmit_descriptors_refused = kernel.tx_invalid_descs;
            statistics.transmit_ring_empty = kernel.tx_ring_empty_descs;
        }
        statistics
    }

    fn census(&self) -> Census {
        self.queue.census()
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.socket.as_fd())
    }
}

#[cfg(test)]
mod tests;
