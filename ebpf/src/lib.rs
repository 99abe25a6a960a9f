//! Steering: the XDP program that decides which frames reach a worker, and its loader.
//!
//! The program (C, under `src/xdp/`) runs in the kernel for each received frame and gives it to
//! the kernel, to the AF_XDP socket of its queue, or drops it; README.md has the order of its
//! decisions. This crate compiles and embeds it, loads it, attaches it to interfaces by
//! `bpf_link`, and keeps its maps. Only the control thread calls it; workers get a
//! [`Heartbeats`] handle, whose [`beat`](Heartbeats::beat) is a plain store.
//!
//! It must never let transit traffic reach the kernel's forwarding by omission: an interface is
//! registered before it is attached, everything missing or stale drops transit, and passing
//! instead is a choice the operator spells out ([`OnFailure::Pass`]).
//!
//! Order of use: [`Steering::load`], [`set_locals`](Steering::set_locals),
//! [`set_services`](Steering::set_services), for each interface
//! [`set_port`](Steering::set_port) and [`attach`](Steering::attach), then open the sockets,
//! [`set_socket`](Steering::set_socket), and last [`enable`](Steering::enable). To stop: drop
//! every [`Attachment`] first, then close the sockets; a socket closed under a running program
//! can stall some drivers.
//!
//! Privileges: `CAP_BPF`, `CAP_NET_ADMIN`, `CAP_NET_RAW`; no locked-memory limit is touched.
//! Naming or replacing a foreign program needs `CAP_SYS_ADMIN` besides.

mod attach;
mod blocks;
mod error;
mod exit;
mod foreign;
mod heartbeat;
mod keyset;
mod layout;
mod link;
mod load;
mod local;
mod options;
mod port;
mod query;
mod steering;
#[cfg(test)]
mod tests;

pub use attach::{AttachMode, Attachment, ForeignProgram};
pub use blocks::{BlockError, Blocked};
pub use error::{AttachError, SteeringError};
pub use exit::{Action, Counters, Exit};
pub use foreign::{Present, present};
pub use heartbeat::Heartbeats;
pub use local::Service;
pub use options::{Capacities, OnFailure, SteeringOptions};
pub use port::{Port, Slot, Tag, Vlan, WorkerIndex};
pub use query::{Attached, RunningMode, attached};
pub use steering::Steering;
