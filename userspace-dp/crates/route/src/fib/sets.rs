//! Sets of next hops: what the prefixes of a [`Fib`](super::Fib) point at.

use core::num::NonZeroU32;
use std::collections::HashMap;

use super::Gateway;
use crate::{GatewaySlot, NextHop, WeightedHop};

/// Names the next hops of a route within one [`Fib`](super::Fib).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextHopSetId(NonZeroU32);

impl NextHopSetId {
    /// The name of the set in this position.
    pub(super) fn of(position: usize) -> Option<Self> {
        u32::try_from(position).ok()?.checked_add(1).and_then(NonZeroU32::new).map(Self)
    }

    pub(super) fn position(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// All sets of a table, as workers read them.
#[derive(Debug)]
pub(super) struct NextHopSets {
    sets: Vec<Span>,
    hops: Vec<Hop>,
    pub(super) gateways: Vec<Gateway>,
}

/// The hops of one set.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: u32,
    count: u32,
    /// Sum of the weights.
    total: u32,
}

#[derive(Clone, Copy, Debug)]
struct Hop {
    hop: NextHop,
    /// Sum of the weights of this hop and those before it.
    up_to: u32,
}

impl NextHopSets {
    /// Lays the sets out in order, so that a set's position is its name, and numbers gateways.
    pub(super) fn of<'a>(sets: impl Iterator<Item = &'a [WeightedHop]>) -> Self {
        let mut slots: HashMap<Gateway, u32> = HashMap::new();
        let mut all = Self { sets: vec![], hops: vec![], gateways: vec![] };
        for set in sets {
            let first = all.hops.len() as u32;
            let mut total = 0;
            for weighted in set {
                total += u32::from(weighted.weight.max(1));
                let mut hop = weighted.hop;
                hop.gateway_slot = hop.gateway.map_or(GatewaySlot::NONE, |address| {
                    let gateway = Gateway { interface: hop.interface, address };
                    GatewaySlot(*slots.entry(gateway).or_insert_with(|| {
                        all.gateways.push(gateway);
                        all.gateways.len() as u32 - 1
                    }))
                });
                all.hops.push(Hop { hop, up_to: total });
            }
            all.sets.push(Span { first, count: set.len() as u32, total });
        }
        all
    }

    #[inline]
    pub(super) fn select(&self, set: NextHopSetId, flow_hash: u32) -> Option<&NextHop> {
        let set = self.sets.get(set.position())?;
        let hops = self.hops.get(set.first as usize..(set.first + set.count) as usize)?;
        if let [only] = hops {
            return Some(&only.hop);
        }
        let point = ((u64::from(flow_hash) * u64::from(set.total)) >> 32) as u32;
        hops.iter().find(|hop| point < hop.up_to).map(|hop| &hop.hop)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.sets) + size_of_val(&*self.hops) + size_of_val(&*self.gateways)
    }
}
