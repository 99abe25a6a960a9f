//! Where a packet goes next: longest-prefix match, next hops, neighbours.
//!
//! Control mirrors the kernel's routes and neighbours into the builders here and publishes what
//! they compile to ([`Lpm`], [`Fib`], [`Neighbours`]) in its snapshot; workers only look up. A
//! lookup takes no lock, allocates nothing and cannot panic; a table never changes once built.
//! Nothing here talks to the kernel, and nothing is learned from packets.
//!
//! [`Lpm`] also serves as the allowed-IPs table of the WireGuard peers.
#![forbid(unsafe_code)]

mod fib;
mod lpm;
mod neighbour;
mod next_hop;

pub use fib::{Fib, FibBuilder, Gateway, NextHopSetId};
pub use lpm::{Lpm, LpmBuilder};
pub use neighbour::{Neighbour, NeighbourState, Neighbours, NeighboursBuilder, Resolution};
pub use next_hop::{GatewaySlot, InterfaceId, NextHop, NextHopKind, WeightedHop};
