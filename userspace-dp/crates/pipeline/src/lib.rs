//! The packet path: a burst in, a verdict for each packet out.
//!
//! [`WorkerState::process`] takes a burst through parse, classify, detunnel, policy, forward and egress, stage by
//! stage. It is pure with respect to I/O and clock: the worker loop brings frames, the time and the snapshot, and
//! carries off what is in the [`Outbox`]. So the same path runs over network devices, over memory, over a capture
//! file and under a virtual clock.
#![forbid(unsafe_code)]

mod admit;
mod decide;
mod detunnel;
mod egress;
mod forward;
pub mod handshake;
mod held;
mod in_use;
mod next_hop;
mod outbox;
mod outer;
mod packet;
mod parked;
mod path;
mod process;
mod reasons;
mod reply;
mod reply_budget;
mod snapshot;
mod staged;
mod stages;
mod state;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod unreachable;

pub use outbox::{ControlEvent, EVENTS_MAX, Outbox, Sink};
pub use packet::{Arrivals, Entry, HOPS_MAX, Ingress, Outgoing, Verdict};
pub use process::Context;
pub use reasons::{of_malformed as reason_of_malformed, of_rejected as reason_of_rejected};
pub use reply_budget::ReplyBudget;
pub use snapshot::{
    Interface, InterfaceKind, LocalAddresses, PeerIndex, PeerOwners, PortId, PortInterfaces,
    Snapshot, Tunnel, TunnelPeer, WorkerId,
};
pub use stages::{StageTimer, Timed, Untimed};
pub use state::{StateLimits, WorkerState};
