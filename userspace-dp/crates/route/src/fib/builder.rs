//! The forwarding table as control keeps it.

use std::collections::HashMap;
use std::sync::Arc;

use ipnet::IpNet;

use super::Fib;
use super::sets::{NextHopSetId, NextHopSets};
use crate::{GatewaySlot, LpmBuilder, WeightedHop};

/// Routes by prefix, mutable; compiled by [`FibBuilder::snapshot`].
///
/// Equal sets of next hops are kept once and counted, so that 200,000 routes through ten routers
/// take ten sets.
#[derive(Clone, Debug, Default)]
pub struct FibBuilder {
    prefixes: LpmBuilder<NextHopSetId>,
    sets: Vec<Entry>,
    by_hops: HashMap<Arc<[WeightedHop]>, NextHopSetId>,
    vacant: Vec<NextHopSetId>,
    /// The compiled sets, as long as they say what `sets` says.
    compiled: Option<Arc<NextHopSets>>,
}

#[derive(Clone, Debug)]
struct Entry {
    hops: Arc<[WeightedHop]>,
    /// Routes that use it; at zero the position is vacant and has no hops.
    routes: u32,
}

impl FibBuilder {
    /// No routes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a route or replaces the one of the same prefix, and returns whether anything changed.
    /// `hops` are the ways on, one for an ordinary route; their order is part of the route. A
    /// route without hops cannot be taken, so it counts as none: the prefix is removed.
    pub fn insert(&mut self, prefix: IpNet, hops: &[WeightedHop]) -> bool {
        let Some(set) = self.acquire(hops) else {
            return self.remove(prefix);
        };
        let old = self.prefixes.insert(prefix, set);
        if let Some(old) = old {
            self.release(old);
        }
        old != Some(set)
    }

    /// Takes a route out; returns whether it was there.
    pub fn remove(&mut self, prefix: IpNet) -> bool {
        let old = self.prefixes.remove(prefix);
        if let Some(old) = old {
            self.release(old);
        }
        old.is_some()
    }

    /// The hops of exactly this prefix.
    pub fn get(&self, prefix: IpNet) -> Option<&[WeightedHop]> {
        self.sets.get(self.prefixes.get(prefix)?.position()).map(|entry| &*entry.hops)
    }

    /// All routes, IPv4 first, ascending by prefix.
    pub fn iter(&self) -> impl Iterator<Item = (IpNet, &[WeightedHop])> {
        self.prefixes.iter().filter_map(|(prefix, set)| {
            self.sets.get(set.position()).map(|entry| (prefix, &*entry.hops))
        })
    }

    /// Number of routes.
    pub fn len(&self) -> usize {
        self.prefixes.len()
    }

    /// Whether there is no route.
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }

    /// Compiles what changed since the last snapshot and shares the rest with it.
    pub fn snapshot(&mut self) -> Fib {
        let entries = &self.sets;
        let sets = self.compiled.get_or_insert_with(|| {
            Arc::new(NextHopSets::of(entries.iter().map(|entry| &*entry.hops)))
        });
        Fib { sets: Arc::clone(sets), prefixes: self.prefixes.snapshot() }
    }

    /// The set of these hops with one more route on it; `None` for no hops.
    fn acquire(&mut self, hops: &[WeightedHop]) -> Option<NextHopSetId> {
        if hops.is_empty() {
            return None;
        }
        let hops: Arc<[WeightedHop]> = hops.iter().copied().map(normalised).collect();
        if let Some(&set) = self.by_hops.get(&hops) {
            self.sets.get_mut(set.position())?.routes += 1;
            return Some(set);
        }
        self.compiled = None;
        let entry = Entry { hops: Arc::clone(&hops), routes: 1 };
        let set = match self.vacant.pop() {
            Some(set) => {
                *self.sets.get_mut(set.position())? = entry;
                set
            }
            None => {
                let set = NextHopSetId::of(self.sets.len())?;
                self.sets.push(entry);
                set
            }
        };
        self.by_hops.insert(hops, set);
        Some(set)
    }

    fn release(&mut self, set: NextHopSetId) {
        let Some(entry) = self.sets.get_mut(set.position()) else { return };
        entry.routes -= 1;
        if entry.routes == 0 {
            let hops = core::mem::take(&mut entry.hops);
            self.by_hops.remove(&hops);
            self.vacant.push(set);
            self.compiled = None;
        }
    }
}

/// The form in which equal hops are equal.
fn normalised(weighted: WeightedHop) -> WeightedHop {
    let mut hop = weighted.hop;
    hop.gateway_slot = GatewaySlot::NONE;
    WeightedHop { hop, weight: weighted.weight.max(1) }
}
