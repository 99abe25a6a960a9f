//! What to open and how.

use core::time::Duration;

use crate::ring::RingSize;

/// Whether the driver should work on our frames directly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZeroCopy {
    /// Where the driver can; the kernel copies otherwise, and [`super::Obtained`] says why.
    Auto,
    /// Or fail.
    On,
    /// Never: the kernel copies.
    Off,
}

/// How the steering program is really attached to the device, as the kernel reports it. Zero-copy
/// is impossible under a generic attachment, and asking for it there breaks forwarding on some
/// drivers, so the bind follows this and never the driver's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attached {
    /// In the driver.
    Native,
    /// Behind the driver, on socket buffers.
    Generic,
}

/// Entries of the four rings. Larger rings ride out longer pauses of the worker and evict more of
/// its cache; the fill ring should hold the card's own ring and the receive ring together, or the
/// card runs dry while frames wait to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingSizes {
    /// Received packets that wait for the worker.
    pub receive: RingSize,
    /// Packets that wait for the card.
    pub transmit: RingSize,
    /// Free frames for the card.
    pub fill: RingSize,
    /// Sent frames that wait for the worker.
    pub completion: RingSize,
}

impl RingSizes {
    /// 2,048 entries to receive, transmit and complete, 4,096 to fill.
    pub const USUAL: Self = {
        let (Ok(small), Ok(large)) = (RingSize::new(2048), RingSize::new(4096)) else {
            panic!("both are powers of two")
        };
        Self { receive: small, transmit: small, fill: large, completion: small }
    };
}

/// Preferred busy polling: the device's receive path runs inside [`crate::Port::busy_poll`] on the
/// worker's core, and its interrupts stay off meanwhile. It needs `napi_defer_hard_irqs` and
/// `gro_flush_timeout` set on the device, and `CAP_NET_ADMIN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusyPoll {
    /// How long a poll may spin when nothing arrives, in microseconds.
    pub timeout_us: u32,
    /// The most packets per poll.
    pub budget: u16,
}

impl BusyPoll {
    /// 20 us and 64 packets, the budget of an interrupt's poll.
    pub const USUAL: Self = Self { timeout_us: 20, budget: 64 };
}

/// Everything [`super::AfXdpPort::open`] wants to know.
#[derive(Clone, Copy, Debug)]
pub struct SocketConfig {
    /// Kernel's index of the device.
    pub interface_index: u32,
    /// Which of its queues.
    pub queue: u32,
    /// Whether the driver should work on our frames directly.
    pub zero_copy: ZeroCopy,
    /// How the steering program is attached.
    pub attached: Attached,
    /// The device's MTU. Larger than a frame holds is refused, unless `scatter_gather`.
    pub mtu: u32,
    /// Accept devices whose packets may span several frames (`XDP_USE_SG`). Such packets are
    /// dropped whole and counted, the device's smaller ones pass. The attached program must have
    /// been loaded for fragments.
    pub scatter_gather: bool,
    /// Ring sizes.
    pub rings: RingSizes,
    /// Preferred busy polling, where the kernel grants it.
    pub busy_poll: Option<BusyPoll>,
    /// How long to wait for a queue that its former socket still leaves: the kernel releases it
    /// in the background.
    pub patience: Duration,
}

impl SocketConfig {
    /// A socket with the usual rings, without busy polling and scatter-gather, and 5 s patience.
    pub const fn new(
        interface_index: u32,
        queue: u32,
        mtu: u32,
        zero_copy: ZeroCopy,
        attached: Attached,
    ) -> Self {
        Self {
            interface_index,
            queue,
            zero_copy,
            attached,
            mtu,
            scatter_gather: false,
            rings: RingSizes::USUAL,
            busy_poll: None,
            patience: Duration::from_secs(5),
        }
    }
}
