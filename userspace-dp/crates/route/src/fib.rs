//! The forwarding table: destination to next hop.
//!
//! Control presents the winning route per prefix (it has already chosen among routing tables and
//! metrics); workers look up. Routes that refuse (blackhole, unreachable, prohibit) are entries
//! like any other and are found as such, so that a longer refusing prefix wins over a shorter one
//! that forwards. No entry at all means: no route.

mod builder;
mod sets;

#[cfg(test)]
mod tests;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::{InterfaceId, Lpm, NextHop};

pub use builder::FibBuilder;
pub use sets::NextHopSetId;

use sets::NextHopSets;

/// A router on a link that routes lead through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gateway {
    /// The link.
    pub interface: InterfaceId,
    /// The router's address there.
    pub address: IpAddr,
}

/// An immutable forwarding table. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Fib {
    prefixes: Lpm<NextHopSetId>,
    sets: Arc<NextHopSets>,
}

impl Fib {
    /// A table without routes.
    pub fn empty() -> Self {
        FibBuilder::new().snapshot()
    }

    /// The next hop of the longest prefix that holds `destination`. Among the hops of a multipath
    /// route `flow_hash` chooses, each hop in proportion to its weight (hash threshold, RFC 2992);
    /// the same hash gives the same hop for as long as the set stays.
    #[inline]
    pub fn lookup(&self, destination: IpAddr, flow_hash: u32) -> Option<&NextHop> {
        self.select(self.prefixes.lookup(destination)?, flow_hash)
    }

    /// [`Fib::lookup`] for IPv4.
    #[inline]
    pub fn lookup4(&self, destination: Ipv4Addr, flow_hash: u32) -> Option<&NextHop> {
        self.select(self.prefixes.lookup4(destination)?, flow_hash)
    }

    /// [`Fib::lookup`] for IPv6.
    #[inline]
    pub fn lookup6(&self, destination: Ipv6Addr, flow_hash: u32) -> Option<&NextHop> {
        self.select(self.prefixes.lookup6(destination)?, flow_hash)
    }

    /// Which of a route's hops takes the flow.
    #[inline]
    pub fn select(&self, set: NextHopSetId, flow_hash: u32) -> Option<&NextHop> {
        self.sets.select(set, flow_hash)
    }

    /// The prefixes, for lookups in bursts; [`Fib::select`] completes each.
    pub fn prefixes(&self) -> &Lpm<NextHopSetId> {
        &self.prefixes
    }

    /// Every gateway that a route leads through, each once, in the order of its
    /// [`GatewaySlot`](crate::GatewaySlot): what control keeps resolved.
    pub fn gateways(&self) -> &[Gateway] {
        &self.sets.gateways
    }

    /// Heap bytes of the table.
    pub fn memory_bytes(&self) -> usize {
        self.prefixes.memory_bytes() + self.sets.memory_bytes()
    }
}
