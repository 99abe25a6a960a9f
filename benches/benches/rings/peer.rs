//! A socket of xsk-rs, for the ring bench and the cross-check.

use std::io::Write;
use std::num::NonZeroU32;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use xsk_rs::config::{BindFlags, Interface, LibxdpFlags, QueueSize, SocketConfig, UmemConfig};
use xsk_rs::{CompQueue, FillQueue, FrameDesc, RxQueue, Socket, TxQueue, Umem};

/// A bound socket with its region; nothing is filled yet, since the fill ring comes with the bind.
pub struct Peer {
    pub umem: Umem,
    /// All frames.
    pub frames: Vec<FrameDesc>,
    pub transmit: TxQueue,
    pub receive: RxQueue,
    pub fill: FillQueue,
    pub completion: CompQueue,
}

impl Peer {
    /// Binds to `queue` of `device` in copy mode, without a program of its own, with `ring_size`
    /// entries to receive and to transmit.
    pub fn open(device: &str, queue: u32, frames: u32, ring_size: u32) -> Self {
        let size = QueueSize::new(ring_size).expect("a power of two");
        let count = NonZeroU32::new(frames).expect("frames");
        let (umem, frames) = Umem::new(UmemConfig::default(), count, false).expect("a region");
        let config = SocketConfig::builder()
            .rx_queue_size(size)
            .tx_queue_size(size)
            .libxdp_flags(LibxdpFlags::XSK_LIBXDP_FLAGS_INHIBIT_PROG_LOAD)
            .bind_flags(BindFlags::XDP_COPY | BindFlags::XDP_USE_NEED_WAKEUP)
            .build();
        let interface: Interface = device.parse().expect("a name");
        // SAFETY: the region is bound to one device and queue only.
        let opened = unsafe { Socket::new(config, &umem, &interface, queue) };
        let (transmit, receive, rings) = opened.expect("a socket");
        let (fill, completion) = rings.expect("the region's first socket");
        Self { umem, frames, transmit, receive, fill, completion }
    }

    /// Writes `packet` into `frame`.
    pub fn write(&self, frame: &mut FrameDesc, packet: &[u8]) {
        // SAFETY: the frame is of this region and in our hands.
        let mut data = unsafe { self.umem.data_mut(frame) };
        let mut cursor = data.cursor();
        cursor.set_pos(0);
        cursor.write_all(packet).expect("room");
    }
}

impl AsFd for Peer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the socket stays open as long as its queues.
        unsafe { BorrowedFd::borrow_raw(self.receive.fd().as_raw_fd()) }
    }
}
