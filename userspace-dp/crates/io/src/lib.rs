//! Frames and the ports they cross: AF_XDP, memory and pcap behind one trait.
//!
//! A [`Umem`] is one region of equal frames. A [`Frame`] is the linear handle to one of them: it
//! is in exactly one place at a time (a [`FramePool`], a [`Burst`], a ring, the kernel), and the
//! sum over all places, the [`Census`], always equals the total. A [`Port`] is one receive and
//! transmit queue. Workers are generic over `P: Port`; `Box<dyn Port + Send>` is a `Port` too and
//! costs one indirect call per burst.
//!
//! This crate knows no protocol, reads no clock, logs nothing, and allocates only during set-up
//! (the pcap backend, a test tool, excepted). It is one of the few that may use `unsafe`: it maps
//! memory and shares rings with the kernel.

pub mod af_xdp;
mod census;
mod fault;
mod frame;
mod mapping;
pub mod memory;
pub mod pcap;
mod pool;
mod port;
mod queue;
pub mod ring;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod tun;
mod umem;

pub use census::{Census, Imbalance};
pub use fault::{Faults, Faulty, PartsPerMillion};
pub use frame::{Frame, FrameIndex, NoRoom};
pub use pool::FramePool;
pub use port::{BURST, Burst, Kick, Port, PortStatistics};
pub use tun::Tun;
pub use umem::{FrameSize, HugePages, Pages, Umem, UmemConfig, UmemError, XDP_HEADROOM};
