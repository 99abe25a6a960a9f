//! Who answers on a link: (interface, address) to MAC.
//!
//! A mirror of the kernel's neighbour table, rebuilt by control on every change and read by
//! workers. Nothing is learned from packets (RFC 826 and RFC 4861 are the kernel's business).
//!
//! Packets through a gateway, nearly all of them, need no hash: the FIB numbers its gateways, and
//! the entry of each gateway is found by that number. Destinations on a link are found by a keyed
//! hash in a table at most half full.

use core::hash::BuildHasher;
use core::net::IpAddr;
use std::collections::BTreeMap;

use foldhash::quality::FixedState;
use wire::Mac;

use crate::{Fib, Gateway, GatewaySlot, InterfaceId, NextHop};

#[cfg(test)]
mod tests;

/// How far the kernel got with a neighbour; the NUD states of rtnetlink(7) by what they allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NeighbourState {
    /// Known: reachable, permanent or noarp.
    Reachable,
    /// Known and due for a check: stale, delay or probe.
    Stale,
    /// Being asked for.
    Incomplete,
    /// Asked for in vain.
    Failed,
}

/// One neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The link it is on.
    pub interface: InterfaceId,
    /// Its address.
    pub address: IpAddr,
    /// Its hardware address; without meaning while incomplete or failed.
    pub mac: Mac,
    /// Whether `mac` may be used.
    pub state: NeighbourState,
}

/// What is known about the neighbour a packet must go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Send to this MAC.
    Known(Mac),
    /// The kernel is asking: park the packet.
    Pending,
    /// Nobody answered: host unreachable.
    Failed,
    /// The kernel has no entry: park the packet and have it ask.
    Unknown,
}

/// An immutable snapshot of the neighbours.
#[derive(Clone, Debug)]
pub struct Neighbours {
    entries: Vec<Neighbour>,
    /// Position in `entries` per gateway of the FIB this was built for, or [`ABSENT`].
    gateways: Vec<u32>,
    /// Open addressing over positions in `entries`; a power of two, at most half full.
    buckets: Vec<u32>,
    hasher: FixedState,
}

impl Neighbours {
    /// A snapshot without neighbours.
    pub fn empty() -> Self {
        NeighboursBuilder::new(0).snapshot(&Fib::empty())
    }

    /// Where a packet to `destination` along `hop` goes on the link: to the gateway, or to the
    /// destination itself. Not to be asked for interfaces without hardware addresses.
    #[inline]
    pub fn resolve(&self, hop: &NextHop, destination: IpAddr) -> Resolution {
        let entry = match hop.gateway {
            Some(address) => self.gateway(hop.gateway_slot, hop.interface, address),
            None => self.get(hop.interface, destination),
        };
        entry.map_or(Resolution::Unknown, |neighbour| match neighbour.state {
            NeighbourState::Reachable | NeighbourState::Stale => Resolution::Known(neighbour.mac),
            NeighbourState::Incomplete => Resolution::Pending,
            NeighbourState::Failed => Resolution::Failed,
        })
    }

    /// The entry of a neighbour, by hash.
    #[inline]
    pub fn get(&self, interface: InterfaceId, address: IpAddr) -> Option<&Neighbour> {
        let mask = self.buckets.len().checked_sub(1)?;
        let start = self.hasher.hash_one((interface, address)) as usize;
        for probe in 0..self.buckets.len() {
            // An absent position is beyond the entries, which ends the search.
            let position = *self.buckets.get(start.wrapping_add(probe) & mask)?;
            let entry = self.entries.get(position as usize)?;
            if entry.interface == interface && entry.address == address {
                return Some(entry);
            }
        }
        None
    }

    /// All neighbours, ascending by interface and address.
    pub fn iter(&self) -> impl Iterator<Item = &Neighbour> {
        self.entries.iter()
    }

    /// Number of neighbours.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no neighbour.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    #[inline]
    fn gateway(
        &self,
        slot: GatewaySlot,
        interface: InterfaceId,
        address: IpAddr,
    ) -> Option<&Neighbour> {
        let hinted = self.gateways.get(slot.0 as usize);
        hinted
            .and_then(|position| self.entries.get(*position as usize))
            .filter(|entry| entry.interface == interface && entry.address == address)
            .or_else(|| self.get(interface, address))
    }
}

/// The neighbours as control keeps them.
#[derive(Clone, Debug)]
pub struct NeighboursBuilder {
    entries: BTreeMap<(InterfaceId, IpAddr), (Mac, NeighbourState)>,
    hasher: FixedState,
}

impl NeighboursBuilder {
    /// No neighbours. `seed` keys the hash: draw it at random once per boot.
    pub fn new(seed: u64) -> Self {
        Self { entries: BTreeMap::new(), hasher: FixedState::with_seed(seed) }
    }

    /// Adds a neighbour or replaces what was known of it; returns whether anything changed.
    pub fn insert(&mut self, neighbour: Neighbour) -> bool {
        let known = (neighbour.mac, neighbour.state);
        self.entries.insert((neighbour.interface, neighbour.address), known) != Some(known)
    }

    /// Takes a neighbour out; returns whether it was there.
    pub fn remove(&mut self, interface: InterfaceId, address: IpAddr) -> bool {
        self.entries.remove(&(interface, address)).is_some()
    }

    /// Takes out all neighbours of a link that went away; returns how many.
    pub fn remove_interface(&mut self, interface: InterfaceId) -> usize {
        let before = self.entries.len();
        self.entries.retain(|key, _| key.0 != interface);
        before - self.entries.len()
    }

    /// Number of neighbours.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no neighbour.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Compiles the snapshot that goes with `fib`. With another FIB it stays right but hashes.
    pub fn snapshot(&self, fib: &Fib) -> Neighbours {
        let entry =
            |(&(interface, address), &(mac, state))| Neighbour { interface, address, mac, state };
        let entries: Vec<Neighbour> = self.entries.iter().map(entry).collect();
        let mut buckets = vec![ABSENT; (2 * entries.len()).next_power_of_two()];
        let mask = buckets.len() - 1;
        for (position, entry) in entries.iter().enumerate() {
            let start = self.hasher.hash_one((entry.interface, entry.address)) as usize;
            let vacant = (0..buckets.len())
                .map(|probe| start.wrapping_add(probe) & mask)
                .find(|bucket| buckets[*bucket] == ABSENT);
            if let Some(bucket) = vacant {
                buckets[bucket] = position as u32;
            }
        }
        let position = |gateway: &Gateway| {
            let found = entries.binary_search_by(|entry| {
                (entry.interface, entry.address).cmp(&(gateway.interface, gateway.address))
            });
            found.map_or(ABSENT, |position| position as u32)
        };
        let gateways = fib.gateways().iter().map(position).collect();
        Neighbours { entries, gateways, buckets, hasher: self.hasher.clone() }
    }
}

/// No position: beyond every table.
const ABSENT: u32 = u32::MAX;
